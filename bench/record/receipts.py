"""How far the receipts of a trainer's events lie from the times they claim, and whose lateness that is.

While the harness is busy it receives nothing, so an event that was written meanwhile is late through no fault of the
trainer: the overlap with such a span is subtracted. The harness records one as ``harness_busy`` (``begin_ns``,
``end_ns``) where an event came late, and a sample of telemetry records how long it took.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from bench.record.event_lines import whole
from bench.record.model import STAMP_TOLERANCE_NS, Stamps
from bench.record.ticks import TelemetrySample

Span = tuple[int, int]
#: A tick below this explains no event that is late, and there are many.
_LONG_TICK_US = 1000.0


class Receipts:
    """The receipts of a run, taken one after the other."""

    def __init__(self) -> None:
        self._events = 0
        self._ahead = 0
        self._worst_ahead_ns = self._worst_late_ns = 0
        #: Of events further behind their claim than is tolerated: the time claimed and that of receipt.
        self._late: list[Span] = []
        self._busy: list[Span] = []

    def take(self, claimed_ns: int, received_ns: int | None) -> None:
        """Count one event of the trainer; one without a time of receipt came in time."""
        late_ns = 0 if received_ns is None else received_ns - claimed_ns
        self._events += 1
        self._ahead += -late_ns > STAMP_TOLERANCE_NS
        self._worst_ahead_ns = max(self._worst_ahead_ns, -late_ns)
        if late_ns > STAMP_TOLERANCE_NS:
            self._late.append((claimed_ns, claimed_ns + late_ns))
        else:
            self._worst_late_ns = max(self._worst_late_ns, late_ns)

    def take_busy(self, body: Mapping[str, Any]) -> None:
        """Add a ``harness_busy``: the harness received nothing between two times."""
        begin_ns, end_ns = whole(body, "begin_ns"), whole(body, "end_ns")
        if begin_ns is not None and end_ns is not None and begin_ns < end_ns:
            self._busy.append((begin_ns, end_ns))

    def noting(self, ticks: Iterable[TelemetrySample]) -> Iterable[TelemetrySample]:
        """Return the ticks as they are; where an event was late, those that took long are noted as they pass."""
        return self._noted(ticks) if self._late else ticks

    def _noted(self, ticks: Iterable[TelemetrySample]) -> Iterator[TelemetrySample]:
        for tick in ticks:
            took_us = tick.get("took_us", 0.0)
            if took_us > _LONG_TICK_US:
                self._busy.append((int(tick["t_ns"]), int(tick["t_ns"] + 1000 * took_us)))
            yield tick

    def stamps(self) -> Stamps:
        """Return the summary of all receipts."""
        busy = _Covered(self._busy)
        own_ns = [busy.until(received_ns) - busy.until(claimed_ns) for claimed_ns, received_ns in self._late]
        rest_ns = [received - claimed - own for (claimed, received), own in zip(self._late, own_ns, strict=True)]
        blamed = [ns for ns in rest_ns if ns > STAMP_TOLERANCE_NS]
        return Stamps(
            events=self._events,
            late_over_50ms=len(blamed),
            worst_late_ms=max((self._worst_late_ns, *rest_ns)) / 1e6,
            ahead_over_50ms=self._ahead,
            worst_ahead_ms=self._worst_ahead_ns / 1e6,
            late_by_harness=len(rest_ns) - len(blamed),
            worst_harness_late_ms=max(own_ns, default=0) / 1e6,
        )


class _Covered:
    """The time up to a moment that is covered by spans, which may overlap."""

    def __init__(self, spans: Sequence[Span]) -> None:
        apart: list[Span] = []
        for begin, end in sorted(spans):
            if apart and begin <= apart[-1][1]:
                apart[-1] = (apart[-1][0], max(apart[-1][1], end))
            else:
                apart.append((begin, end))
        self._begins = [begin for begin, _ in apart]
        self._ends = [end for _, end in apart]
        self._before = [0, *accumulate(end - begin for begin, end in apart)]

    def until(self, moment: int) -> int:
        """Return the length that is covered before a moment."""
        place = bisect_right(self._begins, moment)
        if not place:
            return 0
        return self._before[place] - max(0, self._ends[place - 1] - moment)
