"""The layers as data: their costs against published counts, and the layers themselves against the nets."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from resnet9 import recipe as recipes
from resnet9.recipe import flops

SHIPPED = recipes.load_all()
#: GFLOP an image forward and in training, and millions of trained parameters: what cifar10-fast, hlb-CIFAR10 and
#: airbench come to by the shapes of their layers.
COUNTED = {
    "page24": (0.7585, 2.2720, 6.573),
    "plain24": (0.7585, 2.2720, 6.573),
    "page13": (0.7600, 2.2735, 6.571),
    "page10": (0.7600, 2.2735, 6.571),
    "air94": (0.2363, 0.7078, 1.971),
    "air94-muon": (0.2363, 0.7078, 1.971),
    "hive": (0.2363, 0.7078, 1.971),
    "air93": (0.1084, 0.3242, 0.569),
    "air95": (0.6031, 1.8083, 4.604),
    "air96": (0.9039, 2.7107, 9.915),
}
#: TFLOP of a run with its final evaluation.
RUNS = {
    "page13": 1475, "page10": 1144, "air94": 359, "air-clean": 368, "air94-muon": 297, "hive": 270, "air93": 182,
    "air95": 1369, "air96": 4984,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_operations_and_parameters_are_those_counted_from_the_published_nets(name: str) -> None:
    cost = flops.cost(SHIPPED[name])
    counted = (round(cost.forward_gflop, 4), round(cost.training_gflop, 4), round(cost.trained_parameters / 1e6, 3))
    assert counted == COUNTED[name]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_every_step_and_the_final_evaluation_in_its_views(name: str) -> None:
    assert round(flops.cost(SHIPPED[name]).run_tflop) == RUNS[name]


def test_a_run_of_page24_is_2708_tflop_of_training_and_8_of_evaluation() -> None:
    page24 = SHIPPED["page24"]
    assert round(2328 * 512 * flops.training_flop(page24) / 1e12) == 2708
    assert round(flops.cost(page24).run_tflop) == 2716


def test_nothing_is_counted_below_the_first_layer_that_is_trained() -> None:
    hlb12 = SHIPPED["hlb12"]
    lowest = flops.layers(hlb12)[1]
    assert round(flops.forward_flop(hlb12) / 1e9, 4) == 0.3260
    # hlb-CIFAR10 is often counted with the gradient of its first trained layer's input, which nothing there needs.
    assert round((flops.training_flop(hlb12) + lowest.forward_flop) / 1e9, 4) == 0.9768
    with_bias = replace(hlb12, whitening=replace(hlb12.whitening, bias=True))
    assert round(flops.training_flop(with_bias) / 1e9, 4) == 0.9768


def test_the_convolutions_of_airbench94_cost_what_its_shapes_say() -> None:
    megaflop = [round(layer.forward_flop / 1e6, 2) for layer in flops.layers(SHIPPED["air94"])]
    assert megaflop == [0.55, 26.57, 16.59, 66.36, 57.80, 57.80, 10.62, 0.01]


@pytest.mark.parametrize(("name", "passes"), [("page24", 10_000), ("page10", 20_000), ("air94", 60_000)])
def test_a_view_costs_its_passes_and_a_share_of_the_images_its_share(name: str, passes: int) -> None:
    assert flops.final_passes(SHIPPED[name], 10_000) == passes
    assert flops.final_passes(SHIPPED["hive"], 10_000) == 10_000 + 2_500 * 6
    assert flops.final_passes(replace(SHIPPED["hive"], views_share=1 / 3), 10_000) == 10_000 + 3_300 * 6


def _varied() -> list[recipes.Recipe]:
    air, page = SHIPPED["air94"], SHIPPED["page24"]
    return [
        *(SHIPPED[name] for name in ("page24", "page10", "plain24", "air94", "hlb12", "air96", "smoke")),
        replace(page, name="narrow", widths=(8, 24, 16, 40), batch_norm_scale="frozen"),
        replace(air, name="deep", widths=(16, 8, 24), depth=3, residual=True, batch_norm_scale="trained"),
        replace(air, name="bare", whitening=replace(air.whitening, bias=False, negated=False)),
        replace(SHIPPED["plain24"], name="uneven", widths=(8, 8, 16, 16, 16, 12, 24, 24)),
    ]


@pytest.mark.parametrize("recipe", _varied(), ids=lambda recipe: recipe.name)
def test_every_layer_is_the_nets_by_name_shape_and_parameters(recipe: recipes.Recipe) -> None:
    tf = pytest.importorskip("tensorflow")
    from resnet9.model import nets

    # No shape depends on the activation, and ReLU is the one that is quick to compile.
    net = nets.build(replace(recipe, activation="relu", stem_activation=None))
    rows = {row.name: row for row in flops.layers(recipe)}
    built = {block.name: tuple(block.kernel.shape) for block in net.blocks}
    built["linear"] = (1, 1, *net.head.shape)
    if net.whitening is not None:
        built["whitening"] = tuple(net.whitening.kernel.shape)
        assert rows["whitening"].frozen == net.whitening.kernel.shape.num_elements()
    assert {name: row.kernel for name, row in rows.items()} == built
    trained = {name.removesuffix(":0"): int(v.shape.num_elements()) for v in net.trained for name in [v.name]}
    for name, row in rows.items():
        own = [size for variable, size in trained.items() if variable.rpartition(".")[0] in (name, f"{name}.norm")]
        assert row.trained == sum(own) + trained.get(name, 0)

    # What every convolution and pool gives, from the net's own forward pass.
    shapes: dict[str, tuple[int, ...]] = {}
    for block in [*net.blocks, *([net.whitening] if net.whitening is not None else [])]:
        _observe(block, shapes)
    net(tf.zeros([1, 32, 32, 3]), training=False)
    assert shapes == {name: row.output for name, row in rows.items() if name != "linear"}


def _observe(block: object, shapes: dict[str, tuple[int, ...]]) -> None:
    """Note the shape [H,W,C] that a block gives, under its name."""
    kind = type(block)
    name = getattr(block, "name", "whitening")

    class Observed(kind):  # type: ignore[misc, valid-type]
        def __call__(self, *given: object, **named: object) -> object:
            result = kind.__call__(self, *given, **named)
            shapes[name] = tuple(result.shape[1:])
            return result

    block.__class__ = Observed


def test_the_views_and_the_datasets_are_as_the_trainer_has_them() -> None:
    pytest.importorskip("tensorflow")
    from resnet9.data import official, synthetic
    from resnet9.training import evaluation

    assert {view: len(shown) for view, shown in evaluation.VIEWS.items()} == flops.PASSES
    made = inspect.signature(synthetic.make).parameters
    assert flops.IMAGES["synthetic"] == (made["train"].default, made["test"].default)
    assert official.SIDE == flops.SIDE
