"""WATCH: which GPU is sampled while a run trains, and that not getting one costs no run."""

from __future__ import annotations

import pytest

from bench.campaign import plan
from bench.campaign.plan import GpuWatch
from bench.errors import UsageError
from bench.probes.device import CPU, Device
from bench.probes.gpu import DriverMismatch, Gpu, GpuInventory, LostGpu
from bench.telemetry.gpu_source import GpuSelection

CARDS = tuple(
    Gpu(index, f"GPU-{index}000-aa", name, 2**34, "550.54", "12.4", (7, 0))
    for index, name in enumerate(("Tesla V100", "NVIDIA H200"))
)
ON_THE_SECOND = Device("gpu", "GPU-1000-aa", "NVIDIA H200 x", "NVIDIA H200")


def cards() -> GpuInventory:
    return GpuInventory(CARDS)


def never() -> GpuInventory:
    raise AssertionError("nobody asked for another GPU")


def broken() -> GpuInventory:
    raise DriverMismatch("The driver was updated.")


@pytest.mark.parametrize("asked", [None, "auto", ""])
def test_the_card_that_trains_is_the_card_that_is_sampled(asked: str | None) -> None:
    assert plan.watched(asked, ON_THE_SECOND, never) == GpuWatch(GpuSelection("GPU-1000-aa", "trains"))


def test_a_slice_of_a_gpu_is_sampled_as_it_was_named() -> None:
    sliced = Device("gpu", "MIG-0123", "NVIDIA H200 x", "NVIDIA H200")

    assert plan.watched(None, sliced, never) == GpuWatch(GpuSelection("MIG-0123", "trains"))


def test_nothing_is_sampled_beside_a_cpu_unless_a_card_is_named() -> None:
    found = plan.watched(None, CPU, never)

    assert (found.chosen, found.notice) == (None, "")
    assert found.why_none == "a CPU trains and no other card was named"


@pytest.mark.parametrize("asked", ["1", "GPU-1000-aa", "GPU-1"])
def test_a_card_that_is_named_is_watched_beside_a_cpu(asked: str) -> None:
    assert plan.watched(asked, CPU, cards) == GpuWatch(GpuSelection("GPU-1000-aa", "watched"))


def test_a_card_that_is_named_trains_where_it_does() -> None:
    assert plan.watched("1", ON_THE_SECOND, cards) == GpuWatch(GpuSelection("GPU-1000-aa", "trains"))
    assert plan.watched("0", ON_THE_SECOND, cards) == GpuWatch(GpuSelection("GPU-0000-aa", "watched"))


def test_none_is_none_even_where_a_gpu_trains() -> None:
    found = plan.watched("none", ON_THE_SECOND, never)

    assert (found.chosen, found.notice) == (None, "")
    assert "WATCH=none" in found.why_none


@pytest.mark.parametrize("asked", ["7", "GPU-9000"])
def test_an_index_that_no_gpu_has_is_one_sentence_and_no_error(asked: str) -> None:
    found = plan.watched(asked, CPU, cards)

    assert found.chosen is None
    assert found.notice == (
        f"WATCH={asked} cannot be sampled: WATCH names none of the GPUs here; there are 0 (GPU-0000-aa), "
        "1 (GPU-1000-aa). The runs are made, and their records say so."
    )
    assert "GPU-" not in found.why_none  # Records are published.


def test_a_driver_that_is_missing_or_broken_is_one_sentence_and_no_error() -> None:
    missing = plan.watched("0", CPU, lambda: GpuInventory((), "there is no NVIDIA driver library"))
    assert missing.why_none == "there is no NVIDIA driver library"
    assert missing.notice.startswith("WATCH=0 cannot be sampled: there is no NVIDIA driver library; leave WATCH out")

    mismatch = plan.watched("0", CPU, broken)
    assert mismatch.why_none == "the driver does not work (DriverMismatch)"
    assert mismatch.notice.count(".") == 2


@pytest.mark.parametrize(("asked", "meant"), [("atuo", "auto"), ("non", "none"), ("gpu 1", "")])
def test_a_word_that_is_no_gpu_is_refused(asked: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan.watched(asked, CPU, never)

    assert f"WATCH={asked!r} is none of auto, none, a GPU's index or its UUID" in str(refused.value)
    assert (f"did you mean WATCH={meant}?" in str(refused.value)) == bool(meant)


@pytest.mark.parametrize("asked", ["1", "GPU-lost"])
def test_a_lost_card_that_is_named_to_be_watched_is_one_sentence_and_no_error(asked: str) -> None:
    found = plan.watched(asked, CPU, lambda: GpuInventory(CARDS[:1], lost=(LostGpu(1, None, "code 15"),)))
    assert (found.chosen, found.why_none) == (None, "that GPU is lost (code 15)")
    assert f"WATCH={asked} cannot be sampled: {found.why_none}" in found.notice
