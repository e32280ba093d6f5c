from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.campaign import plan
from bench.campaign.plan import RunOptions
from bench.errors import EnvironmentProblem, UsageError
from bench.probes import host
from bench.probes.device import CPU, Device
from bench.probes.device import device as find_device
from bench.probes.gpu import Gpu, GpuInventory, GpuLost, LostGpu
from bench.telemetry.gpu_source import GpuSelection

CARDS = tuple(
    Gpu(index, f"GPU-{index}000-aa", name, 2**34, "550.54", "12.4", (7, 0))
    for index, name in enumerate(("Tesla V100", "NVIDIA H200"))
)
GPU = Device("gpu", "GPU-0000-aa", "Tesla V100 x", "Tesla V100")
NO_GPU = Device("cpu", "cpu", "cpu", "cpu", "the driver is missing")


def cards() -> GpuInventory:
    return GpuInventory(CARDS)


def beside_a_lost_one() -> GpuInventory:
    return GpuInventory(CARDS[1:], lost=(LostGpu(0, None, "the driver answers code 15"),))


def no_cards() -> GpuInventory:
    return GpuInventory((), "there is no NVIDIA driver library")


def never() -> GpuInventory:
    raise AssertionError("DEVICE=cpu must not touch the driver")


# The device


@pytest.mark.parametrize(
    ("asked", "visible", "name"),
    [
        (None, None, "Tesla V100"),
        ("auto", None, "Tesla V100"),
        ("gpu", "1", "NVIDIA H200"),
        ("1", None, "NVIDIA H200"),
        ("GPU-1000-aa", None, "NVIDIA H200"),
    ],
)
def test_a_gpu_is_chosen_where_there_is_one(asked: str | None, visible: str | None, name: str) -> None:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}

    device = find_device(asked, cards, environ)

    assert (device.kind, device.name) == ("gpu", name)
    assert device.argument in {card.uuid for card in CARDS if card.name == name}


def test_what_identifies_a_gpu_in_files_does_not_tell_its_uuid() -> None:
    first, second = find_device("0", cards, {}), find_device("1", cards, {})

    assert first.key.startswith("Tesla V100 ")
    assert "0000-aa" not in first.key
    assert first.key != second.key


def test_a_slice_of_a_gpu_is_passed_on_by_its_own_name() -> None:
    one = GpuInventory(CARDS[:1])

    assert find_device("MIG-77", lambda: one, {}).argument == "MIG-77"
    assert find_device("auto", lambda: one, {"CUDA_VISIBLE_DEVICES": "MIG-78,MIG-79"}).argument == "MIG-78"


@pytest.mark.parametrize("older", ["", "GPU-1000-aa/7/0"])
def test_a_slice_beside_other_gpus_is_passed_on_and_unwatched_only_where_nobody_knows_its_gpu(older: str) -> None:
    device = find_device("auto", cards, {"CUDA_VISIBLE_DEVICES": f"MIG-{older or 77}"})

    assert (device.kind, device.argument) == ("gpu", f"MIG-{older or 77}")
    assert device.name == ("NVIDIA H200" if older else "NVIDIA GPU")
    watched = plan.watched(None, device, never)
    if older:
        assert (watched.chosen, watched.notice) == (GpuSelection(f"MIG-{older}"), "")
    else:
        assert (watched.chosen, watched.why_none) == (None, device.unwatched)
        assert device.unwatched in watched.notice
        assert "container" not in watched.notice


def test_a_gpu_that_was_asked_for_is_not_changed_for_a_slice_that_a_variable_names() -> None:
    assert find_device("1", cards, {"CUDA_VISIBLE_DEVICES": "MIG-77"}).argument == "GPU-1000-aa"


@pytest.mark.parametrize("asked", ["auto", "gpu", "1", "GPU-1000-aa"])
def test_a_gpu_beside_a_lost_one_is_taken_and_the_note_says_which(asked: str) -> None:
    device = find_device(asked, beside_a_lost_one, {})

    assert device.argument == "GPU-1000-aa"
    (note,) = device.notes()
    assert "GPU 0 is lost: the driver answers code 15." in note
    assert "GPU 1 (GPU-1000-aa) is used." in note


def test_a_lost_gpu_that_was_asked_for_stops_the_run() -> None:
    with pytest.raises(GpuLost, match="GPU 0 is lost"):
        find_device("0", beside_a_lost_one, {})


def test_a_gpu_that_nvml_does_not_show_trains_unwatched_where_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()

    device = find_device("gpu", no_cards, {}, tmp_path)

    assert (device.kind, device.argument, device.unwatched) == ("gpu", "gpu", "there is no NVIDIA driver library")
    inside, outside = (plan.watched(None, device, never, lambda kind=kind: kind) for kind in ("docker", "none"))
    assert (inside.chosen, inside.why_none) == (None, "there is no NVIDIA driver library")
    assert "capability `utility`" in inside.notice
    assert "there is no NVIDIA driver library" in outside.notice
    assert "container" not in outside.notice


@pytest.mark.parametrize("asked", ["gpu", "0"])
def test_without_a_node_in_dev_there_is_no_gpu_to_train_on(asked: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"there is no NVIDIA driver library\. DEVICE=cpu"):
        find_device(asked, no_cards, {}, tmp_path)


def test_cpu_does_not_even_look_for_a_gpu() -> None:
    assert find_device("cpu", never, {}) == CPU


def test_without_a_gpu_auto_is_the_cpu_and_says_why() -> None:
    assert find_device(None, no_cards, {}).why_no_gpu == "there is no NVIDIA driver library"
    assert find_device(None, no_cards, {}).notes() == ("No GPU here: there is no NVIDIA driver library.",)
    assert find_device("cpu", never, {}).notes() == find_device("auto", cards, {}).notes() == ()


@pytest.mark.parametrize(("value", "typed"), [("-1", "-1"), ("", "''"), ("cuda:0", "cuda:0"), ("0,0", "0,0")])
def test_a_gpu_that_a_variable_hides_is_told_with_the_variable(value: str, typed: str) -> None:
    environ = {"CUDA_VISIBLE_DEVICES": value}
    device = find_device("auto", cards, environ)

    assert device.kind == "cpu"
    assert f"CUDA_VISIBLE_DEVICES={typed} hides" in device.why_no_gpu
    with pytest.raises(EnvironmentProblem, match=f"CUDA_VISIBLE_DEVICES={typed} hides"):
        find_device("gpu", cards, environ)


@pytest.mark.parametrize(("value", "name"), [("01", "NVIDIA H200"), ("0-1", "Tesla V100"), ("1gpu", "NVIDIA H200")])
def test_a_variable_is_read_as_cuda_reads_it(value: str, name: str) -> None:
    assert find_device("auto", cards, {"CUDA_VISIBLE_DEVICES": value}).name == name


@pytest.mark.parametrize("asked", ["gpu", "0", "GPU-1"])
def test_a_gpu_that_is_asked_for_and_not_there_is_told(asked: str) -> None:
    with pytest.raises(EnvironmentProblem, match=rf"DEVICE={asked} asks for a GPU and there is none.*DEVICE=cpu"):
        find_device(asked, no_cards, {})


@pytest.mark.parametrize(("asked", "meant"), [("gup", "gpu"), ("CPU", "cpu"), ("cuda", None), ("-1", None)])
def test_a_device_that_is_none_is_told_with_the_nearest(asked: str, meant: str | None) -> None:
    with pytest.raises(UsageError) as error:
        find_device(asked, cards, {})

    assert f"DEVICE={asked!r} is none of" in str(error.value)
    assert meant is None or f"did you mean DEVICE={meant}?" in str(error.value)


# The recipe


@pytest.mark.parametrize(
    ("wishes", "where", "recipe"),
    [
        (RunOptions(), GPU, "resnet9"),
        (RunOptions(), NO_GPU, "smoke"),
        (RunOptions(data="synthetic"), NO_GPU, "smoke"),
        (RunOptions(recipe="keras24"), NO_GPU, "keras24"),
        (RunOptions(recipe="keras24"), GPU, "keras24"),
        (RunOptions(smoke=True), GPU, "smoke"),
        (RunOptions(smoke=True, data="/cifar"), NO_GPU, "smoke"),
        (RunOptions(smoke=True, recipe="smoke"), GPU, "smoke"),
    ],
)
def test_the_recipe_is_what_was_asked_or_what_the_machine_can_do(
    wishes: RunOptions, where: Device, recipe: str
) -> None:
    assert plan.recipe_name(wishes, where) == recipe


def test_data_for_the_smoke_check_is_a_misunderstanding_and_told() -> None:
    with pytest.raises(UsageError, match=r"DATA=/cifar.*RECIPE=speedrun SEEDS=1"):
        plan.recipe_name(RunOptions(data="/cifar"), NO_GPU)


def test_the_smoke_check_with_another_recipe_is_a_contradiction() -> None:
    with pytest.raises(UsageError, match=r"RECIPE=page24"):
        plan.recipe_name(RunOptions(smoke=True, recipe="page24"), GPU)


# The rest


def test_a_gpu_gets_five_seeds_on_cifar10_with_the_input_on_the_device() -> None:
    todo = plan.complete(RunOptions(), GPU, "page24", "cifar10")

    assert (todo.seeds, todo.data, todo.input, todo.precision, todo.notice) == (
        (0, 1, 2, 3, 4),
        None,
        "device",
        "auto",
        "",
    )
    assert 1 <= todo.threads <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("cores", "share", "threads"), [(8, None, 8), (8, 2.5, 3), (8, 0.5, 1), (2, 16.0, 2)])
def test_the_trainer_gets_the_cpus_that_a_container_can_keep_busy(
    cores: int, share: float | None, threads: int
) -> None:
    machine = replace(host.read(), cpu_cores=cores, cgroup_cpu_cores=share)

    assert plan.usable_cpus(machine) == threads


def test_a_cpu_gets_two_seeds_of_smoke_and_is_told_what_they_are_not() -> None:
    todo = plan.complete(RunOptions(), NO_GPU, "smoke", "synthetic")

    assert (todo.seeds, todo.data, todo.input) == ((0, 1), "synthetic", "host")
    assert todo.notice == (
        "This checks the harness on the synthetic dataset and is not a CIFAR-10 result. "
        "For a CIFAR-10 result on this CPU: make bench RECIPE=speedrun SEEDS=1 DEVICE=cpu "
        "(about 11 minutes on 2 cores with bf16 instructions, longer on others)."
    )
    assert "\n" not in todo.notice


def test_smoke_on_a_gpu_says_how_to_get_a_result_there() -> None:
    assert plan.complete(RunOptions(smoke=True), GPU, "smoke", "synthetic").notice.endswith("result: make bench.")


def test_the_notice_is_about_the_data_and_not_about_the_recipe() -> None:
    on_cifar10 = plan.complete(RunOptions(recipe="smoke", data="/cifar"), CPU, "smoke", "synthetic")
    on_stand_in = plan.complete(RunOptions(recipe="page24", data="synthetic"), CPU, "page24", "cifar10")

    assert (on_cifar10.data, on_cifar10.notice) == ("/cifar", "")
    assert on_stand_in.notice.startswith("This checks the harness on the synthetic dataset")


def test_a_recipe_on_a_cpu_is_trained_on_cifar10() -> None:
    todo = plan.complete(RunOptions(recipe="page24"), NO_GPU, "page24", "cifar10")

    assert (todo.data, len(todo.seeds), todo.notice) == (None, 5, "")


def test_what_was_asked_for_is_kept() -> None:
    wishes = RunOptions("page24", "3,1", "/cifar", "host", "fp32", "gpu", 3)

    todo = plan.complete(wishes, GPU, "page24", "cifar10")

    assert (todo.seeds, todo.data, todo.input, todo.precision, todo.threads) == ((3, 1), "/cifar", "host", "fp32", 3)


def test_auto_input_is_the_default() -> None:
    assert plan.complete(RunOptions(input="auto"), GPU, "page24", "cifar10").input == "device"


def test_the_smoke_check_leaves_the_persons_data_alone() -> None:
    assert plan.complete(RunOptions(smoke=True, data="/cifar"), GPU, "smoke", "synthetic").data == "synthetic"


def test_seeds_are_checked() -> None:
    with pytest.raises(UsageError, match="twice"):
        plan.complete(RunOptions(seeds="1,1"), GPU, "page24", "cifar10")
