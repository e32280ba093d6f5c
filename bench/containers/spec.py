"""A trainer's container: the image for this GPU, driver and toolkit, its pinning, and the engine's command line. Pure.

The harness stays on the host. An image, unmodified, is the trainer's interpreter. The checkout and the data are mounted
read-only; the run's folder, with its FIFO, and the kernel cache are writable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bench.containers import compat
from bench.containers.catalog import Image, Images
from bench.containers.compat import Card, Fit
from bench.errors import EnvironmentProblem, UsageError
from bench.system import container_flags
from bench.system.env_allowlist import PREFIXES

#: Paths in the container, below a name that no image uses.
INSIDE = PurePosixPath("/bench")
CHECKOUT, DATA, RECIPES, CACHE = (INSIDE / name for name in ("checkout", "data", "recipes", "cache"))
#: The label that identifies containers left by a killed harness.
OWNER_LABEL = "resnet9-bench.owner"
#: Labels of the project's Dockerfile; STAND_IN marks a placeholder base.
BASE_LABEL, LOCK_LABEL = "resnet9-bench.base", "resnet9-bench.lock.sha256"
DOCKERFILE_LABEL, STAND_IN = "resnet9-bench.dockerfile.sha256", "local.standin"
#: Further variables passed on, not in the record's allow-list.
_PLAIN = ("PYTHONHASHSEED", "TZ")
#: How exactly an image is identified, from best to worst.
PINNED, BUILT, DIGESTED, UNDIGESTED, STANDIN = "pinned", "built", "digested", "undigested", "stand-in"
PUBLISHABLE = (PINNED, BUILT, DIGESTED)
#: tf.data and the allocator share memory in /dev/shm, where an engine gives 64 MB; NVIDIA's own examples give 1g.
_SHARED_MEMORY = "1g"
#: Recorded variables that are not passed on: the image's own apply, and `--gpus` selects the GPU.
_OF_THE_HOST = re.compile(
    r"CUDA_(HOME|PATH|ROOT|VERSION|DEVICE_ORDER|VISIBLE_DEVICES|CACHE_PATH)|NVIDIA_(VISIBLE_DEVICES|DRIVER_CAPABILITIES|"
    r"REQUIRE_\w+|PRODUCT_NAME)|(CUDNN|NCCL|CUBLAS|NVIDIA_\w+)_VERSION"
)


@dataclass(frozen=True)
class Choice:
    """The image for a run and its reason; ``fit`` predicts how it will run."""

    image: Image
    reason: str
    fit: Fit = field(default_factory=Fit)


def choose(
    gpu: Card | None, driver: str | None, toolkit: str | None, images: Images, wanted: str | None = None
) -> Choice:
    """Return the image for a ``gpu``, or for a CPU if None, with this driver and container toolkit.

    ``wanted`` is IMAGE; without it the first that fits is chosen. Raises EnvironmentProblem, before anything is pulled,
    if none can work, and UsageError for an unknown name.
    """
    if gpu is None:
        return _for_cpu(images, wanted)
    why, remedy = compat.retired(gpu, driver, images.last_driver_branch)
    if why:
        raise EnvironmentProblem(why, f"{remedy}, or type DEVICE=cpu; no image can help")
    if wanted is not None:
        return _wanted(gpu, driver, toolkit, images, wanted)
    passed_over: list[Fit] = []
    for image in (each for each in images.image if each.is_gpu and _may_be_taken(each, gpu)):
        found = compat.fit(image, gpu, driver, toolkit)
        if not found.why_not:
            return Choice(image, _reason(image, gpu, driver, found), found)
        passed_over.append(found)
    message, advice = _none(gpu, passed_over)
    raise EnvironmentProblem(message, f"{advice}, or type WHERE=native or DEVICE=cpu")


def _may_be_taken(image: Image, gpu: Card) -> bool:
    tried = compat.acceptance_on(image, gpu)
    if tried is not None:
        return tried.passed
    return bool(image.digest or image.is_built) and not image.candidate


def _none(gpu: Card, passed_over: Sequence[Fit]) -> tuple[str, str]:
    """Return the error of no usable image. Advice on the driver, which can be updated, comes first."""
    fixable = [each for each in passed_over if each.gpu_code != compat.NO_CODE and each.remedy]
    if fixable:
        return f"no image here runs {gpu.label} with this driver: {fixable[0].why_not}", fixable[0].remedy
    return f"no image here has code for {gpu.label}", "resolve another one with `python -m bench image resolve TAG`"


def _wanted(gpu: Card, driver: str | None, toolkit: str | None, images: Images, wanted: str) -> Choice:
    image = images.find(wanted)
    found = compat.fit(image, gpu, driver, toolkit)
    if found.why_not:
        try:
            other = choose(gpu, driver, toolkit, images).image.name
        except EnvironmentProblem as problem:
            without = f"Without IMAGE: {problem.message}"
            raise EnvironmentProblem(f"IMAGE={wanted}: {found.why_not}. {without}", problem.advice) from None
        remedy = "" if found.gpu_code == compat.NO_CODE or found.remedy == "name another one" else found.remedy
        choices = f"{remedy}, or type IMAGE={other}" if remedy else f"type IMAGE={other}"
        raise EnvironmentProblem(f"IMAGE={wanted}: {found.why_not}", f"{choices}, or leave IMAGE out")
    _require_digest(image, images, wanted)
    tried = compat.acceptance_on(image, gpu)
    reason = f"IMAGE={wanted} names it"
    if tried is not None and not tried.passed:
        reason += f", though it was tried on {tried.device} on {tried.date} and failed: {'; '.join(tried.failed)}"
    elif image.candidate and tried is None:
        reason += "; it is a candidate that nobody has tried on such a GPU: `python -m bench image verify` does"
    return Choice(image, f"{reason}{_how(driver, found)}", found)


def _require_digest(image: Image, images: Images, wanted: str | None) -> None:
    if image.reference and not image.digest and any(each.name == image.name for each in images.image):
        tag = image.reference.rpartition(":")[2]
        raise EnvironmentProblem(
            f"IMAGE={wanted} has no digest yet, so its contents are not known",
            f"type `python -m bench image resolve {tag}` first",
        )


def _for_cpu(images: Images, wanted: str | None) -> Choice:
    for_cpus = (each for each in images.image if each.is_built and not each.is_gpu)
    image = images.find(wanted) if wanted is not None else next(for_cpus, None)
    if image is None:
        raise EnvironmentProblem("docker/images.toml has no image for CPUs", "type WHERE=native")
    _require_digest(image, images, wanted)
    return Choice(image, "a CPU trains" if wanted is None else f"IMAGE={wanted} names it")


def _reason(image: Image, gpu: Card, driver: str | None, found: Fit) -> str:
    code = {
        compat.NATIVE: f"it has machine code for {gpu.label}",
        compat.PTX_JIT: f"the driver can compile its PTX for {gpu.label}, which takes time at first use",
    }.get(found.gpu_code, f"the driver does not report the compute capability of {gpu.name}")
    expected = ", as its own build list is still expected to say" if "capabilities" in image.expected else ""
    tried = compat.acceptance_on(image, gpu)
    accepted = f", and was accepted on {tried.device} on {tried.date}" if tried else ""
    return f"{code}{expected}{accepted}{_how(driver, found)}"


def _how(driver: str | None, found: Fit) -> str:
    modes = {
        compat.NATIVE: "runs it natively",
        compat.MINOR_VERSION: "is older than its CUDA and runs it in minor-version compatibility",
        compat.FORWARD: "is older than its CUDA, whose own libraries run it in forward compatibility",
    }
    return f"; driver {driver} {modes[found.cuda_mode]}" if driver and found.cuda_mode in modes else ""


@dataclass(frozen=True)
class Inspected:
    """An engine's information on an image: its content ``id`` and the digests it was pulled by."""

    id: str
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def pinning(image: Image, inspected: Inspected, recipe: Mapping[str, str], table: Images) -> str:
    """Return how exactly an image is identified; PUBLISHABLE lists what may be published.

    ``pinned``: pulled by a digest of docker/images.toml. ``built``: with the labels of this checkout's ``recipe``:
    base, lock file and Dockerfile. ``digested``: pulled by another digest. ``stand-in``: the image or its base is
    labelled a placeholder.
    """
    if inspected.labels.get(STAND_IN, "").lower() not in ("", "false"):
        return STANDIN
    if image.is_built:
        same = all(inspected.labels.get(label) == value for label, value in recipe.items())
        return BUILT if same and recipe else UNDIGESTED
    if not image.digest or image.digest not in inspected.digests:
        return UNDIGESTED
    return PINNED if any(each.digest == image.digest for each in table.image) else DIGESTED


@dataclass(frozen=True)
class Engine:
    """A container engine: ``program`` is ``docker`` or ``podman``, or a path of one.

    ``is_podman`` is read from the engine, as podman may be called docker: it has no daemon, and uses CDI for GPUs.
    ``rootless``: root inside is the calling user outside. ``remapped``: the daemon shifts user ids. ``selinux``: labels
    keep a container from the host's files. ``root_folder`` holds the images, None if not on this machine.
    """

    program: str
    version: str
    is_podman: bool = False
    rootless: bool = False
    remapped: bool = False
    selinux: bool = False
    root_folder: Path | None = None

    @property
    def label(self) -> str:
        """Return name and version, as a record keeps them."""
        return f"{'podman' if self.is_podman else 'docker'} {self.version}"


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, mounted at ``target``."""

    source: Path
    target: PurePosixPath
    read_only: bool = True

    def word(self) -> str:
        """Return the argument of ``--mount``, which unlike ``--volume`` creates no folder and allows a colon in a path.

        Raises UsageError for a path that its comma-separated form cannot hold in every engine.
        """
        source = str(self.source)
        if any(each in source for each in ',"\n\r'):
            raise UsageError(
                f"{source!r} has a comma, a quote or a line end in its path, which no container engine can mount",
                "move it to another path, or type WHERE=native",
            )
        return f"type=bind,source={source},target={self.target}{',readonly' if self.read_only else ''}"


@dataclass(frozen=True)
class Contained:
    """One run in a container.

    ``passed`` are names of variables of the engine's client, ``fixed`` variables of the container only; ``extra`` are
    the user's words for the engine (DOCKER_FLAGS).
    """

    engine: Engine
    image: Image
    name: str
    owner: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...]
    passed: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    gpu: str | None = None
    uid: int = 0
    gid: int = 0
    extra: tuple[str, ...] = ()


def argv(run: Contained) -> tuple[str, ...]:
    """Return the engine's command line for a run: one container, only the mounts of the host, no network."""
    words = [run.engine.program, "run", *_flags(run)]
    words += [f"--name={run.name}", f"--label={OWNER_LABEL}={run.owner}", *_user(run)]
    words += [word for mount in run.mounts for word in ("--mount", mount.word())]
    words += [word for name in run.passed for word in ("--env", name)]
    words += [word for name, value in run.fixed.items() for word in ("--env", f"{name}={value}")]
    return (*words, f"--workdir={CHECKOUT}", *_gpu(run, shown=False), *run.extra, run.image.locator, *run.command)


def shown_flags(run: Contained) -> tuple[str, ...]:
    """Return the redacted flags: mounts by their path inside, no user id, UUID or host path.

    Of the user's own flags, no value that may be a secret (``bench.system.container_flags``).
    """
    user = ["--user=root" if run.uid == 0 or run.engine.rootless else "--user=caller", *_user(run)[1:]]
    # The run's folder differs for each run, so it is not recorded.
    mounts = [
        f"--mount={each.target.parts[2].partition('-')[0]}:{'ro' if each.read_only else 'rw'}" for each in run.mounts
    ]
    own = [each.replace(":/tmp:", ":tmp:").replace("=/tmp:", "=tmp:") for each in _flags(run)]
    return (*own, *user, *mounts, *_gpu(run, shown=True), *container_flags.redacted_flags(run.extra))


def _flags(run: Contained) -> list[str]:
    flags = [
        "--init",  # the init process reaps and passes TERM on; Python as process 1 would ignore it
        "--pull=never",  # images are pulled before the run
        "--network=none",
        "--read-only",
        "--tmpfs=/tmp:rw,nosuid,nodev,mode=1777",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        f"--shm-size={_SHARED_MEMORY}",
        "--ulimit=stack=67108864",
        "--log-driver=none",  # its output goes to trainer.log
    ]
    if run.engine.is_podman and run.gpu is not None:
        # crun makes the root read-only before NVIDIA's hooks, which write into it (containers/crun issue 1924).
        flags.remove("--read-only")
    if run.engine.selinux:
        flags.append("--security-opt=label=disable")
    return flags


def _user(run: Contained) -> list[str]:
    # Root inside a rootless engine is the caller outside. (podman's keep-id would copy the whole image: podman issue
    # 20845.)
    user = "0:0" if run.engine.rootless else f"{run.uid}:{run.gid}"
    # If the daemon shifts user ids, the caller's id would be another user's.
    return [f"--user={user}", *(["--userns=host"] if run.engine.remapped and not run.engine.rootless else [])]


def _gpu(run: Contained, *, shown: bool) -> list[str]:
    if run.gpu is None:
        return []
    # The record has the card elsewhere; the flags of two machines are to be equal.
    uuid = "UUID" if shown else run.gpu
    return [f"--device=nvidia.com/gpu={uuid}"] if run.engine.is_podman else [f"--gpus=device={uuid}"]


def passed_on(names: Sequence[str]) -> tuple[str, ...]:
    """Return the trainer's variables to pass on: the recorded ones without paths and versions of the host.

    Paths such as LD_LIBRARY_PATH would override the image's without showing in a record.
    """
    known = (name for name in sorted(names) if name.startswith(PREFIXES) or name in _PLAIN)
    return tuple(name for name in known if not _OF_THE_HOST.fullmatch(name))
