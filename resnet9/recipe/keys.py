"""What a recipe holds: every key of a table, the bounds of its value, and what it is where a table leaves it out."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from resnet9.errors import RecipeError
from resnet9.recipe.schema import choice, flag, free, number, numbers, part, parts, text, whole

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

    @property
    def channels(self) -> int:
        """Output channels of the layer."""
        return 3 * self.size**2 * (2 if self.negated else 1)


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
    (lookahead); else the average is what is evaluated (EMA).
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
