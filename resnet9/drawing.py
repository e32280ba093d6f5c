"""Pictures of what is trained: the architecture, and what augmentation makes of the images. matplotlib, not on any
timed path.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet9 import dataset
from resnet9.errors import DataError, EnvironmentProblem
from resnet9.recipe import Recipe

INK, MUTED, PAPER = "#1f2933", "#66737f", "#ffffff"
COLOURS = {"conv": "#c7dcf2", "pool": "#fbe0b9", "linear": "#d5e8cf", "plain": "#edf0f3"}


@dataclass(frozen=True)
class Box:
    """One box of the diagram: its text, what it gives, how many parameters it holds, and its colour."""

    title: str
    output: str
    parameters: int
    colour: str
    residual: bool = False


def boxes(recipe: Recipe) -> list[Box]:
    """The diagram's boxes from input to logits, with shapes and parameter counts for the recipe's width."""
    w = recipe.width

    def conv(name: str, inputs: int, outputs: int, side: int, pool: bool = False) -> Box:
        text = f"{name}\nconv 3x3, {inputs}-{outputs}\nbatch norm, ReLU" + ("\nmax pool 2" if pool else "")
        return Box(text, f"{side}x{side}x{outputs}", 9 * inputs * outputs + 2 * outputs, "conv")

    def residual(name: str, channels: int, side: int) -> Box:
        text = f"{name}\ntwice:\nconv 3x3, {channels}-{channels}\nbatch norm, ReLU"
        return Box(
            text, f"{side}x{side}x{channels}", 2 * (9 * channels * channels + 2 * channels), "conv", residual=True
        )

    return [
        Box("image\nnormalised", "32x32x3", 0, "plain"),
        conv("prep", 3, w, 32),
        conv("layer1", w, 2 * w, 16, pool=True),
        residual("layer1.residual", 2 * w, 16),
        conv("layer2", 2 * w, 4 * w, 8, pool=True),
        conv("layer3", 4 * w, 8 * w, 4, pool=True),
        residual("layer3.residual", 8 * w, 4),
        Box("max pool 4", f"{8 * w}", 0, "pool"),
        Box(f"linear {8 * w}-10\nno bias\nx {recipe.logit_scale:g}", "10 logits", 80 * w, "linear"),
    ]


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
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    parts = boxes(recipe)
    pitch, width, height = 2.05, 1.62, 1.5
    figure = _figure(len(parts) * pitch * 0.78, 3.4)
    axes = figure.add_axes((0.005, 0.02, 0.99, 0.96))
    for i, box in enumerate(parts):
        x = i * pitch
        edge = FancyBboxPatch(
            (x, 0), width, height, boxstyle="round,pad=0,rounding_size=0.12", fc=COLOURS[box.colour], ec=INK, lw=0.9
        )
        axes.add_patch(edge)
        head, _, rest = box.title.partition("\n")
        axes.text(x + width / 2, height - 0.25, head, ha="center", va="center", fontsize=8.6, color=INK, weight="bold")
        axes.text(
            x + width / 2, (height - 0.3) / 2, rest, ha="center", va="center", fontsize=7.6, color=INK, linespacing=1.5
        )
        axes.text(x + width / 2, -0.24, box.output, ha="center", va="center", fontsize=8.6, color=INK)
        if box.parameters:
            axes.text(
                x + width / 2,
                -0.52,
                f"{box.parameters:,} parameters",
                ha="center",
                va="center",
                fontsize=6.8,
                color=MUTED,
            )
        if i:
            start, end = (x - pitch + width, height / 2), (x, height / 2)
            axes.add_patch(
                FancyArrowPatch(
                    start, end, arrowstyle="-|>", mutation_scale=11, color=INK, lw=1.1, shrinkA=0, shrinkB=0
                )
            )
        if box.residual:
            gap = (pitch - width) / 2
            left, right, top = x - gap, x + width + gap, height + 0.42
            axes.plot([left, left, right, right], [height / 2, top, top, height / 2 + 0.12], color=INK, lw=1.1)
            axes.text(
                right,
                height / 2,
                "+",
                ha="center",
                va="center",
                fontsize=11,
                color=INK,
                weight="bold",
                bbox={"boxstyle": "circle,pad=0.12", "fc": PAPER, "ec": INK, "lw": 0.9},
            )
            axes.text(x + width / 2, top + 0.14, "identity", ha="center", va="center", fontsize=7.4, color=MUTED)
    total = sum(box.parameters for box in parts)
    axes.text(
        0, height + 0.95, f"ResNet9, width {recipe.width}: {total:,} parameters", fontsize=12, color=INK, weight="bold"
    )
    axes.set_xlim(-0.3, len(parts) * pitch - 0.2)
    axes.set_ylim(-0.75, height + 1.25)
    axes.axis("off")
    _save(figure, path)


def augmented(recipe: Recipe, data: str | None, path: Path, rows: int = 6, columns: int = 9, seed: int = 0) -> None:
    """Draw ``rows`` training images, each beside ``columns`` - 1 of its augmented versions, exactly as the trainer
    makes them.
    """
    import numpy as np
    import tensorflow as tf

    from resnet9 import augment

    images = _images(recipe, data)
    index = np.array([np.flatnonzero(images.train_labels == c)[0] for c in range(rows)], np.int32)
    batches = [
        augment.augmented_batch(
            recipe, tf.constant(images.train_images), tf.constant(index), tf.constant([seed, k]), tf.float32
        ).numpy()
        for k in range(columns - 1)
    ]
    figure = _figure(columns * 0.95, rows * 0.95 + 0.45)
    figure.text(
        0.012,
        0.975,
        f"Augmentation of `{recipe.name}`: {_words(recipe)}",
        fontsize=10,
        color=INK,
        weight="bold",
        va="top",
    )
    for row in range(rows):
        shown = [images.train_images[index[row]]]
        shown += [np.clip(batch[row] * recipe.std255 + recipe.mean255, 0, 255).astype(np.uint8) for batch in batches]
        for column, picture in enumerate(shown):
            left = 0.012 + (column + (0.12 if column else 0)) * 0.976 / (columns + 0.12)
            bottom = (rows - row - 1) * 0.93 / rows + 0.008
            axes = figure.add_axes((left, bottom, 0.94 * 0.976 / (columns + 0.12), 0.93 * 0.94 / rows))
            axes.imshow(picture, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            for side in axes.spines.values():
                side.set_visible(column == 0)
                side.set_color(INK)
    _save(figure, path)


def _images(recipe: Recipe, data: str | None) -> dataset.Dataset:
    """The dataset to show: what was asked for, else the recipe's own, else the stand-in for a download nobody asked
    for.
    """
    if data is not None or recipe.dataset == dataset.SYNTHETIC:
        return dataset.load(data or dataset.SYNTHETIC)
    try:
        return dataset.load()
    except DataError:
        print("CIFAR-10 is not here, so the built-in stand-in is shown; `make data` downloads it", file=sys.stderr)
        return dataset.load(dataset.SYNTHETIC)


def _words(recipe: Recipe) -> str:
    words = [f"pad {recipe.pad} ({recipe.pad_mode}) and crop"] if recipe.pad else []
    words += ["flip"] if recipe.flip else []
    words += [f"cutout {recipe.cutout}x{recipe.cutout}"] if recipe.cutout else []
    return ", ".join(words) + "; originals on the left"
