"""The verdict: an honest run is clean, and each way of not being believable is found and named."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import LEVELS, Malformed, Record, Remark, build_record
from bench.rules import RULES, verdict_of, with_verdict
from bench.rules.claims import CLAIMS
from tests.bench.record.test_build import HOSTILE_LINES, REAL_LINES, bent_lines
from tests.support.records import NS, Run, changed

Lines = list[dict[str, Any]]


def without(lines: Lines, event: str) -> Lines:
    return [line for line in lines if line["event"] != event]


def phase(name: str, **changes: Any) -> Callable[[Lines], Lines]:
    """Shift the first phase of a name by seconds at its beginning (``begin``) or its end (``end``)."""

    def change(lines: Lines) -> Lines:
        nth = [line["name"] for line in lines if line["event"] == "phase"].index(name)
        line = [line for line in lines if line["event"] == "phase"][nth]
        moved = {f"{key}_ns": line[f"{key}_ns"] + round(seconds * NS) for key, seconds in changes.items()}
        return changed(lines, "phase", nth, **moved)

    return change


def epoch(nth: int, **changes: Any) -> Callable[[Lines], Lines]:
    return lambda lines: changed(lines, "epoch", nth, **changes)


def event(kind: str, **changes: Any) -> Callable[[Lines], Lines]:
    return lambda lines: changed(lines, kind, **changes)


def dataset(state: str) -> Callable[[Lines], Lines]:
    return lambda lines: changed(lines, "hello", dataset={"name": "cifar10", "sha256": "", "state": state})


def waited(epoch: float, **told: Any) -> Callable[[Lines], Lines]:
    """Tell the waits of an epoch, which is trained in 10 s, at the end."""
    body = {"epoch": epoch, "edges_us": [], "counts": [97], "floor_us": 5.0, **told}
    waits = {"v": 1, "event": "waits", "run": 0, **body}
    return lambda lines: [*lines[:-2], {**waits, "t_ns": lines[-2]["t_ns"]}, *lines[-2:]]


def late(lines: Lines) -> Lines:
    index = next(i for i, line in enumerate(lines) if line["event"] == "epoch")
    return [
        {**line, "received_ns": line["received_ns"] + 60_000_000} if i == index else line
        for i, line in enumerate(lines)
    ]


def heard_late(lines: Lines) -> Lines:
    began_ns = lines[0]["spawned_ns"]
    return [{"event": "harness_busy", "begin_ns": began_ns, "end_ns": began_ns + 1000 * NS}, *late(lines)]


WARNING = {"v": 1, "event": "warning", "run": 0, "t_ns": 0, "message": "no AMX"}
FINDINGS: list[tuple[str, str, Callable[[Lines], Lines], str]] = [
    ("finished", "invalid", lambda _: Run(correct=(9,), status="timed_out").lines(), "run timed out: the"),
    ("finished", "invalid", lambda lines: lines[:-1], "was interrupted: the harness was stopped"),
    ("greeting", "invalid", lambda lines: without(lines, "hello"), "0 times"),
    ("greeting", "invalid", lambda lines: [*lines[:3], lines[2], *lines[3:]], "2 times"),
    ("asked", "invalid", event("hello", seed=9), "seed 9, not 0"),
    ("asked", "invalid", event("harness_start", target_percent=93.0), "94.0 %, not 93.0 %"),
    ("done", "suspect", lambda lines: without(lines, "done"), "without `done`"),
    ("malformed", "suspect", lambda lines: [*lines, {"v": 1, "event": "epoc"}], "1 line is no event"),
    ("loss", "invalid", epoch(2, loss="NaN"), "no number"),
    ("heard-late", "note", heard_late, "1 event was received late because the harness was busy itself, up to 61 ms"),
    ("stamps", "suspect", late, "1 of 24 events arrived more than 50 ms after .* worst by 61 ms"),
    ("future", "invalid", epoch(1, t_ns=9_999 * NS), "1 event claims a time after receipt"),
    ("future", "invalid", phase("compile", end=0.2), "phase compile was announced 0.20 s before its end"),
    ("life", "suspect", phase("import", begin=-0.2), "phase import begins 0.20 s before the process"),
    ("life", "suspect", event("harness_end", exited_ns=1085 * NS + 700_000_000), "phase exit ends 0.30 s after"),
    ("overlap", "suspect", phase("compile", begin=-0.4), "data_load and compile overlap by 0.400 s"),
    ("gaps", "suspect", phase("compile", begin=5), "sum to 5.8 % less than the 86.0 s from the process's start"),
    ("gaps", "suspect", phase("train_k", begin=-5), r"sum to 5.8 % more"),
    ("recount", "invalid", event("harness_recount", correct=9399), "9400 of 10000 .* give 9399 of"),
    ("recount", "invalid", event("harness_recount", total=9984), "give 9400 of 9984"),
    ("recount", "invalid", event("harness_recount", epoch=7), "never announced"),
    ("predictions", "suspect", lambda lines: without(lines, "harness_recount"), "crossed the target and the last"),
    ("test-set", "invalid", epoch(0, total=9984), "evaluated on 9984 images; the test set has 10000"),
    ("order", "suspect", epoch(1, epoch=1), "epoch 1 was announced after epoch 1"),
    ("work", "invalid", epoch(1, images=97 * 512 + 1), "claims 49665 images in 97 steps of 512"),
    ("work", "invalid", epoch(1, epoch=2.5), "epoch 2.5 was announced after 194 steps of 97"),
    ("waits", "suspect", waited(1, sum_us=5e8), "the waits of epoch 1 sum to 500 s; it was trained in 10 s"),
    ("waits", "suspect", waited(5, sum_us=10_001_100.0), "waits of epoch 5"),
    ("dirty", "suspect", event("harness_start", fingerprint={"git.dirty": True}), "not committed"),
    ("several-runs", "note", event("hello", runs=3), "3 runs shared one process"),
    ("synthetic", "note", dataset("synthetic"), "no CIFAR-10 result"),
    ("unverified-data", "note", dataset("unverified"), "nobody verified that the images"),
    ("warnings", "note", lambda lines: [WARNING, *lines], "the trainer warns: no AMX$"),
    ("warnings", "note", lambda lines: [WARNING] * 3 + lines, r"no AMX \(and 2 more\)$"),
    ("warnings", "note", lambda lines: event("harness_end", dropped_warnings=8000)([WARNING] * 150 + lines),
     r"no AMX \(and 8,149 more\)$"),
    ("leftovers", "suspect", event("harness_end", leftover_processes=2),
     "^2 processes of the trainer were still there after its end and were killed$"),
    ("leftovers", "suspect", event("harness_end", leftover_processes=1), "^1 process of the trainer was still .* was"),
]  # fmt: skip


def test_an_honest_run_is_clean() -> None:
    for run in (Run(), Run(correct=(1, 2, 3, 4, 5)), Run(checkpoint_seconds=1.0, final_eval_seconds=3.0)):
        verdict = verdict_of(run.record())
        assert (verdict.rules, verdict.level, verdict.reasons) == (RULES, "clean", ())


@pytest.mark.parametrize(("rule", "level", "change", "evidence"), FINDINGS)
def test_each_rule_finds_what_it_is_for(rule: str, level: str, change: Callable[[Lines], Lines], evidence: str) -> None:
    verdict = verdict_of(build_record(change(Run().lines())))
    reason = next(each for each in verdict.reasons if each.rule == rule)
    assert reason.level == level
    assert reason.advice
    assert re.search(evidence, reason.evidence)
    assert LEVELS.index(verdict.level) >= LEVELS.index(level if level in LEVELS else "clean")


@pytest.mark.parametrize("change", [
    phase("compile", begin=0.5),
    phase("import", begin=-0.01),
    event("harness_end", exited_ns=1090 * NS),
    lambda lines: [{**line, "received_ns": line["received_ns"] + 48_000_000} for line in lines],
    epoch(4, view="flip"),
    waited(1, sum_us=10_000_900.0),
    waited(9, sum_us=5e8),  # Of an epoch that was never trained, which nothing is made of.
    lambda lines: changed(lines, "harness_start", test_images=None),
    lambda lines: changed(lines, "hello", recipe={**lines[2]["recipe"], "epochs": 5.0}),
])  # fmt: skip
def test_what_an_honest_run_may_do_is_not_held_against_it(change: Callable[[Lines], Lines]) -> None:
    assert verdict_of(build_record(change(Run().lines()))).reasons == ()


def test_every_rule_on_claims_has_a_test_here() -> None:
    assert {rule.name for rule in CLAIMS} <= {rule for rule, *_ in FINDINGS}


def test_the_worst_reason_gives_the_level_and_notes_give_none() -> None:
    lines = dataset("synthetic")(Run().lines())
    assert verdict_of(build_record(lines)).level == "clean"
    assert verdict_of(build_record(without(lines, "done"))).level == "suspect"
    worst = verdict_of(build_record(without(changed(lines, "hello", seed=9), "done")))
    assert worst.level == "invalid"
    assert [each.level for each in worst.reasons] == ["invalid", "suspect", "note"]


def test_a_loss_that_is_no_number_is_found_in_what_the_trainer_garbled() -> None:
    lines = ['{"event":"epoch","loss":NaN,"total":1}', '{"loss": -Infinity}', '{"loss": 1e999}', '{"loss": "none"}']
    for line in lines:
        record = replace(Run().record(), malformed=(Malformed(line, "no JSON number"),), malformed_lines=1)
        assert "loss" in [each.rule for each in verdict_of(record).reasons]
    record = replace(record, malformed=(Malformed('{"loss": 1.5, "floor_us": NaN}', "a number is NaN"),))
    assert "loss" not in [each.rule for each in verdict_of(record).reasons]
    *epochs, last = Run().record().epochs
    assert verdict_of(replace(Run().record(), epochs=(*epochs, replace(last, loss=math.inf)))).level == "invalid"


def test_a_phase_that_runs_backwards_is_found_wherever_it_comes_from() -> None:
    first, *rest = Run().record().phases
    backwards = replace(first, begin_ns=first.end_ns, end_ns=first.begin_ns)
    assert verdict_of(replace(Run().record(), phases=(backwards, *rest))).level == "invalid"


def test_more_warnings_are_counted() -> None:
    record = replace(Run().record(), warnings=(Remark("a"), Remark("b"), Remark("c")))
    assert verdict_of(record).reasons[0].evidence == "the trainer warns: a (and 2 more)"


def test_a_failed_run_is_not_blamed_for_the_time_it_did_not_get_to() -> None:
    names = [each.rule for each in verdict_of(Run(correct=(9500, 9000), status="failed").record()).reasons]
    assert names == ["finished"]


def test_a_record_keeps_its_verdict() -> None:
    record = with_verdict(Run().record())
    assert record.verdict == verdict_of(record)


@given(st.lists(REAL_LINES | bent_lines() | HOSTILE_LINES, max_size=30))
def test_no_record_is_beyond_judgement(lines: list[Any]) -> None:
    record: Record = build_record(lines)
    assert verdict_of(record).level in LEVELS
