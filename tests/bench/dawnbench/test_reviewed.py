"""What reviewers ask for is found where it is told, and bounded in time whatever is told."""

from __future__ import annotations

import time

import pytest

from bench.dawnbench import board, reviewed


@pytest.mark.parametrize("hardware", [
    "1 V100", "8xV100", "V100 x 8", "8V100", "8 * V100", "1 x V100, 8 vCPU, 61 GB", "2 cores of an AMD EPYC", "1 H200",
    "1 NVIDIA H100 80GB HBM3", "4x GTX 1080 Ti", "two K80", "1 MI300X", "TPU v3-8", "p3.2xlarge", "Standard_NC6",
    "a2-highgpu-1g", "1\xa0V100", "16 CPU", "8 GPUs",
])  # fmt: skip
def test_hardware_with_a_number_and_a_device_or_a_machine_type_is_told(hardware: str) -> None:
    assert reviewed.names_device(hardware)


@pytest.mark.parametrize("hardware", [
    "Example GPU Cloud", "V100", "NVIDIA H200", "GTX 1080 Ti", "61 GB", "V100 / 61 GB", "my laptop", "1 machine", "AWS",
    "3 things",
])  # fmt: skip
def test_hardware_without_one_of_them_is_not(hardware: str) -> None:
    assert not reviewed.names_device(hardware)


@pytest.mark.parametrize(
    "framework", ["PyTorch 1.1.0", "TensorFlow v1.2", "TensorFlow1.8", "torch @ 0a1b2c3", "none 1"]
)
def test_a_framework_with_a_version_or_a_commit_is_told(framework: str) -> None:
    assert reviewed.names_version(framework)


@pytest.mark.parametrize("framework", ["PyTorch", "Caffe2", "fastai / pytorch", "c++"])
def test_a_framework_without_one_is_not(framework: str) -> None:
    assert not reviewed.names_version(framework)


def test_the_published_entries_tell_nearly_all_of_it() -> None:
    entries = board.entries()
    assert [each.hardware for each in entries if not reviewed.names_device(each.hardware)] == [
        "Paperspace Volta (V100)"
    ]
    assert {each.framework for each in entries if not reviewed.names_version(each.framework)} == {"fastai / pytorch"}
    priced = [each for each in entries if each.cost_per_hour_usd is not None]
    assert all(reviewed.names_price_source(each.hardware, {}) for each in priced)


@pytest.mark.parametrize("text", ["1", "a", "a.", "a-", "1.", "v1", "n1-", "x 1 ", "(a", "1 x ", "0a", "V1"])
def test_text_of_any_length_takes_no_time(text: str) -> None:
    long = text * (500_000 // len(text))
    began = time.process_time()
    reviewed.names_device(long)
    reviewed.names_version(long)
    reviewed.names_price_source(long, {long: ""})
    reviewed.names_commit(f"https://example.org/{long}")
    reviewed.is_commit(long)
    assert time.process_time() - began < 1
