"""Recipes in words: the table of all of them, and one of them whole. Standard library only, so that it is quick."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from resnet9.recipe import Recipe, flops, reproductions

_LEGEND = """
TFLOP       arithmetic of the whole run: every training step, and the final evaluation in its view
target      test accuracy that stops the clock, in percent
published   accuracy in percent by the recipe's source, with the number of runs behind it (- is not given)
view        how the final accuracy is evaluated: plain, flip (the mirror image too), six (shifted by a pixel as well)
reproduced  accuracy of the runs under results/published: their number, mean and standard deviation
            ({rule});
            of our own recipes, published by no one else: the share of runs that reach the target

python -m resnet9 show NAME shows the rest of a recipe, its layers and the sources of its figures.
"""


def recipes(found: Iterable[Recipe]) -> str:
    """The table of recipes, a legend, and what each recipe is in a line."""
    found = list(found)
    heads = ("recipe", "epochs", "batch", "TFLOP", "target", "published", "view", "reproduced")
    rows = [
        (
            recipe.name,
            f"{recipe.epochs:g}",
            str(recipe.batch),
            _amount(flops.cost(recipe).run_tflop),
            f"{recipe.target_percent:g}",
            _published(recipe),
            _view(recipe),
            str(reproductions.success_of(recipe) or reproductions.of(recipe) or "none"),
        )
        for recipe in found
    ]
    table = _table(heads, rows, right=("epochs", "batch", "TFLOP", "target"))
    summaries = _table((), [(recipe.name, recipe.summary) for recipe in found])
    return f"{table}\n{_LEGEND.format(rule=_folded_rule())}\n{summaries}"


def show(recipe: Recipe) -> str:
    """One recipe: its resolved table, its layers, what it costs, and what was published and reproduced."""
    settings = [(key, json.dumps(value)) for key, value in asdict(recipe).items() if key != "published"]
    cost, found = flops.cost(recipe), reproductions.of(recipe)
    facts = [
        ("sha256", recipe.sha256),
        ("parameters", f"{cost.trained_parameters:,} trained, {cost.frozen_parameters:,} frozen"),
        ("GFLOP per image", f"{cost.forward_gflop:.4f} forward, {cost.training_gflop:.4f} in training"),
        ("TFLOP of a run", f"{_amount(cost.run_tflop)}, with the final evaluation"),
        ("published", _published_whole(recipe)),
        ("reproduced", "none" if found is None else f"{found} (view {found.view}, {found.device})"),
        *(("", line) for line in _behind(found)),
        *([] if (success := reproductions.success_of(recipe)) is None else [("success", _success_whole(success))]),
    ]
    rows = []
    for row in layers(recipe):
        numbers = (f"{row['parameters']:,}", f"{row['forward_mflop']:.2f}")
        rows.append((row["name"], row["output"], row["kernel"], *numbers, row["notes"]))
    heads = ("layer", "output", "kernel", "parameters", "MFLOP forward", "")
    net = _table(heads, rows, right=("parameters", "MFLOP forward"))
    return "\n\n".join((_table((), settings), net, _table((), facts)))


def _success_whole(success: reproductions.Success) -> str:
    return f"{success}; others published {success.published_runs} runs of {success.published_recipe}"


def _behind(found: reproductions.Reproduction | None) -> list[str]:
    """Where a reproduction comes from: its runs, their commits, and the seeds it leaves out."""
    if found is None:
        return []
    left_out = [f"left out: {number} {how}" for how, number in found.left_out.items()]
    return [*found.records, *(f"commit {commit}" for commit in found.commits), *left_out]


def layers(recipe: Recipe) -> list[dict[str, Any]]:
    """The layer table: name, output shape, kernel, parameters (all, and the frozen ones), forward MFLOP, and notes."""
    return [
        {
            "name": layer.name,
            "output": "x".join(map(str, layer.output)),
            "kernel": kernel(layer),
            "parameters": layer.trained + layer.frozen,
            "frozen_parameters": layer.frozen,
            "forward_mflop": round(layer.forward_flop / 1e6, 4),
            "notes": ", ".join(_notes(layer)),
        }
        for layer in flops.layers(recipe)
    ]


def kernel(layer: flops.Layer) -> str:
    """A layer's kernel as the literature writes it: ``3x3, 64-128``."""
    height, width, inputs, outputs = layer.kernel
    return f"{inputs}-{outputs}" if layer.kind == "linear" else f"{height}x{width}, {inputs}-{outputs}"


def _notes(layer: flops.Layer) -> list[str]:
    notes = [f"kernel frozen{', bias trained' if layer.trained else ''}"] if not layer.kernel_is_trained else []
    if layer.pool:
        notes.append(f"after max pool {layer.pool}" if layer.kind == "linear" else f"max pool {layer.pool}")
    if layer.joins:
        notes.append(f"identity added {'before' if layer.joins == 'inside' else 'after'} the activation")
    return notes


def record(recipe: Recipe, whole: bool = False) -> dict[str, Any]:
    """A recipe as one JSON object: what the table of recipes says or, ``whole``, all that ``show`` says."""
    found = reproductions.of(recipe)
    shown = {
        "name": recipe.name,
        "summary": recipe.summary,
        "sha256": recipe.sha256,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "target_percent": recipe.target_percent,
        "view": recipe.views,
        "cost": asdict(flops.cost(recipe)),
        "published": recipe.published and asdict(recipe.published),
        "reproduced": None if found is None else asdict(found),
        "success": None if (success := reproductions.success_of(recipe)) is None else asdict(success),
    }
    return {**shown, "recipe": asdict(recipe), "layers": layers(recipe)} if whole else shown


def _folded_rule() -> str:
    return textwrap.fill(reproductions.rule(), 106, subsequent_indent=" " * 13)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _view(recipe: Recipe) -> str:
    return recipe.views if recipe.views_share == 1 else f"{recipe.views}, {recipe.views_share:.0%}"


def _published(recipe: Recipe) -> str:
    if not recipe.published:
        return "nothing"
    return f"{recipe.published.accuracy_percent:.2f} (n {recipe.published.n or '-'})"


def _published_whole(recipe: Recipe) -> str:
    if not recipe.published:
        return "nothing"
    known = recipe.published
    return f"{known.accuracy_percent:g} %, {known.statistic} (n {known.n or '-'}); {known.source}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[str] = ()) -> str:
    """Rows in columns as wide as their widest cell; those whose heads are in ``right`` are aligned there."""
    lines = [heads, *rows] if heads else list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [head in right for head in heads] or [False] * len(widths)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(line, widths, aligned, strict=True)
        ).rstrip()
        for line in lines
    )
