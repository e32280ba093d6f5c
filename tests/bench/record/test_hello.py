"""What the trainer tells when it greets becomes part of the fingerprint."""

from __future__ import annotations

from bench.record import build_record
from tests.support.records import Run

#: What every made run has of its machine.
MACHINE = {"git.commit": "c" * 40, "git.dirty": False}
XLA = {"on": True, "flags": "--xla_gpu_autotune_level=4", "autotune_level": "4"}


def test_the_build_the_compiler_its_caches_and_the_data_are_in_the_fingerprint() -> None:
    xla = {**XLA, "persistent_cache": "warm", "kernel_cache": "cold"}
    record = Run(hello={"xla": xla, "build": {"cuda_version": "12.5.1"}}).record()
    assert record.fingerprint == {
        **MACHINE,
        "build.cuda_version": "12.5.1",
        "xla.on": True,
        "xla.flags": "--xla_gpu_autotune_level=4",
        "xla.autotune_level": "4",
        "cache.xla": "warm",
        "cache.kernels": "cold",
        "dataset.sha256": "cd" * 32,
        "dataset.state": "canonical",
    }


def test_what_a_trainer_does_not_say_or_says_wrongly_is_not_there() -> None:
    record = Run(hello={"xla": {"on": "yes", "flags": 5, "kernel_cache": None}}).record()
    assert record.fingerprint.keys() == {*MACHINE, "dataset.sha256", "dataset.state"}


def test_a_run_that_never_greets_has_the_fingerprint_of_the_machine_alone() -> None:
    assert build_record(line for line in Run().lines() if line["event"] != "hello").fingerprint == MACHINE
