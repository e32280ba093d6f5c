"""The container engine of this machine, and its information on images."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.containers.catalog import DOCKER_HUB, Image, login, registry_of
from bench.containers.spec import Engine, Inspected
from bench.errors import EnvironmentProblem, one_line
from bench.system.subprocesses import CompletedCommand, RunCaptured

#: An engine answers in a fraction of a second; a hanging daemon never.
PATIENCE_SECONDS = 30.0
#: The error code for a missing engine.
NO_ENGINE = "no-engine"
#: The error code for an image that the engine does not have.
NO_IMAGE = "no-image"
INSTALL = (
    "install Docker Engine and the NVIDIA container toolkit (see docs/guide/cloud-gpu.md), or type WHERE=native to "
    "train without a container"
)
MAKE_CDI = "`sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"
CONFIGURE_DOCKER = "`sudo nvidia-ctk runtime configure --runtime=docker` and `sudo systemctl restart docker`"
#: Known errors of engines: code, pattern, message and advice; the first match counts. ``{registry}`` is that of the
#: image to fetch, ``{login}`` the command that logs in there.
_MEANINGS: tuple[tuple[str, str, str, str], ...] = (
    (
        "docker-permission",
        r"permission denied.*(docker.*sock|daemon socket|connect to the docker)|got permission denied",
        "you may not use Docker's socket",
        "type `sudo usermod -aG docker $USER`, log in again, and run the same command",
    ),
    (
        "daemon-down",
        r"cannot connect to the docker daemon|is the docker daemon running|docker\.sock: (no such file|connect)",
        "Docker is installed and its daemon does not run",
        "type `sudo systemctl start docker`",
    ),
    (
        "no-toolkit",
        r"could not select device driver|unknown or invalid runtime name: nvidia|container-runtime-hook.*not found",
        "the engine cannot hand out GPUs, as it knows no NVIDIA container toolkit",
        f"install nvidia-container-toolkit, then type {CONFIGURE_DOCKER}",
    ),
    (
        "no-cdi",
        r"unresolvable CDI device|setting up CDI devices|no such CDI|failed to inject CDI",
        "the engine has no CDI description of this GPU",
        f"type {MAKE_CDI}",
    ),
    (
        "driver-too-old",
        r"unsatisfied condition: ([^\s,]+)",
        "the driver is too old for this image by the image's own requirement",
        "install a newer driver, or name another one with IMAGE= (`python -m bench image list`)",
    ),
    (
        "driver-unreachable",
        r"nvidia-container-cli.*(driver not loaded|nvml error|initialization error)|libnvidia-ml\.so",
        "the container toolkit cannot reach the NVIDIA driver",
        "see that `nvidia-smi` works on the host, then type `sudo systemctl restart docker`",
    ),
    (
        "gpu-unknown",
        r"nvidia-container-cli.*(unknown device|device error)|no devices? (with|found)",
        "the engine does not find this GPU",
        "see that `nvidia-smi -L` lists it, then type `sudo systemctl restart docker`",
    ),
    (
        "disk-full",
        r"no space left on device|disk quota exceeded",
        "the engine's disk is full",
        "make room with `{program} system prune`, or move its data-root to a larger disk",
    ),
    (
        "no-buildkit",
        r"buildx component is missing|requires buildkit|'buildx' is not a docker command|buildkit is not supported",
        "{program} lacks BuildKit, which docker/Dockerfile needs",
        "install docker-buildx-plugin, or name an engine that has it with DOCKER=",
    ),
    (
        "rate-limit",
        r"toomanyrequests|too many requests|rate ?limit",
        "{registry} says that its limit of pulls is reached",
        "wait ({window}), or type {login}",
    ),
    (
        "proxy-login",
        r"proxy authentication required|proxyconnect .*\b407\b",
        "the proxy between this machine and {registry} requires a login",
        "give the engine the proxy's address with user and password (HTTPS_PROXY of its service)",
    ),
    (
        "denied",
        r"unauthorized|authentication required|access to the resource is denied|access denied|no basic auth|"
        r"failed to authorize|insufficient_scope|: denied: |response: denied|\b403 forbidden",
        "{registry} does not give this image to this user: it has none of that name, or only with a login",
        "see that the name is right, or type {login}",
    ),
    (
        "no-platform",
        r"no matching manifest for|no match for platform|no image found in .* for architecture",
        "the image has nothing for this machine's processor",
        "name another one with IMAGE= (`python -m bench image list`), or type WHERE=native",
    ),
    (
        "no-manifest",
        r"manifest unknown|manifest for .* not found|not found: manifest|reading manifest .*not found|no such manifest|"
        r"failed to resolve .*: not found",
        "{registry} has no image of this name, tag or digest",
        "see whether docker/images.toml is unchanged, and what `python -m bench image resolve TAG` says of the tag",
    ),
    (
        "tls",
        r"x509: |certificate (is not|has expired|signed by|verify)|failed to verify certificate|"
        r"server gave http response|remote error: tls",
        "no encrypted connection with {registry} came about that the engine trusts",
        "see that this machine's clock is right; of a proxy or a registry of your own, give the engine the certificate",
    ),
    (
        "network",
        r"no such host|i/o timeout|network is unreachable|no route to host|connection refused|tls handshake timeout|"
        r"connection reset|temporary failure|context deadline exceeded|client\.timeout|dial tcp|\beof\b",
        "{registry} cannot be reached from here, or broke off",
        "run the same command again, which may fetch the image again{elsewhere}",
    ),
    (
        "registry-error",
        r"\b(500 internal server error|502 bad gateway|503 service unavailable|504 gateway time-?out)|"
        r"unexpected http status.* 5\d\d",
        "{registry} answers that it has trouble of its own",
        "wait some minutes, then run the same command again{elsewhere}",
    ),
    (
        NO_IMAGE,
        r"no such (image|object)|image not known|unable to find image|image .* not found",
        "the image is not here",
        "pull it with the same command again, or build it with `make image`",
    ),
    (
        "mount",
        r"bind source path does not exist|statfs .*no such file|invalid mount config|error mounting|mount denied|"
        r"are not shared from the host",
        "a folder of this machine cannot be mounted",
        "let the engine run on this machine and see this folder: one in a snap, a virtual machine or on another host "
        "does not",
    ),
    (
        "no-init",
        r"container-init binary not found|catatonit|exec: .*docker-init.*not found",
        "the engine lacks the small program that is the first process in a container",
        "install the package catatonit for podman; Docker's is part of Docker Engine: reinstall that",
    ),
    (
        "rlimit-files",
        r"setting rlimit type [67]\b",
        "the engine may not raise a container's number of open files or processes to its own default",
        "type DOCKER_FLAGS='--ulimit nofile=4096:4096 --ulimit nproc=32768:32768', or give the engine the right to",
    ),
    (
        "rlimit",
        r"error setting rlimit|setrlimit",
        "the engine may not raise a limit of the container",
        "type DOCKER_FLAGS='--ulimit stack=8388608', or give the engine's service the right to",
    ),
)
#: The error is at the end; the output before it may be very long.
_MOST_CHARACTERS = 8192
#: The prefix of a client's error.
_PREFIX = re.compile(r"^(docker: |error: |time=\S+ level=\S+ msg=)?(error response from daemon: )?", re.IGNORECASE)


def meaning(output: str, program: str = "docker", reference: str = "", before: str = "") -> EnvironmentProblem:
    """Return the error in an engine's ``output``: a known one with code and advice, or its last line.

    ``reference`` is the image to fetch, if any; ``before`` begins the message.
    """
    lines = [line.strip() for line in output[-_MOST_CHARACTERS:].splitlines() if line.strip()]
    registry = registry_of(reference) if reference else ""
    names = {
        "program": program,
        "registry": registry or "the registry",
        "login": login(registry or "REGISTRY", program),
        "window": "Docker Hub counts pulls per six hours"
        if registry == DOCKER_HUB
        else "such limits end by themselves",
        # The base of our own images.
        "elsewhere": "" if registry == DOCKER_HUB else "; without that registry, IMAGE=portable",
    }
    for code, pattern, message, advice in _MEANINGS:
        if re.search(pattern, " ".join(lines), re.IGNORECASE):
            return EnvironmentProblem(before + message.format(**names), advice.format(**names), code)
    # Not `See 'docker run --help'.`, nor the end of a stack.
    speaking = [line for line in lines if not re.match(r"see '|run '|\s*$", line, re.IGNORECASE)]
    last = _PREFIX.sub("", speaking[-1]) if speaking else "it said nothing"
    return EnvironmentProblem(f"{before}{program} says: {one_line(last)[:300].rstrip('.')}.")


def find(program: str, run: RunCaptured, environ: Mapping[str, str]) -> Engine:
    """Return the engine ``program``. Raises EnvironmentProblem if it cannot be used."""
    if shutil.which(program) is None:
        raise EnvironmentProblem(f"there is no `{program}` on PATH", INSTALL, code=NO_ENGINE)
    name = "CONTAINER_HOST" if Path(program).name == "podman" else "DOCKER_HOST"
    if environ.get(name) and not environ[name].startswith("unix://"):
        raise EnvironmentProblem(
            f"{name} names an engine on another machine, which cannot see this one's files",
            f"type `unset {name}` first",
        )
    answer = _answer([program, "info", "--format", "{{json .}}"], run)
    try:
        info = json.loads(answer.out)
        errors = info.get("ServerErrors") or []
    except (ValueError, AttributeError):
        raise meaning(answer.err or answer.out, Path(program).name) from None
    if errors or answer.exit_code:
        words = "\n".join(map(str, errors)) or answer.err
        raise meaning(words, Path(program).name)
    if "host" in info and "store" in info:  # also if it is called docker
        return _podman(program, info)
    found = _docker(program, info)
    _require_this_machine(program, run, environ)
    return found


def _require_this_machine(program: str, run: RunCaptured, environ: Mapping[str, str]) -> None:
    """Raise EnvironmentProblem if Docker's context is another machine; DOCKER_HOST takes precedence."""
    if environ.get("DOCKER_HOST"):
        return
    answer = _answer([program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], run)
    if not answer.exit_code and answer.out.strip().startswith(("ssh://", "tcp://", "http://", "https://")):
        raise EnvironmentProblem(
            "Docker's context names an engine on another machine, which cannot see this one's files",
            "type `docker context use default` first",
        )


def _docker(program: str, info: Mapping[str, Any]) -> Engine:
    options = [str(each) for each in info.get("SecurityOptions") or []]
    return Engine(
        program=program,
        version=str(info.get("ServerVersion") or "unknown"),
        rootless=any("name=rootless" in each for each in options),
        remapped=any("name=userns" in each for each in options),
        selinux=any("name=selinux" in each for each in options),
        root_folder=_folder(info.get("DockerRootDir")),
    )


def _podman(program: str, info: Mapping[str, Any]) -> Engine:
    host, store = info.get("host") or {}, info.get("store") or {}
    security = host.get("security") or {}
    return Engine(
        program=program,
        version=str((info.get("version") or {}).get("Version") or "unknown"),
        is_podman=True,
        rootless=bool(security.get("rootless")),
        selinux=bool(security.get("selinuxEnabled")),
        root_folder=_folder(store.get("graphRoot")),
    )


def _folder(path: object) -> Path | None:
    return Path(path) if isinstance(path, str) and Path(path).is_dir() else None


def inspect(engine: Engine, image: Image, run: RunCaptured) -> Inspected | None:
    """Return the engine's information on an image, None if it does not have it. Raises EnvironmentProblem."""
    # Without a template every engine gives a list; with one, Docker an object and podman 4 a list.
    answer = _answer([engine.program, "image", "inspect", image.locator], run)
    if answer.exit_code:
        problem = meaning(answer.err, Path(engine.program).name, image.locator)
        if problem.code == NO_IMAGE:
            return None
        raise problem
    try:
        (body,) = json.loads(answer.out)
        config = body.get("Config") or {}
        content = str(body["Id"])
    except (ValueError, TypeError, AttributeError, KeyError):
        raise EnvironmentProblem(
            f"{engine.program} cannot describe {image.locator}: {one_line(answer.out)[:200]}."
        ) from None
    digests = [str(each).rpartition("@")[2] for each in body.get("RepoDigests") or []]
    return Inspected(
        id=content if content.startswith("sha256:") else f"sha256:{content}",
        digests=tuple(digests),
        labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
        env=dict(str(each).partition("=")[::2] for each in config.get("Env") or []),
    )


def require_space(engine: Engine, image: Image) -> None:
    """Raise EnvironmentProblem if an image to be pulled does not fit on the engine's disk."""
    if engine.root_folder is None or image.unpacked_gb is None:
        return
    free_gb = shutil.disk_usage(engine.root_folder).free / 1e9
    # Compressed layers, about a third, are kept while they are unpacked.
    needed_gb = 1.35 * image.unpacked_gb
    if free_gb < needed_gb:
        name = Path(engine.program).name
        raise EnvironmentProblem(
            f"the image {image.name} needs about {needed_gb:.0f} GB where {name} keeps its images and "
            f"{free_gb:.0f} GB are free",
            f"make room with `{name} system prune`, or move its data-root to a larger disk",
        )


def has_cdi(root: Path = Path("/")) -> bool:
    """Return whether this machine describes its NVIDIA GPUs by CDI, as podman requires."""
    return any(path.is_file() for place in ("etc/cdi", "var/run/cdi") for path in (root / place).glob("nvidia*"))


def _answer(argv: Sequence[str], run: RunCaptured) -> CompletedCommand:
    try:
        return run(argv, PATIENCE_SECONDS)
    except TimeoutError:
        restart = (
            "see what `podman ps` says" if Path(argv[0]).name == "podman" else "type `sudo systemctl restart docker`"
        )
        raise EnvironmentProblem(f"{argv[0]} did not answer within {PATIENCE_SECONDS:.0f} s", restart) from None
    except OSError as error:
        message = f"`{shlex.join(argv[:2])}` cannot be started ({error.strerror})"
        raise EnvironmentProblem(message, INSTALL, code=NO_ENGINE) from None
