"""What TensorFlow says of itself, read from the output it really gives; the log lines are TensorFlow's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.probes.framework import RunCommand, ask, explain_missing_gpu, read

#: TensorFlow 2.21, with CUDA wheels that lack cuDNN.
NO_CUDNN = """\
I0000 00:00:1.0 9283 dso_loader.cc:133] Successfully opened dynamic library libcuda.so.1
I0000 00:00:1.0 9475 dso_loader.cc:144] Could not load dynamic library 'libcudnn.so.9'; dlerror: libcudnn.so.9: cannot \
open shared object file: No such file or directory; LD_LIBRARY_PATH: /somewhere
W0000 00:00:1.0 9475 cuda_executor.cc:1755] Failed to determine cuDNN version
"""
FAILED = "W dso_loader.cc:55] Could not load dynamic library '{}'; dlerror: {}: cannot open shared object file\n"
#: TensorFlow 2.1, before the loader fell silent; TensorRT comes first and is not what is missing.
MANY = (
    FAILED.format("libnvinfer.so.6", "libnvinfer.so.6")
    + FAILED.format("libcusolver.so.10", "libnvJitLink.so.12")
    + FAILED.format("libcusparse.so.10", "libcusparse.so.10")
    + "W gpu_device.cc:1592] Cannot dlopen some GPU libraries. Please make sure the missing libraries mentioned\n"
)


@pytest.mark.parametrize(
    ("log", "clause"),
    [
        (NO_CUDNN, "it could not load libcudnn.so.9 (cannot open shared object file: No such file or directory)"),
        (
            MANY,
            "it could not load libcusolver.so.10 (libnvJitLink.so.12: cannot open shared object file), "
            "nor libcusparse.so.10",
        ),
        (
            "E0000 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)\n",
            "libcuda.so.1 could not start (INTERNAL: CUDA error: UNKNOWN ERROR (303))",
        ),
        (
            "E cuda_diagnostics.cc:313] kernel version 550.54.15 does not match DSO version 550.90.7 -- cannot find "
            "working devices in this configuration\n",
            "the driver's kernel module is version 550.54.15 and its library libcuda.so.1 is 550.90.7",
        ),
        (
            "I0000 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n",
            "it could not load libcudart.so, the CUDA runtime",
        ),
        ("I0000 cpu_feature_guard.cc:227] This TensorFlow binary is optimized\n", None),
        ("", None),
    ],
)
def test_the_library_that_failed_is_named(log: str, clause: str | None) -> None:
    assert explain_missing_gpu(log) == clause


@given(st.text() | st.text().map(lambda text: f"framework-answer {text}"))
def test_any_output_is_read_without_an_error(output: str) -> None:
    assert read(output).version is None


def test_an_answer_is_found_among_the_noise_of_a_log() -> None:
    answer = read(
        f'noise\nframework-answer {{"version": "2.21.0"}}\n{NO_CUDNN}\nframework-answer {{"gpus": ["/GPU:0"]}}\n'
    )
    assert (answer.version, answer.gpus, answer.why_no_gpu, answer.error) == ("2.21.0", ("/GPU:0",), None, None)


def test_a_process_that_dies_while_listing_gpus_still_names_the_library_in_its_log() -> None:
    answer = read(f'framework-answer {{"version": "2.21.0"}}\n{NO_CUDNN}framework-answer {{"gp')
    assert (answer.version, answer.gpus) == ("2.21.0", None)
    assert answer.why_no_gpu is not None
    assert "libcudnn.so.9" in answer.why_no_gpu
    assert answer.error == "TensorFlow ended without an answer while looking for its GPUs"


def fake_tensorflow(folder: Path, listed: str, built_with_cuda: bool = False) -> Path:
    """A package of that name which lists its GPUs by the expression ``listed``."""
    (folder / "tensorflow.py").write_text(
        "from types import SimpleNamespace as Space\n"
        "__version__ = '9.9.9'\n"
        f"config = Space(list_physical_devices=lambda kind: {listed})\n"
        f"test = Space(is_built_with_cuda=lambda: {built_with_cuda})\n"
        "sysconfig = Space(get_build_info=lambda: {'cuda_version': '12.5.1', 'cudnn_version': '9'})\n"
    )
    return folder


def run_in(folder: Path) -> RunCommand:
    """Runs programs for real, with the modules of ``folder`` before the installed ones."""

    def run_command(argv: Sequence[str], timeout: float) -> str:
        environ = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
        return subprocess.run(list(argv), env=environ, stdout=subprocess.PIPE, text=True, timeout=timeout).stdout

    return run_command


CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("listed", "built_with_cuda", "gpus", "why"),
    [
        ("[Space(name='/physical_device:GPU:0')]", True, ("/physical_device:GPU:0",), None),
        ("[]", False, (), "built for the CPU alone"),
        ("[]", True, (), "libcuda.so.1 failed to load"),
        ("1 / 0", True, None, "libcuda.so.1 failed to load"),
    ],
)
def test_a_framework_is_asked_for_its_version_its_gpus_and_why_it_has_none(
    tmp_path: Path, listed: str, built_with_cuda: bool, gpus: tuple[str, ...] | None, why: str | None
) -> None:
    if why == "libcuda.so.1 failed to load" and Path("/proc/driver/nvidia").exists():
        pytest.skip("this machine has an NVIDIA driver")
    answer = ask(run_in(fake_tensorflow(tmp_path, listed, built_with_cuda)), CHECKOUT)
    assert (answer.version, answer.gpus) == ("9.9.9", gpus)
    assert (why in (answer.why_no_gpu or "")) if why else answer.why_no_gpu is None
    assert (answer.error is None) is (gpus is not None)


def test_a_framework_that_cannot_be_imported_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libstdc++ is too old')")
    answer = ask(run_in(tmp_path), CHECKOUT)
    assert (answer.version, answer.error) == (None, "ImportError: libstdc++ is too old")


def test_a_framework_that_kills_its_process_is_an_answer(tmp_path: Path) -> None:
    answer = ask(run_in(fake_tensorflow(tmp_path, "__import__('os').abort()")), CHECKOUT)
    assert (answer.version, answer.error) == ("9.9.9", "TensorFlow ended without an answer while looking for its GPUs")


def test_a_framework_that_hangs_or_cannot_be_started_is_an_answer() -> None:
    def hang(argv: Sequence[str], timeout: float) -> str:
        raise TimeoutError

    def fail(argv: Sequence[str], timeout: float) -> str:
        raise FileNotFoundError(2, "No such file or directory", argv[0])

    assert "did not answer within" in (ask(hang, CHECKOUT).error or "")
    assert "No such file" in (ask(fail, CHECKOUT).error or "")
    assert sys.executable in (ask(fail, CHECKOUT).error or "")
