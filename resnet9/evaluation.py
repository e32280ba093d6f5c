"""Accuracy on the whole test set, from whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from resnet9 import augment
from resnet9.nets import ResNet9

Tensor = Any


def batch_size(images: int, most: int = 1000) -> int:
    """The largest batch up to ``most`` that divides the test set: no image is left out and every batch has one static
    shape.
    """
    return max(size for size in range(1, min(most, images) + 1) if images % size == 0)


class Evaluation:
    """Predicts every test image with the running statistics of the norms."""

    def __init__(self, net: ResNet9, test_images: int, compute: tf.DType, xla: bool) -> None:
        self.net, self.compute, self.test_images = net, compute, test_images
        self.batch = batch_size(test_images)
        self._predict = tf.function(self._classes, jit_compile=xla, autograph=False)
        self._images: Tensor = None
        self._labels: Tensor = None

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Keep uint8 [M,32,32,3] images and uint8 [M] labels where the net runs."""
        self._images, self._labels = tf.constant(images), tf.constant(labels)
        int(self._images[-1, -1, -1, -1])

    def warm_up(self, seed: int) -> None:
        """Compile on random data of the same shapes."""
        rng = np.random.RandomState(seed)
        self.load(
            rng.randint(0, 256, (self.test_images, 32, 32, 3), dtype=np.uint8), np.zeros(self.test_images, np.uint8)
        )
        self._predict(self._images, self._labels, tf.constant(1))

    def _classes(self, images: Tensor, labels: Tensor, batches: Tensor) -> tuple[Tensor, Tensor]:
        shape = [self.test_images // self.batch, self.batch]

        def body(i: Tensor, classes: Tensor, loss_sum: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            part = tf.slice(images, [i * self.batch, 0, 0, 0], [self.batch, 32, 32, 3])
            logits = self.net(augment.normalise(self.net.recipe, part, self.compute), training=False)
            truth = tf.cast(tf.slice(labels, [i * self.batch], [self.batch]), tf.int32)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
            found = tf.argmax(logits, axis=1, output_type=tf.int32)
            return i + 1, tf.tensor_scatter_nd_update(classes, [[i]], found[None]), loss_sum + loss

        start = (tf.constant(0), tf.zeros(shape, tf.int32), tf.constant(0.0))
        _, classes, loss_sum = tf.while_loop(lambda i, *_: i < batches, body, start, parallel_iterations=1)
        return tf.reshape(classes, [-1]), loss_sum

    def run(self) -> tuple[np.ndarray, float]:
        """Class of every test image, uint8 [M], and the mean loss, both on the host when this returns."""
        classes, loss_sum = self._predict(self._images, self._labels, tf.constant(self.test_images // self.batch))
        return classes.numpy().astype(np.uint8), float(loss_sum) / self.test_images
