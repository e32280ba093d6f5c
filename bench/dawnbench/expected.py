"""The expected time of a recipe on a card, by figures that have a source (``expected.json``).

Four bases, best first: measured with this harness; published for the same recipe; published for a shorter recipe of the
same network, scaled by epochs; and the arithmetic of the convolutions at usual shares of a card's peak. A time outside
is a reason to check clocks, input and other processes before publishing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.errors import DataError
from bench.record.clocks import CLOCKS
from bench.record.files import load_versioned

FILE = Path(__file__).with_name("expected.json")
BASES = ("measured here", "published", "scaled", "arithmetic")
#: One recipe on one card, airbench94 on an A100, was published with 3.83, 3.29 and 3.09 s, by versions and compiling: a
#: factor of 1.24 between the ends. A figure for a card holds no closer than that.
MARGIN = 1.25
#: Shares of the peak that the published fast trainers reach: 24 % (Keras on a V100) to 43 % (hiverge on an A100).
PEAK_SHARES = (0.24, 0.43)
#: The card name of expectations for CPUs.
CPU = "CPU"


@dataclass(frozen=True)
class Expectation:
    """Seconds on ``clock`` for the whole schedule of a recipe on a card.

    ``seconds`` are the figures of ``source``; for arithmetic they are replaced by ``work_tflop`` (training and the last
    evaluation, 2 per multiply and add) and ``peak_tflop_per_s`` (dense, 16 bits). ``threads`` is for CPUs only.
    """

    card: str
    recipe: str
    clock: str
    basis: str
    seconds: tuple[float, ...] = ()
    source: str = ""
    threads: int | None = None
    work_tflop: float | None = None
    peak_tflop_per_s: float | None = None

    @property
    def low_seconds(self) -> float:
        return min(self.seconds) / MARGIN if self.seconds else self._at(max(PEAK_SHARES))

    @property
    def high_seconds(self) -> float:
        return max(self.seconds) * MARGIN if self.seconds else self._at(min(PEAK_SHARES))

    def _at(self, share: float) -> float:
        assert self.work_tflop is not None  # nor the other: checked when it was loaded
        assert self.peak_tflop_per_s is not None
        return self.work_tflop / (self.peak_tflop_per_s * share)

    @property
    def reason(self) -> str:
        """Return the basis of the range in words."""
        if self.seconds:
            low, high = min(self.seconds), max(self.seconds)
            figures = f"{low:g} s" if low == high else f"{low:g} to {high:g} s"
            return f"{self.basis}: {figures}, a factor of {MARGIN:g} either way; {self.source}"
        low, high = (round(100 * share) for share in PEAK_SHARES)
        return (
            f"{self.basis}: {self.work_tflop:,g} TFLOP at {low} to {high} % of {self.peak_tflop_per_s:g} TFLOP/s, "
            "which counts convolutions and no memory traffic; no run of this recipe on this card was published"
        )


@dataclass(frozen=True)
class _Stored:
    schema: int
    expectations: tuple[Expectation, ...]


@cache
def expectations() -> tuple[Expectation, ...]:
    """Return all expectations, in the order of the file."""
    return load(FILE)


def load(path: Path) -> tuple[Expectation, ...]:
    """Return the expectations of a file. Raises DataError, naming card and recipe, for an invalid one."""
    stored = load_versioned(_Stored, path).expectations
    for each in stored:
        figures = each.work_tflop, each.peak_tflop_per_s
        named = each.clock in CLOCKS and each.basis in BASES and (each.threads is None) == (each.card != CPU)
        by_figures = bool(each.seconds) and min(each.seconds) > 0 and each.source != ""
        by_arithmetic = all(one is not None and one > 0 for one in figures)
        if not (named and (by_arithmetic if each.basis == "arithmetic" else by_figures)):
            raise DataError(f"{path}: what is expected of {each.recipe} on {each.card} is not whole.")
    return stored


def of(recipe: str, device_kind: str, device_name: str, threads: int | None) -> Expectation | None:
    """Return the expectation for a recipe on a device with the best basis, or None.

    A part of a card (MIG) is not the card, and a CPU is known by its number of threads.
    """
    found = [each for each in expectations() if each.recipe == recipe and _is(each, device_kind, device_name, threads)]
    return min(found, key=lambda each: BASES.index(each.basis), default=None)


def _is(each: Expectation, device_kind: str, device_name: str, threads: int | None) -> bool:
    if each.card == CPU:
        return device_kind == "cpu" and threads == each.threads
    whole = re.search(r"\bMIG\b", device_name) is None
    return device_kind == "gpu" and whole and re.search(rf"\b{each.card}\b", device_name) is not None
