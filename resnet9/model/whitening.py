"""Patch whitening: a frozen first layer whose filters decorrelate the pixels of small patches (Page, "bag of tricks").

Filter i is v_i / sqrt(lambda_i + epsilon), with the eigenvectors and eigenvalues of the second moments of all patches
of the first images. The sums run on the device over whole numbers of at most 8 bits, which every float format of a
matrix unit holds exactly; the tiny eigenproblem is solved in float64 on the host.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from resnet9.model import randomness
from resnet9.recipe import Recipe

Tensor = Any
#: Images summed at once: 1,000 need 46 MB for 2x2 patches. Sums of as many patches are exact to float32's last digits.
CHUNK = 1000
#: Pixels are taken as differences from here, -128 to 127.
OFFSET = 128


def patch_sums(images: Tensor, size: int, chunk: int) -> tuple[Tensor, Tensor]:
    """Sums over all patches of ``size`` x ``size`` x 3 in uint8 images [n * chunk,32,32,3], pixels less 128: float32
    [n,K] sums and [n,K,K] products for each chunk, K = 3 size^2 in the order row, column, colour.
    """
    chunks, side = images.shape[0] // chunk, images.shape[1] - size + 1

    def body(i: Tensor, sums: Tensor, products: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        part = tf.cast(tf.slice(images, [i * chunk, 0, 0, 0], [chunk, *images.shape[1:]]), tf.float32) - OFFSET
        planes = [part[:, row : row + side, column : column + side] for row in range(size) for column in range(size)]
        patches = tf.reshape(tf.concat(planes, axis=-1), [-1, 3 * size * size])
        product = tf.matmul(patches, patches, transpose_a=True)
        sums = tf.tensor_scatter_nd_update(sums, [[i]], tf.reduce_sum(patches, axis=0)[None])
        return i + 1, sums, tf.tensor_scatter_nd_update(products, [[i]], product[None])

    width = 3 * size * size
    start = (tf.constant(0), tf.zeros([chunks, width]), tf.zeros([chunks, width, width]))
    return tf.while_loop(lambda i, *_: i < chunks, body, start, parallel_iterations=1)[1:]


def filters(recipe: Recipe, sums: np.ndarray, products: np.ndarray, patches: int) -> np.ndarray:
    """The kernel HWIO float32 [size,size,3,channels] from the sums of ``patch_sums`` over so many patches.

    Sums are of raw pixels; what normalising does to first and second moments is applied to them here, in float64.
    """
    whitening = recipe.whitening
    assert whitening is not None
    per_patch = whitening.size**2
    scale = 1.0 / np.tile(np.asarray(recipe.std255), per_patch)
    shift = np.tile(np.asarray(recipe.mean255), per_patch) - OFFSET
    mean = (sums / patches - shift) * scale
    raw = products / patches - np.outer(sums / patches, shift) - np.outer(shift, sums / patches)
    moments = (raw + np.outer(shift, shift)) * np.outer(scale, scale)
    if whitening.centred:
        moments -= np.outer(mean, mean)
    values, vectors = np.linalg.eigh(moments * patches / (patches - 1))
    # An eigenvector's sign is arbitrary: the largest entry is made positive, so that every library gives the same net.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
    # Columns, the largest eigenvalue first.
    whitened = (vectors / np.sqrt(np.maximum(values, 0.0) + whitening.epsilon))[:, ::-1]
    if whitening.negated:
        whitened = np.concatenate([whitened, -whitened], axis=1)
    return whitened.reshape(whitening.size, whitening.size, 3, -1).astype(np.float32)


class WhiteningLayer:
    """The frozen convolution, and its bias where the recipe trains one."""

    def __init__(self, recipe: Recipe) -> None:
        assert recipe.whitening is not None
        self.recipe, self.whitening = recipe, recipe.whitening
        size, channels = recipe.whitening.size, recipe.whitening.channels
        self.kernel = tf.Variable(tf.zeros([size, size, 3, channels]), trainable=False, name="whitening.conv")
        self.bias = tf.Variable(tf.zeros([channels]), name="whitening.bias") if recipe.whitening.bias else None

    def reset_bias(self, key: Tensor) -> None:
        """Start the bias, where there is one, as the recipe says, from ``key`` (int32 [2])."""
        if self.bias is None:
            return
        limit = (3 * self.whitening.size**2) ** -0.5 if self.whitening.bias_init == "uniform" else 0.0
        self.bias.assign((2.0 * randomness.fractions(self.bias.shape.as_list(), key) - 1.0) * limit)

    def measure(self, images: np.ndarray | Tensor, xla: bool = False) -> None:
        """Set the filters from uint8 images [N,32,32,3]: the recipe's number of them, above 1,000 whole thousands."""
        count = min(self.whitening.images, int(images.shape[0]))
        chunk = min(CHUNK, count)
        count -= count % chunk
        sums, products = _compiled_sums(xla)(images[:count], self.whitening.size, chunk)
        side = int(images.shape[1]) - self.whitening.size + 1
        total, product = (each.numpy().astype(np.float64).sum(axis=0) for each in (sums, products))
        self.kernel.assign(filters(self.recipe, total, product, count * side * side))

    def __call__(self, images: Tensor) -> Tensor:
        """[N,32,32,3] -> [N,31,31,C] for 2x2 patches; 3x3 patches keep the size, as the layer pads them."""
        padding = "VALID" if self.whitening.size == 2 else "SAME"
        outputs = tf.nn.conv2d(images, tf.cast(self.kernel, images.dtype), strides=1, padding=padding)
        return outputs if self.bias is None else tf.nn.bias_add(outputs, tf.cast(self.bias, images.dtype))


@cache
def _compiled_sums(xla: bool) -> Any:
    return tf.function(patch_sums, jit_compile=xla, autograph=False)
