"""Recipes: everything a training run is, as data. A recipe is a table in ``recipes.json``; ``extends`` names its
parent.

Learning rate and decay are in mean-gradient units: ``g = grad(mean loss) + weight_decay * w`` and a step of
``learning_rate`` along it. Standard library only.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from resnet9.errors import RecipeError

RECIPES_FILE = Path(__file__).with_name("recipes.json")


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe. Every field is in the table of ``python -m resnet9 show NAME``."""

    name: str
    summary: str
    source: str
    published: dict[str, Any] | None
    dataset: str
    target_percent: float
    net: str
    width: int
    init: str
    batch_norm_epsilon: float
    batch_norm_keep: float
    logit_scale: float
    epochs: float
    batch: int
    nesterov: str
    momentum: float
    weight_decay: float
    learning_rate: dict[str, Any]
    label_smoothing: float
    pad: int
    pad_mode: str
    flip: bool
    cutout: int
    mean255: tuple[float, float, float]
    std255: tuple[float, float, float]

    @property
    def sha256(self) -> str:
        """Identity of what is trained: a hash over every field that can change a result (not over prose)."""
        table = {key: value for key, value in asdict(self).items() if key not in ("summary", "source", "published")}
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()

    def steps_per_epoch(self, train_images: int) -> int:
        """Whole batches in an epoch; the rest of the permutation is left out, as cifar10-fast does. Raises
        RecipeError for none.
        """
        steps = train_images // self.batch
        if steps < 1:
            raise RecipeError(
                f"recipe {self.name}: a batch of {self.batch} is larger than the {train_images} training images",
                f"lower `batch` of {self.name} to {train_images} or less",
            )
        return steps

    def total_steps(self, train_images: int) -> int:
        """Steps of the whole schedule; a fractional number of epochs ends inside the last one."""
        return math.ceil(self.epochs * self.steps_per_epoch(train_images))


_CHOICES = {
    "dataset": ("cifar10", "synthetic"),
    "net": ("resnet9",),
    "init": ("uniform_fan_in", "he_uniform"),
    "nesterov": ("page", "torch"),
    "pad_mode": ("reflect", "zero"),
}
#: Inclusive bounds of the plain numbers; a value outside is a typing error, not an idea.
_BOUNDS = {
    "target_percent": (0.0, 100.0),
    "width": (1, 1024),
    "batch_norm_epsilon": (0.0, 1.0),
    "batch_norm_keep": (0.0, 1.0),
    "logit_scale": (1e-6, 1e3),
    "epochs": (0.01, 10_000.0),
    "batch": (2, 65_536),
    "momentum": (0.0, 0.9999),
    "weight_decay": (0.0, 1.0),
    "label_smoothing": (0.0, 0.999),
    "pad": (0, 16),
    "cutout": (0, 32),
}
_WHOLE = ("width", "batch", "pad", "cutout")


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean `{close[0]}`?)" if close else ""


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_schedule(name: str, schedule: object) -> None:
    where = f"recipe {name}: `learning_rate`"
    shape = 'write it as {"per": "step", "knots": [[0, 0.0], [5, 0.4], [24, 0.0]]}'
    if not isinstance(schedule, dict) or set(schedule) != {"per", "knots"}:
        raise RecipeError(f"{where} must have the keys `per` and `knots`, not {schedule!r}", shape)
    if schedule["per"] not in ("step", "epoch"):
        raise RecipeError(f"{where}: `per` must be `step` or `epoch`, not {schedule['per']!r}", shape)
    knots = schedule["knots"]
    if (
        not isinstance(knots, list)
        or not knots
        or not all(isinstance(k, list) and len(k) == 2 and all(map(_number, k)) for k in knots)
    ):
        raise RecipeError(f"{where}: `knots` must be a list of [epoch, rate] pairs", shape)
    epochs = [k[0] for k in knots]
    if any(b <= a for a, b in pairwise(epochs)):
        raise RecipeError(f"{where}: the epochs of `knots` must increase, not {epochs}", shape)
    if any(k[1] < 0 for k in knots):
        raise RecipeError(f"{where}: a rate in `knots` is negative", shape)


def _check(name: str, table: dict[str, Any]) -> None:
    for key, allowed in _CHOICES.items():
        if table[key] not in allowed:
            hint = nearest(str(table[key]), allowed)
            raise RecipeError(f"recipe {name}: `{key}` is {table[key]!r}{hint}", f"allowed: {', '.join(allowed)}")
    for key, (low, high) in _BOUNDS.items():
        value = table[key]
        if not _number(value) or not low <= value <= high or (key in _WHOLE and not isinstance(value, int)):
            kind = "a whole number" if key in _WHOLE else "a number"
            raise RecipeError(f"recipe {name}: `{key}` is {value!r}", f"give {kind} from {low} to {high}")
    if not isinstance(table["flip"], bool):
        raise RecipeError(f"recipe {name}: `flip` is {table['flip']!r}", "give true or false")
    for key in ("mean255", "std255"):
        value = table[key]
        if not isinstance(value, (list, tuple)) or len(value) != 3 or not all(map(_number, value)):
            raise RecipeError(f"recipe {name}: `{key}` is {value!r}", "give three numbers on the 0 to 255 scale")
    if min(table["std255"]) <= 0:
        raise RecipeError(
            f"recipe {name}: a standard deviation in `std255` is not positive", "give three positive numbers"
        )
    _check_schedule(name, table["learning_rate"])


def _resolve(name: str, tables: dict[str, Any], children: tuple[str, ...] = ()) -> dict[str, Any]:
    if name in children:
        raise RecipeError(
            f"recipe {children[0]}: `extends` goes round in a circle ({' -> '.join((*children, name))})",
            "break the circle",
        )
    if name not in tables:
        child = children[-1]
        raise RecipeError(
            f"recipe {child}: its parent `{name}` is not in the file{nearest(name, tables)}",
            "name a recipe of the file in `extends`",
        )
    table = tables[name]
    if not isinstance(table, dict):
        raise RecipeError(f"recipe {name} is not a table", "write it as an object of keys and values")
    known = {field.name for field in fields(Recipe)} - {"name"} | {"extends"}
    for key in table:
        if key not in known:
            raise RecipeError(
                f"recipe {name}: unknown key `{key}`{nearest(key, known)}", "remove it or correct its spelling"
            )
    parent = _resolve(table["extends"], tables, (*children, name)) if "extends" in table else {}
    return {**parent, **{key: value for key, value in table.items() if key != "extends"}}


def load_all(path: Path = RECIPES_FILE) -> dict[str, Recipe]:
    """Every recipe of a file, resolved and checked. Raises RecipeError with table, key and fix."""
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path.name} cannot be read as JSON: {error}", "correct the file") from None
    if not isinstance(tables, dict):
        raise RecipeError(f"{path.name} must hold one object with a table per recipe", "correct the file")
    recipes = {}
    for name in tables:
        table = _resolve(name, tables)
        missing = [field.name for field in fields(Recipe) if field.name not in table and field.name != "name"]
        if missing:
            raise RecipeError(
                f"recipe {name} lacks {', '.join(missing)}", "add the keys, or extend a recipe that has them"
            )
        _check(name, table)
        table.update(mean255=tuple(table["mean255"]), std255=tuple(table["std255"]))
        recipes[name] = Recipe(name=name, **table)
    return recipes


def load(name: str, path: Path = RECIPES_FILE) -> Recipe:
    """One recipe by name. Raises RecipeError, which suggests the nearest name, where there is none."""
    recipes = load_all(path)
    if name not in recipes:
        raise RecipeError(f"no recipe is called `{name}`{nearest(name, recipes)}", f"recipes: {', '.join(recipes)}")
    return recipes[name]
