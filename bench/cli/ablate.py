"""``python -m bench ablate SET``: run a declared set of variants, one change at a time, and write what each bought."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.options import conditions, containers
from bench.system.paths import RESULTS, display_path, make_folder

if TYPE_CHECKING:
    from bench.campaign.ablation import Ablation
    from bench.campaign.campaign import Configuration
    from bench.campaign.dataset import Data
    from bench.campaign.plan import GpuWatch, Plan
    from bench.launch.conditions import RunConditions
    from bench.record import StoredAblation
    from resnet9.recipe.ablation import AblationSet


@click.command("ablate")
@click.argument("name", metavar="[SET]", required=False, envvar="SET")
@options.variable("SEEDS", "how many, 5, or which, 0,3  [default: what the set declares]")
@options.data
@options.input_
@options.precision
@options.device
@containers.options
@options.variable("OUT", "the ablation's folder  [default: a new one in results/]")
@options.threads
@options.timeout
@conditions.options
@click.option("--plan", "only_plan", is_flag=True, help="say what would run and what it could find, and run nothing")
def command(
    name: str | None, seeds: str | None, data: str | None, input: str | None, precision: str | None,
    device: str | None, out: str | None, threads: int | None, timeout: int | None, only_plan: bool,
    warm_up: int | None, idle: float | None, cache: str | None, telemetry: str | None, watch: str | None,
    where: str | None, image: str | None, docker: str | None, docker_flags: str | None,
) -> int:  # fmt: skip
    """Run an ablation: variants of one recipe with the same seeds, in turn; then the table of what each bought.

    SET is a shipped set or the path of a .json file; without it the sets are listed. What difference the runs can find
    is said before the first. An unfinished ablation of the same set is continued.
    """
    from dataclasses import replace

    from bench.campaign import custom_campaign, plan
    from bench.campaign import dataset as _dataset
    from bench.containers import selection
    from bench.report import ablation as shown
    from bench.system import locks, signals
    from resnet9.data import dataset
    from resnet9.recipe import ablation as declared

    if not name:
        click.echo(_sets())
        return 0
    custom_campaign.no_trainer("ablate", os.environ)
    protocol = conditions.of(warm_up, idle, cache, telemetry)
    chosen = declared.load(name)
    trains_on = selection.device(device)
    watched = plan.watched(watch, trains_on)
    asked = selection.ContainerOptions(where, image, docker, docker_flags)
    wishes = plan.RunOptions(
        chosen.locator(chosen.declaration.base), seeds or str(chosen.declaration.seeds), data,
        _input(chosen, input), precision, device, threads,
    )  # fmt: skip
    todo = plan.complete(wishes, trains_on, chosen.base.name, chosen.base.dataset)
    plans = _plans(chosen, todo)
    if only_plan:
        click.echo("\n".join(shown.plan(_stored(chosen, plans, {}))))
        return 0
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(trains_on.key), f"the device {trains_on.name}"),
    ):
        placed = selection.placed(asked, trains_on)
        plans = {name: replace(each, placed=placed) for name, each in plans.items()}
        loaded = _dataset.load(todo.data)
        ablation = _choose(chosen, plans, loaded, Path(out) if out else None, protocol)
        make_folder(ablation.folder)
        with locks.held(ablation.folder / locks.FOLDER_LOCK, display_path(ablation.folder)):
            notice = [shown.STAND_IN] if loaded.state == dataset.SYNTHETIC else []
            click.echo("\n".join([*notice, *shown.plan(ablation.stored)]))
            return _run(ablation, plans, loaded, timeout, watched)


def _sets() -> str:
    from bench.report.ablation import counted
    from resnet9.recipe import ablation as declared

    lines = ["The sets, to run with `make ablate SET=...`, or to read first with `python -m bench ablate SET --plan`:"]
    for name in declared.sets():
        found = declared.load(name).declaration
        variants = counted(len(found.variants), "variant")
        lines.append(f"  {name:<8} {found.title}: {variants} and the base, {found.seeds} seeds each")
    return "\n".join(lines)


def _input(chosen: AblationSet, given: str | None) -> str | None:
    """The base's input. Raises UsageError where the set has its own and another one is asked for."""
    from bench.errors import UsageError

    own = chosen.declaration.input
    if own and given not in (None, "auto", own):
        raise UsageError(f"the set {chosen.name} declares the input of its base, {own}; leave INPUT={given} out.")
    return own or given


def _plans(chosen: AblationSet, base: Plan) -> dict[str, Plan]:
    """What to run for each variant, by name, the base first."""
    from dataclasses import replace

    variants = {
        each.name: replace(base, recipe=chosen.locator(each.recipe), input=each.input or base.input)
        for each in chosen.declaration.variants
    }
    return {chosen.declaration.base: replace(base, recipe=chosen.locator(chosen.declaration.base)), **variants}


def _stored(chosen: AblationSet, plans: dict[str, Plan], configuration: dict[str, object]) -> StoredAblation:
    """The declaration as it will be in ``ablation.json``."""
    from bench.record import SCHEMA, StoredAblation, Variant
    from resnet9.recipe.ablation import Variant as Declared

    declared = chosen.declaration
    base = Declared(declared.base, "base")
    return StoredAblation(
        schema=SCHEMA,
        set=chosen.name,
        sha256=chosen.sha256,
        title=declared.title,
        question=declared.question,
        proxy=declared.proxy,
        spread_percent=declared.spread_percent,
        spread_source=declared.spread_source,
        throughput_spread=declared.throughput_spread,
        variants=tuple(
            Variant(
                name=each.name,
                technique=each.technique,
                recipe=chosen.recipes[each.recipe].name,
                recipe_sha256=chosen.recipes[each.recipe].sha256,
                input=plans[each.name].input,
                epochs=chosen.recipes[each.recipe].epochs,
                view=chosen.recipes[each.recipe].views,
                decides=each.decides,
                against="" if each is base else chosen.reference(each).name,
                changes=() if each is base else chosen.changes(each),
            )
            for each in (base, *declared.variants)
        ),
        seeds=plans[declared.base].seeds,
        configuration=configuration,
    )


def _choose(
    chosen: AblationSet, plans: dict[str, Plan], data: Data, out: Path | None, protocol: RunConditions
) -> Ablation:
    from dataclasses import asdict, replace

    from bench.campaign import ablation
    from bench.campaign.runner import configuration_of

    base = chosen.declaration.base
    recipes = {base: chosen.base, **{each.name: chosen.recipes[each.recipe] for each in chosen.declaration.variants}}
    configurations: dict[str, Configuration] = {
        name: configuration_of(plans[name], recipe, data) for name, recipe in recipes.items()
    }
    stored = _stored(chosen, plans, {**asdict(configurations[base]), **asdict(protocol)})
    now = datetime.now(UTC)
    made = ablation.choose(RESULTS, out, stored, configurations, plans[base].device.name, now, protocol)
    tables = {name: asdict(recipe) for name, recipe in recipes.items()}
    return replace(made, campaigns={name: replace(each, recipe=tables[name]) for name, each in made.campaigns.items()})


def _run(ablation: Ablation, plans: dict[str, Plan], data: Data, timeout: int | None, watched: GpuWatch) -> int:
    """Make the runs that are left, write and print the table; the exit code of an ablation that was stopped.

    Raises what a failed one was.
    """
    from bench.campaign import interleave, records
    from bench.campaign.runner import open_runner
    from bench.report import campaign_files

    base = ablation.stored.variants[0].name
    technique = {each.name: each.technique for each in ablation.stored.variants}
    turns = interleave.InterleavedRuns(ablation, plans, data, warmed=(base,), titled=technique)
    with open_runner(len(ablation.left()), timeout, ablation.campaigns[base].protocol, watched) as runner:
        ablation.prepare()
        for each in ablation.campaigns.values():
            records.write_missing_records(each)
        ending = turns.take(runner, ablation.write, lambda: campaign_files.write_ablation(ablation.folder))
    # Those of a variant whose last run a killed harness did not live to put in them, too.
    for each in ablation.campaigns.values():
        campaign_files.write_tables(each.folder)
    campaign_files.write_ablation(ablation.folder)
    campaign_files.show_ablation(ablation.folder, sys.stdout)
    return turns.conclude(ending)
