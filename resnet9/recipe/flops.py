"""The layers of a recipe's net as data, and what they cost: parameters, and floating point operations by arithmetic.

2 operations per multiply-add, convolutions and the linear layer only, borders counted like the middle: norms,
activations, pools, augmentation and the optimiser (Muon: 0.4 % of airbench94_muon) come on top. Standard library only,
so that recipes are listed without waiting for TensorFlow; the tests hold these layers against the variables of
``nets.build``.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet9.recipe import Recipe

SIDE, COLOURS, CLASSES = 32, 3, 10
#: Images to train on and to test on.
IMAGES = {"cifar10": (50_000, 10_000), "synthetic": (5_000, 2_000)}
#: Forward passes a test image takes in a view (evaluation.VIEWS).
PASSES = {"plain": 1, "flip": 2, "six": 6}


@dataclass(frozen=True)
class Layer:
    """A convolution with what follows it, or the linear layer.

    ``kernel`` is HWIO, 1 x 1 for the linear layer; ``side`` the rows and columns the kernel is applied at. ``pool`` is
    the size of the max pool after a convolution, or before the linear layer; 0 for none. ``joins``: the identity around
    this layer and the one before is added here, ``inside`` (before the activation) or ``after`` it; empty for none.
    ``trained`` and ``frozen`` count parameters.
    """

    name: str
    kind: str
    kernel: tuple[int, int, int, int]
    side: int
    pool: int
    trained: int
    frozen: int = 0
    joins: str = ""

    @property
    def kernel_is_trained(self) -> bool:
        """False for a whitening layer."""
        return not self.frozen

    @property
    def output(self) -> tuple[int, ...]:
        """Rows, columns and channels of the result; the linear layer has channels alone."""
        if self.kind == "linear":
            return (self.kernel[3],)
        side = self.side // self.pool if self.pool else self.side
        return (side, side, self.kernel[3])

    @property
    def forward_flop(self) -> int:
        """Operations for one image, forward."""
        height, width, inputs, outputs = self.kernel
        return 2 * height * width * inputs * outputs * self.side**2


@dataclass(frozen=True)
class Cost:
    """What a recipe costs: GFLOP an image forward and in training, TFLOP for the whole run, parameters."""

    forward_gflop: float
    training_gflop: float
    run_tflop: float
    trained_parameters: int
    frozen_parameters: int


def cost(recipe: Recipe) -> Cost:
    """Every figure of a recipe."""
    rows = layers(recipe)
    return Cost(
        forward_gflop=forward_flop(recipe) / 1e9,
        training_gflop=training_flop(recipe) / 1e9,
        run_tflop=run_flop(recipe) / 1e12,
        trained_parameters=sum(row.trained for row in rows),
        frozen_parameters=sum(row.frozen for row in rows),
    )


def forward_flop(recipe: Recipe) -> int:
    """Operations for one image, forward."""
    return sum(layer.forward_flop for layer in layers(recipe))


def training_flop(recipe: Recipe) -> int:
    """Operations for one image, forward and backward: gradients of the weights, and of the inputs above the first layer
    that is trained.

    A whitening bias counts as trained all along, as in the 358 TFLOP that airbench94 states for its run; freezing it
    after 3 of 9.9 epochs saves 2.5 % of them.
    """
    rows = layers(recipe)
    first = next(index for index, layer in enumerate(rows) if layer.trained)
    weights = sum(layer.forward_flop for layer in rows if layer.kernel_is_trained)
    inputs = sum(layer.forward_flop for layer in rows[first + 1 :])
    return forward_flop(recipe) + weights + inputs


def run_flop(recipe: Recipe) -> int:
    """Operations of a whole run: every step of the schedule, and the final evaluation in the recipe's view."""
    train_images, test_images = IMAGES[recipe.dataset]
    training = recipe.total_steps(train_images) * recipe.batch * training_flop(recipe)
    return training + final_passes(recipe, test_images) * forward_flop(recipe)


def final_passes(recipe: Recipe, test_images: int) -> int:
    """Forward passes of the final evaluation; with a ``views_share`` below 1, a plain one and that share's views."""
    if recipe.views == "plain" or recipe.views_share == 1:
        return test_images * PASSES[recipe.views]
    return test_images + viewed_images(recipe, test_images) * PASSES[recipe.views]


def viewed_images(recipe: Recipe, test_images: int) -> int:
    """How many test images ``views_share`` spends the recipe's views on; of more than 100 whole hundreds, so that they
    divide into batches of a useful size.
    """
    share = recipe.views_share if recipe.views != "plain" else 1.0
    chosen = max(1, round(test_images * share))
    return chosen - chosen % 100 if chosen > 100 and share < 1 else chosen


def layers(recipe: Recipe) -> tuple[Layer, ...]:
    """The layers of a recipe's net in the order of the forward pass, called as in ``nets``."""
    rows, side, channels = [], SIDE, COLOURS
    if recipe.whitening is not None:
        rows.append(_whitening(recipe))
        side, channels = rows[0].output[0], rows[0].output[2]
    for name, outputs, pooled, joins in _plan(recipe):
        size = 1 if name == "prep" and recipe.whitening is not None else 3
        norm = outputs * (2 if recipe.batch_norm_scale == "trained" else 1)
        kernel = (size, size, channels, outputs)
        trained = size * size * channels * outputs + norm
        rows.append(Layer(name, "conv", kernel, side, 2 if pooled else 0, trained, joins=joins))
        side, channels = rows[-1].output[0], outputs
    rows.append(Layer("linear", "linear", (1, 1, channels, CLASSES), 1, side, channels * CLASSES))
    return tuple(rows)


def _whitening(recipe: Recipe) -> Layer:
    whitening = recipe.whitening
    assert whitening is not None
    size, outputs = whitening.size, whitening.channels
    return Layer(
        name="whitening",
        kind="conv",
        kernel=(size, size, COLOURS, outputs),
        side=SIDE - 1 if size == 2 else SIDE,  # 3x3 patches are padded, 2x2 patches are not
        pool=0,
        trained=outputs if whitening.bias else 0,
        frozen=size * size * COLOURS * outputs,
    )


def _plan(recipe: Recipe) -> list[tuple[str, int, bool, str]]:
    """Name, output channels, whether a max pool follows, and how an identity ``joins``, for each convolution."""
    if recipe.net == "plain8":
        before = (COLOURS, *recipe.widths)
        return [
            (f"layer{number}", width, number > 1 and width > before[number - 1], "")
            for number, width in enumerate(recipe.widths, 1)
        ]
    if recipe.net == "air":
        return [
            (f"group{number}.layer{i}", width, i == 1, "inside" if recipe.residual and i == recipe.depth else "")
            for number, width in enumerate(recipe.widths, 1)
            for i in range(1, recipe.depth + 1)
        ]
    w1, w2, w3, w4 = recipe.widths
    return [
        ("prep", w1, False, ""),
        ("layer1", w2, True, ""),
        ("layer1.residual1", w2, False, ""),
        ("layer1.residual2", w2, False, "after"),
        ("layer2", w3, True, ""),
        ("layer3", w4, True, ""),
        ("layer3.residual1", w4, False, ""),
        ("layer3.residual2", w4, False, "after"),
    ]
