"""Pictures of what is trained: the architecture, and what augmentation makes of the images. matplotlib, not on any
timed path.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resnet9.data import dataset, sources
from resnet9.errors import DataError, EnvironmentProblem
from resnet9.recipe import Recipe, flops

INK, MUTED, PAPER = "#1f2933", "#66737f", "#ffffff"
COLOURS = {"conv": "#c7dcf2", "frozen": "#fbe0b9", "linear": "#d5e8cf", "plain": "#edf0f3"}
NAMES = {"resnet9": "ResNet9", "plain8": "Eight convolutions", "air": "Airbench's net"}
ACTIVATIONS = {"relu": "ReLU", "celu": "CELU", "gelu": "GELU", "silu": "SiLU"}
#: Size of a box and the distance from one to the next, and from one row to the next, in the units of the diagram.
WIDTH, HEIGHT, PITCH, ROW = 1.62, 1.5, 2.05, 3.3


@dataclass(frozen=True)
class Box:
    """One box of the diagram: its name, its text, what it gives, parameters, forward operations, and its colour.

    ``joins``: where the identity around this box and the one before is added, as in ``flops.Layer``.
    """

    title: str
    text: str
    output: str
    parameters: int
    flop: int
    colour: str
    joins: str = ""


def boxes(recipe: Recipe) -> list[Box]:
    """The diagram's boxes from the image to the logits, one a layer."""
    found = [Box("image", "normalised", "32x32x3", 0, 0, "plain")]
    for layer in flops.layers(recipe):
        colour = layer.kind if layer.kernel_is_trained else "frozen"
        parameters, output = layer.trained + layer.frozen, "x".join(map(str, layer.output))
        text = "\n".join(_operations(recipe, layer))
        found.append(Box(layer.name, text, output, parameters, layer.forward_flop, colour, layer.joins))
    return found


def _operations(recipe: Recipe, layer: flops.Layer) -> list[str]:
    """What happens in a layer, in order, a line each."""
    height, width, inputs, outputs = layer.kernel
    activation = ACTIVATIONS[recipe.activation]
    if layer.kind == "linear":
        return [f"max pool {layer.pool}", f"{inputs}-{outputs}, no bias", f"x {recipe.logit_scale:.4g}"]
    convolution = f"conv {height}x{width}, {inputs}-{outputs}"
    if not layer.kernel_is_trained:
        # ResNet9 goes on with a 1x1 convolution, Air with an activation (nets).
        after = [ACTIVATIONS[recipe.stem_activation or recipe.activation]] if recipe.net == "air" else []
        return [convolution, "frozen, bias trained" if layer.trained else "frozen", *after]
    norm = "batch norm" if recipe.ghost_batch is None else f"ghost norm {recipe.ghost_batch}"
    normed = f"{norm}, {'+, ' if layer.joins == 'inside' else ''}{activation}"
    pool = [f"max pool {layer.pool}"] if layer.pool else []
    return [convolution, *pool, normed] if recipe.pool == "before_norm" else [convolution, normed, *pool]


def _rows(found: Sequence[Box]) -> list[Sequence[Box]]:
    """The boxes in two rows of nearly the same length; an identity and what it goes around stay in one."""
    half = (len(found) + 1) // 2
    half += bool(found[half].joins)
    return [found[:half], found[half:]]


def _figure(width: float, height: float) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    # Text as text and no random identifiers or dates: the same net gives the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "resnet9", "font.family": "DejaVu Sans"})
    from matplotlib import pyplot

    return pyplot.figure(figsize=(width, height), facecolor=PAPER)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, facecolor=PAPER, metadata={"Date": None} if path.suffix == ".svg" else None)
    except (OSError, ValueError) as error:  # ValueError: a format matplotlib does not know
        raise EnvironmentProblem(
            f"{path} cannot be written: {error}", "give a file that ends in .svg or .png, in a folder you may write"
        ) from None
    finally:
        pyplot.close(figure)
    print(path)


def net(recipe: Recipe, path: Path) -> None:
    """Draw the architecture as an SVG or PNG. Raises EnvironmentProblem where the file cannot be written."""
    found = boxes(recipe)
    rows = _rows(found)
    across = max(map(len, rows)) * PITCH
    left, right, bottom, top = -0.4, across, -ROW - 0.9, HEIGHT + 1.35
    figure = _figure((right - left) * 0.8, (top - bottom) * 0.8)
    axes = figure.add_axes((0, 0, 1, 1))
    for number, row in enumerate(rows):
        for place, box in enumerate(row):
            _draw_box(axes, box, place * PITCH, -number * ROW)
            if place:
                _arrow(axes, [((place - 1) * PITCH + WIDTH, HEIGHT / 2), (place * PITCH, HEIGHT / 2)], -number * ROW)
            if box.joins:
                _draw_identity(axes, box, place * PITCH, -number * ROW)
    end, turn, start = ((len(rows[0]) - 1) * PITCH + WIDTH, HEIGHT / 2), -0.95, (0, HEIGHT / 2 - ROW)
    gap = (PITCH - WIDTH) / 2
    _arrow(axes, [end, (end[0] + gap, end[1]), (end[0] + gap, turn), (-gap, turn), (-gap, start[1]), start])
    cost = flops.cost(recipe)
    frozen = f" and {cost.frozen_parameters:,} frozen ones" if cost.frozen_parameters else ""
    heading = f"{NAMES[recipe.net]} of {recipe.name}: {cost.trained_parameters:,} parameters{frozen}"
    axes.text(0, HEIGHT + 1.0, heading, fontsize=12, color=INK, weight="bold", va="center")
    summary = f"{cost.forward_gflop:.3f} GFLOP forward for an image, {cost.training_gflop:.3f} in training"
    axes.text(0, HEIGHT + 0.68, summary, fontsize=9, color=MUTED, va="center")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.axis("off")
    _save(figure, path)


def _draw_box(axes: Any, box: Box, x: float, y: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.12"
    colour = COLOURS[box.colour]
    axes.add_patch(FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle=style, fc=colour, ec=INK, lw=0.9))
    middle: dict[str, Any] = {"x": x + WIDTH / 2, "ha": "center", "va": "center", "color": INK}
    axes.text(y=y + HEIGHT - 0.25, s=box.title, fontsize=8.6, weight="bold", **middle)
    axes.text(y=y + (HEIGHT - 0.3) / 2, s=box.text, fontsize=7.8, linespacing=1.5, **middle)
    axes.text(y=y - 0.2, s=box.output, fontsize=8.6, **middle)
    if box.parameters:
        amounts = f"{box.parameters:,} parameters\n{box.flop / 1e6:.2f} MFLOP"
        axes.text(y=y - 0.54, s=amounts, fontsize=6.8, linespacing=1.4, **{**middle, "color": MUTED})


def _arrow(axes: Any, points: Sequence[tuple[float, float]], y: float = 0.0) -> None:
    """A line through points (x, y) with a head at its end."""
    from matplotlib.patches import FancyArrowPatch

    moved = [(px, py + y) for px, py in points]
    axes.plot(*zip(*moved[:-1], strict=True), color=INK, lw=1.1)
    head: dict[str, Any] = {
        "arrowstyle": "-|>",
        "mutation_scale": 11,
        "color": INK,
        "lw": 1.1,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    axes.add_patch(FancyArrowPatch(moved[-2], moved[-1], **head))


def _draw_identity(axes: Any, box: Box, x: float, y: float) -> None:
    """The way around this box and the one before, to a sum after it or, ``inside``, to the box itself."""
    gap, middle, over = (PITCH - WIDTH) / 2, y + HEIGHT / 2, y + HEIGHT + 0.3
    begin = x - PITCH - gap
    if box.joins == "inside":
        end = x + WIDTH * 0.5
        _arrow(axes, [(begin, middle), (begin, over), (end, over), (end, y + HEIGHT)])
    else:
        end = x + WIDTH + gap
        axes.plot([begin, begin, end, end], [middle, over, over, middle], color=INK, lw=1.1)
        circle = {"boxstyle": "circle,pad=0.12", "fc": PAPER, "ec": INK, "lw": 0.9}
        axes.text(end, middle, "+", ha="center", va="center", fontsize=11, color=INK, weight="bold", bbox=circle)
    axes.text((begin + end) / 2, over + 0.13, "identity", ha="center", va="center", fontsize=7.4, color=MUTED)


def augmented(recipe: Recipe, data: str | None, path: Path, rows: int = 6, columns: int = 9, seed: int = 0) -> None:
    """Draw ``rows`` training images, each next to its augmented versions in ``columns`` - 1 epochs, exactly as the
    trainer makes them; a column is a batch, with cutmix where the recipe comes to it.
    """
    import tensorflow as tf

    from resnet9.input import augment

    images = _images(recipe, data)
    index = np.array([np.flatnonzero(images.train_labels == c)[0] for c in range(rows)], np.int32)
    batches = []
    for epoch in range(1, columns):
        key = tf.constant([seed, epoch])
        flips = None
        if recipe.flip == "alternating":
            flips = augment.alternating_flips(len(images.train_labels), tf.constant([seed, 0]), tf.constant(epoch))
        drawn = augment.draws(recipe, augment.fractions(recipe, rows, key))
        batch = augment.augmented_batch(
            recipe, tf.constant(images.train_images), tf.constant(index), drawn, tf.float32, flips
        )
        if recipe.cutmix is not None:
            batch, _ = augment.cutmixed(
                recipe, batch, tf.constant(images.train_labels[index]), drawn, tf.constant(True)
            )
        batches.append(batch.numpy())
    heading = 0.62  # inches above the pictures
    tall = rows * 0.95 + heading
    figure = _figure(columns * 0.95, tall)
    upper = {"va": "top", "ha": "left"}
    figure.text(0.012, 1 - 0.1 / tall, f"Augmentation of {recipe.name}", fontsize=11, color=INK, weight="bold", **upper)
    figure.text(0.012, 1 - 0.34 / tall, _words(recipe), fontsize=8.6, color=MUTED, **upper)
    body = 1 - heading / tall
    for row in range(rows):
        shown = [images.train_images[index[row]]]
        shown += [np.clip(batch[row] * recipe.std255 + recipe.mean255, 0, 255).astype(np.uint8) for batch in batches]
        for column, picture in enumerate(shown):
            left = 0.012 + (column + (0.12 if column else 0)) * 0.976 / (columns + 0.12)
            bottom = (rows - row - 1) * body / rows + 0.008
            axes = figure.add_axes((left, bottom, 0.94 * 0.976 / (columns + 0.12), 0.94 * body / rows))
            axes.imshow(picture, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            for side in axes.spines.values():
                side.set_visible(column == 0)
                side.set_color(INK)
    _save(figure, path)


def _images(recipe: Recipe, data: str | None) -> dataset.Dataset:
    """Return the dataset to show: the given one, else the recipe's own, else the synthetic one for a download that
    nobody requested for.
    """
    if data is not None or recipe.dataset == dataset.SYNTHETIC:
        return sources.load(data or dataset.SYNTHETIC)
    try:
        return sources.load()
    except DataError:
        print(
            "CIFAR-10 not found: showing the synthetic dataset. Run `make data` to download it.",
            file=sys.stderr,
        )
        return sources.load(dataset.SYNTHETIC)


def _words(recipe: Recipe) -> str:
    """What is done to an image, in the order of doing."""
    one = ", one offset a batch" if recipe.crop == "per_batch" else ""
    words = [f"pad {recipe.pad} ({recipe.pad_mode}) and crop{one}"] if recipe.pad else []
    words += [f"{recipe.flip} flip"] if recipe.flip != "none" else []
    if recipe.jitter is not None:
        words.append(f"brightness ± {recipe.jitter.brightness:.2g}, contrast ± {recipe.jitter.contrast:.2g}")
    words += [f"cutout {recipe.cutout}x{recipe.cutout}"] if recipe.cutout else []
    if recipe.cutmix is not None:
        size, first = recipe.cutmix.size, recipe.cutmix.from_epoch
        words.append(f"cutmix {size}x{size}" + (f" after {first:g} epochs" if first else ""))
    return f"{'; '.join(words) or 'none'}; originals on the left, then epoch by epoch"
