import numpy as np
import pytest
import tensorflow as tf

from resnet9 import layers, nets
from resnet9 import recipe as recipes
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
