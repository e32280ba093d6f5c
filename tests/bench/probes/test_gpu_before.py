"""What a card does before a trainer is on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bench.probes.gpu import Before, Sample
from bench.probes.gpu.before import look


def readings(*percents: int | None) -> tuple[Callable[[], Sample], list[float]]:
    """A card that is so busy at one reading after the other, and how long was slept so far at each."""
    left: Iterator[int | None] = iter(percents)
    slept: list[float] = []

    def read() -> Sample:
        return Sample({"gpu_utilisation_percent": next(left), "gpu_memory_bytes": 7}, (5,))

    return read, slept


@pytest.mark.parametrize(
    ("percents", "told", "looks"),
    [
        ([0], 0, 1),
        ([10], 10, 1),
        ([None], None, 1),
        ([100, 63, 4], 4, 3),  # the run before has just ended
        ([97] * 7, 97, 7),
        ([97, 30, 97, 97, 97, 97, 97], 30, 7),
        ([97, None, 97, 97, 97, 97, 97], 97, 7),
    ],
)
def test_a_card_that_seems_busy_is_told_at_its_calmest(
    percents: list[int | None], told: int | None, looks: int
) -> None:
    read, slept = readings(*percents)

    found = look(read, 1.2, clock=lambda: round(1e9 * sum(slept)), sleep=slept.append)

    assert found == Before(told, 7, (5,))
    assert len(slept) == looks - 1
