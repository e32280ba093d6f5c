"""The fold: what a run said, kept whole, whatever state its events are in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import protocol
from bench.record import Record, build_record
from bench.system import json_schema
from tests.support.records import NS, Run, changed

WHOLE = st.integers(-3, 2**70)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted({key for line in Run().lines() for key in line})
HOSTILE_LINES = st.dictionaries(st.sampled_from(KEYS), JSON_VALUES, max_size=8) | JSON_VALUES
REAL_LINES = st.sampled_from(Run(final_eval_seconds=1.0, checkpoint_seconds=1.0).lines())


@st.composite
def bent_lines(draw: st.DrawFn) -> dict[str, Any]:
    """A real line with one of its values replaced, or one key taken away."""
    line = dict(draw(REAL_LINES))
    key = draw(st.sampled_from(sorted(line)))
    if draw(st.booleans()):
        line[key] = draw(JSON_VALUES)
    else:
        del line[key]
    return line


def test_a_whole_run_is_kept() -> None:
    record = Run(seed=3).record()
    assert (record.status, record.reason, record.seed, record.claimed_seed) == ("done", "", 3, 3)
    assert (record.trainer, record.framework) == ("resnet9 0.1.0", "tensorflow 2.21.0")
    assert record.recipe["name"] == "page24"
    assert [each.correct for each in record.epochs] == [4000, 9000, 9399, 9400, 9500]
    assert record.peak_memory_bytes == 2_000_000_000
    assert record.harness.cpu_seconds == 0.05
    assert record.harness.emit_ns is not None
    assert record.done_status == "done"
    assert record.verdict is None


def test_the_crossing_is_the_first_evaluation_at_or_above_the_target() -> None:
    assert Run(correct=(4000, 9399, 9400, 9600, 9500)).record().crossing_index == 2


def test_a_run_below_the_target_has_no_crossing() -> None:
    record = Run(correct=(9000, 9100, 9200, 9300, 9399)).record()
    assert record.crossing_index is None
    assert not record.reached


@pytest.mark.parametrize(("target", "correct", "total", "met"), [
    (94.0, 9400, 10_000, True), (94.0, 93_999, 100_000, False), (93.7, 9370, 10_000, True), (0.1, 1, 1000, True),
    (94.0, 1880, 2000, True), (33.3, 333, 1000, True),
])  # fmt: skip
def test_the_target_is_compared_without_rounding(target: float, correct: int, total: int, met: bool) -> None:
    record = Run(correct=(correct,), total=total, epochs=1, target_percent=target).record()
    assert (record.crossing_index == 0) is met


def test_only_the_plain_view_or_the_declared_one_crosses() -> None:
    lines = changed(Run().lines(), "epoch", 3, view="flip")
    assert build_record(lines).crossing_index == 4
    recipe = {**Run().lines()[2]["recipe"], "view": "flip"}
    assert build_record(changed(lines, "hello", recipe=recipe)).crossing_index == 3


def test_each_epoch_has_the_time_of_its_own_training_and_evaluation() -> None:
    record = Run(train_seconds=10.0, eval_seconds=2.0, pause_seconds=5.0).record()
    assert [each.train_seconds for each in record.epochs] == [10.0] * 5
    assert [each.eval_seconds for each in record.epochs] == [2.0] * 5


def test_the_final_evaluation_is_that_of_the_last_epoch() -> None:
    lines = [line for line in Run(final_eval_seconds=3.0).lines() if line.get("name") != "eval_k"]
    assert [each.eval_seconds for each in build_record(lines).epochs] == [None] * 4 + [3.0]
    assert Run(final_eval_seconds=3.0).record().epochs[-1].eval_seconds == 2.0


def test_an_epoch_evaluated_after_several_has_the_time_of_them_all() -> None:
    lines = [line for line in Run().lines() if not (line["event"] == "epoch" and line["epoch"] in (2, 3))]
    record = build_record(lines)
    assert [each.train_seconds for each in record.epochs] == [10.0, 30.0, 10.0]


def test_an_epoch_without_phases_has_no_time() -> None:
    lines = [line for line in Run().lines() if line["event"] != "phase"]
    assert [each.train_seconds for each in build_record(lines).epochs] == [None] * 5


def test_a_recount_belongs_to_the_evaluation_before_it() -> None:
    record = Run().record()
    assert [(each.index, each.correct) for each in record.recounts] == [(3, 9400), (4, 9500)]


@pytest.mark.parametrize("cut", [1, 2, 20, 100])
def test_events_cut_off_in_a_line_give_an_interrupted_run(cut: int) -> None:
    text = Run().text()
    record = build_record(text[: -cut - 1].splitlines())
    assert record.status == "interrupted"
    assert "stopped" in record.reason
    assert record.crossing_index == 3
    assert record.malformed_lines == 0


def test_events_cut_off_early_keep_what_is_there() -> None:
    lines = Run().text().splitlines()
    record = build_record([*lines[:12], lines[12][:30]])
    assert record.status == "interrupted"
    assert record.recipe["name"] == "page24"


def test_damage_in_the_middle_is_counted() -> None:
    lines = Run().text().splitlines()
    record = build_record([*lines[:5], "{broken", *lines[5:]])
    assert record.status == "done"
    assert record.malformed_lines == 1
    assert "not JSON" in record.malformed[0].why


def test_lines_the_trainer_garbled_are_kept_with_the_reason() -> None:
    garbled = {"event": "harness_malformed", "line": "hello world", "why": "not a line of JSON", "received_ns": 5}
    record = build_record([*Run().lines()[:-1], garbled, Run().lines()[-1]])
    assert (record.malformed[0].line, record.malformed[0].why) == ("hello world", "not a line of JSON")


def test_a_flood_of_garbage_does_not_flood_the_record() -> None:
    garbled = {"event": "harness_malformed", "line": "x" * 9999, "why": "no", "received_ns": 5}
    record = build_record([garbled] * 5000)
    assert record.malformed_lines == 5000
    assert len(record.malformed) == 100
    assert max(len(each.line) for each in record.malformed) == 200


def test_warnings_beyond_what_is_kept_are_counted_and_so_are_those_never_written() -> None:
    warning = {"v": 1, "event": "warning", "run": 0, "t_ns": 0, "message": "slow"}

    record = build_record(changed([warning] * 130 + Run().lines(), "harness_end", dropped_warnings=7))

    assert (len(record.warnings), record.warnings_not_kept) == (100, 37)


@pytest.mark.parametrize(("end", "known"), [({}, None), ({"leftover_processes": 0}, 0), ({"leftover_processes": 2}, 2)])
def test_what_a_trainer_left_behind_is_known_where_it_was_looked_for(end: dict[str, int], known: int | None) -> None:
    assert build_record(changed(Run().lines(), "harness_end", **end)).leftover_processes == known


def test_a_run_that_never_greets_is_kept_without_what_it_did_not_say() -> None:
    record = build_record(line for line in Run().lines() if line["event"] != "hello")
    assert (record.trainer, record.recipe, record.threads, record.hellos) == (None, {}, None, 0)
    assert record.target_percent == 94.0
    assert record.crossing_index == 3


def test_the_first_greeting_counts_and_the_second_is_noticed() -> None:
    lines = Run().lines()
    hello = next(line for line in lines if line["event"] == "hello")
    record = build_record([*lines[:3], {**hello, "trainer": "another"}, *lines[3:]])
    assert (record.trainer, record.hellos) == ("resnet9 0.1.0", 2)


def test_evaluations_stay_in_the_order_they_came() -> None:
    lines = Run().lines()
    epochs = [line for line in lines if line["event"] == "epoch"]
    record = build_record([*lines[:3], *reversed(epochs), epochs[0], lines[-1]])
    assert [each.epoch for each in record.epochs] == [5.0, 4.0, 3.0, 2.0, 1.0, 1.0]


def test_further_runs_of_a_process_are_no_part_of_the_record() -> None:
    lines = Run().lines()
    others = [{**line, "run": 1} for line in lines if line["event"] in ("phase", "epoch")]
    one, both = build_record(lines), build_record([*lines[:-1], *others, lines[-1]])
    assert both == replace(one, stamps=both.stamps)
    assert both.stamps.events > one.stamps.events


def test_the_seed_falls_back_to_what_is_known() -> None:
    assert build_record([]).seed is None
    assert build_record([], seed=7).seed == 7
    assert build_record(line for line in Run(seed=4).lines() if line["event"] != "harness_start").seed == 4


def test_an_unknown_way_to_end_is_a_failure() -> None:
    record = build_record(changed(Run().lines(), "harness_end", status="splendid"))
    assert record.status == "failed"
    assert "splendid" in record.reason


def test_late_and_early_claims_are_measured_against_their_receipt() -> None:
    lines = Run(delay_ns=0).lines()
    late = changed(lines, "epoch", 1, t_ns=lines[0]["spawned_ns"])
    index = next(i for i, line in enumerate(lines) if line["event"] == "epoch")
    early = changed(lines, "epoch", 0, t_ns=lines[index]["received_ns"] + 3 * NS)
    assert (build_record(lines).stamps.late_over_50ms, build_record(lines).stamps.ahead_over_50ms) == (0, 0)
    assert (build_record(late).stamps.late_over_50ms, build_record(early).stamps.ahead_over_50ms) == (1, 1)
    assert build_record(late).stamps.worst_late_ms > 10_000
    assert build_record(early).stamps.worst_ahead_ms == 3000.0


@pytest.mark.parametrize("line", [
    '{"v":1,"event":"epoch","run":0,"t_ns":1,"epoch":1,"steps":1,"images":1,"loss":1e999,"correct":1,"total":1,"view":"plain"}',
    json.dumps({**Run().lines()[2], "xla": {"on": False, "flags": 0.5}}).replace("0.5", "1e999"),
    '{"event":"phase","begin_ns":' + "9" * 5000 + "}",
    '{"event":"phase","begin_ns":' + "9" * 400 + "}",
    '{"event":"hello","trainer":"\\ud800"}',
    "[" * 100_000,
    "[1]",
    "null",
    b"\xff\xfe",
])  # fmt: skip
def test_what_json_can_smuggle_in_is_counted_not_raised(line: str | bytes) -> None:
    record = build_record([line, *Run().text().splitlines()])
    assert record.malformed_lines == 1
    assert record.reached
    json_schema.dump(record).encode("ascii")


@given(st.lists(REAL_LINES | bent_lines() | HOSTILE_LINES, max_size=30))
def test_no_sequence_of_lines_raises(lines: list[Any]) -> None:
    record = build_record(lines)
    assert json_schema.load(Record, json.loads(json_schema.dump(record))) == record


@given(st.lists(st.binary(max_size=40) | st.text(max_size=40), max_size=10))
def test_no_sequence_of_text_raises(lines: list[Any]) -> None:
    assert build_record(lines).status == "interrupted"


@given(st.permutations(Run().lines()))
def test_no_order_of_events_raises_or_loses_an_epoch(lines: list[dict[str, Any]]) -> None:
    assert sorted(each.correct for each in build_record(lines).epochs) == [4000, 9000, 9399, 9400, 9500]


def test_the_factory_speaks_the_protocol() -> None:
    for line in Run(final_eval_seconds=1.0, checkpoint_seconds=1.0).lines():
        if not line["event"].startswith("harness_"):
            protocol.from_json(line)
