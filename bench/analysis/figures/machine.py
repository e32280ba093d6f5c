"""Telemetry during each run: the GPU, or the CPUs without one, with the epochs marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.analysis import telemetry
from bench.analysis.figures.names import seed_name
from bench.analysis.figures.plotly import CloseUp, Figure, Numbers, Part, axis, layout, line, mark, of_side, value
from bench.record import Record, Spread
from bench.record.ticks import TelemetrySample

#: More points than this cannot be distinguished on a screen.
MOST_POINTS = 300
#: More labels than this do not fit above the marks.
_MOST_LABELS = 12
_GIB = 2**30
_X_TITLE = "time since the start of the process (s)"
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class _Line:
    """A quantity to draw: its name, the title of its panel, and its points (time in ns, value)."""

    name: str
    panel: str
    points: Callable[[Sequence[TelemetrySample]], Points]
    high: float | None = None


def _read(column: str, unit: float = 1.0) -> Callable[[Sequence[TelemetrySample]], Points]:
    return lambda ticks: [(each["t_ns"], each[column] / unit) for each in ticks if column in each]


def _trainer_cores(ticks: Sequence[TelemetrySample]) -> Points:
    """Return the CPU cores the trainer used between two ticks, at the later one."""
    known = [(each["t_ns"], each["trainer_cpu_seconds"]) for each in ticks if "trainer_cpu_seconds" in each]
    return [
        (t1, (busy1 - busy0) / ((t1 - t0) / 1e9))
        for (t0, busy0), (t1, busy1) in pairwise(known)
        if busy1 >= busy0  # The time of a child process disappears when it exits.
    ]


def _other_cores(ticks: Sequence[TelemetrySample]) -> Points:
    """Return the CPU cores everything else used; both counters are read less often than the trainer's alone."""
    names = ("t_ns", "system_busy_seconds", "trainer_cpu_seconds")
    known = [tuple(each[name] for name in names) for each in ticks if all(name in each for name in names)]
    return [
        (t1, max(0.0, busy1 - busy0 - own1 + own0) / ((t1 - t0) / 1e9))
        for (t0, busy0, own0), (t1, busy1, own1) in pairwise(known)
        if min(busy1 - busy0, own1 - own0) >= 0
    ]


_OTHERS = "everything else"
_CPU = _Line("trainer", "CPU (cores)", _trainer_cores)
_CARD = (
    _Line("GPU utilisation", "utilisation (%)", _read("gpu_utilisation_percent"), high=105),
    _Line("GPU power", "power (W)", _read("gpu_power_watts")),
    _Line("SM clock", "SM clock (MHz)", _read("sm_clock_mhz")),
    _Line("GPU temperature", "temperature (C)", _read("gpu_temperature_celsius")),
    _CPU,
)
_OF_CARD = ("GPU utilisation", "GPU power", "SM clock", "GPU temperature")
_HOST = (
    _CPU,
    _Line(_OTHERS, "CPU (cores)", _other_cores),
    _Line("memory of the trainer", "memory (GiB)", _read("trainer_memory_bytes", _GIB)),
    _Line("CPU frequency", "CPU clock (MHz)", _read("cpu_mhz")),
)
_IN_TABLE = (
    ("gpu_utilisation_percent", "GPU utilisation (%)"),
    ("gpu_power_watts", "GPU power (W)"),
    ("sm_clock_mhz", "SM clock (MHz)"),
    ("gpu_temperature_celsius", "GPU temperature (C)"),
    ("trainer_cpu_cores", "CPU cores, trainer"),
    ("other_cpu_cores", "CPU cores, everything else"),
)


def of_runs(records: Sequence[Record], ticks: Mapping[int | None, Sequence[TelemetrySample]]) -> Figure:
    """Return the timelines of every run, one run at a time; ``ticks`` are the rows of ``telemetry.csv`` by seed."""
    read = [_Watched.of(each, ticks.get(each.seed, ())) for each in records if each.spawned_ns is not None]
    watched = [each for each in read if each.points]
    has_card = any(name in each.points for each in watched for name in _OF_CARD)
    lines = [one for one in (_CARD if has_card else _HOST) if any(one.name in each.points for each in watched)]
    panels = {each.panel: each.high for each in lines}
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
    """A run and the points of each line with at least one reading; its ticks are too many to keep."""

    record: Record
    points: dict[str, Points]
    thinned: bool

    @classmethod
    def of(cls, record: Record, ticks: Sequence[TelemetrySample]) -> _Watched:
        read = {each.name: each.points(ticks) for each in (*_CARD, *_HOST)}
        points = {name: thinned(each) for name, each in read.items() if each}
        return cls(record, points, any(len(read[name]) > len(kept) for name, kept in points.items()))

    def traces(self, lines: Sequence[_Line], panels: Sequence[str]) -> Iterator[Part]:
        begin_ns, choice = self.record.spawned_ns or 0, seed_name(self.record)
        for each in lines:
            points = self.points.get(each.name, [])
            if points:
                seconds = [round((t_ns - begin_ns) / 1e9, 3) for t_ns, _ in points]
                values = [float(f"{read:.4g}") for _, read in points]
                alone = sum(other.panel == each.panel and other.name in self.points for other in lines) < 2
                look = of_side(int(each.name == _OTHERS), "" if alone else each.name)
                hover = (value(_X_TITLE, "x"), value(each.panel))
                panel = panels.index(each.panel)
                yield line(each.name, seconds, values, look, hover, panel=panel, choice=choice)


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
        for name, title in _IN_TABLE:
            found: Spread | None = getattr(record.telemetry.training, name)
            if found is not None:
                yield seed_name(record), title, found.ticks, found.mean, found.median, found.min, found.max
