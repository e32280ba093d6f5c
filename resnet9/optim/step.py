"""One training step: forward, backward and update of a batch, and the state they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from resnet9.model import nets
from resnet9.model.nets import CLASSES
from resnet9.optim.averaging import Averaging
from resnet9.optim.optimizers import Optimiser
from resnet9.optim.schedule import CONTROLS
from resnet9.recipe import Recipe

Tensor = Any


@dataclass(frozen=True)
class Settings:
    """How a recipe is run here: ``compute`` dtype, XLA or not, the loss scale, CPU threads for the host input, and
    whether filter gradients of small maps are matrix products (``layers.convolution``).
    """

    compute: tf.DType
    xla: bool
    loss_scale: float
    threads: int
    by_products: bool = False


def compute_dtype(precision: str) -> tf.DType:
    """The dtype of activations and of weights at their use, for ``bf16``, ``fp16`` or ``fp32``."""
    return {"bf16": tf.bfloat16, "fp16": tf.float16, "fp32": tf.float32}[precision]


def loss_scale(precision: str, batch: int) -> float:
    """What the mean loss is multiplied by before the backward pass, and gradients divided by after.

    fp16 needs it: the batch size makes it the summed loss, with which cifar10-fast and airbench trained in fp16. bf16
    has fp32's range. The scale never changes during a run: an overflow ends it with an error, not with a skipped step.
    """
    return float(batch) if precision == "fp16" else 1.0


class TrainingStep:
    """A net, its optimiser and its average; called with a batch it trains on it."""

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe, self.settings = recipe, settings
        self.net = nets.build(recipe, settings.by_products)
        self.optimiser = Optimiser(recipe, self.net, settings.compute)
        self.learned = [*self.net.trained, *self.net.statistics]
        self.averaging = None if recipe.average is None else Averaging(recipe.average, self.learned)
        self._finite = tf.function(self._all_finite, jit_compile=settings.xla, autograph=False)
        self._reset = tf.function(self._draw, jit_compile=settings.xla, autograph=False)
        self._swap = None
        if self.averaging is not None and self.averaging.evaluated:
            self._swap = tf.function(self.averaging.swap, jit_compile=settings.xla, autograph=False)

    def _draw(self, seed: Tensor) -> None:
        self.net.reset(seed)
        self.optimiser.reset()
        if self.averaging is not None:
            self.averaging.reset()

    def reset(self, seed: int) -> None:
        """Fresh weights, statistics, velocities and averages from a seed; returns when they are there."""
        self._reset(tf.constant(seed, tf.int32))
        float(tf.reduce_sum(self.net.head))

    def _all_finite(self) -> Tensor:
        return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(each)) for each in self.learned]))

    def is_finite(self) -> bool:
        """Whether every weight and running statistic is a number.

        The loss alone does not show it: without XLA a max pool makes the lowest number there is of a NaN, and a ReLU
        makes 0 of that, so a net can be lost and its loss stay at ln 10.
        """
        return bool(self._finite())

    def measure_whitening(self, images: np.ndarray | Tensor) -> None:
        """Set the filters of a whitening layer, where the net has one, from uint8 images [N,32,32,3]."""
        if self.net.whitening is not None:
            self.net.whitening.measure(images, self.settings.xla)

    def swap_average(self) -> None:
        """Swap the trained weights and their average, where the recipe keeps one; call again to swap back."""
        if self._swap is not None:
            self._swap()

    def targets(self, labels: Tensor, partners: Tensor, mixing: Tensor) -> Tensor:
        """What the net shall answer, float32 [B,10]: label smoothing, and cutmix by the area of its box."""
        targets = tf.one_hot(tf.cast(labels, tf.int32), CLASSES)
        if self.recipe.cutmix is not None:
            share = mixing * (self.recipe.cutmix.size**2 / 1024)
            targets = (1.0 - share) * targets + share * tf.one_hot(tf.cast(partners, tf.int32), CLASSES)
        smoothing = self.recipe.label_smoothing
        return (1.0 - smoothing) * targets + smoothing / CLASSES if smoothing else targets

    def __call__(
        self, images: Tensor, labels: Tensor, row: Tensor, partners: Tensor = None, whitening_bias: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Train on [B,32,32,3] in the compute dtype with uint8 labels [B] (and those of the cutmix partners), by a row
        of ``schedule.controls``; ``whitening_bias`` False leaves that bias frozen and its gradients uncomputed.

        Returns the summed loss, float32, and the number classified rightly, int32.
        """
        controls = dict(zip(CONTROLS, tf.unstack(row, num=len(CONTROLS)), strict=True))
        variables = self.optimiser.variables(whitening_bias)
        flat = [each for group in variables.values() for each in group]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(flat)
            logits = self.net(images, training=True)
            targets = self.targets(labels, partners, controls["cutmix"])
            loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            scaled = loss * (self.settings.loss_scale / images.shape[0])
        found = iter(tape.gradient(scaled, flat))
        self.optimiser.step(
            {name: [self._gradient(next(found)) for _ in group] for name, group in variables.items()}, controls
        )
        if self.averaging is not None:
            self.averaging.step(controls["average_keep"], controls["average_copy"])
        right = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), tf.cast(labels, tf.int32))
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))

    def _gradient(self, scaled: Tensor) -> Tensor:
        gradient = tf.cast(scaled, tf.float32)
        return gradient if self.settings.loss_scale == 1.0 else gradient * (1.0 / self.settings.loss_scale)
