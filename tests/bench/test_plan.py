from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import plan
from bench.errors import EnvironmentProblem, UsageError
from bench.plan import CPU, Device, Wishes
from bench.probes import host
from bench.probes.gpu import Gpu, Sight

CARDS = tuple(
    Gpu(index, f"GPU-{index}000-aa", name, 2**34, "550.54", "12.4", (7, 0))
    for index, name in enumerate(("Tesla V100", "NVIDIA H200"))
)
GPU = Device("gpu", "GPU-0000-aa", "Tesla V100 x", "Tesla V100")
NO_GPU = Device("cpu", "cpu", "cpu", "cpu", "the driver is missing")


def cards() -> Sight:
    return Sight(CARDS)


def no_cards() -> Sight:
    return Sight((), "there is no NVIDIA driver library")


def never() -> Sight:
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

    device = plan.device(asked, cards, environ)

    assert (device.kind, device.name) == ("gpu", name)
    assert device.asked in {card.uuid for card in CARDS if card.name == name}


def test_what_identifies_a_gpu_in_files_does_not_tell_its_uuid() -> None:
    first, second = plan.device("0", cards, {}), plan.device("1", cards, {})

    assert first.key.startswith("Tesla V100 ")
    assert "0000-aa" not in first.key
    assert first.key != second.key


def test_a_slice_of_a_gpu_is_passed_on_by_its_own_name() -> None:
    one = Sight(CARDS[:1])

    assert plan.device("MIG-77", lambda: one, {}).asked == "MIG-77"
    assert plan.device("auto", lambda: one, {"CUDA_VISIBLE_DEVICES": "MIG-78,MIG-79"}).asked == "MIG-78"


def test_a_gpu_that_nvml_does_not_show_trains_unwatched_where_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()

    device = plan.device("gpu", no_cards, {}, tmp_path)

    assert (device.kind, device.asked, device.unwatched) == ("gpu", "gpu", "there is no NVIDIA driver library")
    watched = plan.watched(None, device, never)
    assert (watched.chosen, watched.why_none) == (None, "there is no NVIDIA driver library")
    assert "capability `utility`" in watched.notice


@pytest.mark.parametrize("asked", ["gpu", "0"])
def test_without_a_node_in_dev_there_is_no_gpu_to_train_on(asked: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="there is no NVIDIA driver library; DEVICE=cpu uses the CPU"):
        plan.device(asked, no_cards, {}, tmp_path)


def test_cpu_does_not_even_look_for_a_gpu() -> None:
    assert plan.device("cpu", never, {}) == CPU


def test_without_a_gpu_auto_is_the_cpu_and_says_why() -> None:
    assert plan.device(None, no_cards, {}).why_no_gpu == "there is no NVIDIA driver library"
    assert plan.device("auto", cards, {"CUDA_VISIBLE_DEVICES": "-1"}).why_no_gpu == "CUDA_VISIBLE_DEVICES=-1 hides it"


@pytest.mark.parametrize("asked", ["gpu", "0", "GPU-1"])
def test_a_gpu_that_is_asked_for_and_not_there_is_told(asked: str) -> None:
    with pytest.raises(EnvironmentProblem, match=rf"DEVICE={asked} asks for a GPU and there is none.*DEVICE=cpu"):
        plan.device(asked, no_cards, {})


@pytest.mark.parametrize(("asked", "meant"), [("gup", "gpu"), ("CPU", "cpu"), ("cuda", None), ("-1", None)])
def test_a_device_that_is_none_is_told_with_the_nearest(asked: str, meant: str | None) -> None:
    with pytest.raises(UsageError) as error:
        plan.device(asked, cards, {})

    assert f"DEVICE={asked!r} is none of" in str(error.value)
    assert meant is None or f"did you mean DEVICE={meant}?" in str(error.value)


# The recipe


@pytest.mark.parametrize(
    ("wishes", "where", "recipe"),
    [
        (Wishes(), GPU, "resnet9"),
        (Wishes(), NO_GPU, "smoke"),
        (Wishes(data="synthetic"), NO_GPU, "smoke"),
        (Wishes(recipe="keras24"), NO_GPU, "keras24"),
        (Wishes(recipe="keras24"), GPU, "keras24"),
        (Wishes(smoke=True), GPU, "smoke"),
        (Wishes(smoke=True, data="/cifar"), NO_GPU, "smoke"),
        (Wishes(smoke=True, recipe="smoke"), GPU, "smoke"),
    ],
)
def test_the_recipe_is_what_was_asked_or_what_the_machine_can_do(wishes: Wishes, where: Device, recipe: str) -> None:
    assert plan.recipe_name(wishes, where) == recipe


def test_data_for_the_smoke_check_is_a_misunderstanding_and_told() -> None:
    with pytest.raises(UsageError, match=r"no use for DATA=/cifar; leave DATA out, or add RECIPE=speedrun SEEDS=1"):
        plan.recipe_name(Wishes(data="/cifar"), NO_GPU)


def test_the_smoke_check_with_another_recipe_is_a_contradiction() -> None:
    with pytest.raises(UsageError, match=r"leave RECIPE=page24 out or type make bench"):
        plan.recipe_name(Wishes(smoke=True, recipe="page24"), GPU)


# The rest


def test_a_gpu_gets_five_seeds_on_cifar10_with_the_input_on_the_device() -> None:
    todo = plan.complete(Wishes(), GPU, "page24", "cifar10")

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
    todo = plan.complete(Wishes(), NO_GPU, "smoke", "synthetic")

    assert (todo.seeds, todo.data, todo.input) == ((0, 1), "synthetic", "host")
    assert todo.notice == (
        "No GPU here: the driver is missing. This checks the harness on a built-in stand-in and is no CIFAR-10 result. "
        "For the real thing on this CPU: make bench RECIPE=speedrun SEEDS=1 DEVICE=cpu "
        "(about 11 minutes on 2 cores with bf16 instructions, longer on others)."
    )
    assert "\n" not in todo.notice


def test_smoke_on_a_gpu_says_how_to_get_a_result_there() -> None:
    assert plan.complete(Wishes(smoke=True), GPU, "smoke", "synthetic").notice.endswith("result: make bench.")


def test_the_notice_is_about_the_data_and_not_about_the_recipe() -> None:
    on_cifar10 = plan.complete(Wishes(recipe="smoke", data="/cifar"), plan.CPU, "smoke", "synthetic")
    on_stand_in = plan.complete(Wishes(recipe="page24", data="synthetic"), plan.CPU, "page24", "cifar10")

    assert (on_cifar10.data, on_cifar10.notice) == ("/cifar", "")
    assert on_stand_in.notice.startswith("This checks the harness on a built-in stand-in")


def test_a_recipe_on_a_cpu_is_trained_on_cifar10() -> None:
    todo = plan.complete(Wishes(recipe="page24"), NO_GPU, "page24", "cifar10")

    assert (todo.data, len(todo.seeds), todo.notice) == (None, 5, "")


def test_what_was_asked_for_is_kept() -> None:
    wishes = Wishes("page24", "3,1", "/cifar", "host", "fp32", "gpu", 3)

    todo = plan.complete(wishes, GPU, "page24", "cifar10")

    assert (todo.seeds, todo.data, todo.input, todo.precision, todo.threads) == ((3, 1), "/cifar", "host", "fp32", 3)


def test_auto_input_is_the_default() -> None:
    assert plan.complete(Wishes(input="auto"), GPU, "page24", "cifar10").input == "device"


def test_the_smoke_check_leaves_the_persons_data_alone() -> None:
    assert plan.complete(Wishes(smoke=True, data="/cifar"), GPU, "smoke", "synthetic").data == "synthetic"


def test_seeds_are_checked() -> None:
    with pytest.raises(UsageError, match="twice"):
        plan.complete(Wishes(seeds="1,1"), GPU, "page24", "cifar10")
