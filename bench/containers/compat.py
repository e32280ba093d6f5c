"""Can this image run on this GPU with this driver, and how? NVIDIA's rules, as pure functions.

Sources: CUDA C++ Programming Guide ("Binary Compatibility"), CUDA Compatibility (minor-version and forward
compatibility), release notes of the NVIDIA container toolkit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.containers.catalog import Acceptance, Image

NATIVE, PTX_JIT, NO_CODE = "native", "ptx-jit", "none"
MINOR_VERSION, FORWARD, UNKNOWN = "minor-version", "forward", "unknown"
#: Not data-centre GPUs: only selected boards have forward compatibility.
_NOT_DATA_CENTRE = re.compile(r"geforce|titan|quadro|\brtx\b|\bgtx\b|jetson|orin", re.IGNORECASE)
#: Toolkits that leave an image's compatibility libraries alone with `--gpus`: 1.17.4 stopped mounting them, 1.17.5 and
#: 1.17.6 brought them back in another way, and 1.17.7 made that work with `--gpus` alone (release notes).
_NO_FORWARD_TOOLKITS = ((1, 17, 4), (1, 17, 7))


@dataclass(frozen=True)
class Card:
    """A GPU: its name and its compute capability, None if the driver does not report it."""

    name: str
    capability: tuple[int, int] | None

    @property
    def label(self) -> str:
        """Return the name with the capability."""
        return self.name if self.capability is None else f"{self.name} ({dotted(self.capability)})"


@dataclass(frozen=True)
class Fit:
    """How an image runs: ``gpu_code`` is native, ptx-jit or none, ``cuda_mode`` native, minor-version or forward.

    Either may be ``unknown``. ``why_not`` is a clause if it does not run, ``remedy`` what to do.
    """

    gpu_code: str = UNKNOWN
    cuda_mode: str = UNKNOWN
    why_not: str = ""
    remedy: str = ""


def dotted(capability: tuple[int, int]) -> str:
    """Return ``7.0`` for (7, 0)."""
    return f"{capability[0]}.{capability[1]}"


def version(text: str) -> tuple[int, ...]:
    """Return (550, 54, 15) for ``550.54.15``."""
    return tuple(map(int, re.findall(r"\d+", text.partition("-")[0])))


def gpu_code(capabilities: Sequence[str], gpu: tuple[int, int]) -> str:
    """Return how code for the ``capabilities`` of a build runs on a GPU of this one (major, minor).

    Machine code runs on its own major version from its minor version on, PTX on everything later. Builds list ``sm_70``
    (machine code), ``compute_90`` (that and PTX), ``7.0`` or ``9.0+PTX``; ``9.0a`` is for that capability alone.
    """
    native = ptx = False
    for each in capabilities:
        found = re.fullmatch(r"(sm_|compute_)?(\d+)\.?(\d)([a-z]?)(\+PTX)?", each.strip())
        if found is None:
            continue
        code, special = (int(found[2]), int(found[3])), bool(found[4])
        native = native or (code[0] == gpu[0] and (code[1] == gpu[1] if special else code[1] <= gpu[1]))
        ptx = ptx or (not special and bool(found[1] == "compute_" or found[5]) and code <= gpu)
    return NATIVE if native else PTX_JIT if ptx else NO_CODE


def is_data_centre(name: str) -> bool:
    """Return whether a card of this name certainly has forward compatibility."""
    return _NOT_DATA_CENTRE.search(name) is None


def retired(card: Card, driver: str | None, last_driver_branch: dict[str, int]) -> tuple[str, str]:
    """Return why this driver no longer runs this card, and the remedy; empty if it does."""
    last = None if card.capability is None else last_driver_branch.get(dotted(card.capability))
    if last is None or driver is None or version(driver)[0] <= last:
        return "", ""
    why = f"driver {driver} no longer runs {card.label}, R{last} is the last branch that does"
    return why, f"install a driver of R{last}"


def fit(image: Image, card: Card, driver: str | None, toolkit: str | None) -> Fit:
    """Return how ``image`` runs on ``card`` with ``driver`` (``550.54.15``) and ``toolkit``; None is unknown."""
    code = _code(image, card)
    if code.why_not:
        return code
    mode = _mode(image, card, driver, toolkit)
    return Fit(code.gpu_code, mode.cuda_mode, mode.why_not, mode.remedy)


def _code(image: Image, card: Card) -> Fit:
    if card.capability is None or not image.capabilities:
        if image.is_built and not image.is_gpu:  # of an image that somebody else has made nothing is known
            return Fit(NO_CODE, why_not=f"{image.name} is for CPUs", remedy="name another one")
        return Fit()
    found, has = gpu_code(image.capabilities, card.capability), ", ".join(image.capabilities)
    if found == NO_CODE:
        why = f"{image.name} has no code for {card.label}, only for {has}"
        return Fit(found, why_not=why, remedy="name another one")
    if dotted(card.capability) in image.broken:
        return Fit(found, why_not=f"{image.name} is known to fail on {card.label}", remedy="name another one")
    return Fit(found)


def _mode(image: Image, card: Card, driver: str | None, toolkit: str | None) -> Fit:
    if driver is None or not image.native_driver:
        return Fit()
    have = version(driver)
    if have >= version(image.native_driver):
        return Fit(cuda_mode=NATIVE)
    oldest = image.forward.get(str(have[0]))
    forward = oldest is not None and have >= version(oldest) and is_data_centre(card.name)
    hidden = forward and toolkit is not None and _hides_forward(toolkit)
    if forward and not hidden:
        return Fit(cuda_mode=FORWARD)
    if have >= version(image.floor_driver):
        return Fit(cuda_mode=MINOR_VERSION)
    if hidden:
        why = f"{image.name} needs its own libraries with driver {driver}, and container toolkit {toolkit} hides them"
        return Fit(why_not=why, remedy="install NVIDIA container toolkit 1.17.7 or later")
    why = f"{image.name} (CUDA {image.cuda}) needs driver {image.floor_driver} or later, and this machine has {driver}"
    return Fit(why_not=why, remedy=f"install driver {image.native_driver} or later, as far as it runs {card.name}")


def _hides_forward(toolkit: str) -> bool:
    first, fixed = _NO_FORWARD_TOOLKITS
    return first <= version(toolkit)[:3] < fixed


def acceptance_on(image: Image, card: Card) -> Acceptance | None:
    """Return the latest acceptance of this image, by its present digest, on a GPU of this capability."""
    if card.capability is None:
        return None
    wanted = (image.digest, dotted(card.capability))
    return next((each for each in reversed(image.acceptance) if (each.digest, each.capability) == wanted), None)
