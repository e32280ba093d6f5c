"""What is told of TensorFlow's build, from what this one and others say."""

from types import SimpleNamespace

import pytest

from resnet9.device import build


def tensorflow(info, git="v2.17.0-18-g3c92ac03cab", compiler="Ubuntu Clang 17.0.6"):
    return SimpleNamespace(
        sysconfig=SimpleNamespace(get_build_info=lambda: info),
        version=SimpleNamespace(GIT_VERSION=git, COMPILER_VERSION=compiler),
    )


CUDA = {
    "cpu_compiler": "/usr/lib/llvm-17/bin/clang", "cuda_compute_capabilities": ["sm_60", "compute_90"],
    "cuda_version": "12.3", "cudnn_version": "8", "is_cuda_build": True, "is_rocm_build": False,
}  # fmt: skip


def test_a_build_for_gpus_tells_its_cuda_and_of_a_path_only_the_last_part():
    assert build.describe(tensorflow(CUDA), {}, lambda: "12.8") == {
        "is_cuda_build": "True",
        "cuda_version": "12.3",
        "cudnn_version": "8",
        "cpu_compiler": "clang",
        "tensorflow_git": "v2.17.0-18-g3c92ac03cab",
        "tensorflow_compiler": "Ubuntu Clang 17.0.6",
        "onednn": "default",
        "cuda_compute_capabilities": "sm_60, compute_90",
        "cuda_driver": "12.8",
    }


def test_what_a_build_for_cpus_does_not_know_is_absent():
    info = {"is_cuda_build": False, "cuda_version": None, "cudnn_version": ""}
    told = build.describe(tensorflow(info), {}, lambda: None)
    assert told["is_cuda_build"] == "False" and not {
        "cuda_version",
        "cudnn_version",
        "cpu_compiler",
        "cuda_driver",
    } & set(told)


@pytest.mark.parametrize(("value", "said"), [("0", "off"), ("false", "off"), ("1", "on"), ("", "default")])
def test_onednn_is_what_its_variable_asks_for(value, said):
    assert build.describe(tensorflow({}), {"TF_ENABLE_ONEDNN_OPTS": value})["onednn"] == said


def test_a_text_is_short_and_tells_no_folder_wherever_it_stands_in_it():
    told = build.describe(tensorflow({}, git=b"v2", compiler="clang from /home/someone/llvm/bin:18 " + "x" * 300), {})
    assert told["tensorflow_git"] == "v2"
    assert told["tensorflow_compiler"].startswith("clang from bin:18 ") and len(told["tensorflow_compiler"]) <= 120


def test_this_tensorflow_tells_its_commit_and_its_compiler():
    import tensorflow as tf

    told = build.describe(tf)
    assert told["tensorflow_git"] and told["tensorflow_compiler"] and told["is_cuda_build"] in ("True", "False")
    assert not any("/" in text for text in told.values())
