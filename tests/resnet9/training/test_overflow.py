"""fp16 has a loss scale that is told, and an overflow ends the run: it is never skipped and never hidden."""

import numpy as np
import pytest
import tensorflow as tf

from bench.protocol import Writer
from resnet9.errors import TrainingFailed
from resnet9.input.loops import LOOPS
from resnet9.optim.step import Settings, compute_dtype, loss_scale
from resnet9.training.epochs import Components, TrainingRun
from resnet9.training.evaluation import Evaluation
from resnet9.training.phases import PhaseLog
from tests.resnet9.narrow import a_step, coloured, flat, knots, narrow, row


@pytest.mark.parametrize("precision, scale", [("fp32", 1.0), ("bf16", 1.0), ("fp16", 512.0)])
def test_only_fp16_scales_its_loss_and_by_the_batch(precision, scale):
    assert loss_scale(precision, 512) == scale


def test_a_step_in_fp16_moves_float32_weights_as_float32_does():
    moves = []
    for precision in ("fp32", "fp16"):
        recipe = narrow("page24", batch=16)
        step = a_step(recipe, Settings(compute_dtype(precision), False, loss_scale(precision, 16), 1))
        start = flat(step.net.trained)
        images = tf.cast(tf.random.stateless_normal([16, 32, 32, 3], [1, 2]), compute_dtype(precision))
        step(images, tf.constant(coloured(16).train_labels), row(0.1))
        assert all(variable.dtype == tf.float32 for variable in step.net.trained)
        moves.append(flat(step.net.trained) - start)
    assert np.linalg.norm(moves[0] - moves[1]) < 0.1 * np.linalg.norm(moves[0])


@pytest.mark.parametrize("name", LOOPS)
def test_an_overflow_ends_the_run_with_the_scale_and_what_to_do(name):
    """On a CPU, where a run in fp16 is refused because it would be slow, but is the same arithmetic."""
    step = a_step(
        narrow("page24", batch=16, epochs=2, learning_rate=knots((0, 0.01))), Settings(tf.float16, False, 1e9, 1)
    )
    data = coloured(32)
    loop = LOOPS[name](step, len(data.train_labels))
    loop.load(data)
    evaluation = Evaluation(step.net, len(data.test_labels), tf.float16, xla=False)
    evaluation.load(data.test_images, data.test_labels)
    writer = Writer(None)
    course = TrainingRun(
        Components(step, loop, evaluation, data.test_labels, "fp16"), 94.0, "last", writer, PhaseLog(writer)
    )
    sentence = r"after epoch 1: fp16 has overflowed \(loss scale 1e\+09\), or .*; try PRECISION=bf16 or fp32"
    with pytest.raises(TrainingFailed, match=sentence):
        course.run(0)


@pytest.mark.parametrize("place", ["kernel", "statistic", "head"])
def test_a_weight_that_is_no_number_is_found_even_where_the_loss_hides_it(place):
    step = a_step(narrow("page24", batch=16))
    assert step.is_finite()
    block = step.net.blocks[0]
    variable = {"kernel": block.kernel, "statistic": block.norm.variance, "head": step.net.head}[place]
    values = variable.numpy()
    values.flat[0] = np.nan
    variable.assign(values)
    assert not step.is_finite()
