from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.record import build_record
from bench.record.expected_run import ExpectedRun
from bench.rules import conformance
from bench.rules.conformance import FAIL, HINT, NOT_TESTED, PASS, Finding, Start, Starts
from tests.support.records import NS, Run, changed

Lines = list[dict[str, Any]]
ASKED = ExpectedRun(0, 94.0, dataset_sha256="cd" * 32, dataset_state="canonical", device_kind="cpu")


def told(run: Run = Run()) -> Lines:  # noqa: B008 (frozen)
    """An honest run as its trainer tells it: hello first, what was imported before it after it."""
    lines = run.lines()
    begin, hello = lines[0], next(line for line in lines if line["event"] == "hello")
    return [begin, hello, *(line for line in lines[1:] if line is not hello)]


def start(lines: Lines, asked: ExpectedRun = ASKED, **more: Any) -> Start:
    events = tuple(line for line in lines if not line["event"].startswith("harness_"))
    return Start(asked, build_record(lines), events, **more)


def stopped(**more: Any) -> Start:
    """A start that was told to end after its hello."""
    lines = [told()[1], *told()[-1:]]
    end = {"status": "cut_short", "exit_code": None, "signal": signal.SIGTERM, **more}
    return start([lines[0], {**lines[1], **end}], seconds_to_end=0.2)


def whole(first: Lines, second: Lines | None = None) -> Starts:
    """Two runs and a start that was stopped, as a check makes them."""
    other = told(Run(seed=1, target_percent=47.0, correct=(5000, 8000, 9000, 9100, 9200)))
    asked = replace(ASKED, seed=1, target_percent=47.0)
    return Starts((start(first), start(second or other, asked)), stopped())


def verdicts(starts: Starts) -> dict[str, str]:
    return {each.rule: each.verdict for each in conformance.findings(starts)}


def broken(starts: Starts) -> list[str]:
    return [rule for rule, verdict in verdicts(starts).items() if verdict == FAIL]


def finding(rule: str, starts: Starts) -> Finding:
    return next(each for each in conformance.findings(starts) if each.rule == rule)


def without(lines: Lines, wanted: Callable[[dict[str, Any]], bool]) -> Lines:
    return [line for line in lines if not wanted(line)]


def test_an_honest_trainer_keeps_every_rule() -> None:
    assert set(verdicts(whole(told())).values()) == {PASS}


def test_every_rule_says_what_it_asks_and_a_broken_one_what_to_do() -> None:
    findings = conformance.findings(whole(without(told(), lambda line: line["event"] == "phase")))

    assert all(each.says for each in findings)
    assert all(each.evidence and each.advice for each in findings if each.verdict == FAIL)
    assert len({each.rule for each in findings}) == len(findings)


# Each fault breaks the rule it is of, and no other


def _hello(**fields: Any) -> Callable[[Lines], Lines]:
    return lambda lines: changed(lines, "hello", **fields)


def _refused(line: str, why: str) -> dict[str, Any]:
    return {"event": "harness_malformed", "line": line, "why": why}


def _late(lines: Lines) -> dict[str, Any]:
    return {**lines[-2], "event": "warning", "message": "one more thing"}


def _event(kind: str, nth: int = 0, **fields: Any) -> Callable[[Lines], Lines]:
    return lambda lines: changed(lines, kind, nth, **fields)


FAULTS: dict[str, Sequence[tuple[str, Callable[[Lines], Lines]]]] = {
    "greeting": [
        ("twice", lambda lines: [*lines[:2], lines[1], *lines[2:]]),
        ("a phase first", lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]),
    ],
    "request": [
        ("another seed", _hello(seed=7)),
        ("another target", _hello(recipe={**told()[1]["recipe"], "target_percent": 90.0})),
        ("another device", _hello(device={"kind": "gpu", "name": "a GPU", "uuid": "GPU-1"})),
        ("several runs", _hello(runs=3)),
    ],
    "data": [
        ("other data", _hello(dataset={"name": "cifar10", "sha256": "ee" * 32, "state": "canonical"})),
        ("another state", _hello(dataset={"name": "cifar10", "sha256": "cd" * 32, "state": "unverified"})),
    ],
    "lines": [("a print", lambda lines: [*lines[:3], _refused("hi", "not a line of JSON"), *lines[3:]])],
    "phases": [
        ("none", lambda lines: without(lines, lambda line: line["event"] == "phase")),
        ("a gap", lambda lines: without(lines, lambda line: line.get("name") == "compile")),
        ("an overlap", lambda lines: changed(lines, "phase", 4, begin_ns=lines[5]["begin_ns"])),
        ("training untold", lambda lines: [
            {**line, "name": "build", "epoch": None} if line.get("name") == "train_k" else line for line in lines
        ]),
    ],
    "stamps": [
        ("late", lambda lines: changed(lines, "epoch", received_ns=lines[-1]["exited_ns"] + 9 * NS)),
        ("from the future", _event("epoch", 2, t_ns=10_000 * NS)),
    ],
    "evaluations": [
        ("none", lambda lines: without(lines, lambda line: line["event"] in ("epoch", "harness_recount"))),
        ("in views alone", _event("epoch", 1, view="flip")),
        ("too few steps", _event("epoch", 1, steps=3)),
    ],
    "predictions": [
        ("none", lambda lines: without(lines, lambda line: line["event"] == "harness_recount")),
        ("others", _event("harness_recount", correct=100)),
    ],
    "done": [
        ("and a word after it", lambda lines: [*lines[:-1], _late(lines), lines[-1]]),
        ("left out", lambda lines: without(lines, lambda line: line["event"] == "done")),
    ],
    "end": [("with another exit code", _event("harness_end", status="failed", exit_code=3, reason="exit code 3"))],
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "fault"),
    [pytest.param(rule, fault, id=f"{rule}: {name}") for rule, faults in FAULTS.items() for name, fault in faults],
)
def test_a_fault_breaks_the_rule_it_is_of(rule: str, fault: Callable[[Lines], Lines]) -> None:
    starts = whole(fault(told()))

    assert rule in broken(starts)
    assert len(broken(starts)) == 1 or rule == "evaluations"  # without evaluations there are no predictions either
    assert finding(rule, starts).advice or rule == "end"


def test_a_loss_that_is_no_number_is_told_as_such() -> None:
    refused = _refused('{"event":"epoch","loss":NaN', "a number is NaN")

    assert broken(whole([*told()[:9], refused, *told()[9:]])) == ["lines", "loss"]


def test_a_hello_that_lacks_a_field_is_told_with_the_field() -> None:
    refused = _refused('{"v":1,"event":"hello"', "event hello lacks 'xla'")
    failed = {"status": "failed", "exit_code": None, "signal": signal.SIGTERM, "reason": "a line that is no event"}
    lines = [told()[0], refused, {**told()[-1], **failed}]

    found = finding("greeting", Starts((start(lines),)))

    assert (found.verdict, found.evidence) == (FAIL, "its hello is not complete: event hello lacks 'xla'")


def test_a_target_that_is_known_by_heart_is_found_out_by_the_second_run() -> None:
    heart = Run(seed=1, target_percent=94.0, start={"target_percent": 47.0}, correct=(5000, 8000, 9000, 9100, 9200))

    found = finding("request", whole(told(), told(heart)))

    assert found.verdict == FAIL
    assert found.evidence == "seed 1: the trainer ran with a target of 94.0 %, not 47.0 %"


def test_a_trainer_that_vouches_for_nothing_trains_on_unverified_data() -> None:
    unknown = {"name": "cifar10", "sha256": "", "state": "unverified"}

    found = finding("data", Starts((start(_hello(dataset=unknown)(told())),)))

    assert (found.verdict, found.evidence) == (PASS, "it vouches for nothing: its results count as of unverified data")


def test_two_seeds_that_train_alike_use_none() -> None:
    second = start(told(Run(seed=1)), replace(ASKED, seed=1))

    found = finding("seeds", Starts((start(told()), second), stopped()))

    assert (found.verdict, found.evidence) == (FAIL, "seeds 0 and 1 gave the same losses and the same predictions")


def test_a_process_left_behind_is_named() -> None:
    starts = whole(told())

    found = finding("processes", replace(starts, stopped=replace(stopped(), left_running=("loader (process 7)",))))

    assert (found.verdict, found.evidence) == (FAIL, "a second after its end there still ran loader (process 7)")


def test_a_trainer_that_had_to_be_killed_does_not_mind_sigterm() -> None:
    found = finding("sigterm", replace(whole(told()), stopped=stopped(signal=signal.SIGKILL)))

    assert (found.verdict, found.evidence) == (FAIL, "it still ran 5 s after SIGTERM and was killed")


# What was not seen is not called kept


def test_a_trainer_that_never_said_a_word_has_shown_nothing() -> None:
    end = {"status": "failed", "exit_code": 1, "reason": "the trainer ended with exit code 1"}
    starts = Starts((start([told()[0], {**told()[-1], **end}]),))

    assert broken(starts) == ["greeting"]
    assert verdicts(starts)["processes"] == PASS
    others = {verdict for rule, verdict in verdicts(starts).items() if rule not in ("greeting", "processes")}
    assert others == {NOT_TESTED}


def test_a_run_that_was_stopped_has_not_shown_how_it_would_have_ended() -> None:
    end = {"status": "failed", "exit_code": None, "signal": signal.SIGTERM, "reason": "the trainer wrote hello twice"}
    lines = [*told()[:2], told()[1], {**told()[-1], **end}]

    starts = Starts((start(lines),))

    assert broken(starts) == ["greeting"]
    assert verdicts(starts)["end"] == NOT_TESTED


def test_one_run_says_nothing_of_seeds() -> None:
    assert verdicts(Starts((start(told()),), stopped()))["seeds"] == NOT_TESTED


# Hints


def test_what_is_optional_and_left_out_is_a_hint_and_no_fault() -> None:
    starts = whole(_event("done", emit_ns=None)(told()))

    hints = conformance.hints(starts)

    assert {each.rule for each in hints} == {"waits", "emit-ns", "build", "model"}
    assert all(each.verdict == HINT and each.evidence for each in hints)


def test_a_trainer_without_a_host_input_needs_no_waits() -> None:
    assert "waits" not in {each.rule for each in conformance.hints(whole(_hello(input="device")(told())))}


def test_a_trainer_that_never_ended_well_gets_no_hints() -> None:
    assert conformance.hints(Starts((start(told(Run(status="failed"))),))) == ()
