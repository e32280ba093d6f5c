"""The two inputs. Their interface is the epoch: ``run(epoch) -> Sums``.

``HostLoop`` takes batches from tf.data (shuffled, augmented and prefetched on CPU cores) and calls a compiled step
for each.
``DeviceLoop`` keeps the dataset on the device as uint8 and runs the whole epoch, augmentation included, in one
compiled function. Both draw the same distributions from stateless random numbers keyed by (seed, step), so a seed
fixes everything.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from resnet9 import augment, randomness
from resnet9.dataset import Dataset
from resnet9.nets import CLASSES, ResNet9
from resnet9.optim import NesterovSGD
from resnet9.recipe import Recipe
from resnet9.schedule import learning_rates

Tensor = Any
CPU = "/CPU:0"
#: Batches in flight between the augmenting threads and the step; fixed, because tf.data's autotuning is a source of
#: noise.
PREFETCH_BATCHES = 4
#: Separate streams of random numbers: adding to the seed keeps shuffle, augmentation and weights independent.
SHUFFLE_STREAM, AUGMENT_STREAM = 0x5EED0001, 0x5EED0002


@dataclass(frozen=True)
class Settings:
    """How a recipe is run here: ``compute`` dtype, XLA or not, the loss scale, and CPU threads for the host input."""

    compute: tf.DType
    xla: bool
    loss_scale: float
    threads: int


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
    """An input with its training step."""

    def warm_up(self, seed: int) -> None:
        """Compile everything an epoch needs, on random data of the same shapes; weights and statistics are spoilt by
        it.
        """

    def load(self, dataset: Dataset) -> None:
        """Put the dataset where the input reads it."""

    def run(self, epoch: int, seed: int) -> Sums:
        """Train epoch 1, 2, ... and return when its sums have reached the host."""


class TrainingStep:
    """Forward, backward and update of one batch, and the state they move."""

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe, self.settings = recipe, settings
        self.net = ResNet9(recipe)
        self.optimiser = NesterovSGD(recipe, self.net.trained)
        self._reset = tf.function(self._draw, jit_compile=settings.xla, autograph=False)

    def _draw(self, seed: Tensor) -> None:
        self.net.reset(seed)
        self.optimiser.reset()

    def reset(self, seed: int) -> None:
        """Fresh weights, statistics and velocities from a seed; returns when they are there."""
        self._reset(tf.constant(seed, tf.int32))
        float(tf.reduce_sum(self.net.linear))

    def __call__(self, images: Tensor, labels: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        """Train on [B,32,32,3] in the compute dtype with uint8 labels [B]; returns (summed loss float32, correct
        int32).
        """
        batch = images.shape[0]
        targets = tf.one_hot(tf.cast(labels, tf.int32), CLASSES)
        smoothing = self.recipe.label_smoothing
        if smoothing:
            targets = (1.0 - smoothing) * targets + smoothing / CLASSES
        with tf.GradientTape() as tape:
            logits = self.net(images, training=True)
            loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            scaled = loss * (self.settings.loss_scale / batch)
        gradients = tape.gradient(scaled, self.optimiser.variables)
        if self.settings.loss_scale != 1.0:
            gradients = [tf.cast(gradient, tf.float32) * (1.0 / self.settings.loss_scale) for gradient in gradients]
        self.optimiser.step(gradients, rate)
        right = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), tf.cast(labels, tf.int32))
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))


class _Epochs:
    """What both inputs know: how many steps an epoch has and at which rates."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        self.step, self.recipe = step, step.recipe
        self.train_images = train_images
        self.steps_per_epoch = self.recipe.steps_per_epoch(train_images)
        self.rates = learning_rates(self.recipe, train_images)

    def steps_of(self, epoch: int) -> range:
        """Steps of epoch 1, 2, ... counted over the run; the last epoch may be short."""
        first = (epoch - 1) * self.steps_per_epoch
        return range(first, min(first + self.steps_per_epoch, len(self.rates)))

    def epoch_label(self, epoch: int) -> float:
        """Epochs done when epoch 1, 2, ... has ended: steps done over steps per epoch, so the last one can be 9.9."""
        return self.steps_of(epoch).stop / self.steps_per_epoch


def compute_dtype(precision: str) -> tf.DType:
    """The dtype of activations and of weights at their use, for ``bf16``, ``fp16`` or ``fp32``."""
    return {"bf16": tf.bfloat16, "fp16": tf.float16, "fp32": tf.float32}[precision]


def loss_scale(precision: str, batch: int) -> float:
    """What the mean loss is multiplied by before the backward pass, and gradients divided by after.

    fp16 needs it: the batch size makes it the summed loss of cifar10-fast, which trained this net in fp16 so. bf16
    has fp32's range.
    """
    return float(batch) if precision == "fp16" else 1.0


def random_examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of a dataset's shape to compile and tune kernels on: images uint8 [count,32,32,3], labels uint8 [count]."""
    rng = np.random.RandomState(seed)
    images = rng.randint(0, 256, (count, augment.SIDE, augment.SIDE, 3), dtype=np.uint8)
    return images, rng.randint(0, CLASSES, count, dtype=np.uint8)


def _stream(seed: int, stream: int) -> int:
    """A non-negative int32 that differs between streams of one seed and between seeds of one stream."""
    return (seed * 0x9E3779B1 + stream) % 0x7FFFFFFF


class DeviceLoop(_Epochs):
    """The dataset rests on the device as uint8; an epoch is one call."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self._epoch = tf.function(self._train, jit_compile=step.settings.xla, autograph=False)
        self._images: Tensor = None
        self._labels: Tensor = None

    def _train(
        self, images: Tensor, labels: Tensor, rates: Tensor, seeds: Tensor, first: Tensor, count: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch = self.recipe.batch
        # XLA lowers the shuffle of an index vector to one sort; shuffling images would be a loop over 50,000 rows.
        order = tf.argsort(randomness.bits([self.train_images], tf.stack([seeds[0], first])))

        def body(i: Tensor, loss_sum: Tensor, correct: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            index = tf.slice(order, [i * batch], [batch])
            seed = tf.stack([seeds[1], first + i])
            inputs = augment.augmented_batch(self.recipe, images, index, seed, self.step.settings.compute)
            loss, right = self.step(inputs, tf.gather(labels, index), rates[i])
            return i + 1, loss_sum + loss, correct + right

        zero = tf.constant(0)
        _, loss_sum, correct = tf.while_loop(
            lambda i, *_: i < count, body, (zero, tf.constant(0.0), tf.constant(0)), parallel_iterations=1
        )
        return loss_sum, correct

    def _call(self, steps: range, rates: np.ndarray, seed: int) -> Sums:
        # Always a full table of rates, so that the shapes, and with them the compiled code, are the same for every
        # epoch.
        table = np.zeros(self.steps_per_epoch, np.float32)
        table[: len(rates)] = rates
        seeds = tf.constant([_stream(seed, SHUFFLE_STREAM), _stream(seed, AUGMENT_STREAM)], tf.int32)
        loss_sum, correct = self._epoch(
            self._images, self._labels, tf.constant(table), seeds, tf.constant(steps.start), tf.constant(len(steps))
        )
        return Sums(len(steps), len(steps) * self.recipe.batch, float(loss_sum), int(correct))

    def warm_up(self, seed: int) -> None:
        self._images, self._labels = map(tf.constant, random_examples(self.train_images, seed))
        self._call(range(2), np.full(2, 1e-3, np.float32), seed)

    def load(self, dataset: Dataset) -> None:
        self._images = tf.constant(dataset.train_images)
        self._labels = tf.constant(dataset.train_labels)
        # The copy to the device is asynchronous; reading a byte of each back waits for it.
        int(self._images[-1, -1, -1, -1]), int(self._labels[-1])

    def run(self, epoch: int, seed: int) -> Sums:
        steps = self.steps_of(epoch)
        return self._call(steps, self.rates[steps.start : steps.stop], seed)


class HostLoop(_Epochs):
    """tf.data shuffles, augments and prefetches on the CPU; every pull is timed."""

    def __init__(self, step: TrainingStep, train_images: int) -> None:
        super().__init__(step, train_images)
        self._compiled = tf.function(step.__call__, jit_compile=step.settings.xla, autograph=False)
        self._images: Tensor = None
        self._labels: Tensor = None

    def batches(self, steps: range, seed: int) -> tf.data.Dataset:
        """The epoch's batches: (images in the compute dtype [B,32,32,3], labels uint8 [B])."""
        recipe, settings, batch = self.recipe, self.step.settings, self.recipe.batch
        images, labels = self._images, self._labels
        stream = tf.constant(_stream(seed, AUGMENT_STREAM), tf.int32)

        def prepare(position: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
            index = tf.ensure_shape(tf.cast(index, tf.int32), [batch])
            key = tf.stack([stream, tf.cast(position, tf.int32) + steps.start])
            return augment.augmented_batch(recipe, images, index, key, settings.compute), tf.gather(labels, index)

        order = tf.data.Dataset.range(self.train_images).shuffle(
            self.train_images, seed=_stream(seed, SHUFFLE_STREAM) + steps.start
        )
        data = order.batch(batch, drop_remainder=True).take(len(steps)).enumerate()
        data = data.map(prepare, num_parallel_calls=settings.threads, deterministic=True).prefetch(PREFETCH_BATCHES)
        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = settings.threads
        return data.with_options(options)

    def _train(self, steps: range, rates: np.ndarray, seed: int) -> Sums:
        losses, corrects, waits_us = [], [], []
        # tf.data lives on the CPU, whatever the device around this call.
        with tf.device(CPU):
            batches = iter(self.batches(steps, seed))
        for rate in rates:
            began = time.perf_counter_ns()
            with tf.device(CPU):
                images, labels = next(batches)
            waits_us.append((time.perf_counter_ns() - began) / 1e3)
            loss, correct = self._compiled(images, labels, tf.constant(rate, tf.float32))
            # Kept on the device: reading each loss back would make every step wait for the one before.
            losses.append(loss)
            corrects.append(correct)
        loss_sum, correct_sum = float(tf.add_n(losses)), int(tf.add_n(corrects))
        return Sums(len(steps), len(steps) * self.recipe.batch, loss_sum, correct_sum, waits_us)

    def warm_up(self, seed: int) -> None:
        self._keep(*random_examples(self.train_images, seed))
        steps = min(2, self.steps_per_epoch)
        self._train(range(steps), np.full(steps, 1e-3, np.float32), seed)

    def load(self, dataset: Dataset) -> None:
        self._keep(dataset.train_images, dataset.train_labels)

    def _keep(self, images: np.ndarray, labels: np.ndarray) -> None:
        with tf.device(CPU):
            self._images, self._labels = tf.constant(images), tf.constant(labels)

    def run(self, epoch: int, seed: int) -> Sums:
        steps = self.steps_of(epoch)
        return self._train(steps, self.rates[steps.start : steps.stop], seed)


LOOPS: dict[str, type[DeviceLoop] | type[HostLoop]] = {"device": DeviceLoop, "host": HostLoop}
