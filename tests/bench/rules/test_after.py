"""The rules on what the machine did while a run lasted: each finds its disturbance, and nothing where nothing is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.campaign import plan
from bench.probes.device import Device
from bench.probes.gpu import THROTTLE_TIME_FIELDS, Gpu, GpuInventory
from bench.record import LEVELS, Record, WaitHistogram, build_record_from
from bench.record.telemetry import DIVIDED, REASON_BITS, SILENT, EpochUsage, Sampling, Spread, Telemetry, Usage
from bench.rules import LEVELS_OF_RULES, RULE_LIST, RULES, verdict_of
from bench.rules.card import THROTTLES
from bench.rules.claims import CLAIMS
from bench.system.hashing import hashed
from tests.support.records import Run

PUBLISHED = Path(__file__).parents[3] / "results" / "published"
UUID = "GPU-aaaa"
#: A run of 5 epochs of 10 s on a GPU that was sampled, and that nothing disturbed.
QUIET = replace(
    Run().record(),
    input="host",
    device={"kind": "gpu", "name": "V100", "uuid": UUID},
    fingerprint={
        "cpu.online": 8, "cpu.governor": "performance", "cpu.turbo": True, "gpu.persistence": True, "gpu.ecc": True,
        "gpu.mig": False, "gpu.power_limit_watts": 300.0, "gpu.default_power_limit_watts": 300.0,
        "gpu.application_sm_clock_mhz": 1312, "gpu.default_application_sm_clock_mhz": 1312, "git.dirty": False,
    },
    circumstances={"rules": RULES},
)  # fmt: skip


def spread(value: float) -> Spread:
    return Spread(10, value, value, value, value)


def epochs(*clocks_mhz: float) -> tuple[EpochUsage, ...]:
    return tuple(EpochUsage(n + 1.0, 10, Usage(10, sm_clock_mhz=spread(mhz))) for n, mhz in enumerate(clocks_mhz))


CALM = Telemetry(
    sampling=Sampling(period_ms=250.0, ticks=300),
    gpu={"name": "V100", "uuid_hash": hashed(UUID), "role": "trains", "processes": "pids"},
    training=Usage(200, other_cpu_cores=spread(0.3)),
    epochs=epochs(1530, 1530, 1530, 1530, 1530),
    start_temperature_celsius=45.0,
    foreign_processes=0,
    reason_shares={"software_power_cap": 0.1, "software_thermal": 0.0},
    lost_seconds={"thermal": 0.0},
    steal_share=0.0,
    swapped_bytes=0,
    read_bytes=0,
    throttled_seconds=0.0,
    pressure_shares={"cpu": 0.9, "memory": 0.0, "io": 0.1},
)
QUIET = replace(QUIET, telemetry=CALM)


def telemetry(**changes: Any) -> Record:
    return replace(QUIET, telemetry=replace(CALM, **changes))


def card(**changes: Any) -> dict[str, Any]:
    return {**CALM.gpu, **changes}


def fingerprint(**changes: Any) -> Record:
    return replace(
        QUIET, fingerprint={**QUIET.fingerprint, **{key.replace("__", "."): changes[key] for key in changes}}
    )


def inputs(stalled: float, empty: float | None, **changes: Any) -> Record:
    """Steps that waited that share of every epoch after the first, and a buffer found empty in that share of looks."""
    first, *others = QUIET.epochs
    waits_us = {first.epoch: 9e6} | {each.epoch: 1e6 * stalled * (each.train_seconds or 0.0) for each in others}
    looks = tuple(
        WaitHistogram(epoch, (10.0,), (0, 97), 0.0, sum_us, level_samples=40, level_empty_share=empty)
        for epoch, sum_us in waits_us.items()
    )
    return replace(QUIET, waits=looks, **changes)


FOUND: list[tuple[Record, str, str, str]] = [
    (telemetry(foreign_processes=2), "foreign-process", "invalid", "2 compute processes that are not the trainer's"),
    (telemetry(foreign_processes=None, gpu=card(calls={"processes": "yes"})), "process-list", "note", "not told"),
    (telemetry(foreign_processes=None, gpu=card(calls={"processes": "no permission"})), "process-list", "note",
     "not told.*no permission"),
    (telemetry(foreign_processes=None, gpu=card(calls={"processes": "code 999 (Unknown Error)"})), "process-list",
     "note", "not told.*code 999"),
    (telemetry(foreign_processes=None, gpu=card(calls={"processes": SILENT})), "process-list", "note", SILENT),
    (telemetry(gpu=card(before={"utilisation_percent": 97, "memory_bytes": 60 * 10**9})), "gpu-in-use", "note",
     "in use: 97 % busy, 60.0 GB of memory taken$"),
    (telemetry(gpu=card(before={"utilisation_percent": None, "memory_bytes": 2 * 2**30})), "gpu-in-use", "note",
     "in use: 2.1 GB"),
    (replace(telemetry(), spawned_ns=None, utc=None), "no-start", "suspect", "how the run was started"),
    (telemetry(start_temperature_celsius=71.0), "temperature", "suspect", "71 C when the run began"),
    (telemetry(start_temperature_celsius=4.0), "temperature", "suspect", "4 C"),
    (telemetry(lost_seconds={"thermal": 1.8}), "throttled", "suspect",
     "down: thermal for 1.8 s of its life of 86.0 s by the driver's counter$"),
    (telemetry(lost_seconds={"hardware_thermal": 1.8, "software_power_cap": 9.0}), "throttled", "suspect",
     "down: hardware thermal for 1.8 s of"),
    (telemetry(lost_seconds={}, reason_shares={"hardware_thermal": 0.03}), "throttled", "suspect",
     "down: hardware thermal at 3.0 % of the ticks in training$"),
    (telemetry(reason_shares={"software_power_cap": 0.11}), "power-capped", "note", "11 % of the ticks"),
    (telemetry(epochs=epochs(1530, 1500, 1480, 1470, 1460)), "clock-drift", "suspect", "fell from 1530 to 1460 MHz"),
    (telemetry(epochs=epochs(1300, 1300, 1350, 1350, 1400, 1400)), "clock-drift", "suspect", "rose from 1300 to 1400"),
    (fingerprint(gpu__persistence=False), "persistence", "note", "loaded anew"),
    (fingerprint(gpu__ecc=False), "ecc", "note", "ECC off"),
    (fingerprint(gpu__mig=True), "mig", "note", "slice"),
    (fingerprint(gpu__power_limit_watts=250.0), "power-limit", "note", "was 250 W, by default 300"),
    (fingerprint(gpu__application_sm_clock_mhz=1000), "clock-limit", "note", "was 1000 MHz, by default 1312"),
    (telemetry(reason_shares={"application_clocks": 0.5}), "clock-limit", "note", "50 % of the ticks"),
    (telemetry(throttled_seconds=2.0), "cpu-limit", "suspect", "stopped for 2.0 s, .* in a life of 86.0 s"),
    (telemetry(training=Usage(200, other_cpu_cores=spread(2.1))), "cpu-contention", "suspect", "2.1 of 8 cores busy"),
    (telemetry(steal_share=0.03), "steal", "suspect", "3.0 % of the CPU time"),
    (fingerprint(cpu__governor="powersave"), "governor", "note", "was powersave"),
    (fingerprint(cpu__turbo=False), "turbo", "note", "base frequency"),
    (telemetry(pressure_shares={"memory": 0.05}), "memory", "suspect", "memory in 5.0 % of the time"),
    (telemetry(swapped_bytes=65 * 2**20), "swap", "suspect", "65 MiB"),
    (telemetry(host_absent=("steal_seconds", "cpu_mhz")), "unreadable", "note", "does not show it: steal_seconds$"),
    (telemetry(read_bytes=170_000_000), "page-cache", "note", "170 MB from a disk"),
    (inputs(0.11, 0.6), "input-bound", "note", "11 % of training after the first epoch, and 60 % of the looks"),
    (replace(QUIET, input="memory"), "memory-input", "invalid", "again and again"),
    (fingerprint(git__dirty=True), "dirty", "suspect", "the checkout had changes that are not committed"),
    (fingerprint(trainer__dirty=True), "dirty", "suspect", "the folder of the trainer had changes"),
    *(
        (fingerprint(git__commit=None, git__dirty=None, git__problem=problem), "unread-checkout", "suspect", words)
        for problem, words in {
            "other-owner": r"the checkout \(.*safe\.directory", "not-installed": "could not be started",
            "timeout": "did not answer", "no-commit": "no commit yet", "unreadable": "could not read",
        }.items()
    ),
    # The commit is there, and a folder that git could not open.
    (fingerprint(git__commit="c", git__dirty=None, git__problem="unreadable"), "unread-checkout", "suspect", "changes"),
    (fingerprint(trainer__commit=None, trainer__dirty=None, trainer__git_problem="timeout"), "unread-checkout",
     "suspect", "of the folder of the trainer"),
    (fingerprint(git__commit=None, git__dirty=None, git__problem="no-repository"), "no-commit", "note", "the checkout"),
    # As a harness wrote it that did not say why.
    (fingerprint(git__commit=None, git__dirty=None), "no-commit", "note", "nothing tells the commit"),
    (fingerprint(git__commit=None, git__dirty=None, git__problem=["odd"]), "no-commit", "note", "nothing tells"),
    (fingerprint(trainer__commit=None, trainer__dirty=None, trainer__git_problem="no-repository"), "no-commit", "note",
     "of the folder of the trainer"),
    (fingerprint(image="cpu@sha256:0", image__pinning="stand-in"), "image", "suspect", "only stands in for an image"),
    (fingerprint(image="mine:1@sha256:0", image__pinning="undigested"), "image", "suspect", "what is in it"),
    (fingerprint(image="(withheld)"), "image", "suspect", "nobody else can know"),
    (fingerprint(run__flags=["--init", "--mount=run:rw", "--entrypoint=sh"]), "container-replaced", "suspect",
     "DOCKER_FLAGS has --entrypoint=sh: what ran"),
    (fingerprint(run__flags=["--mount=run:rw", "ubuntu:24.04"]), "container-replaced", "suspect", "took for the image"),
    (fingerprint(run__flags=["--mount=run:rw", "--privileged", "--network=host", "--cpus=2"]), "container-opened",
     "note", "DOCKER_FLAGS has --privileged --network=host$"),
    (fingerprint(image__cuda_mode="minor-version"), "cuda-mode", "note", "minor-version compatibility"),
    (fingerprint(image__cuda_mode="native", build__cuda_driver="12.8", gpu__cuda_driver_version="12.4"), "cuda-mode",
     "note", "serves CUDA 12.4, and the image's own libraries served 12.8"),
    (fingerprint(image__cuda_mode="forward", build__cuda_driver="12.4", gpu__cuda_driver_version="12.4"), "cuda-mode",
     "note", "and the driver's were"),
    (fingerprint(image__gpu_code="ptx-jit"), "gpu-code", "note", "the driver compiled what it has"),
    (replace(QUIET, dataset={"name": "cifar10", "state": "unverified"}), "unverified-data", "note", "archive"),
    (replace(QUIET, dataset={"name": "synthetic", "state": "synthetic"}), "synthetic", "note", "no CIFAR-10"),
    (replace(QUIET, circumstances={"rules": 1}), "rules-changed", "note", f"version 1 .* judged by version {RULES}"),
    (replace(QUIET, telemetry=Telemetry(sampling=Sampling(off=True))), "telemetry-off", "note", "as asked"),
    (telemetry(sampling=Sampling(250.0, why_no_ticks="the file is cut")), "telemetry-damaged", "suspect", "is cut"),
    (telemetry(impossible={"energy_mj": 1, "gpu_power_watts": 13}), "impossible-number", "note",
     "energy_mj 1 time, gpu_power_watts 13 times$"),
    (telemetry(gpu={}, why_no_gpu="no permission"), "gpu-unwatched", "note", "not watched: no permission"),
    (fingerprint(gpu__not_given=["ecc: code 999 (fake)"]), "gpu-unwatched", "note", "not known.*ecc: code 999"),
    (telemetry(gpu=card(calls={"event_reasons": "code 999 (Unknown Error)", "power": "yes"})), "gpu-unwatched", "note",
     r"did not give event_reasons \(code 999 \(Unknown Error\)\)$"),
    (telemetry(gpu=card(calls={"energy": "no permission", "sm_clock": SILENT})), "gpu-unwatched", "note",
     "energy .no permission., sm_clock .no value while"),
    (telemetry(gpu=card(calls={"lost_thermal": "code 999 (x)", "lost_board_limit": "yes"})), "gpu-unwatched", "note",
     "lost_thermal"),
    (fingerprint(gpu__lost=1), "gpu-neighbour", "note", "1 other GPU of the machine did not answer"),
    (telemetry(gpu_lost="Unknown Error"), "gpu-lost", "suspect", "stopped answering .* Unknown Error"),
    (telemetry(gpu=card(uuid_hash="0" * 16)), "other-card", "suspect", "not the one that the trainer names"),
]  # fmt: skip


def test_a_run_that_nothing_disturbed_is_clean() -> None:
    verdict = verdict_of(QUIET)
    assert (verdict.level, verdict.reasons) == ("clean", ())


@pytest.mark.parametrize("before", [{"utilisation_percent": 10, "memory_bytes": 1 << 30}, {}, None, "at rest"])
def test_a_card_at_rest_or_of_which_nothing_is_known_is_not_in_use(before: Any) -> None:
    assert verdict_of(telemetry(gpu=card(before=before))).reasons == ()


def test_a_card_that_is_only_watched_may_be_used_by_others() -> None:
    busy = {"utilisation_percent": 97, "memory_bytes": 60 * 10**9}
    watched = telemetry(gpu=card(before=busy, role="watched", calls={"processes": "yes"}), foreign_processes=None)
    assert verdict_of(watched).reasons == ()


@pytest.mark.parametrize("pinning", ["pinned", "built", "digested"])
def test_a_run_in_an_image_that_is_known_and_runs_natively_is_clean(pinning: str) -> None:
    known = fingerprint(
        image="tensorflow:25.02@sha256:0", image__pinning=pinning, image__cuda_mode="native", image__gpu_code="native",
        build__cuda_driver="13.0", gpu__cuda_driver_version="13.0",
    )  # fmt: skip
    assert verdict_of(known).reasons == ()


@pytest.mark.parametrize(("record", "rule", "level", "evidence"), FOUND)
def test_each_disturbance_is_found_alone_and_with_what_to_do(
    record: Record, rule: str, level: str, evidence: str
) -> None:
    verdict = verdict_of(record)
    assert [(each.rule, each.level) for each in verdict.reasons] == [(rule, level)]
    assert verdict.reasons[0].advice
    assert re.search(evidence, verdict.reasons[0].evidence)
    assert verdict.level == (level if level in LEVELS else "clean")


@pytest.mark.parametrize(
    ("facts", "inside"),
    [
        ({}, False),
        ({"container.kind": None}, False),
        ({"container.kind": "none"}, False),
        ({"container.kind": "docker"}, True),
        ({"container.kind": "none", "run.engine": "docker 27.0"}, True),
    ],
)
def test_advice_is_about_containers_only_where_the_run_was_made_in_one(facts: dict[str, str], inside: bool) -> None:
    troubled = telemetry(gpu_lost="gone", throttled_seconds=9.0, host_absent=("swapped_bytes",))
    reasons = verdict_of(replace(troubled, fingerprint={**troubled.fingerprint, **facts})).reasons
    assert {each.rule for each in reasons} == {"gpu-lost", "cpu-limit", "unreadable"}
    assert {"container" in each.advice for each in reasons} == {inside}


@pytest.mark.parametrize(("asked", "leave_away"), [("none", True), (None, False), ("7", False)])
def test_leaving_watch_none_away_is_advised_only_where_it_was_typed(asked: str | None, leave_away: bool) -> None:
    unknown_slice = Device("gpu", "MIG-1", "V100", "V100", unwatched="nobody knows its GPU")
    why = plan.watched(
        asked, unknown_slice, lambda: GpuInventory((Gpu(0, UUID, "V100", None, None, None, None),))
    ).why_none
    (reason,) = verdict_of(telemetry(gpu={}, why_no_gpu=why)).reasons
    assert (reason.rule, "WATCH=none" in reason.advice) == ("gpu-unwatched", leave_away)
    assert ("make doctor" in reason.advice) == (not leave_away)


def test_every_rule_on_a_machine_or_its_data_has_a_test_here() -> None:
    asked_after = {rule.name for rule in RULE_LIST if rule.after is not None}
    assert {rule for _, rule, *_ in FOUND} == asked_after - {rule.name for rule in CLAIMS}


def test_a_rule_that_judges_a_run_has_a_level_and_advice_and_every_rule_a_threshold() -> None:
    for rule in RULE_LIST:
        assert rule.threshold
        assert (rule.after is None) == (rule.level == "") == (rule.advice == "")
        assert rule.level in ("", *LEVELS_OF_RULES)


@pytest.mark.parametrize(
    "record",
    [
        telemetry(start_temperature_celsius=70.0),
        telemetry(gpu=card(calls={"power": "not supported", "utilisation": DIVIDED})),
        telemetry(gpu=card(calls={"energy": "missing in the driver"})),
        telemetry(gpu=card(calls={"processes": "not supported"}), foreign_processes=None),
        telemetry(gpu=card(calls={"processes": "missing in the driver"}), foreign_processes=None),
        telemetry(gpu=card(role="watched", calls={"power": "code 999 (x)", "processes": "no permission"})),
        telemetry(gpu=card(calls={"power": 999, "energy": None})),
        telemetry(gpu=card(calls="no permission")),
        telemetry(lost_seconds={"thermal": 1.7}, reason_shares={"hardware_thermal": 0.02}),
        telemetry(lost_seconds={"thermal": 1.7, "hardware_thermal": 1.7}),
        replace(telemetry(lost_seconds={"thermal": 9.0}), exited_ns=None),
        telemetry(gpu=card(role="watched"), lost_seconds={"thermal": 9.0}, reason_shares={"power_brake": 1.0}),
        telemetry(reason_shares={"application_clocks": 0.10}),
        telemetry(lost_seconds={"software_power_cap": 40.0, "low_utilisation": 40.0}),
        telemetry(epochs=epochs(1530, 1500, 1500, 1500, 1490)),
        telemetry(epochs=epochs(1530, 1000)),
        telemetry(epochs=(*epochs(1530, 1530), EpochUsage(3.0, 2, None, "too few ticks"))),
        telemetry(training=Usage(200, other_cpu_cores=spread(2.0))),
        telemetry(steal_share=0.02, swapped_bytes=64 * 2**20, throttled_seconds=1.7, pressure_shares={"memory": 0.02}),
        telemetry(read_bytes=84_999_999),
        telemetry(host_absent=("cpu_mhz", "throttled_seconds", "pressure_seconds.io")),
        telemetry(gpu=card(role="watched"), foreign_processes=3, start_temperature_celsius=90.0, gpu_lost="gone"),
        replace(telemetry(gpu=card(uuid_hash="0" * 16)), device={"kind": "gpu", "name": "A100", "uuid": "MIG-1"}),
        replace(telemetry(read_bytes=10**9), dataset={"name": "synthetic", "state": "canonical"}),
        fingerprint(cpu__governor=None, cpu__turbo=None, gpu__ecc=None, gpu__power_limit_watts=None),
        fingerprint(gpu__power_limit_watts=350.0),
        fingerprint(gpu__lost=0, gpu__not_given=[]),
        fingerprint(gpu__lost="some", gpu__not_given="all"),
        inputs(0.09, 0.9),
        inputs(0.5, 0.4),
        inputs(0.5, None),
        inputs(0.5, 0.9, input="device"),
    ],
)  # fmt: skip
def test_what_is_below_a_threshold_or_not_this_runs_is_not_held_against_it(record: Record) -> None:
    assert verdict_of(record).reasons == ()


@pytest.mark.parametrize("counter", ["thermal", "power_brake", "software_power_cap"])
def test_a_counter_that_stands_still_does_not_overrule_what_was_seen_at_the_ticks(counter: str) -> None:
    seen = {"power_brake": 1.0, "hardware_slowdown": 1.0}
    (reason,) = verdict_of(telemetry(lost_seconds={counter: 0.0}, reason_shares=seen)).reasons
    assert reason.rule == "throttled"
    assert "hardware slowdown at 100 % of the ticks in training" in reason.evidence
    assert "power brake at 100 % of the ticks in training" in reason.evidence


def test_ticks_that_missed_it_do_not_overrule_a_counter() -> None:
    (reason,) = verdict_of(
        telemetry(lost_seconds={"thermal": 8.6}, reason_shares=dict.fromkeys(REASON_BITS, 0.0))
    ).reasons
    assert (reason.rule, "ticks" in reason.evidence) == ("throttled", False)


def test_two_witnesses_of_one_cause_are_told_together() -> None:
    both = telemetry(lost_seconds={"power_brake": 43.0}, reason_shares={"power_brake": 0.5, "hardware_thermal": 0.01})
    (reason,) = verdict_of(both).reasons
    assert reason.evidence == (
        "the GPU slowed itself down: power brake for 43.0 s of its life of 86.0 s by the driver's counter and at 50 % "
        "of the ticks in training"
    )


def test_every_cause_of_throttling_is_one_that_records_know() -> None:
    assert set(THROTTLES) <= {*REASON_BITS, *(field.cause for field in THROTTLE_TIME_FIELDS)}


def test_the_harness_is_not_its_own_disturbance() -> None:
    other = telemetry(training=Usage(200, other_cpu_cores=spread(2.1)))
    life_seconds = (other.life_ns or 0) / 1e9
    own = replace(other.harness, cpu_seconds=0.2 * life_seconds)
    assert verdict_of(replace(other, harness=own)).reasons == ()


def test_a_record_older_than_telemetry_is_not_blamed_for_having_none() -> None:
    old = replace(Run().record(), telemetry=Telemetry(), device={"kind": "gpu", "name": "V100", "uuid": UUID})
    assert verdict_of(old).reasons == ()


@pytest.mark.parametrize(
    "events", sorted(PUBLISHED.glob("**/seed-*/events.jsonl"))[:: max(1, len(list(PUBLISHED.glob("**/seed-*"))) // 8)]
)
def test_published_runs_can_be_judged_by_rules_made_after_them(events: Path) -> None:
    assert {each.rule for each in verdict_of(build_record_from(events)).reasons} <= {rule.name for rule in RULE_LIST}
