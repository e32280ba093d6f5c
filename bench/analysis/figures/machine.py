"""Telemetry during each run: the GPU, or the CPUs without one, with the epochs marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.analysis import telemetry
from bench.analysis.figures.names import seed_name
from bench.analysis.figures.plotly import CloseUp, Figure, Numbers, Part, axis, layout, line, mark, of_side, value
from bench.record import Record, Spread
from bench.record.metrics import METRICS, Metric, rate
from bench.record.ticks import TelemetrySample

#: More points than this cannot be distinguished on a screen.
MOST_POINTS = 300
#: More labels than this do not fit above the marks.
_MOST_LABELS = 12
_X_TITLE = "time since the start of the process (s)"
Points = list[tuple[float, float]]


_DRAWN = tuple(each for each in METRICS if each.label)
_IN_TABLE = tuple(each for each in _DRAWN if each.is_kept_in("record"))


def _points(metric: Metric, ticks: Sequence[TelemetrySample]) -> Points:
    """Return the values of a metric (time in ns, value); a rate at the later of its two ticks."""
    names = metric.rate_of or (metric.name,)
    known = [(each["t_ns"], [each[name] for name in names]) for each in ticks if all(name in each for name in names)]
    if not metric.rate_of:
        return [(t_ns, metric.shown(read)) for t_ns, (read,) in known]
    rates = [(t1, rate(before, now, (t1 - t0) / 1e9)) for (t0, before), (t1, now) in pairwise(known)]
    return [(t_ns, found) for t_ns, found in rates if found is not None]


def of_runs(records: Sequence[Record], ticks: Mapping[int | None, Sequence[TelemetrySample]]) -> Figure:
    """Return the timelines of every run, one run at a time; ``ticks`` are the rows of ``telemetry.csv`` by seed."""
    read = [_Watched.of(each, ticks.get(each.seed, ())) for each in records if each.spawned_ns is not None]
    watched = [each for each in read if each.points]
    found = [metric for metric in _DRAWN if any(metric.name in each.points for each in watched)]
    has_card = any(each.source == "gpu" for each in found)
    lines = [each for each in found if not (has_card and each.only_without_gpu)]
    panels = {each.axis: 105 if each.unit == "%" else None for each in lines}
    seen = [each.record for each in watched]
    data = [trace for each in watched for trace in each.traces(lines, list(panels))]
    upright = [axis(title, 0, high, nticks=5) for title, high in panels.items()]
    marks = [one for each in seen for one in _marks(each)]
    return Figure(
        key="machine",
        title="What the machine did",
        caption=_caption(seen, has_card, any(each.thinned for each in watched)),
        data=tuple(data),
        layout=layout(axis(_X_TITLE, low=0), *upright, lines=marks) if data else {},
        choices=tuple(seed_name(each) for each in seen),
        choice_title="Run",
        close_ups=tuple(close for each in seen for close in _training(each)),
        numbers=Numbers(("run", "quantity", "ticks", "mean", "median", "min", "max"), tuple(_rows(records))),
        empty="" if data else _why_none(records),
    )


@dataclass(frozen=True)
class _Watched:
    """A run and the points of each metric with at least one reading; its ticks are too many to keep."""

    record: Record
    points: dict[str, Points]
    thinned: bool

    @classmethod
    def of(cls, record: Record, ticks: Sequence[TelemetrySample]) -> _Watched:
        read = {each.name: _points(each, ticks) for each in _DRAWN}
        points = {name: thinned(each) for name, each in read.items() if each}
        return cls(record, points, any(len(read[name]) > len(kept) for name, kept in points.items()))

    def traces(self, lines: Sequence[Metric], panels: Sequence[str]) -> Iterator[Part]:
        begin_ns, choice = self.record.spawned_ns or 0, seed_name(self.record)
        for each in lines:
            points = self.points.get(each.name, [])
            if points:
                seconds = [round((t_ns - begin_ns) / 1e9, 3) for t_ns, _ in points]
                values = [float(f"{read:.4g}") for _, read in points]
                together = [other for other in lines if other.axis == each.axis and other.name in self.points]
                look = of_side(together.index(each), each.label if len(together) > 1 else "")
                hover = (value(_X_TITLE, "x"), value(each.axis))
                panel = panels.index(each.axis)
                yield line(each.label, seconds, values, look, hover, panel=panel, choice=choice)


def thinned(points: Points, most: int = MOST_POINTS) -> Points:
    """Return at most about ``most`` points: the lowest and highest of each interval, in order, and both ends."""
    if len(points) <= most:
        return points
    stretches = max(1, most // 2 - 1)
    kept = {0, len(points) - 1}
    for number in range(stretches):
        begin, end = (len(points) * each // stretches for each in (number, number + 1))
        stretch = range(begin, end)
        kept |= {min(stretch, key=lambda i: points[i][1]), max(stretch, key=lambda i: points[i][1])}
    return [points[index] for index in sorted(kept)]


def _marks(record: Record) -> list[tuple[Part, Part]]:
    """Return the marks of the start of training and of the end of each training epoch."""
    begin_ns, name = record.spawned_ns or 0, seed_name(record)
    trained = [each for each in record.phases if each.name == "train_k"]
    if not trained:
        return []
    every = -(-len(trained) // _MOST_LABELS)
    ends = [
        mark(
            round((each.end_ns - begin_ns) / 1e9, 3),
            f"{round(each.epoch or 0, 2):g}" if number % every == 0 or number == len(trained) else "",
            name,
            quiet=True,
        )
        for number, each in enumerate(trained, start=1)
    ]
    return [mark(round((trained[0].begin_ns - begin_ns) / 1e9, 3), "train", name, quiet=True), *ends]


def _training(record: Record) -> Iterator[CloseUp]:
    begin_ns = record.spawned_ns or 0
    trained = [each for each in record.phases if each.name == "train_k"]
    if trained:
        first, last = ((ns - begin_ns) / 1e9 for ns in (trained[0].begin_ns, trained[-1].end_ns))
        margin = 0.05 * (last - first)
        yield CloseUp("training", (round(first - margin, 3), round(last + margin, 3)), choice=seed_name(record))


def _caption(records: Sequence[Record], has_card: bool, thin: bool) -> str:
    periods = [each.telemetry.sampling.period_ms for each in records if each.telemetry.sampling.period_ms]
    often = f"Read every {periods[0]:g} ms by the harness" if periods else "Read by the harness"
    marks = "Vertical lines mark the start of training and the end of each training epoch."
    fewer = f" Long lines are reduced to about {MOST_POINTS} points: the lowest and the highest of each interval."
    watched = any(each.telemetry.gpu.get("role") not in (None, "trains") for each in records)
    role = " The card was watched and did not train." if has_card and watched else ""
    none = "" if has_card or not records else " No GPU was read, so the CPUs are shown."
    return f"{often}. {marks}{none}{role}{fewer if thin else ''} The table covers training only."


def _why_none(records: Sequence[Record]) -> str:
    reason = next((note for each in records if (note := telemetry.note(each.telemetry))), "no run was sampled yet")
    return f"There is no timeline of the machine: {reason}."


def _rows(records: Sequence[Record]) -> Iterator[tuple[float | str | None, ...]]:
    for record in records:
        for each in _IN_TABLE:
            found: Spread | None = getattr(record.telemetry.training, each.name)
            if found is not None:
                figures = map(each.shown, (found.mean, found.median, found.min, found.max))
                yield seed_name(record), each.title, found.ticks, *figures
