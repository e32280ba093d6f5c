"""Runs of one table must come from one machine in one state, or it says so."""

from __future__ import annotations

from bench.analysis.config_diff import conflicting_keys, within
from bench.record import Record
from tests.support.records import Run


def ran_on(status: str = "done", **fingerprint: object) -> Record:
    named = {name.replace("__", "."): value for name, value in fingerprint.items()}
    return Run(status=status, start={"fingerprint": named}).record()


def test_runs_of_one_machine_may_be_mixed() -> None:
    assert conflicting_keys([ran_on(cpu__model="a"), ran_on(cpu__model="a")]) == ()
    assert conflicting_keys([ran_on()]) == ()
    assert conflicting_keys([]) == ()


def test_what_differs_is_named() -> None:
    records = [ran_on(cpu__model="a", git__commit="1"), ran_on(cpu__model="b", git__commit="1"), ran_on(cpu__model="a")]
    assert conflicting_keys(records) == ("cpu.model", "git.commit")


def test_what_may_differ_is_not_named() -> None:
    assert conflicting_keys([ran_on(memory__total_bytes=1), ran_on(memory__total_bytes=2)]) == ()


def test_a_run_that_did_not_finish_is_in_no_figure_and_mixes_nothing() -> None:
    assert conflicting_keys([ran_on(cpu__model="a"), ran_on(status="failed", cpu__model="b")]) == ()


def test_facts_that_must_match_within_a_side_are_named() -> None:
    assert within([ran_on(gpu__driver_version="1"), ran_on(gpu__driver_version="2")]) == ("gpu.driver_version",)
    assert within([ran_on(memory__total_bytes=1), ran_on(memory__total_bytes=2)]) == ()
