"""The choice of a number of epochs on a terminal: its data, a table of schedule lengths, and what each rule chooses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis import reliability
from bench.analysis.epoch_curve import Choice, Cost, Curve, Published, Slope
from bench.errors import one_line
from bench.report import terminal
from bench.report.text import seconds

_OF_A_LENGTH = ("epochs", "accuracy %", "95 % interval", "success", "95 % interval")
_RULES = {
    "success": "Fewest epochs",
    "new process": "Least time, retries in a new process",
    "same process": "Least time, retries in the same process",
}


@dataclass(frozen=True)
class Measured:
    """Runs of one schedule length: how many of those that count reached the target, and how many do not count."""

    recipe: str
    epochs: float
    accuracies: Sequence[float]
    reached: int
    left_out: int = 0


@dataclass(frozen=True)
class EpochReport:
    """The data, the fit and the choices; ``share`` is the required success probability."""

    recipe: str
    target_percent: float
    share: float
    measured: Sequence[Measured]
    published: Sequence[Published]
    slope: Slope | None
    curve: Curve
    costs: Sequence[Cost]
    choices: Sequence[Choice]
    shown_epochs: Sequence[float]


def show(report: EpochReport, out: TextIO) -> None:
    """Print the report to ``out``, as wide as it is."""
    terminal.show(lambda width, colour: render(report, width, colour), out)


def render(report: EpochReport, width: int = terminal.PLAIN_WIDTH, colour: bool = False) -> str:
    """Return the report as text in lines no longer than ``width`` (60 at least)."""
    basis = terminal.labelled((label, Text(words)) for label, words in _basis(report))
    chosen = terminal.labelled((label, Text(words)) for label, words in _chosen(report))
    parts: list[RenderableType] = [basis, Text(), _lengths(report), Text(), chosen]
    return terminal.text(parts, terminal.console(max(width, 60), colour))


def _basis(report: EpochReport) -> Iterator[tuple[str, str]]:
    """The data of the fit, and the fit."""
    yield (
        "Recipe",
        f"{report.recipe}: one network, schedules of several lengths, target {report.target_percent:g} %",
    )
    for each in report.measured:
        runs = "1 run" if len(each.accuracies) == 1 else f"{len(each.accuracies)} runs"
        left_out = f", {each.left_out} excluded" if each.left_out else ""
        mean = math.fsum(each.accuracies) / len(each.accuracies)
        yield (
            "Measured",
            f"{each.epochs:g} epochs ({one_line(each.recipe)}): {runs}, mean {mean:.2f} %, "
            f"{each.reached} reached the target{left_out}",
        )
    for known in report.published:
        found = f"mean {known.mean_percent:g} %, standard deviation {known.std_percent:g} points, {known.n} runs"
        yield "Published", f"{known.epochs:g} epochs ({known.recipe}): {found}"
    if report.slope is not None:
        points = f"{report.slope.points:g} ± {report.slope.standard_error:g} points per e-fold of epochs"
        yield "Assumed", f"slope {points} (standard error), from published ablations of similar recipes"
    for cost in report.costs:
        parts = f"{seconds(cost.start_seconds)} per process, {seconds(cost.attempt_seconds)} per attempt"
        middle = "one run" if cost.runs == 1 else f"medians, each over {cost.runs} runs"
        yield "Cost", f"{one_line(cost.machine)}: {parts}, {seconds(cost.epoch_seconds)} per epoch ({middle})"
    curve = report.curve
    yield (
        "Fit",
        f"{curve.mean_percent:.3f} % at {curve.reference_epochs:.2f} epochs, slope {curve.slope:.2f} ± "
        f"{curve.slope_error:.2f} points per e-fold, standard deviation between seeds {curve.std_percent:.3f} points "
        f"({curve.degrees} degrees of freedom)",
    )


def _lengths(report: EpochReport) -> Table:
    """A row per length: the prediction, and the expected time to the first success on each machine."""
    table = terminal.table()
    heads = [*_OF_A_LENGTH]
    heads += [f"{cost.machine}: {how}" for cost in report.costs for how in ("new process", "same process")]
    for number, head in enumerate(heads):
        table.add_column(Text(one_line(head)), justify="right", overflow="fold", no_wrap=number < len(_OF_A_LENGTH))
    for epochs in report.shown_epochs:
        found = report.curve.predict(epochs, report.target_percent)
        times = [
            seconds(cost.to_success(epochs, found.success, new_process=new_process))
            for cost in report.costs
            for new_process in (True, False)
        ]
        table.add_row(
            f"{epochs:g}",
            f"{found.mean_percent:.2f}",
            f"{found.mean_low_percent:.2f} to {found.mean_high_percent:.2f}",
            *reliability.texts(found.success, found.success_low, found.success_high),
            *times,
        )
    return table


def _chosen(report: EpochReport) -> Iterator[tuple[str, str]]:
    rules = {each.rule for each in report.choices}
    if "success" not in rules:
        yield _RULES["success"], f"by this fit, no length reaches {100 * report.share:g} % success"
    for each in report.choices:
        found = each.prediction
        success, interval = reliability.texts(found.success, found.success_low, found.success_high)
        what = f"{each.prediction.epochs:g} epochs: predicted success {success} ({interval})"
        if each.shortest:
            what = f"{what}, the shortest length that was run or published; shorter ones were not considered"
        if each.seconds is None:
            yield _RULES[each.rule], f"{what}; required: at least {100 * report.share:g} %"
        else:
            ends = f"95 % interval {seconds(each.seconds.low, unit='')} to {seconds(each.seconds.high)}"
            took = f"{seconds(each.seconds.estimate)} of wall clock to the first success ({ends})"
            yield _RULES[each.rule], f"{what}; {took} on {one_line(each.machine)}"
    if not report.costs:
        yield "Time", "unknown without runs of these recipes; name results folders"
