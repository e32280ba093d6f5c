"""What runs of this checkout have shown of its recipes: ``reproduced.json``, read.

The file is written by ``python -m bench evidence`` from the records under results/published and by nothing else.
Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from resnet9.errors import RecipeError
from resnet9.recipe import Recipe

REPRODUCED_FILE = Path(__file__).parents[1] / "reproduced.json"


@dataclass(frozen=True)
class Reproduction:
    """What ``n`` runs of one recipe gave, in percent of the test images in the recipe's ``view``; ``std_percent`` is
    None for one run. ``records`` are their folders and ``commits`` what they ran; ``reproduced`` whether they meet the
    rule of the file, whose tolerance is ``tolerance_percent`` points, and ``shortfall`` why not. ``left_out`` counts
    the seeds of their campaigns that are in none of this, by how they ended.
    """

    recipe_sha256: str
    n: int
    mean_percent: float
    std_percent: float | None
    view: str
    device: str
    records: tuple[str, ...]
    commits: tuple[str, ...]
    left_out: dict[str, int]
    reproduced: bool
    shortfall: str
    tolerance_percent: float

    def __str__(self) -> str:
        spread = "" if self.std_percent is None else f" ± {self.std_percent:.2f}"
        short = f", {self.shortfall}" if self.shortfall else ""
        return f"n {self.n}, {self.mean_percent:.2f}{spread}{short}"


@dataclass(frozen=True)
class Success:
    """How often a recipe of our own reaches its target, as shares with a 95 % interval; ``basis`` is ``counted`` (from
    ``reached`` of ``runs`` published here) or ``predicted`` (from other lengths, ours and others').
    """

    recipe_sha256: str
    basis: str
    success: float
    success_low: float
    success_high: float
    runs: int
    reached: int
    published_runs: int
    published_recipe: str

    def __str__(self) -> str:
        rate, low, high = map(percent, (self.success, self.success_low, self.success_high))
        return f"{rate} % reach it ({self.basis}, {low}-{high}); {self.reached} of {self.runs} here"


def percent(share: float) -> str:
    """A share in percent with one decimal; a prediction is never certain, so what rounds to 100 is 99.9."""
    return f"{min(99.9, 100 * share):.1f}" if share < 1 else "100"


def success_of(recipe: Recipe, path: Path = REPRODUCED_FILE) -> Success | None:
    """How often a recipe of our own reaches its target; None for others, and for one that was changed since.

    Raises RecipeError where the file is damaged.
    """
    found = _read(path)[2].get(recipe.name)
    return found if found is not None and found.recipe_sha256 == recipe.sha256 else None


def of(recipe: Recipe, path: Path = REPRODUCED_FILE) -> Reproduction | None:
    """What runs have shown of a recipe; None where there are none of it, or none since it was changed.

    Raises RecipeError where the file is damaged.
    """
    found = _read(path)[1].get(recipe.name)
    return found if found is not None and found.recipe_sha256 == recipe.sha256 else None


def rule(path: Path = REPRODUCED_FILE) -> str:
    """When a recipe is called reproduced, in a sentence."""
    return _read(path)[0]


@cache
def _read(path: Path) -> tuple[str, dict[str, Reproduction], dict[str, Success]]:
    own = ("records", "commits", "left_out", "tolerance_percent")
    keys = [each.name for each in fields(Reproduction) if each.name not in own]
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        tolerance_percent = body["tolerance_percent"]
        found = {
            row["recipe"]: Reproduction(
                records=tuple(row["records"]),
                commits=tuple(row["commits"]),
                left_out=dict(row["left_out"]),
                tolerance_percent=tolerance_percent,
                **{key: row[key] for key in keys},
            )
            for row in body["recipes"]
        }
        success = {
            row["recipe"]: Success(**{each.name: row[each.name] for each in fields(Success)}) for row in body["own"]
        }
        return str(body["rule"]), found, success
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecipeError(f"{path.name} cannot be read ({error})", "type `python -m bench evidence`") from None
