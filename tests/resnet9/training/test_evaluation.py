import numpy as np
import pytest
import tensorflow as tf

from resnet9.input import augment
from resnet9.model import nets
from resnet9.training import evaluation
from tests.resnet9.narrow import narrow


@pytest.mark.parametrize("images, batch", [(10_000, 1000), (2_000, 1000), (1, 1), (999, 999), (1003, 59), (2_999, 1)])
def test_the_batch_divides_the_test_set(images, batch):
    assert evaluation.batch_size(images) == batch


@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_test_image_is_predicted_with_the_running_statistics(xla):
    net = nets.build(narrow("page24"))
    net.reset(tf.constant(1))
    for statistic in net.statistics:
        statistic.assign_add(tf.random.stateless_uniform(statistic.shape, [1, 2]) * 0.1)
    images = np.random.RandomState(0).randint(0, 256, (2_002, 32, 32, 3), dtype=np.uint8)
    labels = np.zeros(2_002, np.uint8)
    judge = evaluation.Evaluation(net, 2_002, tf.float32, xla)
    judge.warm_up(0)
    judge.load(images, labels)
    classes, loss = judge.run()
    logits = net(augment.normalise(net.recipe, tf.constant(images), tf.float32), training=False).numpy()
    assert classes.dtype == np.uint8 and (classes == logits.argmax(1)).all() and len(set(classes)) > 1
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert loss == pytest.approx(-log_p[:, 0].mean(), rel=1e-4)


def test_evaluating_changes_nothing():
    net = nets.build(narrow("page24"))
    net.reset(tf.constant(1))
    before = [variable.numpy() for variable in (*net.trained, *net.statistics)]
    judge = evaluation.Evaluation(net, 20, tf.float32, xla=False)
    judge.warm_up(0)
    judge.run()
    assert all((a == b.numpy()).all() for a, b in zip(before, (*net.trained, *net.statistics), strict=True))
