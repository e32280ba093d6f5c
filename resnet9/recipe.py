"""Recipes: everything a training run is, as data. A recipe is a table in ``recipes.json``; ``extends`` names its
parent.

Learning rate and decay are in mean-gradient units: ``g = grad(mean loss) + weight_decay * w`` and a step of
``learning_rate`` along it. What a table leaves out is off, so a recipe that recombines what exists needs no code.
Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import MISSING, asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from resnet9.errors import RecipeError
from resnet9.tables import choice, decode, flag, free, is_number, nearest, number, numbers, part, parts, text, whole

RECIPES_FILE = Path(__file__).with_name("recipes.json")
#: Recipe files that vary one thing at a time, each with a table of this name that says what is compared.
ABLATIONS = Path(__file__).with_name("ablations")
DECLARATION = "ablation"
#: Tables in one line of ``extends``: far more than anybody can follow, far fewer than Python can.
MOST_PARENTS = 100
#: What is trained, in groups that may have rates and decay of their own: convolution kernels, scales and biases of the
#: batch norms, the linear layer, and the bias of the whitening layer.
GROUPS = ("filters", "norms", "head", "whitening_bias")
#: How many widths a net takes: the channels of its stages.
WIDTHS = {"resnet9": 4, "plain8": 8, "air": 3}


@dataclass(frozen=True)
class LearningRate:
    """Rates over the run: lines (``between``) through ``knots`` of (when, rate).

    ``unit`` of "when": epochs, steps, or the run's share from 0 to 1. ``first`` is the number of the first step, 1 as
    cifar10-fast counts or 0 as airbench does. ``per`` ``epoch`` holds the rate of epoch k = 1, 2, ... all through it.
    ``between`` two knots: a ``line``, half a ``cosine``, or a ``stair`` that keeps the rate of the knot before.
    """

    knots: Any = free()
    per: str = choice("step", "epoch", default="step")
    unit: str = choice("epoch", "step", "run", default="epoch")
    first: int = whole(0, 1, default=1)
    between: str = choice("line", "cosine", "stair", default="line")


@dataclass(frozen=True)
class Group:
    """How a group of weights differs from the rest: a factor on the rate, a decay and a momentum of its own (None: the
    recipe's). ``until_epochs``: trained so long and then frozen; with ``fade`` its rate falls to 0 by then.
    """

    rate_factor: float = number(0.0, 1e5, default=1.0)
    weight_decay: float | None = number(0.0, 1.0, default=None, optional=True)
    momentum: float | None = number(0.0, 0.9999, default=None, optional=True)
    until_epochs: float | None = number(0.0, 10_000.0, default=None, optional=True)
    fade: bool = flag(default=False)


@dataclass(frozen=True)
class Whitening:
    """A frozen first layer that whitens patches of ``size`` x ``size`` x 3, measured on the first ``images``.

    ``negated``: the filters and their negatives. ``centred``: a covariance about the mean. ``bias``: one that is
    trained, from ``bias_init``: zeros, or uniform within 1/sqrt(fan_in) as PyTorch's default.
    """

    size: int = whole(2, 3)
    epsilon: float = number(1e-9, 1.0)
    images: int = whole(1, 50_000)
    centred: bool = flag(default=False)
    negated: bool = flag(default=False)
    bias: bool = flag(default=False)
    bias_init: str = choice("zero", "uniform", default="zero")


@dataclass(frozen=True)
class Muon:
    """Momentum whose update is made orthogonal by Newton-Schulz ``iterations``, for the filters (Jordan et al. 2024).

    ``renormalise`` (a, b): a kernel is first scaled to the norm sqrt(channels) where that was last done at least
    ``a + floor(b * s / steps)`` steps ago, s = 1, 2, ... ``weight_decay`` x rate is taken off after the update.
    """

    rate: float = number(0.0, 10.0)
    momentum: float = number(0.0, 0.9999)
    iterations: int = whole(1, 10, default=3)
    coefficients: tuple[float, ...] = numbers(3, -20.0, 20.0, default=(3.4445, -4.775, 2.0315))
    weight_decay: float = number(0.0, 1.0, default=0.0)
    renormalise: tuple[int, ...] = numbers(2, 0, 10_000, default=(1, 0), only_whole=True)


@dataclass(frozen=True)
class Average:
    """A moving average of weights and running statistics: after steps ``first``, ``first + every``, ... (counted from
    1; None: every) it keeps ``decay * (s / steps) ** power`` of itself. ``copy_back``: the net then becomes the average
    (lookahead); else the average is what is judged (EMA).
    """

    every: int = whole(1, 100_000)
    decay: float = number(0.0, 1.0)
    power: float = number(0.0, 10.0, default=0.0)
    from_epoch: float = number(0.0, 10_000.0, default=0.0)
    copy_back: bool = flag(default=False)
    first: int | None = whole(1, 100_000, default=None, optional=True)


@dataclass(frozen=True)
class Cutmix:
    """A box of ``size`` x ``size`` from another image, labels mixed by area, from this epoch (counted from 0) on."""

    size: int = whole(1, 32)
    from_epoch: float = number(0.0, 10_000.0, default=0.0)


@dataclass(frozen=True)
class Jitter:
    """Normalised pixels x (1 + u * ``contrast``) after adding u * ``brightness``, u uniform in -1 to 1 per image."""

    brightness: float = number(0.0, 10.0)
    contrast: float = number(0.0, 1.0)


@dataclass(frozen=True)
class Published:
    """What the authors of a recipe report: an accuracy as the named ``statistic`` of ``n`` runs (None: not said)."""

    accuracy_percent: float = number(0.0, 100.0)
    statistic: str = text()
    source: str = text()
    n: int | None = whole(1, 1_000_000, default=None, optional=True)
    std_percent: float | None = number(0.0, 100.0, default=None, optional=True)


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe. Every field is in the table of ``python -m resnet9 show NAME``."""

    name: str
    summary: str = text()
    source: str = text()
    epochs: float = number(0.0001, 10_000.0)
    batch: int = whole(2, 65_536)
    learning_rate: LearningRate = part(LearningRate, optional=False)
    published: Published | None = part(Published)
    dataset: str = choice("cifar10", "synthetic", default="cifar10")
    target_percent: float = number(0.0, 100.0, default=94.0)
    # the network
    net: str = choice(*WIDTHS, default="resnet9")
    widths: tuple[int, ...] = numbers(None, 1, 4096, default=(64, 128, 256, 512), only_whole=True)
    depth: int = whole(2, 3, default=2)
    residual: bool = flag(default=False)
    activation: str = choice("relu", "celu", "gelu", "silu", default="relu")
    celu_alpha: float = number(1e-3, 10.0, default=1.0)
    stem_activation: str | None = choice("relu", "celu", "gelu", "silu", default=None, optional=True)
    pool: str = choice("after_activation", "before_norm", default="after_activation")
    whitening: Whitening | None = part(Whitening)
    init: str = choice("uniform_fan_in", "he_uniform", default="uniform_fan_in")
    identity_init: str = choice("none", "replace", "hlb", default="none")
    head_init: str = choice("uniform", "unit_std", default="uniform")
    batch_norm_epsilon: float = number(0.0, 1.0, default=1e-5)
    batch_norm_keep: float = number(0.0, 1.0, default=0.9)
    batch_norm_scale: str = choice("trained", "frozen", default="trained")
    ghost_batch: int | None = whole(2, 65_536, default=None, optional=True)
    logit_scale: float = number(1e-6, 1e3, default=1.0)
    # the optimiser
    nesterov: str = choice("page", "torch", default="page")
    momentum: float = number(0.0, 0.9999, default=0.9)
    weight_decay: float = number(0.0, 1.0, default=0.0)
    decay: str = choice("coupled", "decoupled", default="coupled")
    groups: dict[str, Group] = parts(GROUPS, Group)
    muon: Muon | None = part(Muon)
    average: Average | None = part(Average)
    label_smoothing: float = number(0.0, 0.999, default=0.0)
    # the input
    shuffle_window: int | None = whole(1, 50_000, default=None, optional=True)
    random_numbers: str = choice("per_batch", "per_epoch", default="per_batch")
    pad: int = whole(0, 16, default=0)
    pad_mode: str = choice("reflect", "zero", default="reflect")
    crop: str = choice("per_image", "per_batch", default="per_image")
    flip: str = choice("none", "random", "alternating", default="none")
    cutout: int = whole(0, 32, default=0)
    cutmix: Cutmix | None = part(Cutmix)
    jitter: Jitter | None = part(Jitter)
    mean255: tuple[float, ...] = numbers(3, 0.0, 255.0, default=(125.31, 122.95, 113.87))
    std255: tuple[float, ...] = numbers(3, 1e-3, 255.0, default=(62.99, 62.09, 66.7))
    # the judgement
    views: str = choice("plain", "flip", "six", default="plain")
    views_share: float = number(0.0, 1.0, default=1.0)
    views_weights: str = choice("centred", "equal", default="centred")

    @property
    def sha256(self) -> str:
        """Identity of what is trained: a hash over every field that can change a result (not over prose).

        A field of the recipe at its default is left out, so a field that is added to it later renames no recipe that
        does not use it. Tables within (learning rate, groups, ...) count whole.
        """
        defaults = {each.name: {} if each.default is MISSING else each.default for each in fields(self)}
        mute = ("summary", "source", "published")
        chosen = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in mute}
        kept = {key: value for key, value in asdict(self).items() if key in chosen and chosen[key] != defaults[key]}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    def group(self, name: str) -> Group:
        """The group ``name`` of GROUPS with every value filled in; ``until_epochs`` None is the whole run."""
        given = self.groups.get(name, Group())
        return Group(
            rate_factor=given.rate_factor,
            weight_decay=self.weight_decay if given.weight_decay is None else given.weight_decay,
            momentum=self.momentum if given.momentum is None else given.momentum,
            until_epochs=given.until_epochs,
            fade=given.fade,
        )

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
        # 1.1 epochs of 50 steps are 55 steps, and 55.000000000000007 in floats.
        return math.ceil(round(self.epochs * self.steps_per_epoch(train_images), 6))


#: Far beyond any rate in use, and with any group's factor still a number in float32.
_HIGHEST_RATE = 1e30
_SCHEDULE_EXAMPLE = 'write it as {"knots": [[0, 0.0], [5, 0.4], [24, 0.0]]}'


def _check_schedule(name: str, schedule: LearningRate) -> LearningRate:
    where, knots = f"recipe {name}: `learning_rate`", schedule.knots
    if (
        not isinstance(knots, (list, tuple))
        or not knots
        or not all(isinstance(k, (list, tuple)) and len(k) == 2 and all(map(is_number, k)) for k in knots)
    ):
        raise RecipeError(f"{where}: `knots` must be a list of [when, rate] pairs", _SCHEDULE_EXAMPLE)
    times = [k[0] for k in knots]
    if any(b <= a for a, b in pairwise(times)):
        raise RecipeError(f"{where}: the times of `knots` must increase, not {times}", _SCHEDULE_EXAMPLE)
    if any(k[1] < 0 for k in knots):
        raise RecipeError(f"{where}: a rate in `knots` is negative", _SCHEDULE_EXAMPLE)
    if any(k[1] > _HIGHEST_RATE for k in knots):
        raise RecipeError(f"{where}: a rate in `knots` is over {_HIGHEST_RATE:g}", _SCHEDULE_EXAMPLE)
    if schedule.unit == "run" and not all(0 <= time <= 1 for time in times):
        raise RecipeError(f"{where}: a share of the run in `knots` is outside 0 to 1", "give shares, or another `unit`")
    if schedule.per == "epoch" and schedule.unit != "epoch":
        raise RecipeError(f"{where}: a rate `per` epoch needs `unit` epoch", "leave `unit` out, or `per`")
    return LearningRate(tuple(map(tuple, knots)), schedule.per, schedule.unit, schedule.first, schedule.between)


def _check_together(recipe: Recipe) -> None:
    """Refuse what each key allows and the whole cannot be."""
    where, whitening = f"recipe {recipe.name}", recipe.whitening
    if len(recipe.widths) != WIDTHS[recipe.net]:
        raise RecipeError(
            f"{where}: `widths` has {len(recipe.widths)} numbers, and the net `{recipe.net}` has "
            f"{WIDTHS[recipe.net]} stages",
            f"give {WIDTHS[recipe.net]} channel counts",
        )
    if recipe.ghost_batch is not None and recipe.batch % recipe.ghost_batch:
        raise RecipeError(
            f"{where}: `ghost_batch` {recipe.ghost_batch} does not divide the batch of {recipe.batch}",
            f"give a divisor of {recipe.batch}, or null",
        )
    size = {"resnet9": 3, "air": 2}.get(recipe.net)
    if whitening is not None and whitening.size != size:
        kept = f"with `size` {size}" if size else "not at all"
        raise RecipeError(
            f"{where}: the net `{recipe.net}` takes `whitening` {kept}, not {whitening.size}", "change it"
        )
    if whitening is None and recipe.net == "air":
        raise RecipeError(f"{where}: the net `air` begins with a whitening layer", "give `whitening` with `size` 2")
    if "whitening_bias" in recipe.groups and (whitening is None or not whitening.bias):
        raise RecipeError(
            f"{where}: `groups.whitening_bias` has no bias to belong to",
            "remove it, or give `whitening` with `bias` true",
        )
    for name, group in recipe.groups.items():
        if name != "whitening_bias" and (group.until_epochs is not None or group.fade):
            raise RecipeError(f"{where}: `groups.{name}` cannot be frozen", "only `whitening_bias` has `until_epochs`")
        if group.fade and group.until_epochs is None:
            raise RecipeError(f"{where}: `groups.{name}` fades and does not say when", "give `until_epochs`")
    if recipe.muon is not None and "filters" in recipe.groups:
        raise RecipeError(f"{where}: Muon trains the filters, so `groups.filters` has no use", "remove one of the two")
    if recipe.muon is not None and recipe.muon.renormalise[0] < 1:
        raise RecipeError(f"{where}: `muon.renormalise` begins with 0 steps", "give 1 or more, such as [1, 0]")
    if recipe.residual and recipe.depth != 3:
        raise RecipeError(f"{where}: `residual` is over the last two of 3 layers", "give `depth` 3, or leave it out")
    rises = sum(1 for before, after in pairwise(recipe.widths) if after > before)
    if recipe.net == "plain8" and rises > 5:
        raise RecipeError(f"{where}: `widths` grows {rises} times, and each halves a map of 32", "let it grow 5 times")
    average = recipe.average
    if average is not None and average.decay == 1 and average.power == 0:
        raise RecipeError(f"{where}: `average` with a decay of 1 never moves", "give a `decay` below 1, or a `power`")
    for key, needed, there in (
        ("depth", "the net `air`", recipe.net == "air"),
        ("residual", "the net `air`", recipe.net == "air"),
        ("stem_activation", "the net `air`", recipe.net == "air"),
        ("celu_alpha", "an activation `celu`", "celu" in (recipe.activation, recipe.stem_activation)),
        ("views_share", "`views` flip or six", recipe.views != "plain"),
        ("views_weights", "`views` six", recipe.views == "six"),
    ):
        # A key without effect would make a variant that differs in nothing but its name.
        default = next(each.default for each in fields(recipe) if each.name == key)
        if not there and getattr(recipe, key) != default:
            raise RecipeError(f"{where}: `{key}` has no effect without {needed}", "leave it out")


def _resolve(name: str, tables: dict[str, Any], children: tuple[str, ...] = ()) -> dict[str, Any]:
    if name in children:
        raise RecipeError(
            f"recipe {children[0]}: `extends` goes round in a circle ({' -> '.join((*children, name))})",
            "break the circle",
        )
    if len(children) > MOST_PARENTS:
        raise RecipeError(f"recipe {children[0]}: it has more than {MOST_PARENTS} parents", "extend a nearer one")
    if name not in tables:
        child = children[-1]
        raise RecipeError(
            f"recipe {child}: its parent `{name}` is not in the file{nearest(name, tables)}",
            "name a recipe of the file in `extends`",
        )
    table = tables[name]
    if not isinstance(table, dict):
        raise RecipeError(f"recipe {name} is not a table", "write it as an object of keys and values")
    if "name" in table:
        raise RecipeError(f"recipe {name}: unknown key `name`", "remove it; a recipe is called as its table")
    known = {each.name for each in fields(Recipe)} | {"extends"}
    for key in table:
        if key not in known:
            raise RecipeError(
                f"recipe {name}: unknown key `{key}`{nearest(key, known)}", "remove it or correct its spelling"
            )
    parent_name = table.get("extends")
    if parent_name is not None and not isinstance(parent_name, str):
        raise RecipeError(f"recipe {name}: `extends` is {parent_name!r}", "name one recipe")
    parent = _resolve(parent_name, tables, (*children, name)) if parent_name is not None else {}
    return {**parent, **{key: value for key, value in table.items() if key != "extends"}}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe file {path}", "correct its name") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror})", "name a file of recipes") from None
    except ValueError:
        raise RecipeError(f"{path.name} is no text in UTF-8", "correct the file") from None
    try:
        tables = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path.name} cannot be read as JSON: {error}", "correct the file") from None
    if not isinstance(tables, dict):
        raise RecipeError(f"{path.name} must hold one object with a table per recipe", "correct the file")
    return tables


def _resolved(key: str, tables: dict[str, Any], name: str) -> Recipe:
    """The recipe of the table ``key``, called ``name``, with what its parents give, checked."""
    found = decode(Recipe, {**_resolve(key, tables), "name": name}, f"recipe {key}")
    recipe = replace(found, learning_rate=_check_schedule(key, found.learning_rate))
    _check_together(recipe)
    return recipe


def load_all(path: Path = RECIPES_FILE) -> dict[str, Recipe]:
    """Every recipe of a file, resolved and checked. Raises RecipeError with table, key and fix.

    The tables of another file than the shipped one may extend the shipped recipes, and are called ``FILE:TABLE``.
    """
    tables = _read(path)
    for name in tables:
        # Names become folders, and a command's words.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise RecipeError(
                f"{path.name}: a table cannot be called {name!r}", "use letters, digits, `.`, `_` and `-`"
            )
    if path == RECIPES_FILE:
        return {name: _resolved(name, tables, name) for name in tables}
    tables.pop(DECLARATION, None)
    known = {**_read(RECIPES_FILE), **tables}
    return {f"{path.stem}:{key}": _resolved(key, known, f"{path.stem}:{key}") for key in tables}


def file_of(name: str) -> Path:
    """The file in which a recipe is looked up: ``FILE.json:TABLE`` by path, ``SET:TABLE`` among the shipped ablation
    sets, anything else in ``recipes.json``. Raises RecipeError for a set that is not shipped.
    """
    if name.endswith(".json"):
        raise RecipeError(f"{name} is a file of recipes", f"name one of its tables, such as {name}:mine")
    if ":" not in name:
        return RECIPES_FILE
    place = name.rpartition(":")[0]
    if place.endswith(".json"):
        return Path(place)
    shipped = sorted(path.stem for path in ABLATIONS.glob("*.json"))
    if place not in shipped:
        raise RecipeError(
            f"there is no set `{place}`{nearest(place, shipped)} for the recipe {name}",
            f"sets: {', '.join(shipped)}; a file of your own is named with its ending, such as my.json:mine",
        )
    return ABLATIONS / f"{place}.json"


def load(name: str) -> Recipe:
    """One recipe by name, see ``file_of``. Raises RecipeError, which suggests the nearest name, where there is none."""
    path = file_of(name)
    recipes = load_all(path)
    key = name.rpartition(":")[2]
    full = name if path == RECIPES_FILE else f"{path.stem}:{key}"
    if full not in recipes:
        tables = [each.rpartition(":")[2] for each in recipes]
        raise RecipeError(f"no recipe is called `{name}`{nearest(key, tables)}", f"{path.name} has {', '.join(tables)}")
    return recipes[full]
