"""The input that makes batches on CPU cores with tf.data, and its control, which keeps them in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from resnet9.data.dataset import Dataset
from resnet9.input import augment, waits
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
from resnet9.input.prefetch import BUFFER_BATCHES, CPU, Prefetch
from resnet9.optim.step import TrainingStep

#: Seeds the batches that the control serves, whatever the run's seed: it measures time alone.
MEMORY_SEED = 0
Batch = tuple[Tensor, Tensor, Tensor]


class _HostSteps(Epochs):
    """A compiled step, called from Python with each batch."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self._bodies = {body: self._compiled(body) for body in (True, False)}

    def _compiled(self, whitening_bias: bool) -> Any:
        def train(images: Tensor, labels: Tensor, partners: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
            return self.step(images, labels, row, partners, whitening_bias)

        return tf.function(train, jit_compile=self.step.settings.xla, autograph=False)

    def _trained(self, rows: np.ndarray, bodies: list[bool], pull: Callable[[], Batch]) -> tuple[float, int]:
        """Train a batch a row of controls; the summed loss and the number classified rightly."""
        losses, corrects = [], []
        for row, body in zip(rows, bodies, strict=True):
            loss, correct = self._bodies[body](*pull(), tf.constant(row))
            # Kept on the device: reading each loss back would make every step wait for the one before.
            losses.append(loss)
            corrects.append(correct)
        return float(tf.add_n(losses)), int(tf.add_n(corrects))

    def _course(self, epoch: int) -> tuple[range, np.ndarray, list[bool]]:
        """The steps of an epoch, their controls, and in which of them the whitening bias is trained."""
        steps = self.steps_of(epoch)
        return steps, self.controls[steps.start : steps.stop], [step < self.frozen_after for step in steps]


class HostLoop(_HostSteps):
    """tf.data shuffles, augments and prefetches on the CPU; every pull is timed."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self.images: Tensor = None
        self._labels: Tensor = None
        self._prefetch = Prefetch(step.settings.threads)
        # Traced by the warm-up and once a process: the pipelines of later epochs only call it.
        self._prepare = tf.function(self._prepared, autograph=False)

    def _prepared(
        self, position: Tensor, index: Tensor, images: Tensor, labels: Tensor, places: Tensor,
        flips: Tensor | None, whole: Tensor | None, mixing: Tensor,
    ) -> Batch:  # fmt: skip
        """The batch at ``position`` of a pipeline, from the images at ``index`` [B].

        ``places``: the key of its random numbers, the pipeline's first step and its epoch's first, int32 [3].
        ``mixing``: for each of its steps, whether it mixes images, bool [steps per epoch].
        """
        recipe, batch = self.recipe, self.recipe.batch
        key, start, begin = tf.unstack(places)
        index, place = tf.ensure_shape(tf.cast(index, tf.int32), [batch]), tf.cast(position, tf.int32)
        if whole is None:
            numbers = augment.fractions(recipe, batch, tf.stack([key, place + start]))
        else:
            numbers = tf.slice(whole, [(place + start - begin) * batch, 0], [batch, whole.shape[1]])
        drawn = augment.draws(recipe, numbers)
        inputs = augment.augmented_batch(recipe, images, index, drawn, self.step.settings.compute, flips)
        truth = partners = tf.gather(labels, index)
        if recipe.cutmix is not None:
            inputs, partners = augment.cutmixed(recipe, inputs, truth, drawn, mixing[place])
        return inputs, truth, partners

    def batches(self, steps: range, seed: int) -> tf.data.Dataset:
        """The batches of these steps of one epoch: (images in the compute dtype [B,32,32,3], labels uint8 [B], labels
        of their cutmix partners uint8 [B], the same labels without cutmix).
        """
        with tf.device(CPU):  # tf.data lives there, whatever the device around this call.
            return self._prefetch.behind(self._unbuffered(steps, seed))

    def _unbuffered(self, steps: range, seed: int) -> tf.data.Dataset:
        recipe, threads = self.recipe, self.step.settings.threads
        begin = steps.start - steps.start % self.steps_per_epoch
        key = tf.constant(stream(seed, AUGMENT_STREAM), tf.int32)
        flips, whole = None, None
        if recipe.flip == "alternating":
            flips_key = tf.constant([stream(seed, FLIP_STREAM), 0], tf.int32)
            epoch = tf.constant(begin // self.steps_per_epoch + 1)
            flips = augment.alternating_flips(self.train_images, flips_key, epoch)
        if recipe.random_numbers == "per_epoch":
            whole = augment.fractions(recipe, self.steps_per_epoch * recipe.batch, tf.stack([key, begin]))
        # As long in the last, shorter epoch as in the others: another shape would be traced again.
        mixing = np.zeros(self.steps_per_epoch, bool)
        mixing[: len(steps)] = self.controls[steps.start : steps.stop, CUTMIX] > 0.5
        shared = (self.images, self._labels, tf.stack([key, steps.start, begin]), flips, whole, tf.constant(mixing))

        @tf.autograph.experimental.do_not_convert
        def prepare(position: Tensor, index: Tensor) -> Batch:
            return self._prepare(position, index, *shared)

        order = tf.data.Dataset.range(self.train_images)
        window = self.train_images if recipe.shuffle_window is None else recipe.shuffle_window
        if window > 1:
            order = order.shuffle(window, seed=stream(seed, SHUFFLE_STREAM) + steps.start)
        data = order.batch(recipe.batch, drop_remainder=True).take(len(steps)).enumerate()
        return data.map(prepare, num_parallel_calls=threads, deterministic=True)

    def _train(self, steps: range, rows: np.ndarray, bodies: list[bool], seed: int) -> EpochStats:
        waits_us: list[float] = []
        levels: list[int] = []
        looks = waits.looks(len(steps))
        # The first wait of an epoch includes making its pipeline: the step cannot begin before.
        began = time.perf_counter_ns()
        with tf.device(CPU):
            batches: Iterator[Batch] = iter(self.batches(steps, seed))

        def pull() -> Batch:
            nonlocal began
            if waits_us:
                if len(waits_us) in looks:
                    levels.append(self._prefetch.level(len(waits_us)))
                began = time.perf_counter_ns()
            with tf.device(CPU):
                batch = next(batches)
            waits_us.append((time.perf_counter_ns() - began) / 1e3)
            return batch

        loss_sum, correct = self._trained(rows, bodies, pull)
        images = len(steps) * self.recipe.batch
        return EpochStats(len(steps), images, loss_sum, correct, waits_us, levels, BUFFER_BATCHES)

    def warm_up(self, seed: int) -> None:
        self._keep(*random_examples(self.train_images, seed))
        for body, steps in self.warm_up_steps.items():
            self._train(steps, self.warm_rows(len(steps)), [body] * len(steps), seed)
        blocking = "GPU" not in self.step.net.head.device
        self.floor_us = self._prefetch.floor_us(self.batches(range(1), seed).element_spec, blocking)

    def load(self, dataset: Dataset) -> None:
        self._keep(dataset.train_images, dataset.train_labels)

    def _keep(self, images: np.ndarray, labels: np.ndarray) -> None:
        with tf.device(CPU):
            self.images, self._labels = tf.constant(images), tf.constant(labels)

    def run(self, epoch: int, seed: int) -> EpochStats:
        return self._train(*self._course(epoch), seed)


class MemoryLoop(_HostSteps):
    """The control of ``HostLoop``: the same step and shapes, fed with batches that are ready in memory.

    They are those of the first epoch, made by ``load`` and served again in every epoch, so an accuracy means nothing.
    What ``HostLoop`` takes longer is what its input costs, waits and shared cores together.
    """

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self._source = HostLoop(step, train_images)
        self._batches: list[Batch] = []

    @property
    def images(self) -> Tensor:
        """The images on the host, uint8 [N,32,32,3]."""
        return self._source.images

    def warm_up(self, seed: int) -> None:
        self._source._keep(*random_examples(self.train_images, seed))
        self._make(seed)
        for body, steps in self.warm_up_steps.items():
            self._train(self.warm_rows(len(steps)), [body] * len(steps))

    def load(self, dataset: Dataset) -> None:
        self._source.load(dataset)
        self._make(MEMORY_SEED)

    def _make(self, seed: int) -> None:
        with tf.device(CPU):
            self._batches = list(self._source.batches(self.steps_of(1), seed))

    def _train(self, rows: np.ndarray, bodies: list[bool]) -> tuple[float, int]:
        ready = iter(self._batches)
        return self._trained(rows, bodies, lambda: next(ready))

    def run(self, epoch: int, seed: int) -> EpochStats:
        steps, rows, bodies = self._course(epoch)
        return EpochStats(len(steps), len(steps) * self.recipe.batch, *self._train(rows, bodies))
