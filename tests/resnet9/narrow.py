"""Recipes narrow enough to train in a test, and what a training step is called with."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.data.dataset import Dataset
from resnet9.optim.schedule import CONTROLS
from resnet9.optim.step import Settings, TrainingStep
from resnet9.recipe import GROUPS, LearningRate, Recipe

FLOAT32 = Settings(tf.float32, xla=False, loss_scale=1.0, threads=1)
#: Channels that keep every shape different, so that a mix-up of two cannot pass.
WIDTHS = {"resnet9": (4, 8, 12, 16), "plain8": (4, 6, 6, 6, 8, 10, 10, 10), "air": (6, 8, 10)}


def narrow(name: str, **changes: object) -> Recipe:
    """The shipped recipe ``name`` with a few channels and the given fields changed."""
    recipe = recipes.load(name)
    return dataclasses.replace(recipe, **{"widths": WIDTHS[str(changes.get("net", recipe.net))], **changes})


def knots(*pairs: tuple[float, float], **rules: object) -> LearningRate:
    """Rates through these knots, one a step from the first on, in epochs."""
    return LearningRate(knots=pairs, **{"per": "step", "unit": "epoch", "first": 1, "between": "line", **rules})


def row(rate: float = 0.0, **others: float) -> tf.Tensor:
    """A row of controls: one rate for every group, or one each by name."""
    values = {**dict.fromkeys(CONTROLS, 0.0), **dict.fromkeys(GROUPS, rate), **others}
    return tf.constant([values[name] for name in CONTROLS], tf.float32)


def a_step(recipe: Recipe, settings: Settings = FLOAT32, seed: int = 0) -> TrainingStep:
    """A training step with fresh weights."""
    step = TrainingStep(recipe, settings)
    step.reset(seed)
    return step


def coloured(count: int, seed: int = 0) -> Dataset:
    """Images whose class is their brightness, with noise: learned in a few steps."""
    rng = np.random.RandomState(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = (rng.randint(0, 60, (count, 32, 32, 3)) + 19 * labels[:, None, None, None]).astype(np.uint8)
    return Dataset("synthetic", "synthetic", "0", images, labels, images[:20], labels[:20])


def marked(count: int) -> Dataset:
    """Image number i, of up to 256, has the value i in every pixel and the label i."""
    numbers = np.arange(count, dtype=np.uint8)
    images = np.broadcast_to(numbers[:, None, None, None], (count, 32, 32, 3)).copy()
    return Dataset("synthetic", "synthetic", "0", images, numbers, images[:20], numbers[:20])


def flat(variables: list[tf.Variable]) -> np.ndarray:
    """Every number of these variables in one vector."""
    return np.concatenate([variable.numpy().ravel() for variable in variables])
