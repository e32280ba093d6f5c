"""Accuracy on the whole test set, from whole numbers, in one view of each image or several."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from resnet9.input import augment
from resnet9.model.nets import Net
from resnet9.recipe import flops

Tensor = Any
#: What each view shows of an image, as (share of the logits, shift of rows and columns, mirrored). ``six``: the image
#: and its mirror image, 1/4 each, and both shifted by a pixel to either corner, 1/8 each (airbench94, "TTA level 2"). A
#: recipe with ``views_weights`` ``equal`` counts all alike (hiverge).
VIEWS: dict[str, tuple[tuple[float, int, bool], ...]] = {
    "plain": ((1.0, 0, False),),
    "flip": ((0.5, 0, False), (0.5, 0, True)),
    "six": tuple(
        (share, shift, mirrored) for share, shift in ((0.25, 0), (0.125, -1), (0.125, 1)) for mirrored in (False, True)
    ),
}


def batch_size(images: int, most: int = 1000) -> int:
    """The largest batch up to ``most`` that divides the test set: no image is left out and every batch has one static
    shape.
    """
    return max(size for size in range(1, min(most, images) + 1) if images % size == 0)


def view_of(images: Tensor, shift: int, mirrored: bool) -> Tensor:
    """Images [N,H,W,C] moved by ``shift`` rows and columns, reflected at the edge, and mirrored."""
    if shift:
        height, width = images.shape[1:3]
        padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
        images = padded[:, 1 + shift : 1 + shift + height, 1 + shift : 1 + shift + width]
    return tf.reverse(images, [2]) if mirrored else images


class Evaluation:
    """Predicts every test image with the running statistics of the norms."""

    def __init__(self, net: Net, test_images: int, compute: tf.DType, xla: bool) -> None:
        self.net, self.compute, self.test_images = net, compute, test_images
        self.views = net.recipe.views
        #: How many images more views than one are spent on: all of them, or those the plain view is least sure of.
        self.chosen = flops.viewed_images(net.recipe, test_images)
        self._functions = {
            view: tf.function(self._evaluator(view), jit_compile=xla, autograph=False)
            for view in dict.fromkeys(("plain", self.views))
        }
        self._images: Tensor = None
        self._labels: Tensor = None

    def load(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Keep uint8 [M,32,32,3] images and uint8 [M] labels where the net runs."""
        self._images, self._labels = tf.constant(images), tf.constant(labels)
        int(self._images[-1, -1, -1, -1])

    def warm_up(self, seed: int) -> None:
        """Compile on random data of the same shapes."""
        rng = np.random.RandomState(seed)
        images = rng.randint(0, 256, (self.test_images, 32, 32, 3), dtype=np.uint8)
        self.load(images, np.zeros(self.test_images, np.uint8))
        for function in self._functions.values():
            function(self._images, self._labels, tf.constant(1), tf.constant(1))

    def _batches(self) -> tuple[Tensor, Tensor]:
        """How many batches to run; arguments, so that a warm-up and a run are the same compiled code."""
        return tuple(tf.constant(count // batch_size(count)) for count in (self.test_images, self.chosen))

    def _logits(self, images: Tensor, batches: Tensor, view: str) -> Tensor:
        """uint8 [M,32,32,3] -> float32 [M,10], averaged over what the view shows."""
        count = images.shape[0]
        batch, equal = batch_size(count), self.net.recipe.views_weights == "equal"

        def body(i: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
            part = tf.slice(images, [i * batch, 0, 0, 0], [batch, 32, 32, 3])
            normal = augment.normalise(self.net.recipe, part, self.compute)
            found = tf.add_n(
                [
                    (1.0 / len(VIEWS[view]) if equal else share)
                    * self.net(view_of(normal, shift, mirrored), training=False)
                    for share, shift, mirrored in VIEWS[view]
                ]
            )
            return i + 1, tf.tensor_scatter_nd_update(logits, [[i]], found[None])

        start = (tf.constant(0), tf.zeros([count // batch, batch, 10]))
        _, logits = tf.while_loop(lambda i, _: i < batches, body, start, parallel_iterations=1)
        return tf.reshape(logits, [count, 10])

    def _evaluator(self, view: str) -> Any:
        def evaluate(
            images: Tensor, labels: Tensor, all_batches: Tensor, chosen_batches: Tensor
        ) -> tuple[Tensor, Tensor]:
            if self.chosen == self.test_images or view == "plain":
                logits = self._logits(images, all_batches, view)
            else:
                logits = self._logits(images, all_batches, "plain")
                sureness = tf.reduce_max(tf.nn.softmax(logits), axis=1)
                unsure = tf.math.top_k(-sureness, self.chosen).indices
                again = self._logits(tf.gather(images, unsure), chosen_batches, view)
                logits = tf.tensor_scatter_nd_update(logits, unsure[:, None], again)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits)
            return tf.argmax(logits, axis=1, output_type=tf.int32), tf.reduce_sum(loss)

        return evaluate

    def run(self, view: str = "plain") -> tuple[np.ndarray, float]:
        """Class of every test image, uint8 [M], and the mean loss in ``plain`` or the recipe's own view; both are on
        the host when this returns.
        """
        classes, loss_sum = self._functions[view](self._images, self._labels, *self._batches())
        return classes.numpy().astype(np.uint8), float(loss_sum) / self.test_images
