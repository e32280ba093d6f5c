"""Choosing a device: a GPU that is there is used or complained about, never passed over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from resnet9.device.compiler import Compiler
from resnet9.device.devices import Device, cpu_precisions, gpu_precisions, select
from resnet9.errors import EnvironmentProblem, RecipeError


class FakeTensorflow:
    """Records what it is told, lists the GPUs it was made with, or raises as TensorFlow does."""

    def __init__(self, gpus: list[str] | Exception, capability: tuple[int, int] | None = (7, 0)) -> None:
        self.gpus, self.capability = gpus, capability
        self.threads: dict[str, int] = {}
        self.visible: list[str] | None = None
        self.config = SimpleNamespace(
            list_physical_devices=self._list,
            set_visible_devices=self._show,
            threading=SimpleNamespace(
                set_intra_op_parallelism_threads=lambda n: self.threads.update(intra=n),
                set_inter_op_parallelism_threads=lambda n: self.threads.update(inter=n),
            ),
            experimental=SimpleNamespace(get_device_details=self._details),
        )

    def _list(self, kind: str) -> list[str]:
        if isinstance(self.gpus, Exception):
            raise self.gpus
        return self.gpus

    def _show(self, gpus: list[str], kind: str) -> None:
        self.visible = gpus

    def _details(self, gpu: str) -> dict[str, Any]:
        return {"device_name": f"name of {gpu}", "compute_capability": self.capability}


BF16_CPU = "model name\t: Xeon\nflags\t\t: fpu avx512_bf16\n"


def selected(
    tmp_path: Path,
    kind: str = "auto",
    tf: FakeTensorflow | None = None,
    *,
    driver: tuple[str, ...] = (),
    environ: dict[str, str] | None = None,
    cpu: str = BF16_CPU,
    **options: Any,
) -> Device:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(cpu)
    return select(
        kind,
        **options,
        import_tensorflow=lambda: tf or FakeTensorflow([]),
        environ={} if environ is None else environ,
        driver_gpus=lambda: driver,
        why_unusable=lambda module: None if isinstance(module.gpus, Exception) else "libcudnn.so.9 failed to load",
        cpuinfo=cpuinfo,
    )


def test_a_machine_without_a_gpu_trains_on_its_cpu(tmp_path: Path) -> None:
    device = selected(tmp_path)
    assert device == Device("cpu", "Xeon", None, "bf16", len(os.sched_getaffinity(0)), xla=False, xla_flags="")


def test_a_gpu_is_taken_and_the_others_are_hidden(tmp_path: Path) -> None:
    tf, environ = FakeTensorflow(["a", "b"]), {"XLA_FLAGS": "--dump_to=/home/alice/out --x=1", "HOME": str(tmp_path)}
    device = selected(tmp_path, tf=tf, driver=("GPU-1", "GPU-2"), environ=environ)
    compiler = Compiler("default", "none", "cold")
    assert device == Device("gpu", "name of a", "GPU-1", "fp16", device.threads, True, "--dump_to=out --x=1", compiler)
    assert tf.visible == ["a"]
    assert environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_the_caches_are_told_as_they_were_before_the_device_started(tmp_path: Path) -> None:
    class Filling(FakeTensorflow):
        def _list(self, kind: str) -> list[str]:
            (tmp_path / "compiled").mkdir()
            (tmp_path / "compiled" / "program").touch()
            return super()._list(kind)

    environ = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path / 'compiled'}", "HOME": str(tmp_path)}
    assert selected(tmp_path, tf=Filling(["a"]), driver=("GPU-1",), environ=environ).compiler.persistent_cache == "cold"
    second = selected(tmp_path, tf=FakeTensorflow(["a"]), driver=("GPU-1",), environ=environ)
    assert second.compiler.persistent_cache == "warm"
    assert selected(tmp_path, "cpu", environ=environ).compiler == Compiler("none", "none", "none")


def test_the_cpu_can_be_asked_for_and_then_no_gpu_is_touched(tmp_path: Path) -> None:
    tf, environ = FakeTensorflow(RuntimeError("asked")), {"CUDA_VISIBLE_DEVICES": "0"}
    assert selected(tmp_path, "cpu", tf, driver=("GPU-1",), environ=environ).kind == "cpu"
    assert environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_a_gpu_asked_for_by_uuid_is_the_only_one_that_cuda_sees(tmp_path: Path) -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "0"}
    device = selected(tmp_path, "GPU-2", FakeTensorflow(["a"]), driver=("GPU-1", "GPU-2"), environ=environ)
    assert (device.uuid, environ["CUDA_VISIBLE_DEVICES"]) == ("GPU-2", "GPU-2")


@pytest.mark.parametrize(
    ("environ", "uuid"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, "GPU-2"),
        ({"CUDA_VISIBLE_DEVICES": "01"}, "GPU-2"),
        ({"CUDA_VISIBLE_DEVICES": "0-1"}, "GPU-1"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-2"}, "GPU-2"),
        ({"CUDA_VISIBLE_DEVICES": "MIG-5"}, "MIG-5"),
        ({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, None),
    ],
)
def test_the_uuid_is_that_of_cudas_first_gpu_or_not_known(
    tmp_path: Path, environ: dict[str, str], uuid: str | None
) -> None:
    assert selected(tmp_path, tf=FakeTensorflow(["a"]), driver=("GPU-1", "GPU-2"), environ=environ).uuid == uuid


def test_a_uuid_the_driver_does_not_tell_is_not_known(tmp_path: Path) -> None:
    assert selected(tmp_path, tf=FakeTensorflow(["a"]), driver=("",)).uuid is None
    assert selected(tmp_path, tf=FakeTensorflow(["a"]), driver=()).uuid is None


@pytest.mark.parametrize("kind", ["auto", "gpu", "GPU-1"])
def test_a_gpu_that_tensorflow_cannot_use_stops_the_run_and_names_the_library(tmp_path: Path, kind: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"libcudnn\.so\.9 failed to load.*DEVICE=cpu") as problem:
        selected(tmp_path, kind, driver=("GPU-1",))
    assert problem.value.exit_code == 4


def test_tensorflows_own_complaint_is_told_where_every_library_loads(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="TensorFlow says CUDA error: fake"):
        selected(tmp_path, tf=FakeTensorflow(RuntimeError("CUDA error: fake")), driver=("GPU-1",))


@pytest.mark.parametrize(
    ("hidden", "typed"), [("", "''"), ("-1", "-1"), ("NoDevFiles", "NoDevFiles"), ("cuda:0", "cuda:0"), ("0,0", "0,0")]
)
def test_gpus_hidden_on_purpose_leave_the_cpu_with_a_word_unless_one_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hidden: str, typed: str
) -> None:
    environ = {"CUDA_VISIBLE_DEVICES": hidden}
    assert selected(tmp_path, environ=environ).kind == "cpu"
    assert capsys.readouterr().err == ""  # there is none to hide
    assert selected(tmp_path, driver=("GPU-1",), environ=environ).kind == "cpu"
    assert f"CUDA_VISIBLE_DEVICES={typed} hides" in capsys.readouterr().err
    with pytest.raises(EnvironmentProblem, match=f"CUDA_VISIBLE_DEVICES={typed} hides"):
        selected(tmp_path, "gpu", driver=("GPU-1",), environ=environ)


@pytest.mark.parametrize(
    ("kind", "driver", "environ", "sentence"),
    [
        ("gpu", (), {}, "the NVIDIA driver shows no GPU"),
        ("GPU-9", ("GPU-1", "GPU-2"), {}, "there is no GPU GPU-9 here; name one of GPU-1, GPU-2"),
        ("auto", ("GPU-1",), {"CUDA_VISIBLE_DEVICES": "1"}, "CUDA_VISIBLE_DEVICES=1 is no GPU"),
        ("auto", ("GPU-1",), {"CUDA_VISIBLE_DEVICES": "01,0"}, "CUDA_VISIBLE_DEVICES=01,0 is no GPU"),
        ("auto", ("",), {}, "the NVIDIA driver shows a GPU that TensorFlow cannot use"),
    ],
)
def test_a_gpu_that_is_not_there_is_told_with_what_is(
    tmp_path: Path, kind: str, driver: tuple[str, ...], environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(EnvironmentProblem, match=sentence):
        selected(tmp_path, kind, driver=driver, environ=environ)


@pytest.mark.parametrize(("asked", "set_to"), [(None, {}), (0, {}), (1, {"intra": 1, "inter": 1})])
def test_threads_are_set_where_a_number_is_given(tmp_path: Path, asked: int | None, set_to: dict[str, int]) -> None:
    tf = FakeTensorflow([])
    device = selected(tmp_path, tf=tf, threads=asked)
    assert tf.threads == set_to
    assert device.threads == (asked or len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "tpu"}, "there is no device 'tpu'"),
        ({"precision": "fp8"}, "there is no precision 'fp8'; choose one of auto, bf16, fp16, fp32"),
        ({"threads": -1}, "the number of threads cannot be -1"),
        ({"precision": "fp16"}, "Xeon has no fp16 arithmetic; choose PRECISION=bf16 or fp32"),
        ({"precision": "bf16", "cpu": "model name : i3\nflags : avx2\n"}, "i3 has no bf16 arithmetic"),
        ({"precision": "bf16", "tf": FakeTensorflow(["a"])}, "name of a has no bf16 arithmetic"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as error:
        selected(tmp_path, **options)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("capability", "precisions"),
    [
        ((6, 1), ("fp32",)),
        ((7, 0), ("fp16", "fp32")),
        ((8, 0), ("bf16", "fp16", "fp32")),
        ((12, 0), ("bf16", "fp16", "fp32")),
        (None, ("fp32",)),
    ],
)
def test_a_gpus_precisions_follow_its_compute_capability(
    capability: tuple[int, int] | None, precisions: tuple[str, ...]
) -> None:
    assert gpu_precisions(capability) == precisions


@pytest.mark.parametrize(
    ("cpuinfo", "precisions"),
    [
        ("flags : fpu amx_bf16", ("bf16", "fp32")),
        ("flags : fpu avx512_bf16 sse", ("bf16", "fp32")),
        ("flags : fpu avx512f amx_bf16_not_quite\nbugs : amx_bf16", ("fp32",)),
        ("", ("fp32",)),
    ],
)
def test_a_cpus_precisions_follow_its_flags(tmp_path: Path, cpuinfo: str, precisions: tuple[str, ...]) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo)
    assert cpu_precisions(path) == precisions


def test_a_cpu_of_unknown_kind_still_trains(tmp_path: Path) -> None:
    assert cpu_precisions(tmp_path / "missing") == ("fp32",)
    assert selected(tmp_path, cpu="").name == "CPU"


@pytest.mark.slow
def test_the_real_tensorflow_takes_one_thread_on_the_cpu() -> None:
    pytest.importorskip("tensorflow")
    code = """
from resnet9.device.devices import select
device = select("cpu", "fp32", 1)
import tensorflow as tf
threads = tf.config.threading.get_intra_op_parallelism_threads(), tf.config.threading.get_inter_op_parallelism_threads()
print(device.kind, device.threads, *threads, tf.config.list_logical_devices("GPU"))
"""
    checkout = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "cpu 1 1 1 []"
