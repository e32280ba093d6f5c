"""The rules before a run: each answers for one fact, and a machine that will do gets no advice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.probes.gpu.binding import OLDEST, TOO_NEW
from bench.rules import FAIL, OK, RULE_LIST, WARN, CardState, Check, Data, Facts, run_preflight

CALLS = {"power": "yes", "processes": "yes", "lost_thermal": "yes", "lost_power_brake": "missing in the driver"}
CARD = CardState("V100", 0, 35, True, True, True, False, 300, 300, 1530, 1530, CALLS)
GOOD = Facts(
    device="auto",
    python=(3, 11),
    lock_name="gpu",
    unlike_lock=(),
    tensorflow_version="2.21.0",
    tensorflow_error=None,
    tensorflow_gpus=1,
    tensorflow_why_no_gpu=None,
    nvml_package="nvidia-ml-py 13.615.71",
    nvml_package_problem=None,
    gpu_names=("V100 (driver 550.54.15)",),
    gpu_problem=None,
    card=CARD,
    data=Data("present", "CIFAR-10 at data", will_be="canonical", bytes=170_000_000, cached_bytes=170_000_000),
    free_bytes=10**12,
    results_writable=True,
    git_commit="c" * 40,
    git_dirty=False,
    cpu_model="Xeon",
    cpu_cores=8,
    cpu_online=8,
    cpu_bf16=("amx_bf16",),
    cpu_governor="performance",
    cpu_driver="intel_pstate",
    cpu_turbo=True,
    cpu_limit_cores=None,
    memory_total_bytes=2**35,
    memory_available_bytes=2**34,
    memory_limit_bytes=None,
    swap_used_bytes=0,
    load_average=0.1,
    unreadable=(),
)


def facts(**changes: Any) -> Facts:
    return replace(GOOD, **changes)


def card(**changes: Any) -> Facts:
    return replace(GOOD, card=replace(CARD, **changes))


HIDDEN = facts(gpu_hidden_by="CUDA_VISIBLE_DEVICES=''", card=None, tensorflow_gpus=0)
NO_GPU = facts(gpu_names=(), gpu_problem="there is no driver", card=None, tensorflow_gpus=0, nvml_package=None)
INSIDE = replace(NO_GPU, container_kind="docker")
MISSING, COLD = Data("missing", "none", "make data"), replace(GOOD.data, cached_bytes=17_000_000)
BROKEN_TENSORFLOW = facts(tensorflow_version=None, tensorflow_gpus=None, tensorflow_error="ImportError: x")


def check(found: Facts, rule: str) -> Check | None:
    return next((each for each in run_preflight(found) if each.rule == rule), None)


def test_a_machine_that_will_do_gets_no_advice() -> None:
    assert {(each.verdict, each.advice) for each in run_preflight(GOOD)} == {(OK, "")}
    assert {(each.verdict, each.advice) for each in run_preflight(NO_GPU)} == {(OK, "")}


def test_every_rule_answers_under_a_name_and_a_title_of_its_own() -> None:
    for names in ([rule.name for rule in RULE_LIST], [rule.title for rule in RULE_LIST]):
        assert len(set(names)) == len(names)


WRONG: list[tuple[Facts, str, str, str, str]] = [
    (facts(python=(3, 10)), "python", FAIL, "3.10", "3.11 to 3.14"),
    (facts(python=(3, 15)), "python", FAIL, "3.15", "3.11 to 3.14"),
    (facts(unlike_lock=None), "packages", WARN, "not installed from a lock", "make bench"),
    (facts(unlike_lock=("numpy 1.0",)), "packages", WARN, "numpy 1.0", "remove .venv"),
    (BROKEN_TENSORFLOW, "tensorflow", FAIL, "ImportError: x", "make bench"),
    (facts(tensorflow_gpus=0, tensorflow_why_no_gpu="no libcudnn.so.9"), "gpu", FAIL, "cannot use: no libcudnn.so.9",
     "DEVICE=cpu"),
    (facts(gpu_names=None, card=None, gpu_problem="Restart it."), "gpu", FAIL, "Restart it.", "DEVICE=cpu"),
    (facts(card=None, gpu_problem="No one GPU here is '7'."), "gpu", FAIL, "is '7'", "DEVICE="),
    (replace(NO_GPU, device="gpu"), "gpu", FAIL, "there is no driver", "DEVICE=cpu"),
    (replace(NO_GPU, tensorflow_gpus=1), "gpu", FAIL, "cannot watch: there is no driver", "unwatched, DEVICE=gpu"),
    (replace(NO_GPU, device="gpu", tensorflow_gpus=1), "gpu", WARN, "cannot watch: there is no driver", "make bench"),
    (replace(INSIDE, device="gpu", tensorflow_gpus=1), "gpu", WARN, "cannot watch: there is no driver", "`utility`"),
    (replace(HIDDEN, device="gpu"), "gpu", FAIL, "none: CUDA_VISIBLE_DEVICES='' hides V100", "unset CUDA_VISIBLE_DEV"),
    (HIDDEN, "gpu", WARN, "none: CUDA_VISIBLE_DEVICES='' hides V100", "unset CUDA_VISIBLE_DEVICES"),
    (facts(gpu_lost=("GPU 1 is lost: code 15",)), "gpu-neighbour", WARN, "GPU 1 is lost: code 15", "restart"),
    (facts(place_problem="there is no `docker` on PATH."), "place", FAIL, "not available", "no `docker` on PATH"),
    (facts(nvml_package=None, nvml_package_problem="The unofficial package pynvml 11.5.3"), "nvml-package", WARN,
     "pynvml 11.5.3", "nvidia-ml-py"),
    (card(foreign_processes=1), "foreign-process", FAIL, "1 compute process", "nvidia-smi"),
    (card(utilisation_percent=11, memory_bytes=0), "gpu-in-use", WARN, "11 % busy", "nvidia-smi"),
    (card(utilisation_percent=None, memory_bytes=2 * 2**30), "gpu-in-use", WARN, "2.1 GB of memory taken", "end that"),
    (card(temperature_celsius=71), "temperature", WARN, "71 C", "IDLE=60"),
    (card(temperature_celsius=9), "temperature", WARN, "9 C", "sensor"),
    (card(persistence=False), "persistence", WARN, "off", "-pm 1`; later undo it with `sudo nvidia-smi -pm 0"),
    (card(ecc=False, ecc_pending=False), "ecc", WARN, "off", "undo it with `sudo nvidia-smi -e 0"),
    (card(ecc_pending=False), "ecc", WARN, "off after the next restart", "restart"),
    (card(mig=True), "mig", WARN, "slice", "undo it with `sudo nvidia-smi -mig 1"),
    (card(calls={"energy": "no permission", "power": "yes"}), "gpu-unwatched", WARN,
     "does not give energy (no permission)", "ask who runs this machine to let this user"),
    (card(calls={"energy": "missing in the driver"}), "gpu-unwatched", WARN, "energy", "a newer driver"),
    (card(calls={"lost_thermal": "missing in the driver"}), "gpu-unwatched", WARN, "lost_thermal", "a newer driver"),
    (card(calls={"utilisation": "not supported while MIG is on"}), "gpu-unwatched", WARN, "utilisation", "-mig 0"),
    (card(calls={"power": "code 999 (Unknown Error)"}), "gpu-unwatched", WARN, "power (code 999", "nvidia-smi"),
    (facts(card=CardState("V100", problem="A GPU is lost.")), "gpu-unwatched", WARN, "A GPU is lost.", "fix that"),
    (card(power_limit_watts=200.0), "power-limit", WARN, "200 W of 300",
     "-pl 300`; later undo it with `sudo nvidia-smi -pl 200"),
    (card(clock_limit_mhz=1200.0), "clock-limit", WARN, "1200 MHz", "undo it with `sudo nvidia-smi -lgc 1200"),
    (facts(data=Data("unusable", "half a file", "mend it")), "data", FAIL, "half a file", "mend it"),
    (facts(data=MISSING), "data", WARN, "none", "make data"),
    (facts(data=replace(GOOD.data, will_be="unverified")), "unverified-data", WARN, "official", "make data"),
    (facts(data=COLD), "page-cache", WARN, "10 % of the 170 MB", "warm-up"),
    (facts(free_bytes=99_000_000), "disk", FAIL, "0.1 GB free", "100 MB"),
    (facts(free_bytes=299_000_000, data=MISSING), "disk", FAIL, "0.3 GB free", "300 MB"),
    (facts(results_writable=False), "results", FAIL, "cannot be written", "OUT="),
    (facts(cpu_limit_cores=1.5, container_kind="podman"), "cpu-limit", WARN, "time of 1.5", "--cpuset-cpus"),
    (facts(cpu_limit_cores=1.5), "cpu-limit", WARN, "time of 1.5", "CPUQuota"),
    (replace(NO_GPU, cpu_bf16=()), "bf16", WARN, "none", "fp32"),
    (facts(memory_limit_bytes=2**30), "memory", WARN, "1.0 GiB", "3.4 GiB"),
    (facts(memory_available_bytes=2**30), "memory", WARN, "1.0 GiB of it free", "close"),
    (facts(swap_used_bytes=2**31, memory_available_bytes=2**30), "swap", WARN, "2.0 GiB in use", "close"),
    (facts(load_average=2.1), "cpu-contention", WARN, "2.1 of 8 cores", "stop"),
    (facts(cpu_governor="powersave,schedutil"), "governor", WARN, "powersave", "undo it with `-g powersave`"),
    (facts(cpu_turbo=False), "turbo", WARN, "off", "echo 0 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"),
    (facts(cpu_turbo=False, cpu_driver="amd-pstate"), "turbo", WARN, "off", "`echo 0 | sudo tee /sys/devices/system/"
     "cpu/cpufreq/boost"),
    (facts(unreadable=("/proc/stat",)), "unreadable", WARN, "cannot read /proc/stat", "mount /proc and /sys"),
    (facts(unreadable=("/proc/stat",), container_kind="docker"), "unreadable", WARN, "cannot read /proc/stat",
     "/proc and /sys mounted"),
    (facts(git_dirty=True), "dirty", WARN, "cccccccccccc with changes", "commit"),
    (facts(git_commit=None, git_dirty=None), "dirty", WARN, "does not report", "clone"),
    (facts(git_commit=None, git_dirty=None, git_reason="its own words", git_advice="type `x`"), "dirty", WARN,
     "its own words", "type `x`"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "rule", "verdict", "evidence", "advice"), WRONG)
def test_what_is_wrong_is_said_with_what_to_do(
    found: Facts, rule: str, verdict: str, evidence: str, advice: str
) -> None:
    seen = check(found, rule)
    assert seen is not None
    assert seen.verdict == verdict
    assert evidence in seen.value
    assert advice in seen.advice
    assert [each.rule for each in run_preflight(found) if each.verdict == FAIL and each.rule != rule] == []


@pytest.mark.parametrize("found", [each for each, *_ in WRONG if each.container_kind == "none"])
def test_outside_a_container_no_advice_is_about_containers(found: Facts) -> None:
    if not found.place_problem:  # of a machine where one was to be used
        assert [each.advice for each in run_preflight(found) if "container" in each.advice] == []


def test_every_rule_asked_before_a_run_has_a_test() -> None:
    assert {rule for _, rule, *_ in WRONG} == {rule.name for rule in RULE_LIST if rule.before is not None}


def test_what_makes_a_run_invalid_is_no_mere_warning_before_it() -> None:
    levels = {rule.name: rule.level for rule in RULE_LIST if rule.after is not None}
    for _, rule, verdict, *_ in WRONG:
        if rule in levels:
            assert (verdict == FAIL) == (levels[rule] == "invalid")


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (facts(device="cpu", tensorflow_gpus=0, gpu_names=None, card=None), "gpu"),
        (replace(NO_GPU, data=MISSING), "data"),
        (facts(cpu_bf16=()), "bf16"),
        (facts(cpu_limit_cores=8.0), "cpu-limit"),
        (facts(cpu_governor=None), "governor"),
        (facts(load_average=None), "cpu-contention"),
        (facts(load_average=2.0), "cpu-contention"),
        (facts(load_average=2.1, cpu_cores=4, cpu_online=64), "cpu-contention"),
        (facts(memory_total_bytes=None), "memory"),
        (facts(swap_used_bytes=2**31), "swap"),
        (card(foreign_processes=None), "foreign-process"),
        (card(calls={"energy": "not supported", "power": "yes"}), "gpu-unwatched"),
        (card(temperature_celsius=70), "temperature"),
        (card(temperature_celsius=10), "temperature"),
        (facts(free_bytes=100_000_000), "disk"),
        (facts(free_bytes=300_000_000, data=MISSING, gpu_names=(), card=None, tensorflow_gpus=0), "disk"),
        (facts(data=replace(GOOD.data, cached_bytes=161_500_000)), "page-cache"),
        (facts(memory_limit_bytes=3 * 2**30 * 9 // 8, memory_available_bytes=3 * 2**30 * 9 // 8), "memory"),
        (facts(swap_used_bytes=64 * 2**20, memory_available_bytes=2**30), "swap"),
        (card(power_limit_watts=350), "power-limit"),
        (card(default_power_limit_watts=None), "power-limit"),
    ],
)
def test_what_is_not_known_or_not_needed_is_no_reproach(found: Facts, rule: str) -> None:
    seen = check(found, rule)
    assert seen is not None
    assert (seen.verdict, seen.advice) == (OK, "")


@pytest.mark.parametrize(
    ("found", "rules"),
    [
        (replace(GOOD, card=CardState("K80")), ["temperature", "persistence", "ecc", "mig", "power-limit",
                                                "clock-limit", "gpu-unwatched"]),
        (NO_GPU, ["foreign-process", "temperature", "persistence", "ecc", "mig", "power-limit", "nvml-package",
                  "gpu-unwatched"]),
        (replace(HIDDEN, gpu_lost=("GPU 1 is lost",)), ["gpu-neighbour"]),
        (facts(cpu_turbo=None, swap_used_bytes=None), ["turbo", "swap", "unreadable"]),
        (facts(data=MISSING), ["page-cache", "unverified-data"]),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_concern_this_machine_says_nothing(found: Facts, rules: list[str]) -> None:
    assert [rule for rule in rules if check(found, rule)] == []


def test_processes_that_the_driver_does_not_list_are_not_known_and_say_why() -> None:
    seen = check(card(foreign_processes=None, calls={"processes": "no permission"}), "foreign-process")
    assert seen is not None
    assert seen.value == "not known, as the driver does not list them (no permission)"
    seen = check(card(foreign_processes=None), "foreign-process")  # a call that answered when it was tried
    assert seen is not None
    assert seen.value == "not known, as the driver does not list them"


def test_all_that_a_driver_does_not_give_is_listed_and_advice_is_on_what_can_be_had() -> None:
    calls = {"energy": "not supported", "processes": "no permission", "event_reasons": "missing in the driver"}
    seen = check(card(foreign_processes=None, calls=calls), "gpu-unwatched")
    assert seen is not None
    assert all(f"{name} ({why})" in seen.value for name, why in calls.items())
    assert (seen.advice.count("ask who runs"), seen.advice.count("newer driver"), seen.advice.count("MIG")) == (1, 1, 0)


def test_what_is_written_of_versions_is_what_is_asked_for() -> None:
    oldest, first_too_new = (".".join(map(str, version)) for version in (OLDEST, TOO_NEW))
    thresholds = {rule.name: rule.threshold for rule in RULE_LIST}
    assert thresholds["nvml-package"].endswith(f"older than {oldest} or from {first_too_new} on")
