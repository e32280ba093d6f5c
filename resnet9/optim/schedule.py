"""What changes from step to step, as tables made before the run: rates of every group, averaging, freezing, cutmix."""

from __future__ import annotations

import math

import numpy as np

from resnet9.recipe import GROUPS, Recipe

#: The columns of ``controls``. A rate for each group of weights; whether Muon scales its kernels first; how much of
#: itself the moving average keeps and whether the net becomes it; whether cutmix is on.
CONTROLS = (*GROUPS, "renormalise", "average_keep", "average_copy", "cutmix")


def learning_rates(recipe: Recipe, train_images: int) -> np.ndarray:
    """The learning rate of every step, float32 [total steps], before any group's own factor.

    ``per`` = ``step``: step s = first, first + 1, ... takes the rate at s. With ``first`` 1 the first step is not at 0
    and the last one is at the last knot (cifar10-fast, core.py and torch_backend.py: its step counter is raised
    before the schedule is read). ``per`` = ``epoch``: all steps of epoch k = 1, 2, ... take the rate at k (a Keras
    LearningRateScheduler, counted from 1). Before the first knot and after the last one the rate stays at that knot's.
    """
    schedule = recipe.learning_rate
    steps_per_epoch, total = recipe.steps_per_epoch(train_images), recipe.total_steps(train_images)
    step = np.arange(total, dtype=np.float64) + schedule.first
    if schedule.per == "epoch":
        when = np.ceil((np.arange(total) + 1) / steps_per_epoch)
    else:
        when = step / {"epoch": steps_per_epoch, "step": 1, "run": total}[schedule.unit]
    times, rates = np.asarray(schedule.knots, dtype=np.float64).T
    if schedule.between == "line" or len(times) == 1:
        return np.interp(when, times, rates).astype(np.float32)
    before = np.clip(np.searchsorted(times, when, side="right") - 1, 0, len(times) - 2)
    share = np.clip((when - times[before]) / (times[before + 1] - times[before]), 0.0, 1.0)
    # A stair keeps the rate of the knot before; half a cosine leaves one knot and meets the next one level.
    moved = np.floor(share) if schedule.between == "stair" else 0.5 - 0.5 * np.cos(np.pi * share)
    return (rates[before] + (rates[before + 1] - rates[before]) * moved).astype(np.float32)


def frozen_after(recipe: Recipe, train_images: int) -> int:
    """The steps that train the whitening bias; every step after them leaves it as it is."""
    total = recipe.total_steps(train_images)
    until = recipe.group("whitening_bias").until_epochs
    if recipe.whitening is None or not recipe.whitening.bias:
        return 0
    return total if until is None else min(total, round(until * recipe.steps_per_epoch(train_images)))


def controls(recipe: Recipe, train_images: int) -> np.ndarray:
    """A row a step with the columns CONTROLS, float32 [total steps, len(CONTROLS)]."""
    rates = learning_rates(recipe, train_images)
    total, steps_per_epoch = len(rates), recipe.steps_per_epoch(train_images)
    table: dict[str, np.ndarray] = dict.fromkeys(CONTROLS, np.zeros(total, np.float32))
    for name in GROUPS:
        table[name] = _group_rates(recipe, name, rates, frozen_after(recipe, train_images))
    if recipe.muon is not None:
        table["renormalise"] = _renormalising(recipe, total)
    if recipe.average is not None:
        table["average_keep"], table["average_copy"] = _averaging(recipe, total, steps_per_epoch)
    if recipe.cutmix is not None:
        table["cutmix"] = np.arange(total) // steps_per_epoch >= recipe.cutmix.from_epoch
    return np.stack([table[name] for name in CONTROLS], axis=1).astype(np.float32)


def _group_rates(recipe: Recipe, name: str, rates: np.ndarray, frozen: int) -> np.ndarray:
    if name == "filters" and recipe.muon is not None:
        return rates * recipe.muon.rate
    group = recipe.group(name)
    if name != "whitening_bias":
        return rates * group.rate_factor
    step = np.arange(len(rates))
    if group.fade and frozen:
        return np.maximum(rates[0] * (1.0 - step / frozen), 0.0) * group.rate_factor
    return np.where(step < frozen, rates, 0.0) * group.rate_factor


def _renormalising(recipe: Recipe, total: int) -> np.ndarray:
    """Which steps scale Muon's kernels first: those far enough from the last that did."""
    assert recipe.muon is not None
    start, growth = recipe.muon.renormalise
    table, last = np.zeros(total, bool), 0
    for step in range(1, total + 1):
        if step - last >= start + growth * step // total:
            table[step - 1], last = True, step
    return table


def _averaging(recipe: Recipe, total: int, steps_per_epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the average keeps of itself after every step, and whether the net then becomes it.

    Until ``from_epoch`` the average follows the net. A lookahead ends by becoming the average once more, which drops
    the steps since it last moved (airbench94, and a trap named in its own right).
    """
    average = recipe.average
    assert average is not None
    done = np.arange(total) + 1
    first = average.every if average.first is None else average.first
    moves = (done >= first) & ((done - first) % average.every == 0)
    if not moves.any():  # a run too short for it: the average is the net, not the weights it began with
        return np.zeros(total), np.zeros(total, bool)
    keep = np.where(moves, average.decay * (done / total) ** average.power, 1.0)
    begin = math.floor(round(average.from_epoch * steps_per_epoch, 6))
    keep = np.where(done <= begin, 0.0, keep)
    copies = moves | (done == total)
    return keep, copies if average.copy_back else np.zeros(total, bool)
