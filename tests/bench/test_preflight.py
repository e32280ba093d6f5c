"""The checks before a run: each answers for one fact, and a machine that will do gets no advice."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from bench.preflight import FAIL, OK, WARN, Data, Facts, Finding, examine, gather, packages_unlike_lock
from bench.probes.cpu import Cpu
from bench.probes.framework import Answer
from bench.probes.gpu import Gpu, Sight
from bench.probes.host import Host

HOST = Host(
    cpu_model="Xeon",
    cpu_cores=8,
    cpu_flags=("amx_bf16",),
    memory_total_bytes=2**35,
    memory_available_bytes=2**34,
    swap_total_bytes=0,
    swap_free_bytes=0,
    kernel_release="6.1",
    os_name="Debian",
    cgroup_cpu_cores=None,
    cgroup_memory_bytes=None,
    load_average=0.1,
)
V100 = Gpu(0, "GPU-1", "V100", 2**34, "550.54.15", "12.4", (7, 0))
CPU = Cpu(8, "performance", "intel_pstate", True, True, 1, 1, 3700.0, False, "tsc")
GOOD = Facts(
    device="auto",
    python=(3, 11),
    lock_name="gpu",
    unlike_lock=(),
    tensorflow=Answer("2.21.0", ("/GPU:0",)),
    sight=Sight((V100,)),
    gpu_problem=None,
    data=Data("present", "CIFAR-10 at data"),
    free_bytes=10**12,
    results_writable=True,
    host=HOST,
    cpu=CPU,
    git_commit="c" * 40,
    git_dirty=False,
)
NO_GPU = replace(GOOD, sight=Sight((), "there is no driver"), tensorflow=Answer("2.21.0", ()))


def finding(facts: Facts, check: str) -> Finding:
    """The one finding of that check."""
    (found,) = [each for each in examine(facts) if each.check == check]
    return found


def host(facts: Facts = GOOD, **changes: object) -> Facts:
    return replace(facts, host=replace(facts.host, **changes))  # type: ignore[arg-type]


def test_a_machine_that_will_do_gets_no_advice() -> None:
    assert {(each.verdict, each.advice) for each in examine(GOOD)} == {(OK, "")}
    assert {(each.verdict, each.advice) for each in examine(NO_GPU)} == {(OK, "")}


def test_every_check_answers_under_a_name_of_its_own() -> None:
    names = [each.check for each in examine(GOOD)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("facts", "check", "verdict", "evidence", "advice"),
    [
        (replace(GOOD, python=(3, 9)), "Python", FAIL, "3.9", "3.10 to 3.13"),
        (replace(GOOD, python=(3, 14)), "Python", FAIL, "3.14", "3.10 to 3.13"),
        (replace(GOOD, unlike_lock=None), "packages", WARN, "not installed from a lock", "make bench"),
        (replace(GOOD, unlike_lock=("numpy 1.0",)), "packages", WARN, "numpy 1.0", "remove .venv"),
        (replace(GOOD, tensorflow=Answer(error="ImportError: x")), "TensorFlow", FAIL, "ImportError: x", "make bench"),
        (
            replace(GOOD, tensorflow=Answer("2.21.0", (), "libcudnn.so.9 failed to load")),
            "GPU",
            FAIL,
            "TensorFlow cannot use: libcudnn.so.9 failed to load",
            "DEVICE=cpu",
        ),
        (replace(GOOD, sight=None, gpu_problem="Restart it."), "GPU", FAIL, "Restart it.", "DEVICE=cpu"),
        (replace(NO_GPU, device="gpu"), "GPU", FAIL, "there is no driver", "DEVICE=cpu"),
        (replace(GOOD, sight=Sight((), "no NVML")), "GPU", FAIL, "cannot watch: no NVML", ".venv"),
        (replace(GOOD, data=Data("unusable", "half a file", "mend it")), "CIFAR-10", FAIL, "half a file", "mend it"),
        (replace(GOOD, data=Data("missing", "none", "make data")), "CIFAR-10", WARN, "none", "make data"),
        (replace(GOOD, free_bytes=99_000_000), "disk", FAIL, "0.1 GB free", "100 MB"),
        (replace(GOOD, free_bytes=299_000_000, data=Data("missing", "")), "disk", FAIL, "0.3 GB free", "300 MB"),
        (replace(GOOD, results_writable=False), "results folder", FAIL, "cannot be written", "OUT="),
        (host(cgroup_cpu_cores=1.5), "CPU", WARN, "time of 1.5", "--cpuset-cpus"),
        (host(NO_GPU, cpu_flags=("avx2",)), "CPU bfloat16", WARN, "none", "fp32"),
        (host(cgroup_memory_bytes=2**30), "memory", WARN, "1.0 GiB", "3.4 GiB"),
        (host(load_average=2.1), "other work", WARN, "2.1 of 8 cores", "stop"),
        (
            replace(GOOD, cpu=replace(CPU, governor="powersave,schedutil")),
            "CPU governor",
            WARN,
            "powersave",
            "undo it with `-g powersave`",
        ),
        (replace(GOOD, git_dirty=True), "checkout", WARN, "cccccccccccc with changes", "commit"),
        (replace(GOOD, git_commit=None, git_dirty=None), "checkout", WARN, "does not tell", "clone"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    facts: Facts, check: str, verdict: str, evidence: str, advice: str
) -> None:
    found = finding(facts, check)
    assert found.verdict == verdict
    assert evidence in found.value
    assert advice in found.advice
    assert found.advice
    assert [each.check for each in examine(facts) if each.verdict == FAIL and each.check != check] == []


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        (replace(GOOD, device="cpu", tensorflow=Answer("2.21.0", ()), sight=None), "GPU"),
        (replace(NO_GPU, data=Data("missing", "none")), "CIFAR-10"),
        (host(cpu_flags=()), "CPU bfloat16"),
        (host(cgroup_cpu_cores=8.0), "CPU"),
        (replace(GOOD, cpu=replace(CPU, governor=None)), "CPU governor"),
        (host(load_average=None), "other work"),
        (host(memory_total_bytes=None), "memory"),
        (host(load_average=2.0), "other work"),
    ],
)
def test_what_is_not_known_or_not_needed_is_no_reproach(facts: Facts, check: str) -> None:
    assert finding(facts, check).verdict == OK


def test_packages_are_compared_with_their_lock(tmp_path: Path) -> None:
    lock = tmp_path / "cpu.txt"
    version = metadata.version("pytest")
    lock.write_text(
        f"# a comment\npytest=={version} ; sys_platform == 'linux' \\\n    --hash=sha256:0\n"
        "pytest==0.1 ; sys_platform != 'linux' \\\n    --hash=sha256:0\n"
        "click==0.0.1 \\\n    --hash=sha256:0\nnot-installed-here==1.0\n"
    )
    assert packages_unlike_lock(lock) == (f"click {metadata.version('click')}",)
    assert packages_unlike_lock(tmp_path / "missing.txt") is None


def test_this_machine_is_looked_at_without_starting_more_than_it_was_given(tmp_path: Path) -> None:
    asked = []

    def run_command(argv: Sequence[str], timeout: float) -> str:
        asked.append(argv[0])
        return f"framework-answer {json.dumps({'version': '9.9', 'gpus': []})}"

    facts = gather(tmp_path, tmp_path / "not/there/yet", "auto", Data("missing", ""), run_command)
    assert asked == [sys.executable]  # and no git, as there is no checkout
    assert (facts.tensorflow.version, facts.python) == ("9.9", sys.version_info[:2])
    assert facts.results_writable
    assert facts.free_bytes > 0
    assert len(examine(facts)) == len(examine(GOOD))
    assert not (tmp_path / "not").exists()


def test_results_cannot_be_written_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    facts = gather(tmp_path, tmp_path / "file/results", "cpu", Data("missing", ""), lambda argv, timeout: "")
    assert not facts.results_writable


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_results_cannot_be_written_where_the_user_may_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    facts = gather(tmp_path, tmp_path / "results", "cpu", Data("missing", ""), lambda argv, timeout: "")
    tmp_path.chmod(0o700)
    assert not facts.results_writable
