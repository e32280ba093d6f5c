"""The arms of an A/B: two configurations of one recipe on one device, and how they differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial

from bench.campaign import plan
from bench.campaign.ab_settings import ArmSettings
from bench.campaign.experiment import Arm, Design
from bench.campaign.plan import Plan, RunOptions
from bench.containers import NATIVE
from bench.containers.selection import ContainerOptions
from bench.errors import UsageError
from bench.launch import kernel_cache
from bench.probes import machine
from bench.probes.device import Device
from bench.record import SCHEMA, Configuration, RunConditions
from bench.record.experiment import SIDES, StoredAB, StoredSide
from bench.report import ab as shown
from bench.system import container_flags
from bench.system.identity import Identity
from resnet9 import recipe as recipes
from resnet9.recipe import Recipe

#: The default number of pairs: one more than the least from which a difference can be found (`bench.analysis.ranks`),
#: so that one may fail.
PAIRS = "5"


def design(
    settings: Mapping[str, ArmSettings], options: RunOptions, containers: ContainerOptions, conditions: RunConditions,
    device: Device, epochs: int | None,
) -> Design[StoredAB]:  # fmt: skip
    """Return the A/B whose sides have these ``settings`` beyond what both share, each run ended after ``epochs``.

    Raises UsageError for a recipe that is shorter, or a contradiction.
    """
    name = plan.recipe_name(options, device)
    recipe = recipes.load(name)
    if epochs is not None and epochs > recipe.epochs:
        raise UsageError(
            f"{recipe.name} has {recipe.epochs:g} epochs, and --fixed-work {epochs} needs more", "leave it out"
        )
    arms = {
        side: Arm(
            _plan(options, each, device, recipe, plan.absolute(name)),
            recipe,
            _conditions(conditions, each),
            _containers(containers, each),
            warmed=True,
            label=side.upper(),
        )
        for side, each in settings.items()
    }
    return Design(arms, partial(_stored, settings, epochs), shown.plan, all_needed=True)


def _plan(shared: RunOptions, arm: ArmSettings, device: Device, recipe: Recipe, name: str) -> Plan:
    options = replace(
        shared,
        input=arm.settings.get("INPUT", shared.input),
        precision=arm.settings.get("PRECISION", shared.precision),
        threads=arm.threads or shared.threads,
    )
    return replace(plan.complete(options, device, name, recipe.dataset), variables=arm.variables)


def _conditions(shared: RunConditions, arm: ArmSettings) -> RunConditions:
    cache = arm.settings.get("CACHE", shared.kernel_cache)
    kernel_cache.check(cache, os.environ)
    telemetry = arm.settings["TELEMETRY"] == "on" if "TELEMETRY" in arm.settings else shared.telemetry
    return replace(shared, kernel_cache=cache, telemetry=telemetry)


def _containers(shared: ContainerOptions, arm: ArmSettings) -> ContainerOptions:
    settings = arm.settings
    # A side that runs natively ignores the image given for both.
    image = None if settings.get("WHERE") == NATIVE else shared.image
    return ContainerOptions(
        where=settings.get("WHERE", shared.where),
        image=settings.get("IMAGE", image),
        docker=settings.get("DOCKER", shared.docker),
        docker_flags=settings.get("DOCKER_FLAGS", shared.docker_flags),
    )


def _stored(
    settings: Mapping[str, ArmSettings], epochs: int | None, arms: Mapping[str, Arm],
    configurations: Mapping[str, Configuration],
) -> StoredAB:  # fmt: skip
    a, b = (_stored_side(settings[side], arms[side], configurations[side]) for side in SIDES)
    one = configurations[SIDES[0]]
    return StoredAB(SCHEMA, one.recipe, one.dataset, epochs, arms[SIDES[0]].plan.seeds, a, b)


def _stored_side(settings: ArmSettings, arm: Arm, configuration: Configuration) -> StoredSide:
    published = settings.published(Identity.of_this_process())
    placed = arm.plan.placed
    more = {
        "kernel_cache": arm.conditions.kernel_cache,
        "engine": "" if placed is None else placed.engine.label,
        "telemetry": arm.conditions.telemetry,
        "docker_flags": [] if placed is None else list(container_flags.redacted_flags(placed.extra)),
    }
    return StoredSide(
        dict(published.settings), dict(published.variables), {**asdict(configuration), **machine.redacted(more)}
    )
