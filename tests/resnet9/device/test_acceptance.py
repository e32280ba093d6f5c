import json

import numpy as np
import pytest
import tensorflow as tf

from resnet9.device import acceptance


def test_the_references_are_what_tensorflow_computes_in_double_precision():
    random = np.random.default_rng(0)
    images, kernel, upstream = (random.standard_normal(shape) for shape in ((2, 5, 5, 3), (3, 3, 3, 4), (2, 5, 5, 4)))
    with tf.GradientTape() as tape:
        given = tf.constant(images), tf.constant(kernel)
        tape.watch(given)
        result = tf.nn.conv2d(*given, strides=1, padding="SAME")
    wanted = (result, *tape.gradient(result, given, output_gradients=tf.constant(upstream)))
    for ours, theirs in zip(acceptance.convolution(images, kernel, upstream), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    left, right, above = (random.standard_normal(shape) for shape in ((3, 4), (4, 5), (3, 5)))
    result, down, across = acceptance.product(left, right, above)
    np.testing.assert_allclose(result, left @ right)
    np.testing.assert_allclose((down * left).sum(), (above * result).sum())
    np.testing.assert_allclose((across * right).sum(), (above * result).sum())


def test_a_device_that_computes_rightly_passes_in_every_precision_asked_for():
    checks = acceptance.check_arithmetic(tf, ("fp32", "bf16"), compiled=(False,))
    assert [each.name for each in checks] == [
        "convolution in fp32", "matrix product in fp32", "convolution in bf16", "matrix product in bf16",
    ]  # fmt: skip
    assert all(each.passed and each.figure is not None and 0 < each.figure < each.tolerance for each in checks)


@pytest.mark.parametrize("wrong", [lambda x: x * 1.01, lambda x: x * float("nan"), lambda x: x + 1])
def test_a_device_that_computes_wrongly_does_not_pass(wrong):
    class Broken:
        float32, float64, errors, cast = tf.float32, tf.float64, tf.errors, staticmethod(tf.cast)
        function, GradientTape, matmul = staticmethod(tf.function), tf.GradientTape, staticmethod(tf.matmul)

        class nn:
            @staticmethod
            def conv2d(*given, **how):
                return wrong(tf.nn.conv2d(*given, **how))

    checks = acceptance.check_arithmetic(Broken, ("fp32",), compiled=(False,))
    assert [each.passed for each in checks] == [False, True]


def test_an_operation_that_the_device_refuses_is_a_check_that_does_not_pass():
    class Refusing:
        float32, float64, errors, cast = tf.float32, tf.float64, tf.errors, staticmethod(tf.cast)
        function, GradientTape, nn = staticmethod(tf.function), tf.GradientTape, tf.nn

        @staticmethod
        def matmul(left, right):
            return tf.raw_ops.CheckNumerics(tensor=left / 0.0, message="no such algorithm")

    checks = acceptance.check_arithmetic(Refusing, ("fp32",), compiled=(False,))
    assert [each.passed for each in checks] == [True, False]
    assert "no such algorithm" in checks[1].detail


def test_the_program_prints_one_object_and_says_by_its_exit_code_whether_all_passed(capfd):
    code = acceptance.main(["--device", "cpu"])
    found = json.loads(capfd.readouterr().out)
    assert code == 0
    assert found["passed"] and found["tensorflow"] == tf.__version__
    assert found["device"]["kind"] == "cpu" and found["device"]["compute_capability"] is None


def test_a_device_that_is_not_there_is_an_environment_problem_in_one_sentence(capfd, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert acceptance.main(["--device", "gpu"]) == 4
    assert capfd.readouterr().err.startswith("resnet9: ")
