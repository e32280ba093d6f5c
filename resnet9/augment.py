"""Random crop, horizontal flip and cutout on a batch, drawn from stateless random numbers, with static shapes
throughout.

The dataset stays uint8 and unpadded; padding is done by the index arithmetic of the crop, so nothing is prepared or
stored. The same function serves both inputs: inside ``tf.data`` on the host, and inside the compiled step on the
device.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from resnet9 import randomness
from resnet9.recipe import Recipe

Tensor = Any
SIDE = 32


def draws(recipe: Recipe, count: int, seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Random numbers for ``count`` images from ``seed`` (int32 [2]).

    Returns crop offsets int32 [count,2] in 0..2*pad (row, column), flips bool [count], and the top left corner of the
    cutout box int32 [count,2] in 0..32-cutout: the box always lies inside the image (cifar10-fast, core.py: 81 crops,
    625 boxes).
    """
    spans = tf.constant([2 * recipe.pad + 1] * 2 + [2] + [SIDE - recipe.cutout + 1] * 2)
    # One draw of fractions, scaled by each span: five separate integer draws cost five kernel launches a step on a GPU.
    whole = tf.cast(randomness.fractions([count, 5], seed) * tf.cast(spans, tf.float32), tf.int32)
    flips = tf.cast(whole[:, 2], tf.bool) if recipe.flip else tf.zeros([count], tf.bool)
    return whole[:, :2], flips, whole[:, 3:]


def _reflect(index: Tensor) -> Tensor:
    """An index that left 0..31 mirrored back in, the edge not repeated (numpy's and PyTorch's ``reflect``)."""
    index = tf.abs(index)
    return SIDE - 1 - tf.abs(SIDE - 1 - index)


def normalise(recipe: Recipe, images: Tensor, dtype: tf.DType) -> Tensor:
    """uint8 [N,32,32,3] -> (x - mean) / std per channel, computed in float32, given in ``dtype``."""
    mean, std = tf.constant(recipe.mean255, tf.float32), tf.constant(recipe.std255, tf.float32)
    return tf.cast((tf.cast(images, tf.float32) - mean) * (1.0 / std), dtype)


def augmented_batch(recipe: Recipe, images: Tensor, index: Tensor, seed: Tensor, dtype: tf.DType) -> Tensor:
    """The images at ``index`` (int32 [B]) of a uint8 dataset [N,32,32,3], cropped, flipped, normalised and cut out:
    ``dtype`` [B,32,32,3].
    """
    batch = index.shape[0]
    offsets, flips, corners = draws(recipe, batch, seed)
    line = tf.range(SIDE)
    rows = offsets[:, :1] + line - recipe.pad
    columns = tf.where(flips[:, None], SIDE - 1 - line, line) + offsets[:, 1:] - recipe.pad
    source_rows, source_columns = _reflect(rows), _reflect(columns)
    flat = (index[:, None, None] * SIDE + source_rows[:, :, None]) * SIDE + source_columns[:, None, :]
    pixels = tf.reshape(tf.gather(tf.reshape(images, [-1, 3]), flat), [batch, SIDE, SIDE, 3])
    result = normalise(recipe, pixels, dtype)
    if recipe.pad_mode == "zero" and recipe.pad:
        # Zero after normalisation, that is the mean colour, as torchvision's pipelines and the box of the cutout have
        # it.
        inside_rows, inside_columns = tf.equal(rows, source_rows), tf.equal(columns, source_columns)
        result = _keep(result, inside_rows[:, :, None] & inside_columns[:, None, :])
    if recipe.cutout:
        in_rows = (line >= corners[:, :1]) & (line < corners[:, :1] + recipe.cutout)
        in_columns = (line >= corners[:, 1:]) & (line < corners[:, 1:] + recipe.cutout)
        result = _keep(result, ~(in_rows[:, :, None] & in_columns[:, None, :]))
    return result


def _keep(images: Tensor, mask: Tensor) -> Tensor:
    """Images where ``mask`` (bool [B,32,32]) holds, 0 elsewhere."""
    return tf.where(mask[..., None], images, tf.zeros([], images.dtype))
