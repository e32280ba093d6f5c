"""The two inputs. Their interface is the epoch: ``run(epoch) -> Sums``.

``HostLoop`` takes batches from tf.data (shuffled, augmented and prefetched on CPU cores) and calls a compiled step
for each.
``DeviceLoop`` keeps the dataset on the device as uint8 and runs the whole epoch, augmentation included, in one
compiled function. Both draw the same distributions (a ``shuffle_window`` is tf.data's buffer in the one and its
likeness in the other), augmentation from stateless random numbers keyed by (seed, step), so a seed fixes everything.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from resnet9 import augment, randomness
from resnet9.dataset import Dataset
from resnet9.nets import CLASSES
from resnet9.schedule import CONTROLS, controls, frozen_after, learning_rates
from resnet9.step import TrainingStep

Tensor = Any
CPU = "/CPU:0"
#: Batches in flight between the augmenting threads and the step; fixed, because tf.data's autotuning is a source of
#: noise.
PREFETCH_BATCHES = 4
#: Separate streams of random numbers: adding to the seed keeps shuffle, augmentation, flips and weights independent.
SHUFFLE_STREAM, AUGMENT_STREAM, FLIP_STREAM = 0x5EED0001, 0x5EED0002, 0x5EED0003
_CUTMIX = CONTROLS.index("cutmix")


@dataclass(frozen=True)
class Sums:
    """What an epoch gave: steps and images trained, loss summed over images, images classified rightly while training.

    ``waits_us`` holds the microseconds each step waited for its batch, or is empty where there is no host input to
    wait for.
    """

    steps: int
    images: int
    loss_sum: float
    correct: int
    waits_us: list[float] = field(default_factory=list)

    @property
    def mean_loss(self) -> float:
        """Mean loss of an image; NaN for an epoch without steps."""
        return self.loss_sum / self.images if self.images else float("nan")


class Loop(Protocol):
    """An input with its training step; ``images`` are those it trains on, uint8 [N,32,32,3], where it reads them."""

    images: Tensor

    def warm_up(self, seed: int) -> None:
        """Compile everything an epoch needs, on random data of the same shapes; weights and statistics are spoilt by
        it.
        """

    def load(self, dataset: Dataset) -> None:
        """Put the dataset where the input reads it."""

    def run(self, epoch: int, seed: int) -> Sums:
        """Train epoch 1, 2, ... and return when its sums have reached the host."""


class _Epochs:
    """What both inputs know: the steps of an epoch, their controls, and which of them train the whitening bias."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        self.step, self.recipe = step, step.recipe
        self.train_images = train_images
        self.steps_per_epoch = self.recipe.steps_per_epoch(train_images)
        self.rates = learning_rates(self.recipe, train_images)
        self.controls = controls(self.recipe, train_images)
        self.frozen_after = frozen_after(self.recipe, train_images)

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

    def _warm_rows(self, count: int) -> np.ndarray:
        """Harmless controls for ``count`` steps on noise."""
        return np.full((count, len(CONTROLS)), 1e-3, np.float32)


def random_examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of a dataset's shape to compile and tune kernels on: images uint8 [count,32,32,3], labels uint8 [count]."""
    rng = np.random.RandomState(seed)
    images = rng.randint(0, 256, (count, augment.SIDE, augment.SIDE, 3), dtype=np.uint8)
    return images, rng.randint(0, CLASSES, count, dtype=np.uint8)


def _stream(seed: int, stream: int) -> int:
    """A non-negative int32 that differs between streams of one seed and between seeds of one stream."""
    return (seed * 0x9E3779B1 + stream) % 0x7FFFFFFF


class DeviceLoop(_Epochs):
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
                inputs, partners = augment.cutmixed(recipe, inputs, truth, drawn, rows[i, _CUTMIX] > 0.5)
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
        seeds = tf.constant([_stream(seed, stream) for stream in streams], tf.int32)
        places = [tf.constant(place) for place in (begin, steps.start - begin, steps.stop - begin)]
        return self._bodies[whitening_bias](self.images, self._labels, tf.constant(table), seeds, *places)

    def warm_up(self, seed: int) -> None:
        self.images, self._labels = map(tf.constant, random_examples(self.train_images, seed))
        for body, steps in self.warm_up_steps.items():
            self._call(body, steps, 0, self._warm_rows(len(steps)), seed).numpy()

    def load(self, dataset: Dataset) -> None:
        self.images = tf.constant(dataset.train_images)
        self._labels = tf.constant(dataset.train_labels)
        # The copy to the device is asynchronous; reading a byte of each back waits for it.
        int(self.images[-1, -1, -1, -1]), int(self._labels[-1])

    def run(self, epoch: int, seed: int) -> Sums:
        steps = self.steps_of(epoch)
        rows = self.controls[steps.start : steps.stop]
        edge = min(max(self.frozen_after, steps.start), steps.stop)
        parts = [
            self._call(body, part, steps.start, rows, seed)
            for body, part in ((True, range(steps.start, edge)), (False, range(edge, steps.stop)))
            if part
        ]
        # The one read of the epoch, after all of it has been asked for.
        loss_sum, correct = tf.add_n(parts).numpy()
        return Sums(len(steps), len(steps) * self.recipe.batch, float(loss_sum), int(correct))


class HostLoop(_Epochs):
    """tf.data shuffles, augments and prefetches on the CPU; every pull is timed."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self._bodies = {body: self._compiled(body) for body in (True, False)}
        self.images: Tensor = None
        self._labels: Tensor = None

    def _compiled(self, whitening_bias: bool) -> Any:
        def train(images: Tensor, labels: Tensor, partners: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
            return self.step(images, labels, row, partners, whitening_bias)

        return tf.function(train, jit_compile=self.step.settings.xla, autograph=False)

    def batches(self, steps: range, seed: int) -> tf.data.Dataset:
        """The epoch's batches: (images in the compute dtype [B,32,32,3], labels uint8 [B], labels of their cutmix
        partners uint8 [B], the same labels without cutmix).
        """
        recipe, settings, batch = self.recipe, self.step.settings, self.recipe.batch
        images, labels = self.images, self._labels
        stream = tf.constant(_stream(seed, AUGMENT_STREAM), tf.int32)
        begin = steps.start - steps.start % self.steps_per_epoch
        flips, whole, mixing = None, None, tf.constant(self.controls[steps.start : steps.stop, _CUTMIX] > 0.5)
        if recipe.flip == "alternating":
            key = tf.constant([_stream(seed, FLIP_STREAM), 0], tf.int32)
            flips = augment.alternating_flips(self.train_images, key, tf.constant(begin // self.steps_per_epoch + 1))
        if recipe.random_numbers == "per_epoch":
            whole = augment.fractions(recipe, self.steps_per_epoch * batch, tf.stack([stream, begin]))

        def prepare(position: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            index, place = tf.ensure_shape(tf.cast(index, tf.int32), [batch]), tf.cast(position, tf.int32)
            if whole is None:
                numbers = augment.fractions(recipe, batch, tf.stack([stream, place + steps.start]))
            else:
                numbers = tf.slice(whole, [(place + steps.start - begin) * batch, 0], [batch, whole.shape[1]])
            drawn = augment.draws(recipe, numbers)
            inputs = augment.augmented_batch(recipe, images, index, drawn, settings.compute, flips)
            truth = partners = tf.gather(labels, index)
            if recipe.cutmix is not None:
                inputs, partners = augment.cutmixed(recipe, inputs, truth, drawn, mixing[place])
            return inputs, truth, partners

        order = tf.data.Dataset.range(self.train_images)
        window = self.train_images if recipe.shuffle_window is None else recipe.shuffle_window
        if window > 1:
            order = order.shuffle(window, seed=_stream(seed, SHUFFLE_STREAM) + steps.start)
        data = order.batch(batch, drop_remainder=True).take(len(steps)).enumerate()
        data = data.map(prepare, num_parallel_calls=settings.threads, deterministic=True).prefetch(PREFETCH_BATCHES)
        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = settings.threads
        return data.with_options(options)

    def _train(self, steps: range, rows: np.ndarray, bodies: list[bool], seed: int) -> Sums:
        losses, corrects, waits_us = [], [], []
        # tf.data lives on the CPU, whatever the device around this call.
        with tf.device(CPU):
            batches = iter(self.batches(steps, seed))
        for row, body in zip(rows, bodies, strict=True):
            began = time.perf_counter_ns()
            with tf.device(CPU):
                images, labels, partners = next(batches)
            waits_us.append((time.perf_counter_ns() - began) / 1e3)
            loss, correct = self._bodies[body](images, labels, partners, tf.constant(row))
            # Kept on the device: reading each loss back would make every step wait for the one before.
            losses.append(loss)
            corrects.append(correct)
        loss_sum, correct_sum = float(tf.add_n(losses)), int(tf.add_n(corrects))
        return Sums(len(steps), len(steps) * self.recipe.batch, loss_sum, correct_sum, waits_us)

    def warm_up(self, seed: int) -> None:
        self._keep(*random_examples(self.train_images, seed))
        for body, steps in self.warm_up_steps.items():
            self._train(steps, self._warm_rows(len(steps)), [body] * len(steps), seed)

    def load(self, dataset: Dataset) -> None:
        self._keep(dataset.train_images, dataset.train_labels)

    def _keep(self, images: np.ndarray, labels: np.ndarray) -> None:
        with tf.device(CPU):
            self.images, self._labels = tf.constant(images), tf.constant(labels)

    def run(self, epoch: int, seed: int) -> Sums:
        steps = self.steps_of(epoch)
        bodies = [step < self.frozen_after for step in steps]
        return self._train(steps, self.controls[steps.start : steps.stop], bodies, seed)


LOOPS: dict[str, type[DeviceLoop] | type[HostLoop]] = {"device": DeviceLoop, "host": HostLoop}
