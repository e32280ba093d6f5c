"""The input that keeps the dataset on the device: an epoch, augmentation included, is one compiled function."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from resnet9.data.dataset import Dataset
from resnet9.input import augment
from resnet9.input.base_loop import (
    AUGMENT_STREAM,
    CUTMIX,
    FLIP_STREAM,
    SHUFFLE_STREAM,
    Epochs,
    EpochStats,
    Tensor,
    random_examples,
    stream,
)
from resnet9.model import randomness
from resnet9.optim.schedule import CONTROLS
from resnet9.optim.step import TrainingStep


class DeviceLoop(Epochs):
    """The dataset rests on the device as uint8; an epoch is one call, or two where the whitening bias freezes in it."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self._bodies = {body: self._compiled(body) for body in (True, False)}
        self.images: Tensor = None
        self._labels: Tensor = None

    def _compiled(self, whitening_bias: bool) -> Any:
        def train(*arguments: Tensor) -> Tensor:
            return self._train(whitening_bias, *arguments)

        return tf.function(train, jit_compile=self.step.settings.xla, autograph=False)

    def _train(
        self,
        whitening_bias: bool,
        images: Tensor,
        labels: Tensor,
        rows: Tensor,
        seeds: Tensor,
        begin: Tensor,
        first: Tensor,
        stop: Tensor,
    ) -> Tensor:
        """Steps ``first`` to ``stop`` of the epoch that began at step ``begin`` of the run, int32 scalars. Returns the
        summed loss and the number classified rightly, float32 [2].
        """
        recipe, batch, compute = self.recipe, self.recipe.batch, self.step.settings.compute
        order = self._order(tf.stack([seeds[0], begin]))
        flips = None
        if recipe.flip == "alternating":
            epoch = begin // self.steps_per_epoch + 1
            flips = augment.alternating_flips(self.train_images, tf.stack([seeds[2], 0]), epoch)
        whole = None
        if recipe.random_numbers == "per_epoch":
            whole = augment.fractions(recipe, self.steps_per_epoch * batch, tf.stack([seeds[1], begin]))

        def body(i: Tensor, loss_sum: Tensor, correct: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            index = tf.slice(order, [i * batch], [batch])
            if whole is None:
                numbers = augment.fractions(recipe, batch, tf.stack([seeds[1], begin + i]))
            else:
                numbers = tf.slice(whole, [i * batch, 0], [batch, whole.shape[1]])
            drawn = augment.draws(recipe, numbers)
            inputs = augment.augmented_batch(recipe, images, index, drawn, compute, flips)
            truth, partners = tf.gather(labels, index), None
            if recipe.cutmix is not None:
                inputs, partners = augment.cutmixed(recipe, inputs, truth, drawn, rows[i, CUTMIX] > 0.5)
            loss, right = self.step(inputs, truth, rows[i], partners, whitening_bias)
            return i + 1, loss_sum + loss, correct + right

        _, loss_sum, correct = tf.while_loop(
            lambda i, *_: i < stop, body, (first, tf.constant(0.0), tf.constant(0)), parallel_iterations=1
        )
        # One number pair to read back; up to 2**24 whole numbers are exact in float32.
        return tf.stack([loss_sum, tf.cast(correct, tf.float32)])

    def _order(self, seed: Tensor) -> Tensor:
        """The order of the epoch's images: a permutation, or one that a buffer of ``shuffle_window`` would give.

        From a full buffer of n each image goes with chance 1/n at every step, so it leaves after an exponential number
        of steps with mean n. Sorting by position plus such a number needs no queue and spreads images alike (measured
        for n = 200 of 2,048: standard deviation 188 places against 193 of tf.data's).
        """
        window = self.recipe.shuffle_window
        if window == 1:
            return tf.range(self.train_images)
        # XLA lowers the shuffle of an index vector to one sort; shuffling images would be a loop over 50,000 rows.
        if window is None or window >= self.train_images:
            return tf.argsort(randomness.bits([self.train_images], seed))
        places = tf.range(self.train_images, dtype=tf.float32)
        return tf.argsort(places - float(window) * tf.math.log(1.0 - randomness.fractions([self.train_images], seed)))

    def _call(self, whitening_bias: bool, steps: range, begin: int, rows: np.ndarray, seed: int) -> Tensor:
        # Always a full table of rows, so that the shapes, and with them the compiled code, are the same for every
        # epoch.
        table = np.zeros((self.steps_per_epoch, len(CONTROLS)), np.float32)
        table[: len(rows)] = rows
        streams = (SHUFFLE_STREAM, AUGMENT_STREAM, FLIP_STREAM)
        seeds = tf.constant([stream(seed, number) for number in streams], tf.int32)
        places = [tf.constant(place) for place in (begin, steps.start - begin, steps.stop - begin)]
        return self._bodies[whitening_bias](self.images, self._labels, tf.constant(table), seeds, *places)

    def warm_up(self, seed: int) -> None:
        self.images, self._labels = map(tf.constant, random_examples(self.train_images, seed))
        for body, steps in self.warm_up_steps.items():
            self._call(body, steps, 0, self.warm_rows(len(steps)), seed).numpy()

    def load(self, dataset: Dataset) -> None:
        self.images = tf.constant(dataset.train_images)
        self._labels = tf.constant(dataset.train_labels)
        # The copy to the device is asynchronous; reading a byte of each back waits for it.
        int(self.images[-1, -1, -1, -1]), int(self._labels[-1])

    def run(self, epoch: int, seed: int) -> EpochStats:
        steps = self.steps_of(epoch)
        rows = self.controls[steps.start : steps.stop]
        edge = min(max(self.frozen_after, steps.start), steps.stop)
        parts = [
            self._call(body, part, steps.start, rows, seed)
            for body, part in ((True, range(steps.start, edge)), (False, range(edge, steps.stop)))
            if part
        ]
        # The only read of the epoch, after all of its work has been queued.
        loss_sum, correct = tf.add_n(parts).numpy()
        return EpochStats(len(steps), len(steps) * self.recipe.batch, float(loss_sum), int(correct))
