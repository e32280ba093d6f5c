"""The step of the card's energy counter, which is the uncertainty of a reading.

The driver updates the counter every 20 to 100 ms, by card and driver, and no call says how often.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

#: Steps of the counter that are measured; more would only cost time.
_ENOUGH_MOVES = 5
#: Far below any step seen. Polling without a pause would keep a core and the driver busy.
_POLL_SECONDS = 0.001


@dataclass(frozen=True)
class EnergyStep:
    """The counter moves every ``period_ms`` by ``step_mj``, means over the steps seen, at the load there was then.

    The period is that of the driver; the step is the power times the period, so it grows with the load.
    """

    period_ms: float
    step_mj: float


def measure(
    read: Callable[[], int | None],
    seconds: float,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> EnergyStep | None:
    """Watch ``read`` for at most ``seconds``; None where it does not answer or moved less than twice."""
    last = read()
    begin_ns = clock()
    moves: list[tuple[int, int]] = []
    while last is not None and len(moves) < _ENOUGH_MOVES and clock() - begin_ns < seconds * 1e9:
        sleep(_POLL_SECONDS)
        now = read()
        if now is None:
            return None
        if now < last:
            moves = []  # the driver was reloaded
        elif now > last:
            moves.append((clock(), now))
        last = now
    if len(moves) < 2:
        return None
    (first_ns, first_mj), (last_ns, last_mj) = moves[0], moves[-1]
    intervals = len(moves) - 1
    return EnergyStep((last_ns - first_ns) / 1e6 / intervals, (last_mj - first_mj) / intervals)
