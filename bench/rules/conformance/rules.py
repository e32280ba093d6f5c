"""The rules of the trainer contract, each a check of a program's starts.

Findings of ``bench.rules`` are reused, sorted by the rule of docs/reference/protocol.md that they break.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.rules import verdict_of
from bench.rules.conformance.shape import FAIL, NOT_TESTED, PASS, Finding, Seen, Start, Starts

#: From SIGTERM to the end (bench.launch.monitor.Limits.grace_seconds).
SECONDS_TO_END = 5.0
END = "end"


@dataclass(frozen=True)
class Rule:
    """One rule: its name, what it requires of a trainer, and its check."""

    name: str
    says: str
    look: Callable[[Starts], Seen]


RULES: list[Rule] = []


def findings(starts: Starts) -> tuple[Finding, ...]:
    """Return the finding of every rule, in the order of a trainer's life."""
    seen = {rule.name: rule.look(starts) for rule in RULES}
    broken = next((name for name, each in seen.items() if each.verdict == FAIL and name != END), None)
    if broken is not None and seen[END].verdict == FAIL:
        # The harness stops a run at its first violation, so its own end was not seen.
        seen[END] = Seen(NOT_TESTED, f"the harness may have stopped the run, see {broken}")
    return tuple(Finding(rule.name, rule.says, **asdict(seen[rule.name])) for rule in RULES)


Look = Callable[[Start], Seen]


def _rule(name: str, says: str) -> Callable[[Callable[[Starts], Seen]], Callable[[Starts], Seen]]:

    def add(look: Callable[[Starts], Seen]) -> Callable[[Starts], Seen]:
        RULES.append(Rule(name, says, look))
        return look

    return add


def _of_each_run(name: str, says: str) -> Callable[[Look], Callable[[Starts], Seen]]:
    """Add a rule checked on each whole run: FAIL if one run fails, else PASS if one passes."""

    def add(look: Look) -> Callable[[Starts], Seen]:
        return _rule(name, says)(lambda starts: _worst([(run, look(run)) for run in starts.runs]))

    return add


def _worst(seen: Sequence[tuple[Start, Seen]]) -> Seen:
    for verdict in (FAIL, PASS, NOT_TESTED):
        for run, each in seen if verdict == FAIL else reversed(seen):  # the later run crosses its target
            if each.verdict == verdict:
                where = f"seed {run.expected.seed}: " if len(seen) > 1 and verdict == FAIL else ""
                return Seen(verdict, where + each.evidence, each.advice)
    return Seen(NOT_TESTED, "no run was made")


def _by_checks(start: Start, *names: str) -> Seen | None:
    reasons = {reason.rule: reason for reason in verdict_of(start.record).reasons}
    first = next((reasons[name] for name in names if name in reasons), None)
    return None if first is None else Seen(FAIL, first.evidence, first.advice)


@_of_each_run("greeting", "says `hello` first and once, with every field")
def _greeting(start: Start) -> Seen:
    advice = "write one `hello` with all its fields before any other event but `warning` and `error`"
    kinds = [str(event.get("event")) for event in start.events]
    early = next((kind for kind in kinds if kind not in ("warning", "error")), "hello")
    refused = next((each.why for each in start.record.malformed if "hello" in each.line[:100]), None)
    if refused is not None and not start.record.hellos:
        return Seen(FAIL, f"its hello is not complete: {refused}", advice)
    if early != "hello":
        return Seen(FAIL, f"it wrote {early} before hello", advice)
    if start.record.hellos != 1:
        how = start.record.reason if not start.record.hellos else "a second one came later"
        return Seen(FAIL, f"it said hello {start.record.hellos} times: {how}", advice)
    return Seen(PASS)


@_of_each_run("request", "runs what was requested: BENCH_SEED, BENCH_TARGET_PERCENT and BENCH_DEVICE, once a process")
def _request(start: Start) -> Seen:
    record = start.record
    if not record.hellos:
        return Seen(NOT_TESTED, "there was no hello")
    wrong = _by_checks(start, "asked")
    if wrong is not None:
        return wrong
    if record.device.get("kind") != start.expected.device_kind:
        text = f"it trains on device.kind {record.device.get('kind')!r}, not {start.expected.device_kind!r}"
        return Seen(FAIL, text, "train on the device of BENCH_DEVICE: `cpu`, or the GPU with that UUID")
    if record.runs != 1:
        return Seen(FAIL, f"it announces {record.runs} runs", "make one run a process; the harness starts another")
    return Seen(PASS)


@_of_each_run("data", "trains on the data of BENCH_DATA, and says what the harness knows of them")
def _data(start: Start) -> Seen:
    said, expected = start.record.dataset, start.expected
    if not said:
        return Seen(NOT_TESTED, "there was no hello")
    if said.get("sha256") == "" and said.get("state") == "unverified" and expected.dataset_state != "synthetic":
        return Seen(PASS, "it vouches for nothing: its results count as of unverified data")
    for key, wanted in (("sha256", expected.dataset_sha256), ("state", expected.dataset_state)):
        if said.get(key) != wanted:
            text = f"it says dataset.{key} {said.get(key)!r}, not {wanted!r}"
            advice = "sha256 is that of the file BENCH_DATA_FLAT, of what was trained on; state is BENCH_DATA_STATE"
            return Seen(FAIL, text, advice)
    return Seen(PASS)


@_of_each_run("lines", "writes nothing but events of the protocol into BENCH_EVENTS")
def _lines(start: Start) -> Seen:
    if not start.events and not start.record.malformed_lines:
        return Seen(NOT_TESTED, "it wrote nothing")
    return _by_checks(start, "malformed") or Seen(PASS)


@_of_each_run("phases", "accounts for its whole life in phases that follow one another, within 1 %")
def _phases(start: Start) -> Seen:
    record = start.record
    if not record.phases:
        if not start.done:
            return Seen(NOT_TESTED, "the run ended before its first phase did")
        return Seen(FAIL, "it reported no phase", "write a `phase` event for every stretch of the process's life")
    found = _by_checks(start, "overlap", "life", "gaps")
    if found is not None:
        return found
    untimed = next((each.epoch for each in record.epochs if each.train_seconds is None), None)
    if untimed is not None:
        text = f"epoch {untimed:g} has no phase train_k before it, so its time to accuracy is unknown"
        return Seen(FAIL, text, "write `phase` train_k with the epoch's number before its `epoch` event")
    return Seen(PASS) if start.done else Seen(NOT_TESTED, "the run did not end well, so its life is not known")


@_of_each_run("stamps", "stamps events with CLOCK_MONOTONIC as they happen, within 50 ms of their receipt")
def _stamps(start: Start) -> Seen:
    if not start.events:
        return Seen(NOT_TESTED, "there was no event")
    stamps = start.record.stamps
    return _by_checks(start, "future", "stamps") or Seen(PASS, f"the latest by {stamps.worst_late_ms:.0f} ms")


@_of_each_run("evaluations", "announces evaluations in order, with plain accuracy over the whole test set")
def _evaluations(start: Start) -> Seen:
    epochs = start.record.epochs
    if not epochs:
        if not start.done:
            return Seen(NOT_TESTED, "the run ended before its first evaluation")
        return Seen(FAIL, "it announced no evaluation", "write an `epoch` event after each evaluation")
    plain = {each.epoch for each in epochs if each.view == "plain"}
    other = next((each for each in epochs if each.epoch not in plain), None)
    if other is not None:
        text = f"epoch {other.epoch:g} was evaluated in {other.view} views alone"
        return Seen(FAIL, text, "announce the plain accuracy of every evaluated epoch, too")
    return _by_checks(start, "test-set", "order", "work") or Seen(PASS, f"{len(epochs)} of them")


@_of_each_run(
    "predictions", "writes predictions.u8 before the crossing and the last evaluation, and they count the same"
)
def _predictions(start: Start) -> Seen:
    record = start.record
    found = _by_checks(start, "recount", "predictions")
    if found is not None:
        return found
    if not record.recounts:
        return Seen(NOT_TESTED, "no evaluation was reached that is counted")
    crossing = "" if record.crossing_index is None else f", the crossing of {record.target_percent:g} % among them"
    evaluations = "1 evaluation" if len(record.recounts) == 1 else f"{len(record.recounts)} evaluations"
    return Seen(PASS, f"{evaluations} recounted{crossing}")


@_of_each_run("loss", "has a finite loss")
def _loss(start: Start) -> Seen:
    if not start.record.epochs and not start.record.malformed_lines:
        return Seen(NOT_TESTED, "no loss was announced")
    return _by_checks(start, "loss") or Seen(PASS)


@_of_each_run("done", "says `done` last, and nothing after it")
def _done(start: Start) -> Seen:
    kinds = [str(event.get("event")) for event in start.events]
    advice = "write `done` as the very last event, then end"
    if "done" in kinds and kinds[-1] != "done":
        return Seen(FAIL, f"it wrote {kinds[kinds.index('done') + 1]} after done", advice)
    if "done" in kinds:
        return Seen(PASS)
    if start.record.exit_code == 0:
        return Seen(FAIL, "it ended without done", advice)
    return Seen(NOT_TESTED, "the run did not come so far")


@_of_each_run(END, "ends by itself, with exit code 0")
def _end(start: Start) -> Seen:
    advice = "end with 0 where all went well, soon after `done`; else with `error` and another exit code"
    return Seen(PASS) if start.done else Seen(FAIL, start.record.reason, advice)


@_rule("processes", "leaves no process behind")
def _processes(starts: Starts) -> Seen:
    for start in (*starts.runs, *filter(None, [starts.stopped])):
        if start.left_running:
            text = f"a second after its end there still ran {', '.join(start.left_running)}"
            return Seen(FAIL, text, "end and wait for what the program starts, also after SIGTERM")
    return Seen(PASS)


@_rule("seeds", "trains differently with another seed")
def _seeds(starts: Starts) -> Seen:
    if len(starts.runs) < 2:
        return Seen(NOT_TESTED, "one whole run was made, and it takes two")
    if not all(run.done and run.record.epochs for run in starts.runs):
        return Seen(NOT_TESTED, "it takes two runs that ended well")
    epochs = [[(each.epoch, each.loss, each.correct) for each in run.record.epochs] for run in starts.runs]
    counted = [[each.predictions_sha256 for each in run.record.recounts[-1:]] for run in starts.runs]
    seeds = " and ".join(str(run.expected.seed) for run in starts.runs)
    if epochs[0] == epochs[1] and counted[0] == counted[1]:
        advice = "draw initial weights, order and augmentation from BENCH_SEED"
        return Seen(FAIL, f"seeds {seeds} gave the same losses and the same predictions", advice)
    return Seen(PASS, f"seeds {seeds} gave different runs")


@_rule("sigterm", f"ends within {SECONDS_TO_END:g} s of SIGTERM")
def _sigterm(starts: Starts) -> Seen:
    start = starts.stopped
    if start is None or start.seconds_to_end is None:
        return Seen(NOT_TESTED, "there was no hello after which to stop it")
    if start.record.signal == signal.SIGKILL:
        advice = "leave SIGTERM its default, or end in its handler; long work in a library must not hold it up"
        return Seen(FAIL, f"it still ran {SECONDS_TO_END:g} s after SIGTERM and was killed", advice)
    return Seen(PASS, f"after {start.seconds_to_end:.1f} s")
