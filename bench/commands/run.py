"""``python -m bench run``: run a campaign, or continue an unfinished one, and write its results."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.commands import _claims

if TYPE_CHECKING:
    from bench.campaign import Campaign, Ending
    from bench.commands._dataset import Data
    from bench.execute import Job, Outcome
    from bench.plan import Plan
    from bench.record import Record

RESULTS = Path(__file__).parents[2] / "results"
#: More than eleven days; what poll(2) can wait for ends after twenty-four.
_LONGEST_SILENCE_SECONDS = 1_000_000


def _variable(name: str, help_text: str, **how: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that may also be given as an environment variable, as ``make`` does; an empty one was not given."""
    flag = f"--{name.lower().replace('_', '-')}"
    # A wrong value is then told with the name of the variable, too, which is what `make` was given.
    how["show_envvar"] = True
    return click.option(flag, envvar=name, help=help_text, callback=lambda context, option, value: value or None, **how)


@click.command("run")
@_variable("RECIPE", "page24, keras24 or smoke  [default: page24 on a GPU, else smoke]")
@_variable("SEEDS", "how many, 5, or which, 0,3  [default: 5, of smoke 2]")
@_variable("DATA", "where CIFAR-10 is: an archive or a folder; or `synthetic`  [default: data/, downloaded]")
@_variable("INPUT", "tf.data on CPU cores, or augmented on the device", type=click.Choice(["auto", "host", "device"]))
@_variable("PRECISION", "of the computation", type=click.Choice(["auto", "bf16", "fp16", "fp32"]))
@_variable("DEVICE", "auto, cpu, gpu, or a GPU's index or UUID  [default: auto]")
@_variable("OUT", "the campaign's folder  [default: a new one in results/]")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of the trainer  [default: all]")
@click.option("--smoke", is_flag=True, help="a short campaign on built-in data, whatever the machine")
@click.option(
    "--timeout",
    type=click.IntRange(1, _LONGEST_SILENCE_SECONDS),
    help="seconds a trainer may keep silent  [default: 300 until it says hello, then 3600]",
)
@click.option("--allow-unverified-data", is_flag=True, help="write a DAWNBench pair from data nobody verified")
@_claims.options
def command(
    recipe: str | None, seeds: str | None, data: str | None, input: str | None, precision: str | None,
    device: str | None, threads: int | None, smoke: bool, timeout: int | None, out: str | None,
    allow_unverified_data: bool, **claims: Any,
) -> int:  # fmt: skip
    """Run a campaign: one recipe, several seeds, one process each; then its tables and its DAWNBench pair.

    An unfinished campaign of the same configuration is continued: what is finished is kept.
    """
    from bench import locks, plan, signals
    from bench.campaign import Claims
    from bench.commands import _dataset
    from bench.dawnbench.claims import check
    from bench.journal import disk_trouble_told
    from resnet9 import dataset
    from resnet9 import recipe as recipes

    check(**claims)
    wishes = plan.Wishes(recipe, seeds, data, input, precision, device, threads, smoke)
    where = plan.device(device)
    name = plan.recipe_name(wishes, where)
    chosen = recipes.load(name)
    todo = plan.complete(wishes, where, name, chosen.dataset)
    with signals.asked_politely(), locks.held(locks.device_lock(where.key), f"the device {where.name}"):
        if todo.notice:
            click.echo(todo.notice)
        loaded = _dataset.load(todo.data)
        campaign = _choose(todo, chosen, loaded, Path(out) if out else None, Claims(**claims))
        with disk_trouble_told(campaign.folder):
            campaign.folder.mkdir(parents=True, exist_ok=True)
        with locks.held(campaign.folder / locks.FOLDER_LOCK, _place(campaign.folder)):
            ending = _run(campaign, todo, loaded, timeout)
            records = _show(campaign)
            if ending.exit_code:
                return _why(ending, campaign)
            click.echo(f"Tables, records and logs are in {_place(campaign.folder)}.")
            if loaded.state != dataset.SYNTHETIC:
                click.echo(_pair(campaign, records, chosen, allow_unverified_data, asked=any(claims.values())))
            return 0


def _choose(todo: Plan, chosen: Any, data: Data, out: Path | None, claims: Any) -> Campaign:
    from bench import campaign

    configuration = campaign.Configuration(
        recipe=chosen.name,
        recipe_sha256=chosen.sha256,
        dataset=data.name,
        dataset_sha256=data.sha256,
        dataset_state=data.state,
        input=todo.input,
        precision=todo.precision,
        device=todo.device.key,
        trainer="resnet9",
        target_percent=chosen.target_percent,
        threads=todo.threads,
    )
    now = datetime.now(timezone.utc)
    return campaign.choose(RESULTS, out, configuration, todo.seeds, claims, todo.device.name, now)


def _run(campaign: Campaign, todo: Plan, data: Data, timeout: int | None) -> Ending:
    from bench import campaign as campaigns
    from bench import execute, progress
    from bench.commands import _results
    from bench.signals import SignalPipe
    from bench.watch import Limits

    left = campaign.left()
    display = progress.of(sys.stdout, len(left))
    display.say(_introduction(campaign, left))
    limits = Limits() if timeout is None else Limits(start_seconds=timeout, silence_seconds=timeout)

    def make_run(seed: int) -> Outcome:
        if wishes.take():
            return execute.Outcome("interrupted", "stopped between two runs")
        job = _job(campaign, todo, data, seed)
        display.begin(seed, time.monotonic_ns())
        outcome = execute.run(job, [display], limits)
        record = _results.write_record(job.folder)
        display.end(time.monotonic_ns(), _results.line(record))
        _results.write_tables(campaign.folder)
        return outcome

    campaign.sweep()
    _results.write_missing_records(campaign)
    campaign.write()
    # Within a run a wish to stop ends the run; between two it waits until what the last one gave is written.
    with SignalPipe() as wishes:
        try:
            return campaigns.run(left, make_run)
        finally:
            campaign.write()


def _place(folder: Path) -> str:
    """A folder as the person at this terminal can type it."""
    absolute, here = folder.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))


def _introduction(campaign: Campaign, left: tuple[int, ...]) -> str:
    recipe, folder = campaign.configuration.recipe, _place(campaign.folder)
    done = [str(seed) for seed in campaign.seeds if seed not in left]
    to_run = ", ".join(map(str, left)) or "none"
    if not done:
        return f"{recipe} with seed {to_run}, into {folder}"
    return f"{recipe}, continuing {folder}: seed {', '.join(done)} kept, {to_run} to run"


def _job(campaign: Campaign, todo: Plan, data: Data, seed: int) -> Job:
    from bench import execute, trainers
    from bench.probes import machine
    from bench.referee import Asked

    configuration = campaign.configuration
    request = trainers.Request(
        todo.recipe, data.where, todo.input, todo.precision, todo.device.asked, seed, todo.threads
    )
    command = trainers.command(configuration.trainer, request, os.environ)
    return execute.Job(
        argv=command.argv,
        shown=command.shown,
        env=command.env,
        cwd=command.cwd,
        folder=campaign.make_room(seed),
        asked=Asked(
            seed=seed,
            target_percent=configuration.target_percent,
            recipe_sha256=configuration.recipe_sha256,
            dataset_sha256=configuration.dataset_sha256,
            device_kind=todo.device.kind,
            input=todo.input,
            precision="" if todo.precision == "auto" else todo.precision,
            test_labels=data.test_labels,
        ),
        fingerprint=machine.fingerprint(trainers.ROOT, execute.ask, device=todo.device.asked),
    )


def _show(campaign: Campaign) -> tuple[Record, ...]:
    """Write the tables and print the summary; the judged records."""
    from bench.commands import _results

    records = _results.write_tables(campaign.folder)
    if any(each.status == "done" for each in records):
        _results.show(records, sys.stdout)
    return records


def _why(ending: Ending, campaign: Campaign) -> int:
    """Tell why a campaign did not end well: returns 130 for an interruption, and raises what else it was."""
    from bench import errors

    left = ", ".join(map(str, campaign.left()))
    again = f"What is finished is kept in {_place(campaign.folder)}; the same command again runs seed {left}."
    if ending.exit_code == 130:
        click.echo(f"Stopped. {again}", err=True)
        return ending.exit_code
    failed = [f"seed {seed}: {each.reason.rstrip('.')}" for seed, each in ending.outcomes.items() if each.reason]
    if ending.exit_code == errors.TrainerFailed.exit_code:
        raise errors.TrainerFailed(f"{'; '.join(failed)}. {again}")
    kinds = (errors.UsageError, errors.DataError, errors.EnvironmentProblem)
    raise next(kind for kind in kinds if kind.exit_code == ending.exit_code)(f"{failed[-1]}.")


def _pair(
    campaign: Campaign, records: tuple[Record, ...], recipe: Any, allow_unverified_data: bool, asked: bool
) -> str:
    """Write the DAWNBench pair or say why there is none; a refusal is an error only where a pair was asked for."""
    from bench.commands import _results
    from bench.errors import Refused

    try:
        return _results.write_dawnbench(
            campaign.folder,
            records,
            campaign.claims,
            asdict(recipe),
            _place(campaign.folder),
            allow_unverified_data=allow_unverified_data,
        )
    except Refused as why:
        if asked:
            raise
        return f"No DAWNBench pair: {why}"
