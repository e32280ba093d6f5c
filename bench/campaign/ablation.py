"""The arms of an ablation: the variants of a declared set, one change at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from bench.campaign import plan
from bench.campaign.experiment import Arm, Design
from bench.campaign.plan import RunOptions
from bench.containers.selection import ContainerOptions
from bench.errors import UsageError
from bench.probes.device import Device
from bench.record import SCHEMA, Configuration, RunConditions, StoredAblation, Variant
from bench.report import ablation as shown
from bench.report.text import counted
from resnet9.recipe import ablation as declared
from resnet9.recipe.ablation import AblationSet


def sets() -> Iterator[str]:
    """Return lines that list the shipped sets."""
    yield "The sets, to run with `make ablate SET=...`, or to read first with `python -m bench ablate SET --plan`:"
    for name in declared.sets():
        found = declared.load(name).declaration
        variants = counted(len(found.variants), "variant")
        yield f"  {name:<8} {found.title}: {variants} and the base, {found.seeds} seeds each"


def design(
    chosen: AblationSet, options: RunOptions, containers: ContainerOptions, conditions: RunConditions, device: Device
) -> Design[StoredAblation]:
    """Return the ablation of a set; ``options`` with seeds replace those it declares.

    Raises UsageError if the set declares the input of its base and another one is given.
    """
    declaration = chosen.declaration
    if declaration.input and options.input not in (None, "auto", declaration.input):
        raise UsageError(
            f"the set {chosen.name} declares the input of its base, {declaration.input}",
            f"leave INPUT={options.input} out",
        )
    seeds, input = options.seeds or str(declaration.seeds), declaration.input or options.input
    base = plan.complete(replace(options, seeds=seeds, input=input), device, chosen.base.name, chosen.base.dataset)
    arms = {
        each.name: Arm(
            replace(base, recipe=chosen.locator(each.recipe), input=each.input or base.input),
            chosen.recipes[each.recipe],
            conditions,
            containers,
            warmed=each.name == declaration.base,
            title=each.technique,
        )
        for each in _declared(chosen)
    }

    def stored(arms: Mapping[str, Arm], configurations: Mapping[str, Configuration]) -> StoredAblation:
        base = configurations.get(declaration.base)
        configuration = {} if base is None else {**asdict(base), **asdict(conditions)}
        return _stored(chosen, arms, configuration)

    return Design(arms, stored, shown.plan)


def _declared(chosen: AblationSet) -> tuple[declared.Variant, ...]:
    return declared.Variant(chosen.declaration.base, "base"), *chosen.declaration.variants


def _stored(chosen: AblationSet, arms: Mapping[str, Arm], configuration: dict[str, object]) -> StoredAblation:
    base, *_ = _declared(chosen)
    return StoredAblation(
        schema=SCHEMA,
        set=chosen.name,
        sha256=chosen.sha256,
        title=chosen.declaration.title,
        question=chosen.declaration.question,
        proxy=chosen.declaration.proxy,
        spread_percent=chosen.declaration.spread_percent,
        spread_source=chosen.declaration.spread_source,
        throughput_spread=chosen.declaration.throughput_spread,
        variants=tuple(
            Variant(
                name=each.name,
                technique=each.technique,
                recipe=arms[each.name].recipe.name,
                recipe_sha256=arms[each.name].recipe.sha256,
                input=arms[each.name].plan.input,
                epochs=arms[each.name].recipe.epochs,
                view=arms[each.name].recipe.views,
                decides=each.decides,
                against="" if each == base else chosen.reference(each).name,
                changes=() if each == base else chosen.changes(each),
            )
            for each in _declared(chosen)
        ),
        seeds=arms[base.name].plan.seeds,
        configuration=configuration,
    )
