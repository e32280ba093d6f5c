"""Rules on where the trainer runs: natively, or in a container."""

from __future__ import annotations

from bench.record import Record
from bench.rules.facts import Facts
from bench.rules.rule import Finding, Rule, fail, ok
from bench.system import container_flags
from bench.system.container_flags import Flag

#: The values of ``image.pinning`` that may be published, as in ``bench.containers.spec``.
PUBLISHABLE = ("pinned", "built", "digested")
_WITHHELD = "(withheld)"


def _place(facts: Facts) -> Finding | None:
    if facts.place_problem:
        return fail("the selected container is not available", facts.place_problem)
    return ok(facts.place) if facts.place else None


def not_publishable(record: Record) -> str | None:
    """Return why the container of this run forbids publishing, or None."""
    return _unknown(record) or _replaced(record)


def _unknown(record: Record) -> str | None:
    image, pinning = record.fingerprint.get("image"), record.fingerprint.get("image.pinning")
    if pinning == "stand-in":
        return f"it was made in {image}, which only stands in for an image"
    if image == _WITHHELD or (pinning is not None and pinning not in PUBLISHABLE):
        return f"it was made in {image}, and nobody else can know what is in it, as no digest or lock file says so"
    return None


def _added(record: Record) -> tuple[Flag, ...] | None:
    flags = record.fingerprint.get("run.flags")
    return container_flags.added(map(str, flags)) if isinstance(flags, list) else ()


def _replaced(record: Record) -> str | None:
    flags = _added(record)
    if flags is None:
        return "DOCKER_FLAGS has a word that is no flag, which the engine took for the image"
    parts = [flag.shown for flag in flags if flag.replaces]
    return f"DOCKER_FLAGS has {' '.join(parts)}: what ran may be another program than the image's" if parts else None


def _opened(record: Record) -> str | None:
    parts = [flag.shown for flag in _added(record) or () if not (flag.replaces or flag.is_harmless)]
    return f"DOCKER_FLAGS has {' '.join(parts)}" if parts else None


def _not_native(record: Record) -> str | None:
    mode = record.fingerprint.get("image.cuda_mode")
    if mode is None:
        return None
    inside, outside = record.fingerprint.get("build.cuda_driver"), record.fingerprint.get("gpu.cuda_driver_version")
    forward = inside is not None and outside is not None and _numbers(inside) > _numbers(outside)
    if forward:
        return f"the driver serves CUDA {outside}, and the image's own libraries served {inside}: forward compatibility"
    if mode == "forward":
        return "the image's own libraries were to be used (forward compatibility), and the driver's were"
    if mode == "minor-version":
        return "the driver is older than the image's CUDA and ran it in minor-version compatibility"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _compiled(record: Record) -> str | None:
    if record.fingerprint.get("image.gpu_code") != "ptx-jit":
        return None
    return "the image has no machine code for the GPU, and the driver compiled what it has"


IMAGE = (
    Rule("place", "place of runs", threshold="the selected container is not available", before=_place),
    Rule("image", "image", "suspect",
         "publish from an image of `bench image list`, or one that `make image` builds; or run it with WHERE=native",
         "an image without a digest that was not made by `make image` from this lock file and base, or one that says "
         "that it is a placeholder", after=_unknown),
    Rule("container-replaced", "container's program", "suspect", "leave the flag out of DOCKER_FLAGS",
         "a flag of DOCKER_FLAGS that gives the container another program, image or files, or a variable that brings "
         "code into it: --entrypoint, --volume, --env=PYTHONPATH= and others", after=_replaced),
    Rule("container-opened", "container's walls", "note",
         "say so beside the number, or leave the flag out of DOCKER_FLAGS",
         "a flag of DOCKER_FLAGS other than a share of CPUs, memory or disk: --privileged, --network or --user",
         after=_opened),
    Rule("cuda-mode", "CUDA compatibility", "note",
         "say so beside the number; a driver that came with the image's CUDA, or later, runs it natively",
         "not native: minor-version or forward compatibility", after=_not_native),
    Rule("gpu-code", "code for the GPU", "note",
         "say so beside the number; an image that has machine code for it needs no compiling (`bench image list`)",
         "PTX that the driver has to compile", after=_compiled),
)  # fmt: skip
