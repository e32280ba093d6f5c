"""``python -m bench stalls``: run the host's input and its control in turn, and say what the input costs."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.commands import _options, _protocol

if TYPE_CHECKING:
    from bench.campaign import Campaign, Ending
    from bench.commands._dataset import Data
    from bench.plan import Device, Plan, Watched, Wishes
    from bench.record.stalls import StoredStalls
    from bench.run_protocol import RunProtocol, WarmUp
    from resnet9.recipe import Recipe

RESULTS = Path(__file__).parents[2] / "results"
#: Enough for an interval, and minutes where an epoch takes seconds.
_PAIRS = "3"


@dataclass(frozen=True)
class _Pairs:
    """The folder of a measurement, what it says, and by input the campaign and the plan of its runs."""

    folder: Path
    stored: StoredStalls
    campaigns: dict[str, Campaign]
    plans: dict[str, Plan]

    def runs(self) -> list[tuple[str, int]]:
        """Every run in turn, host memory memory host ...: whatever drifts weighs on both alike."""
        names = list(self.campaigns)
        turns = enumerate(self.stored.seeds)
        return [(name, seed) for turn, seed in turns for name in (names[::-1] if turn % 2 else names)]


@click.command("stalls")
@_options.variable("RECIPE", "its name, or FILE.json:TABLE  [default: hive on a GPU, else smoke]")
@click.option(
    "--pairs",
    "seeds",
    envvar="SEEDS",
    show_envvar=True,
    metavar="N",
    help="runs of each input: how many, 5, or with which seeds, 0,3  [default: 3]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=2),
    default=3,
    show_default=True,
    help="after which a run is ended; the first is left out",
)
@_options.data
@_options.variable("INPUT", "host; device has nothing to measure", type=click.Choice(["auto", "host", "device"]))
@_options.precision
@_options.device
@_options.variable("OUT", "an empty folder or a new one  [default: a new one in results/]")
@_options.threads
@_options.timeout
@_protocol.options
def command(
    recipe: str | None, seeds: str | None, epochs: int, data: str | None, input: str | None, precision: str | None,
    device: str | None, out: str | None, threads: int | None, timeout: int | None, warm_up: int | None,
    idle: float | None, cache: str | None, telemetry: str | None, watch: str | None,
) -> int:  # fmt: skip
    """Say whether training waits for its input, and what the input costs.

    Runs with the host's input and runs of its control, whose batches are ready in memory, in turn and with the same
    seeds; then, by epoch, the time waited, the level of the prefetch buffer and the difference of the two.
    """
    from bench import locks, plan, signals
    from bench.commands import _dataset, _runs
    from bench.output import stalls as shown

    if input == "device":
        click.echo(shown.NOT_APPLICABLE)
        return 0
    protocol = _protocol.of(warm_up, idle, cache, telemetry)
    where = plan.device(device)
    watched = plan.watched(watch, where)
    chosen, todo = _planned(
        plan.Wishes(recipe, seeds or _PAIRS, data, "host", precision, device, threads), where, epochs
    )
    with signals.asked_politely(), locks.held(locks.device_lock(where.key), f"the device {where.name}"):
        loaded = _dataset.load(todo.data)
        made = _made(chosen, todo, loaded, epochs, Path(out) if out else None, protocol)
        _runs.make_folder(made.folder)
        with locks.held(made.folder / locks.FOLDER_LOCK, _runs.place(made.folder)):
            click.echo("\n".join(shown.plan(made.stored)))
            return _tell(made, _run(made, loaded, timeout, watched))


def _planned(wishes: Wishes, where: Device, epochs: int) -> tuple[Recipe, Plan]:
    """The recipe and the plan of the host's runs. Raises UsageError for a recipe that has no second epoch."""
    from bench import plan
    from bench.commands.run import anywhere
    from bench.errors import UsageError
    from resnet9 import recipe as recipes

    name = plan.recipe_name(wishes, where)
    chosen = recipes.load(name)
    if chosen.epochs < 2:
        raise UsageError(
            f"{chosen.name} has {chosen.epochs:g} epochs, and the first is left out; name a longer one with RECIPE=."
        )
    return chosen, plan.complete(wishes, where, anywhere(name), chosen.dataset)


def _made(chosen: Recipe, todo: Plan, data: Data, epochs: int, out: Path | None, protocol: RunProtocol) -> _Pairs:
    """The measurement to make, nothing of it written. Raises UsageError where ``out`` holds something."""
    from bench import campaign
    from bench.commands import _runs
    from bench.errors import UsageError
    from bench.record import SCHEMA
    from bench.record.stalls import INPUTS, StoredStalls

    now = datetime.now(timezone.utc)
    if out is not None and campaign.names_in(out):
        raise UsageError(f"OUT={out} holds {min(campaign.names_in(out))!r}; name an empty folder or a new one.")
    folder = out or campaign.new_folder(RESULTS, now, "stalls", chosen.name, todo.device.name)
    created = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    plans = {name: replace(todo, input=name) for name in INPUTS}
    campaigns = {
        name: campaign.Campaign(
            folder / name, _runs.configuration(plans[name], chosen, data), todo.seeds, created,
            recipe=asdict(chosen), protocol=protocol,
        )
        for name in INPUTS
    }  # fmt: skip
    stored = StoredStalls(SCHEMA, chosen.name, data.name, epochs, todo.seeds, created)
    return _Pairs(folder, stored, campaigns, plans)


def _run(made: _Pairs, data: Data, timeout: int | None, watched: Watched) -> Ending[tuple[str, int] | WarmUp]:
    from bench import campaign as campaigns
    from bench.commands import _runs, _stalls
    from bench.execute import Outcome
    from bench.record.stalls import HOST, write_stalls
    from bench.run_protocol import WarmUp

    runs, protocol = made.runs(), made.campaigns[HOST].protocol
    with _runs.runner(len(runs), timeout, protocol, watched, made.stored.epochs) as runner:
        runner.display.say(f"{len(runs)} runs into {_runs.place(made.folder)}; {protocol.sentence()}")

        def make_run(run: tuple[str, int] | WarmUp) -> Outcome:
            if isinstance(run, WarmUp):
                return runner.make(made.campaigns[HOST], made.plans[HOST], data, run)
            name, seed = run
            title = f"{name}, seed {seed} (run {runs.index(run) + 1} of {len(runs)})"
            outcome = runner.make(made.campaigns[name], made.plans[name], data, seed, title)
            # Ended by us after enough epochs, which is all that was wanted of it.
            return replace(outcome, status="done") if outcome.status == "cut_short" else outcome

        write_stalls(made.stored, made.folder)
        for each in made.campaigns.values():
            _runs.make_folder(each.folder)
            each.write()
        try:
            wanted: list[tuple[str, int] | WarmUp] = [*campaigns.warm_ups(protocol, runs, HOST), *runs]
            return campaigns.run(wanted, make_run, lambda run: run.campaign if isinstance(run, WarmUp) else run[0])
        finally:
            for each in made.campaigns.values():
                each.write()
            _stalls.write(made.folder)


def _tell(made: _Pairs, ending: Ending[tuple[str, int] | WarmUp]) -> int:
    """Print the table and the answer; the exit code of a measurement that was stopped. Raises what a failed one was."""
    from bench.commands import _runs, _stalls

    place = _runs.place(made.folder)
    _stalls.show(made.folder, sys.stdout)
    if not ending.exit_code:
        click.echo(f"The table, its records and logs are in {place}.")
        return 0
    code, sentence = _runs.why(ending, f"What is finished is in {place}.", lambda run: f"{run[0]}, seed {run[1]}")
    click.echo(sentence, err=True)
    return code
