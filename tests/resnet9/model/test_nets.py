from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from resnet9 import recipe as recipes
from resnet9.model import layers, nets
from tests.resnet9.narrow import narrow

#: The table of cifar10-fast's net: name, kernel shape (HWIO).
KERNELS = {
    "prep.conv": (3, 3, 3, 64),
    "layer1.conv": (3, 3, 64, 128),
    "layer1.residual1.conv": (3, 3, 128, 128),
    "layer1.residual2.conv": (3, 3, 128, 128),
    "layer2.conv": (3, 3, 128, 256),
    "layer3.conv": (3, 3, 256, 512),
    "layer3.residual1.conv": (3, 3, 512, 512),
    "layer3.residual2.conv": (3, 3, 512, 512),
    "linear": (512, 10),
}


@pytest.fixture(scope="module")
def net():
    net = nets.build(recipes.load("page24"))
    net.reset(tf.constant(7))
    return net


def test_every_parameter_has_the_shape_of_the_original(net):
    shapes = {variable.name.split(":")[0]: tuple(variable.shape) for variable in net.trained}
    norms = {
        name.replace("conv", f"norm.{kind}"): shape[-1:]
        for name, shape in KERNELS.items()
        if "conv" in name
        for kind in ("scale", "bias")
    }
    assert shapes == {**KERNELS, **norms}


def test_there_are_6573120_parameters(net):
    assert sum(int(np.prod(variable.shape)) for variable in net.trained) == 6_573_120
    assert sum(int(np.prod(variable.shape)) for variable in net.kernels) == 6_568_640


#: Per recipe: widths of the convolutions' inputs and outputs in turn, numbers of the linear layer, all that is trained.
TABLES = {
    "page24": ([3, 64, 128, 128, 128, 256, 512, 512, 512], 512, 6_573_120),
    "plain24": ([3, 64, 128, 128, 128, 256, 512, 512, 512], 512, 6_573_120),
    "page13": ([27, 64, 128, 128, 128, 256, 512, 512, 512], 512, 6_568_640 + 2_240),
    "hlb12": ([24, 64, 64, 256, 256, 512, 512], 512, 4_332_032 + 1_664),
    "air94": ([24, 64, 64, 256, 256, 256, 256], 256, 1_971_352),
    "air94-muon": ([24, 64, 64, 256, 256, 256, 256], 256, 1_971_352),
    "hive": ([24, 64, 64, 256, 256, 256, 256], 256, 1_971_352),
    "air93": ([24, 64, 64, 128, 128, 128, 128], 128, None),
    "air95": ([24, 128, 128, 384, 384, 384, 384], 384, None),
    "air96": ([24, 128, 128, 128, 384, 384, 384, 512, 512, 512], 512, None),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_net_has_the_layers_of_its_original(name):
    channels, features, trained = TABLES[name]
    net = nets.build(recipes.load(name))
    found = [tuple(block.kernel.shape) for block in net.blocks]
    sizes = [1 if name == "page13" and place == 0 else 3 for place in range(len(found))]
    expected = [(k, k, *pair) for k, pair in zip(sizes, pairwise(channels), strict=True)]
    assert found == expected and tuple(net.head.shape) == (features, 10)
    count = sum(int(np.prod(variable.shape)) for variable in net.trained)
    if trained is None:  # frozen norm scales: a bias a channel, and that of the whitening layer
        trained = sum(map(np.prod, expected)) + 10 * features + sum(channels[1:]) + 24
    assert count == trained


SIZES = {
    "page24": [32, 16, 16, 16, 8, 4, 4, 4],
    "plain24": [32, 16, 16, 16, 8, 4, 4, 4],
    "page13": [32, 16, 16, 16, 8, 4, 4, 4],
    "air94": [15, 15, 7, 7, 3, 3],
    "air96": [15, 15, 15, 7, 7, 7, 3, 3, 3],
}


@pytest.mark.parametrize("name", SIZES)
def test_the_map_shrinks_where_the_original_pools(name):
    net = nets.build(narrow(name))
    seen = []
    for block in net.blocks:
        block.activation = lambda x, inner=block.activation: seen.append(int(x.shape[1])) or inner(x)
    logits = net(tf.zeros([2, 32, 32, 3]), training=False)
    assert seen == SIZES[name] and logits.shape == (2, 10)


def test_airbench96_adds_the_first_of_three_before_the_last_activation():
    net = nets.build(narrow("air96"))
    net.reset(tf.constant(0))
    x = tf.random.stateless_normal([2, 31, 31, 24], [1, 2])
    a, b, c = net.stages[0]
    first = a(x, False)
    last = c(b(first, False), False, added=first)
    unactivated = c.norm(layers.convolution(b(first, False), c.kernel), False) + first
    np.testing.assert_allclose(last.numpy(), c.activation(unactivated).numpy(), rtol=1e-5)
    net.whitening = lambda images: images
    net.stem_activation = tf.identity
    net.stages = net.stages[:1]
    np.testing.assert_array_equal(net.features(x, False).numpy(), last.numpy())


def test_identity_filters_pass_their_channel_on_and_the_rest_start_as_drawn():
    drawn, replaced = (nets.build(narrow("air94", identity_init=how)) for how in ("none", "replace"))
    for net in (drawn, replaced):
        net.reset(tf.constant(4))
    for plain, block in zip(drawn.blocks, replaced.blocks, strict=True):
        kernel, inputs = block.kernel.numpy(), block.kernel.shape[2]
        count = min(inputs, kernel.shape[3])
        expected = np.zeros((3, 3, inputs, count))
        expected[1, 1, range(count), range(count)] = 1
        np.testing.assert_array_equal(kernel[..., :count], expected)
        np.testing.assert_array_equal(kernel[..., count:], plain.kernel.numpy()[..., count:])
    np.testing.assert_array_equal(drawn.head.numpy(), replaced.head.numpy())


def test_hlb_adds_the_identity_to_the_first_kernel_of_a_group_and_restores_its_mean_and_deviation():
    drawn, added = (nets.build(narrow("hlb12", identity_init=how)) for how in ("none", "hlb"))
    for net in (drawn, added):
        net.reset(tf.constant(4))
    for plain, block in zip(drawn.blocks, added.blocks, strict=True):
        start, kernel = plain.kernel.numpy().astype(float), block.kernel.numpy()
        inputs, outputs = start.shape[2:]
        count = min(inputs, outputs)
        if block.pool:
            expected = start.copy()
            expected[1, 1, range(count), range(count)] += 1
            expected = (expected - expected.mean()) / expected.std() * start.std() + start.mean()
        else:
            expected = start.copy()
            expected[..., :count] = 0
            expected[1, 1, range(count), range(count)] = 1
        np.testing.assert_allclose(kernel, expected, atol=1e-5)


def test_a_head_of_unit_deviation_is_what_muons_recipe_starts_from():
    net = nets.build(narrow("air94-muon"))
    net.reset(tf.constant(0))
    assert net.head.numpy().std() == pytest.approx(1, rel=1e-5)


def test_a_seed_starts_the_bias_of_the_whitening_layer_too():
    net = nets.build(narrow("air94-muon"))
    starts = []
    for seed in (1, 2, 1):
        net.reset(tf.constant(seed))
        starts.append(net.whitening.bias.numpy())
    assert (starts[0] == starts[2]).all() and (starts[0] != starts[1]).any()


def test_logits_are_float32_whatever_the_compute_dtype(net):
    for dtype in (tf.float32, tf.bfloat16):
        logits = net(tf.zeros([2, 32, 32, 3], dtype), training=False)
        assert logits.shape == (2, 10) and logits.dtype == tf.float32


@pytest.mark.parametrize("init, factor", [("uniform_fan_in", 1.0), ("he_uniform", 6**0.5)])
def test_kernels_are_uniform_within_the_limit_of_their_fan_in(init, factor):
    net = nets.build(narrow("page24", init=init, widths=(16, 32, 64, 128)))
    net.reset(tf.constant(0))
    for kernel in net.kernels:
        values, fan_in = kernel.numpy(), np.prod(kernel.shape[:-1])
        limit = factor / np.sqrt(fan_in)
        assert layers.uniform_limit(init, int(fan_in)) == pytest.approx(limit)
        assert np.abs(values).max() <= limit
        assert np.abs(values).max() > 0.9 * limit
        assert values.std() == pytest.approx(limit / 3**0.5, rel=0.12)
        assert abs(values.mean()) < 5 * limit / 3**0.5 / values.size**0.5


def test_a_seed_gives_the_same_net_again_and_another_seed_another():
    net = nets.build(narrow("page24"))
    draws = []
    for seed in (1, 2, 1):
        net.reset(tf.constant(seed))
        draws.append(np.concatenate([kernel.numpy().ravel() for kernel in net.kernels]))
    assert (draws[0] == draws[2]).all()
    assert abs(np.corrcoef(draws[0], draws[1])[0, 1]) < 0.05


def test_no_two_kernels_of_a_net_start_alike():
    net = nets.build(narrow("page24", widths=(16, 32, 64, 128)))
    net.reset(tf.constant(0))
    first, second = (block.kernel.numpy().ravel() for block in net.residual1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
