"""What is said on the terminal of what a sampler could not read."""

from __future__ import annotations

from bench.campaign.outcomes import missing
from bench.record.telemetry import Telemetry


def test_a_machine_that_shows_everything_needs_no_word() -> None:
    assert missing(Telemetry(gpu={"calls": {"power": "yes"}})) == []
    assert missing(Telemetry(why_no_gpu="a CPU trains and no other card was named")) == []


def test_calls_that_give_nothing_are_named_in_one_sentence() -> None:
    calls = {"power": "yes", "energy": "no permission", "sm_clock": "not supported"}

    assert missing(Telemetry(gpu={"calls": calls})) == [
        "The GPU's driver does not give energy (no permission), sm_clock (not supported); these values "
        "stay empty; type `make doctor` for advice."
    ]


def test_of_the_names_of_lost_time_a_driver_need_know_only_some() -> None:
    known, unknown = {"lost_thermal": "yes"}, {"lost_hardware_thermal": "missing in the driver"}

    assert missing(Telemetry(gpu={"calls": {**known, **unknown}})) == []
    (sentence,) = missing(Telemetry(gpu={"calls": unknown}))
    assert "lost_hardware_thermal (missing in the driver)" in sentence


def test_what_many_machines_do_not_show_comes_without_advice() -> None:
    assert missing(Telemetry(host_absent=("cpu_mhz", "pressure_seconds.io"))) == [
        "This machine does not show cpu_mhz, pressure_seconds.io, as many do not; these stay empty."
    ]


def test_what_a_container_hides_comes_with_what_to_do() -> None:
    hidden = Telemetry(host_absent=("read_bytes", "cpu_mhz", "swapped_bytes"))
    for inside in ({"container.kind": "docker"}, {"container.kind": "none", "run.engine": "docker 27.0"}):
        assert missing(hidden, inside)[1:] == [
            "This machine does not show read_bytes, swapped_bytes; these stay empty: start the container with /proc "
            "and /sys mounted as usual."
        ]
    assert "container" not in " ".join(missing(hidden, {"container.kind": "none"}))


def test_facts_of_the_gpu_that_are_not_known_are_named() -> None:
    fact = "power_limit_watts: code 999 (Unknown Error)"
    (sentence,) = missing(Telemetry(), {"gpu.not_given": [fact]})
    assert fact in sentence
    assert missing(Telemetry(), {"gpu.not_given": []}) == missing(Telemetry(), {"gpu.not_given": None}) == []


def test_doctor_is_named_only_for_what_it_looks_at() -> None:
    found = missing(Telemetry(host_absent=("cpu_mhz", "swapped_bytes", "read_bytes", "pressure_seconds.cpu")))
    assert len(found) == 2
    assert "doctor" not in " ".join(found)


def test_a_lost_gpu_is_told_in_the_drivers_words() -> None:
    assert missing(Telemetry(gpu_lost="The GPU stopped answering (fake, code 15).")) == [
        "The GPU was lost while it was sampled, and the run went on: The GPU stopped answering (fake, code 15)."
    ]
