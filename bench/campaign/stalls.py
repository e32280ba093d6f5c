"""The arms of an input measurement: the host's input, and its control with batches ready in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.campaign import plan
from bench.campaign.experiment import Arm, Design
from bench.campaign.plan import RunOptions
from bench.containers.selection import ContainerOptions
from bench.errors import UsageError
from bench.probes.device import Device
from bench.record import SCHEMA, Configuration, RunConditions
from bench.record.experiment import HOST, INPUTS, StoredStalls
from bench.report import stalls as shown
from resnet9 import recipe as recipes

#: The default number of pairs: enough for an interval, and minutes where an epoch takes seconds.
PAIRS = "3"


def design(
    options: RunOptions, containers: ContainerOptions, conditions: RunConditions, device: Device, epochs: int
) -> Design[StoredStalls]:
    """Return the measurement of the host's input. Raises UsageError for a recipe that has no second epoch."""
    name = plan.recipe_name(options, device)
    recipe = recipes.load(name)
    if recipe.epochs < 2:
        raise UsageError(
            f"{recipe.name} has {recipe.epochs:g} epochs, and the first is left out", "name a longer one with RECIPE="
        )
    todo = plan.complete(options, device, plan.absolute(name), recipe.dataset)
    arms = {
        each: Arm(replace(todo, input=each), recipe, conditions, containers, warmed=each == HOST) for each in INPUTS
    }

    def stored(arms: Mapping[str, Arm], configurations: Mapping[str, Configuration]) -> StoredStalls:
        return StoredStalls(SCHEMA, recipe.name, configurations[HOST].dataset, epochs, arms[HOST].plan.seeds)

    return Design(arms, stored, shown.plan)
