"""Which GPU a run gets: by DEVICE, by CUDA_VISIBLE_DEVICES as CUDA reads it, beside lost ones, and of a slice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import EnvironmentProblem
from bench.probes.gpu import Gpu, GpuInventory, GpuLost, LostGpu, choose, first_visible, hidden_by
from resnet9.device import driver as trainers_driver
from tests.support import fake_nvml


def gpu(index: int, uuid: str, name: str = "V100") -> Gpu:
    return Gpu(index, uuid, name, None, "550.54", "12.4", (7, 0))


ONE, OTHER = gpu(0, "GPU-aaaa"), gpu(1, "GPU-abbb")
TWO = GpuInventory((ONE, OTHER))
SLICE = "MIG-11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("device", "variable", "index"),
    [
        ("auto", None, 0),
        ("gpu", "1", 1),
        ("auto", "1,0", 1),
        ("auto", "01", 1),
        ("auto", "0-1", 0),
        ("auto", "1gpu2,2ampere", 1),
        ("auto", " GPU-ab ", 1),
        ("GPU-abbb", None, 1),
        ("GPU-abbb", "0", 1),  # our trainer sets the variable to what was asked for
        ("1", "-1", 1),
        ("01", None, 1),
        ("cpu", None, None),
        ("auto", "", None),
        ("gpu", "-1", None),
        ("auto", "NoDevFiles", None),
        ("auto", "cuda:0", None),
        ("auto", "0,0", None),
    ],
)
def test_the_gpu_of_a_run_is_the_one_that_cuda_will_take(device: str, variable: str | None, index: int | None) -> None:
    chosen = choose(TWO, device, variable)
    assert (chosen and chosen.index) == index


#: What CUDA makes of a value of the variable: the first entry, None for no GPU.
READ = [
    ("1gpu2,2ampere", "1"),
    ("0, 1, 2, -1, 3", "0"),
    ("0, 1, 2, 1", None),
    ("2, +3, -0, 5", "2"),
    ("-0", "0"),
    ("+3", "3"),
    ("one,two,3,4", None),
    ("4,3,two,one", "4"),
    ("GPU-9e8d35e3", "GPU-9e8d35e3"),
    ("GPU-123, 2", "GPU-123"),
    ("GPU-1,GPU-1", None),
    ("GPU-1,MIG-2", "GPU-1"),
    ("MIG-89c850dc,MIG-1", "MIG-89c850dc"),
    ("01", "1"),
    ("000", "0"),
    ("0-1", "0"),
    ("00,0", None),
    ("", None),
    (" ", None),
    (",0", None),
    ("-1", None),
    ("cuda:0", None),
    ("all", None),
    ("\u00b2", None),
    ("9" * 5000, "9" * 5000),
]


@pytest.mark.parametrize(("value", "first"), READ)
def test_the_variable_is_read_as_cuda_reads_it_by_harness_and_trainer(value: str, first: str | None) -> None:
    assert first_visible(value) == first
    assert trainers_driver.first_visible(value) == first


@given(st.text(alphabet="0123456789+-,GPUMI abc:\u0663") | st.text())
def test_harness_and_trainer_read_any_value_alike(value: str) -> None:
    assert first_visible(value) == trainers_driver.first_visible(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        ("0", None),
        ("", "CUDA_VISIBLE_DEVICES=''"),
        ("-1", "CUDA_VISIBLE_DEVICES=-1"),
        ("no gpu", "CUDA_VISIBLE_DEVICES='no gpu'"),
    ],
)
def test_a_variable_that_hides_every_gpu_is_named_as_it_can_be_typed(value: str | None, told: str | None) -> None:
    assert hidden_by(value) == told


@pytest.mark.parametrize(
    ("device", "variable"),
    [("auto", "2"), ("auto", "GPU-a"), ("GPU-cccc", None), ("2", None), ("auto", "9" * 5000)],
)
def test_a_gpu_that_is_not_exactly_one_is_refused_with_those_there_are(device: str, variable: str | None) -> None:
    with pytest.raises(EnvironmentProblem, match=r"0 \(GPU-aaaa\), 1 \(GPU-abbb\)") as refused:
        choose(TWO, device, variable)
    assert not isinstance(refused.value, GpuLost)
    assert ("CUDA_VISIBLE_DEVICES" in str(refused.value)) == (variable is not None)


def test_without_gpus_none_is_chosen() -> None:
    assert choose(GpuInventory(()), "GPU-aaaa") is None


# Beside a lost one

LOST = GpuInventory(
    (gpu(1, "GPU-abbb"), gpu(2, "GPU-cccc")), lost=(LostGpu(0, None, "code 15"), LostGpu(3, "GPU-dddd", "x"))
)


@pytest.mark.parametrize(
    ("device", "variable", "index"),
    [
        ("auto", None, 1),
        ("gpu", None, 1),
        ("1", None, 1),
        ("GPU-cccc", None, 2),
        ("auto", "2", 2),
        ("auto", "-1", None),
    ],
)
def test_a_lost_gpu_that_nobody_asked_for_does_not_matter(device: str, variable: str | None, index: int | None) -> None:
    chosen = choose(LOST, device, variable)
    assert (chosen and chosen.index) == index


@pytest.mark.parametrize(
    ("device", "variable"),
    [("0", None), ("auto", "0,1"), ("3", None), ("GPU-dddd", None), ("GPU-unknown", None), ("gpu", "GPU-d")],
)
def test_a_lost_gpu_that_was_asked_for_or_may_be_the_one_stops_the_run(device: str, variable: str | None) -> None:
    with pytest.raises(GpuLost, match=r"choose of 1 \(GPU-abbb\), 2 \(GPU-cccc\)"):
        choose(LOST, device, variable)


# Slices


def never(slice_uuid: str) -> str | None:
    raise AssertionError("the only GPU needs no question")


def test_a_slice_of_the_only_gpu_is_that_gpu() -> None:
    assert choose(GpuInventory((ONE,)), "auto", "MIG-1234", never) is ONE


@pytest.mark.parametrize(("device", "variable"), [(SLICE, None), ("auto", f"{SLICE},MIG-2"), ("gpu", SLICE)])
def test_a_slice_is_of_the_gpu_that_the_driver_names(device: str, variable: str | None) -> None:
    assert choose(TWO, device, variable, {SLICE: "GPU-abbb"}.get) is OTHER


def test_a_slice_by_its_older_name_is_of_the_gpu_in_it() -> None:
    assert choose(TWO, "MIG-GPU-abbb/7/0", None, {}.get) is OTHER


def test_a_slice_of_nobody_knows_which_gpu_has_what_all_have_in_common() -> None:
    mixed = GpuInventory((ONE, gpu(1, "GPU-abbb", "A100")))
    assert choose(TWO, SLICE, None, {}.get) == Gpu(None, SLICE, "V100", None, "550.54", "12.4", (7, 0))
    unnamed = choose(mixed, SLICE, None, {SLICE: "GPU-not-here"}.get)
    assert unnamed == Gpu(None, SLICE, "NVIDIA GPU", None, "550.54", "12.4", (7, 0))


def test_a_slice_of_a_lost_gpu_is_lost() -> None:
    with pytest.raises(GpuLost):
        choose(LOST, SLICE, None, {SLICE: "GPU-dddd"}.get)
    one_left = GpuInventory((ONE,), lost=LOST.lost)
    assert choose(one_left, SLICE, None, {}.get) == Gpu(None, SLICE, "V100", None, "550.54", "12.4", (7, 0))


@pytest.mark.parametrize(
    ("slice_uuid", "lines", "opened"),
    [
        ("MIG-GPU-bbbbbbbb-0000/7/0", fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "GPU-bbbbbbbb-0000"),
        (f"MIG-{fake_nvml.UUID}/7/0", fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, fake_nvml.UUID),
        (SLICE, (), fake_nvml.UUID),
        ("MIG-GPU-bbbbbbbb-0000/7/0", ("gpu 0 slice MIG-GPU-bbbbbbbb-0000/7/0",), "MIG-GPU-bbbbbbbb-0000/7/0"),
        (SLICE, fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, None),
        ("MIG-GPU-cccccccc-0000/7/0", fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, None),
        ("MIG-GPU-bbbbbbbb-0000", fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, None),
        ("MIG-GPU-bbbbbbbb-0000/7/0", (*fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, "gpu 1 name lost"), None),
    ],
)
def test_a_slice_that_the_driver_does_not_open_is_read_as_its_gpu_where_that_is_known(
    tmp_path: Path, slice_uuid: str, lines: tuple[str, ...], opened: str | None
) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    told = fake_nvml.scenario(tmp_path / "scenario", *lines, profile="A100")
    asked = f"gpu.open_card({slice_uuid!r}).gpu.uuid"
    (found,) = fake_nvml.answers(fake_nvml.build(tmp_path), told, asked)
    assert (found if isinstance(found, str) else None) == opened


@pytest.mark.parametrize(
    ("lines", "driver", "parent"),
    [
        ((f"gpu 1 slice {SLICE}",), 550, "GPU-bbbbbbbb-0000"),
        ((f"gpu 1 slice {SLICE}", "gpu 1 parent unknown 0"), 550, "GPU-bbbbbbbb-0000"),
        ((f"gpu 1 slice {SLICE}", "gpu 1 parent !2"), 550, None),
        ((f"gpu 1 slice {SLICE}",), 418, None),
        ((), 550, None),
        (("driver init mismatch",), 550, None),
    ],
)
def test_the_driver_is_asked_for_the_gpu_of_a_slice(
    tmp_path: Path, lines: tuple[str, ...], driver: int, parent: str | None
) -> None:
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    library = fake_nvml.build(tmp_path, f"DRIVER={driver}")
    told = fake_nvml.scenario(tmp_path / "scenario", *fake_nvml.SECOND_CARD_FIRST_ON_THE_BUS, *lines, profile="A100")
    asked = f"parent_of({SLICE!r})"
    assert fake_nvml.answers(library, told, asked, setup="from bench.probes.gpu.devices import parent_of") == [parent]
