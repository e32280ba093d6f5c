"""Learning-rate schedules as tables: piecewise linear through (epoch, rate) knots, one entry a step."""

from __future__ import annotations

import numpy as np

from resnet9.recipe import Recipe


def learning_rates(recipe: Recipe, train_images: int) -> np.ndarray:
    """The learning rate of every step, float32 [total steps].

    ``per`` = ``step``: step s = 1, 2, ... takes the rate at epoch s / steps_per_epoch, so the first step is not at 0
    and the last one is at the last knot (cifar10-fast, core.py and torch_backend.py: its step counter is raised
    before the schedule is read).
    ``per`` = ``epoch``: all steps of epoch k = 1, 2, ... take the rate at k (a Keras LearningRateScheduler, counted
    from 1). Before the first knot and after the last one the rate stays at that knot's.
    """
    steps_per_epoch = recipe.steps_per_epoch(train_images)
    step = np.arange(1, recipe.total_steps(train_images) + 1, dtype=np.float64)
    epoch = step / steps_per_epoch
    if recipe.learning_rate["per"] == "epoch":
        epoch = np.ceil(epoch)
    knots = np.asarray(recipe.learning_rate["knots"], dtype=np.float64)
    return np.interp(epoch, knots[:, 0], knots[:, 1]).astype(np.float32)
