"""What the inputs share: the sums of an epoch, its steps and their controls, and noise to compile kernels on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from resnet9.data.dataset import Dataset
from resnet9.input import augment
from resnet9.model.nets import CLASSES
from resnet9.optim.schedule import CONTROLS, controls, frozen_after, learning_rates
from resnet9.optim.step import TrainingStep

Tensor = Any
#: Separate streams of random numbers: adding to the seed keeps shuffle, augmentation, flips and weights independent.
SHUFFLE_STREAM, AUGMENT_STREAM, FLIP_STREAM = 0x5EED0001, 0x5EED0002, 0x5EED0003
#: Column of the controls that says whether a step mixes its images.
CUTMIX = CONTROLS.index("cutmix")


@dataclass(frozen=True)
class EpochStats:
    """What an epoch gave: steps and images trained, loss summed over images, images classified rightly while training.

    ``waits_us`` holds the microseconds each step waited for its batch, or is empty where there is no host input to
    wait for. ``levels`` holds the batches found ready in the prefetch buffer of ``capacity`` right before some pulls.
    """

    steps: int
    images: int
    loss_sum: float
    correct: int
    waits_us: list[float] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    capacity: int = 0

    @property
    def mean_loss(self) -> float:
        """Mean loss of an image; NaN for an epoch without steps."""
        return self.loss_sum / self.images if self.images else float("nan")


class Loop(Protocol):
    """An input with its training step; ``images`` are those it trains on, uint8 [N,32,32,3], where it reads them.

    ``floor_us``: what a pull costs when its batch is ready, measured by ``warm_up``; 0 where nothing is pulled.
    """

    images: Tensor
    floor_us: float

    def warm_up(self, seed: int) -> None:
        """Compile everything an epoch needs, on random data of the same shapes; weights and statistics are spoilt by
        it.
        """

    def load(self, dataset: Dataset) -> None:
        """Put the dataset where the input reads it."""

    def run(self, epoch: int, seed: int) -> EpochStats:
        """Train epoch 1, 2, ... and return when its sums have reached the host."""


class Epochs:
    """What every input knows: the steps of an epoch, their controls, and which of them train the whitening bias."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        self.step, self.recipe = step, step.recipe
        self.train_images = train_images
        self.steps_per_epoch = self.recipe.steps_per_epoch(train_images)
        self.rates = learning_rates(self.recipe, train_images)
        self.controls = controls(self.recipe, train_images)
        self.frozen_after = frozen_after(self.recipe, train_images)
        self.floor_us = 0.0

    def steps_of(self, epoch: int) -> range:
        """Steps of epoch 1, 2, ... counted over the run; the last epoch may be short."""
        first = (epoch - 1) * self.steps_per_epoch
        return range(first, min(first + self.steps_per_epoch, len(self.rates)))

    def epoch_label(self, epoch: int) -> float:
        """Epochs done when epoch 1, 2, ... has ended: steps done over steps per epoch, so the last one can be 9.9."""
        return self.steps_of(epoch).stop / self.steps_per_epoch

    @property
    def warm_up_steps(self) -> dict[bool, range]:
        """A few steps of every body the run needs: with the whitening bias trained, and without."""
        last = min(2, self.steps_per_epoch)
        bodies = {True: self.frozen_after > 0, False: self.frozen_after < len(self.rates)}
        return {body: range(last) for body, needed in bodies.items() if needed}

    def warm_rows(self, count: int) -> np.ndarray:
        """Harmless controls for ``count`` steps on noise."""
        return np.full((count, len(CONTROLS)), 1e-3, np.float32)


def random_examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of a dataset's shape to compile and tune kernels on: images uint8 [count,32,32,3], labels uint8 [count]."""
    rng = np.random.RandomState(seed)
    images = rng.randint(0, 256, (count, augment.SIDE, augment.SIDE, 3), dtype=np.uint8)
    return images, rng.randint(0, CLASSES, count, dtype=np.uint8)


def stream(seed: int, number: int) -> int:
    """A non-negative int32 that differs between streams of one seed and between seeds of one stream."""
    return (seed * 0x9E3779B1 + number) % 0x7FFFFFFF
