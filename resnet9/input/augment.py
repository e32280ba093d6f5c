"""Augmentation of a batch, drawn from stateless random numbers, with static shapes throughout.

The dataset stays uint8 and unpadded; padding is done by the index arithmetic of the crop, so nothing is prepared or
stored. The same functions serve both inputs: inside ``tf.data`` on the host, and inside the compiled step on the
device. Order: crop and flip, normalise, jitter, cutout, cutmix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from resnet9.model import randomness
from resnet9.recipe import Recipe

Tensor = Any
SIDE = 32


@dataclass(frozen=True)
class Draws:
    """What was drawn for every image of a batch, None where the recipe has no use for it.

    ``offsets`` of the crop int32 [B,2] in 0..2*pad (row, column); ``flips`` bool [B]; ``corners`` of the cutout and
    ``patches`` of the cutmix int32 [B,2], both boxes always inside the image (cifar10-fast, core.py: 81 crops, 625
    boxes); ``shifts`` and ``gains`` of the jitter float32 [B]; ``order`` float32 [B] sorts the batch into partners.
    """

    offsets: Tensor
    flips: Tensor = None
    corners: Tensor = None
    patches: Tensor = None
    order: Tensor = None
    shifts: Tensor = None
    gains: Tensor = None


def columns(recipe: Recipe) -> int:
    """How many random numbers an image takes."""
    return 5 + (3 if recipe.cutmix is not None else 0) + (2 if recipe.jitter is not None else 0)


def fractions(recipe: Recipe, count: int, seed: Tensor) -> Tensor:
    """The random numbers of ``count`` images from ``seed`` (int32 [2]): float32 [count, columns] in [0, 1).

    One draw for everything: separate draws cost a kernel launch each on a GPU.
    """
    return randomness.fractions([count, columns(recipe)], seed)


def draws(recipe: Recipe, numbers: Tensor) -> Draws:
    """What the random numbers [B, columns] mean."""

    def whole(first: int, span: int) -> Tensor:
        return tf.cast(numbers[:, first : first + 2] * float(span), tf.int32)

    offsets = whole(0, 2 * recipe.pad + 1)
    if recipe.crop == "per_batch":
        offsets = tf.broadcast_to(offsets[:1], offsets.shape)
    found: dict[str, Tensor] = {"offsets": offsets}
    if recipe.flip == "random":
        found["flips"] = numbers[:, 2] >= 0.5
    if recipe.cutout:
        found["corners"] = whole(3, SIDE - recipe.cutout + 1)
    used = 5
    if recipe.cutmix is not None:
        found["patches"], found["order"] = whole(used, SIDE - recipe.cutmix.size + 1), numbers[:, used + 2]
        used += 3
    if recipe.jitter is not None:
        signed = 2.0 * numbers[:, used : used + 2] - 1.0
        found["shifts"] = signed[:, 0] * recipe.jitter.brightness
        found["gains"] = 1.0 + signed[:, 1] * recipe.jitter.contrast
    return Draws(**found)


def alternating_flips(count: int, seed: Tensor, epoch: Tensor) -> Tensor:
    """Which of ``count`` images are mirrored in ``epoch`` (int32 scalar from 1): bool [count].

    A coin is tossed once an image and run, by ``seed`` (int32 [2]), and every image is turned over each epoch, so that
    two epochs show each of its sides once (Jordan 2024, arXiv 2404.00498).
    """
    first = randomness.fractions([count], seed) >= 0.5
    return tf.not_equal(first, tf.equal(epoch % 2, 0))


def _reflect(index: Tensor) -> Tensor:
    """An index that left 0..31 mirrored back in, the edge not repeated (numpy's and PyTorch's ``reflect``)."""
    index = tf.abs(index)
    return SIDE - 1 - tf.abs(SIDE - 1 - index)


def normalise(recipe: Recipe, images: Tensor, dtype: tf.DType) -> Tensor:
    """uint8 [N,32,32,3] -> (x - mean) / std per channel, computed in float32, given in ``dtype``."""
    mean, std = tf.constant(recipe.mean255, tf.float32), tf.constant(recipe.std255, tf.float32)
    return tf.cast((tf.cast(images, tf.float32) - mean) * (1.0 / std), dtype)


def augmented_batch(
    recipe: Recipe, images: Tensor, index: Tensor, drawn: Draws, dtype: tf.DType, flips: Tensor = None
) -> Tensor:
    """The images at ``index`` (int32 [B]) of a uint8 dataset [N,32,32,3], cropped, flipped, normalised, jittered and
    cut out: ``dtype`` [B,32,32,3]. ``flips`` (bool [N], of the dataset) takes the place of those drawn.
    """
    batch = index.shape[0]
    mirrored = drawn.flips if flips is None else tf.gather(flips, index)
    line = tf.range(SIDE)
    rows = drawn.offsets[:, :1] + line - recipe.pad
    across = line[None] if mirrored is None else tf.where(mirrored[:, None], SIDE - 1 - line, line)
    columns = across + drawn.offsets[:, 1:] - recipe.pad
    source_rows, source_columns = _reflect(rows), _reflect(columns)
    flat = (index[:, None, None] * SIDE + source_rows[:, :, None]) * SIDE + source_columns[:, None, :]
    pixels = tf.reshape(tf.gather(tf.reshape(images, [-1, 3]), flat), [batch, SIDE, SIDE, 3])
    if drawn.shifts is None:
        result = normalise(recipe, pixels, dtype)
    else:
        shifts, gains = (each[:, None, None, None] for each in (drawn.shifts, drawn.gains))
        result = tf.cast((normalise(recipe, pixels, tf.float32) + shifts) * gains, dtype)
    if recipe.pad_mode == "zero" and recipe.pad:
        # Zero after normalisation, that is the mean colour, as torchvision's pipelines and the box of the cutout have
        # it.
        inside_rows, inside_columns = tf.equal(rows, source_rows), tf.equal(columns, source_columns)
        result = _keep(result, inside_rows[:, :, None] & inside_columns[:, None, :])
    if recipe.cutout:
        result = _keep(result, ~_box(drawn.corners, recipe.cutout))
    return result


def cutmixed(recipe: Recipe, images: Tensor, labels: Tensor, drawn: Draws, on: Tensor) -> tuple[Tensor, Tensor]:
    """Images with a box of their partner's pixels, and the partners' labels, where ``on`` (bool scalar) holds.

    Partners are drawn within the batch; hlb-CIFAR10, whose trick this is, draws them from the whole epoch.
    """
    assert recipe.cutmix is not None
    partner = tf.argsort(drawn.order)
    box = _box(drawn.patches, recipe.cutmix.size) & on
    return tf.where(box[..., None], tf.gather(images, partner), images), tf.gather(labels, partner)


def _box(corners: Tensor, size: int) -> Tensor:
    """bool [B,32,32]: inside the box of ``size`` at ``corners`` (int32 [B,2]: row, column)."""
    line = tf.range(SIDE)
    in_rows = (line >= corners[:, :1]) & (line < corners[:, :1] + size)
    in_columns = (line >= corners[:, 1:]) & (line < corners[:, 1:] + size)
    return in_rows[:, :, None] & in_columns[:, None, :]


def _keep(images: Tensor, mask: Tensor) -> Tensor:
    """Images where ``mask`` (bool [B,32,32]) holds, 0 elsewhere."""
    return tf.where(mask[..., None], images, tf.zeros([], images.dtype))
