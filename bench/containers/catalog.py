"""The pinned images: ``docker/images.toml`` read into plain values, and written back with its comments.

tomlkit reads and writes it, as no other library keeps the comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bench.errors import DataError, UsageError
from bench.record import replace_file
from bench.system.json_schema import SchemaError, load
from bench.system.paths import CHECKOUT

FILE = CHECKOUT / "docker" / "images.toml"
_RESTORE = "type `git checkout docker/images.toml` to restore it"
#: The repository of images that `make image` builds.
BUILT_REPOSITORY = "resnet9-bench"
NVIDIA_REPOSITORY = "nvcr.io/nvidia/tensorflow"
#: The default registry, and NVIDIA's.
DOCKER_HUB, NVIDIA_REGISTRY = "docker.io", "nvcr.io"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: ``[host[:port]/]path[:tag][@digest]`` (distribution/reference grammar), in lower case as registries want it.
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?P<repository>(?:[a-z0-9][a-z0-9.-]*(?::\d+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


_VERSION = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True)
class Acceptance:
    """What ``bench image verify`` found on one GPU; ``capability`` is empty for a CPU."""

    date: str
    digest: str
    device: str
    capability: str
    driver: str
    capabilities: tuple[str, ...]
    passed: bool
    failed: tuple[str, ...] = ()
    cuda_mode: str = ""


@dataclass(frozen=True)
class Image:
    """An image that a trainer can run in.

    A pulled image has ``reference`` (repository and tag) and ``digest``; a built one ``target`` (of docker/Dockerfile),
    ``base`` and ``lock``. ``capabilities`` are GPUs it has code for (``7.0``, ``9.0+PTX``; none: for CPUs), ``broken``
    those that fail nevertheless. ``forward`` has the oldest driver of each branch that forward compatibility allows.
    A ``candidate`` is only chosen where it was accepted. ``expected`` names the facts not yet verified in the image.
    """

    name: str
    tensorflow: str
    python: str
    reference: str = ""
    digest: str = ""
    resolved: str = ""
    target: str = ""
    base: str = ""
    lock: str = ""
    cuda: str = ""
    capabilities: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    native_driver: str = ""
    floor_driver: str = ""
    forward: dict[str, str] = field(default_factory=dict)
    unpacked_gb: int | None = None
    candidate: bool = False
    expected: tuple[str, ...] = ()
    evidence: dict[str, str] = field(default_factory=dict)
    acceptance: tuple[Acceptance, ...] = ()

    @property
    def is_built(self) -> bool:
        """Return whether the image is built here, not pulled."""
        return bool(self.target)

    @property
    def is_gpu(self) -> bool:
        """Return whether the image has code for any GPU."""
        return bool(self.capabilities)

    @property
    def locator(self) -> str:
        """Return repository and digest, without the tag, which podman rejects; without a digest, name and tag."""
        if self.is_built:
            return f"{BUILT_REPOSITORY}:{self.target}"
        return f"{repository_of(self.reference)}@{self.digest}" if self.digest else self.reference

    @property
    def label(self) -> str:
        """Return name, tag and digest without the registry, for display and for the record."""
        if self.is_built:
            return self.locator
        short = self.reference.rpartition("/")[2]
        return f"{short}@{self.digest}" if self.digest else short


@dataclass(frozen=True)
class Images:
    """The table: ``image`` in the order of preference, ``last_driver_branch`` by compute capability."""

    schema: int
    image: tuple[Image, ...]
    last_driver_branch: dict[str, int] = field(default_factory=dict)

    def find(self, wanted: str) -> Image:
        """Return the image ``wanted``: a name or a tag of the table, or any reference. Raises UsageError."""
        for each in self.image:
            tag, pinned = each.reference.rpartition(":")[2], f"{each.reference}@{each.digest}"
            if wanted and wanted in (each.name, each.reference, tag, pinned, each.locator):
                return each
        match = REFERENCE.fullmatch(wanted)
        names = ", ".join(each.name for each in self.image)
        if match is None or not (match["tag"] or match["digest"]):
            raise UsageError(
                f"there is no image {wanted!r}",
                f"give IMAGE one of {names}, or a reference such as registry.example/tensorflow@sha256:DIGEST",
            )
        reference = f"{match['repository']}:{match['tag']}" if match["tag"] else match["repository"]
        return Image(wanted, "unknown", "unknown", reference=reference, digest=match["digest"] or "")


def repository_of(reference: str) -> str:
    """Return the repository of a reference, with its registry, without its tag."""
    match = REFERENCE.fullmatch(reference)
    return match["repository"] if match else reference


def split_registry(repository: str) -> tuple[str, str]:
    """Return registry and path of a repository (distribution/reference grammar)."""
    host, slash, path = repository.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return host, path
    return DOCKER_HUB, repository if slash else f"library/{repository}"


def login(registry: str, program: str = "docker") -> str:
    """Return a clause on how to log in at a registry."""
    if registry == DOCKER_HUB and program != "podman":
        return f"`{program} login`"
    user = " with the user name $oauthtoken and a key of NVIDIA's NGC" if registry == NVIDIA_REGISTRY else ""
    return f"`{program} login {registry}`{user}"


def registry_of(reference: str) -> str:
    """Return the registry of a reference, such as ``docker.io``."""
    return split_registry(repository_of(reference))[0]


def read(path: Path = FILE) -> Images:
    """Return the table. Raises DataError for a missing or invalid file."""
    return _checked(_document(path).unwrap(), path)


def _checked(body: Any, path: Path) -> Images:
    try:
        found = load(Images, body)
    except SchemaError as error:
        raise DataError(f"{path} is damaged ({error})", _RESTORE) from None
    wrong = [fault for each in found.image for fault in _faults(each)]
    if found.schema != 1:
        wrong.insert(0, f"its schema is {found.schema}, not 1")
    if len({each.name for each in found.image}) < len(found.image):
        wrong.append("two images have one name")
    if not all(type(branch) is int for branch in found.last_driver_branch.values()):
        wrong.append("`last_driver_branch` has a branch that is not a whole number")
    if wrong:
        raise DataError(f"{path} is damaged ({wrong[0]})", _RESTORE)
    return found


def _faults(image: Image) -> list[str]:
    wrong = []
    if bool(image.reference) == bool(image.target):
        wrong.append(f"{image.name} needs a `reference` or a `target`, and not both")
    if image.reference and not (REFERENCE.fullmatch(image.reference) and "@" not in image.reference):
        wrong.append(f"{image.name} has a `reference` that is none: {image.reference!r}")
    if image.digest and not DIGEST.fullmatch(image.digest):
        wrong.append(f"{image.name} has a `digest` that is none: {image.digest!r}")
    if image.target and not (image.base and image.lock):
        wrong.append(f"{image.name} is built, so it needs a `base` and a `lock`")
    for name, version in (("native_driver", image.native_driver), ("floor_driver", image.floor_driver)):
        # Of a candidate nothing need be known but its digest.
        if image.is_gpu and not _VERSION.fullmatch(version) and (version or not image.candidate):
            wrong.append(f"{image.name} has code for GPUs, so it needs a `{name}`")
    if not all(isinstance(oldest, str) and _VERSION.fullmatch(oldest) for oldest in image.forward.values()):
        wrong.append(f"{image.name} has a version in `forward` that is none")
    capabilities = (*image.capabilities, *image.broken)
    none = [each for each in capabilities if not re.fullmatch(r"\d+\.\d[a-z]?(\+PTX)?", each)]
    return [*wrong, *(f"{image.name} has a compute capability that is none: {each!r}" for each in none)]


def _document(path: Path) -> Any:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})", _RESTORE) from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML ({error})", _RESTORE) from None


def write_digest(name: str, digest: str, date: str, path: Path = FILE) -> None:
    """Write the ``digest`` resolved on ``date`` into the entry ``name``; everything else stays."""
    document = _document(path)
    entry = _entry(document, name)
    entry["digest"] = digest
    if "resolved" in entry:
        entry["resolved"] = date
    else:
        _insert_after(entry, "digest", "resolved", date)
    _evidence(entry)["digest"] = f"asked of the registry on {date}"
    _put(document, path)


def add(name: str, reference: str, digest: str, date: str, path: Path = FILE) -> None:
    """Add an entry with a digest only: it is a candidate until it was accepted.

    Raises UsageError for a ``name`` that another image has.
    """
    document = _document(path)
    if any(name in (each["name"], each.get("target")) for each in document["image"]):
        raise UsageError(f"docker/images.toml already has another image {name}, not {reference}.")
    entry = tomlkit.table()
    unknown = {"tensorflow": "unknown", "python": "unknown"}
    for key, value in ({"name": name, "reference": reference, "digest": digest, "resolved": date, **unknown}).items():
        entry.add(key, value)
    entry.add("candidate", True)
    entry.add("evidence", {"digest": f"asked of the registry on {date}"})
    document["image"].append(entry)
    _put(document, path)


def write_acceptance(name: str, acceptance: Acceptance, versions: Mapping[str, str], path: Path = FILE) -> None:
    """Add an acceptance to the entry ``name``, in place of an older one of that digest on such a GPU.

    ``versions`` is what the image reports (``tensorflow``, ``python``); where it passed, or the build list was read
    at all, what was expected of the capabilities is replaced by what was read.
    """
    document = _document(path)
    entry = _entry(document, name)
    for key, value in versions.items():
        if value and entry.get(key) != value:
            entry[key] = value
    if acceptance.capabilities and acceptance.capability:
        read_list = _as_listed(acceptance.capabilities)
        entry["capabilities"] = read_list
        _evidence(entry)["capabilities"] = f"read in the image on {acceptance.date}"
        if "expected" in entry:
            known = ("capabilities", *(key for key, value in versions.items() if value))
            entry["expected"] = [each for each in entry["expected"] if each not in known]
    kept = [
        dict(each)
        for each in entry.get("acceptance", [])
        if (each.get("digest"), each.get("capability")) != (acceptance.digest, acceptance.capability)
    ]
    rows = tomlkit.aot()
    latest = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(acceptance).items()}
    for each in (*kept, latest):
        row = tomlkit.table()
        row.update(each)
        row.add(tomlkit.nl())
        rows.append(row)
    entry["acceptance"] = rows
    _put(document, path)


def _as_listed(capabilities: tuple[str, ...]) -> list[str]:
    """Convert a build list to this file's notation: ``sm_70`` is 7.0, ``compute_90`` is 9.0+PTX."""
    listed = []
    for each in capabilities:
        found = re.fullmatch(r"(sm_|compute_)(\d+)(\d[a-z]?)", each)
        listed.append(f"{found[2]}.{found[3]}{'+PTX' if found[1] == 'compute_' else ''}" if found else each)
    return listed


def _entry(document: Any, name: str) -> Any:
    return next(each for each in document["image"] if each["name"] == name)


def _evidence(entry: Any) -> Any:
    if "evidence" not in entry:
        entry["evidence"] = {}
    return entry["evidence"]


def _insert_after(entry: Any, before: str, key: str, value: str) -> None:
    """Insert a key after another one: at the end it would land in the last sub-table."""
    items = [(each, entry[each]) for each in list(entry)]
    for each, _ in items:
        entry.remove(each)
    for each, kept in items:
        entry.add(each, kept)
        if each == before:
            entry.add(key, value)


def _put(document: Any, path: Path) -> None:
    text = tomlkit.dumps(document)
    _checked(tomlkit.parse(text).unwrap(), path)  # before it is written: no command may leave what none can read
    replace_file(path, text)
