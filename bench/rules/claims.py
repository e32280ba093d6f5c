"""Rules on what a trainer claims: compared with what was received, counted and requested, and with itself."""

from __future__ import annotations

import math
import re
from itertools import accumulate, pairwise

from bench.record import STAMP_TOLERANCE_NS, Evaluation, PhaseSpan, Record
from bench.record.input_waits import waited
from bench.rules.rule import Rule, percent

#: Phases must sum to the process's life within this share (contracts, section 1).
LARGEST_GAP_SHARE = 0.01
#: Phases made from float seconds may overlap by rounding; a millisecond is above that and below any phase that matters.
OVERLAP_TOLERANCE_NS = 1_000_000
#: The same for waits, which lie within the training of their epoch.
WAITS_TOLERANCE_SECONDS = 1e-3
#: The loss in a malformed line.
_LOSS = re.compile(r'"loss"\s*:\s*([^\s,}]+)')


def _finished(record: Record) -> str | None:
    ended = {
        "cut_short": "the run was cut short",
        "failed": "the run failed",
        "timed_out": "the run timed out",
        "interrupted": "the run was interrupted",
    }
    return None if record.status == "done" else f"{ended.get(record.status, record.status)}: {record.reason}"


def _greeting(record: Record) -> str | None:
    return None if record.hellos == 1 else f"the trainer announced itself {record.hellos} times, not once"


def _requested(record: Record) -> str | None:
    wrong = []
    if record.claimed_seed not in (None, record.seed):
        wrong.append(f"seed {record.claimed_seed}, not {record.seed}")
    target_percent = record.recipe.get("target_percent")
    if target_percent is not None and target_percent != record.target_percent:
        wrong.append(f"a target of {target_percent} %, not {record.target_percent} %")
    return f"the trainer ran with {' and '.join(wrong)}" if wrong else None


def _done(record: Record) -> str | None:
    return "the trainer left without `done`" if record.status == "done" and record.done_status is None else None


def _malformed(record: Record) -> str | None:
    if not record.malformed_lines:
        return None
    lines = "1 line is no event" if record.malformed_lines == 1 else f"{record.malformed_lines} lines are no events"
    return f"{lines}; the first: {record.malformed[0].why}" if record.malformed else lines


def _loss(record: Record) -> str | None:
    for each in record.epochs:
        if not math.isfinite(each.loss):
            return f"the loss of epoch {each.epoch:g} is {each.loss}"
    for line in record.malformed:
        found = _LOSS.search(line.line)
        if found and not _is_finite(found[1]):
            return f"the trainer announced a loss that is no number: {line.why}"
    return None


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _stamps(record: Record) -> str | None:
    stamps = record.stamps
    if not stamps.late_over_50ms:
        return None
    worst = f"the worst by {stamps.worst_late_ms:.0f} ms"
    return (
        f"{stamps.late_over_50ms} of {stamps.events} events arrived more than 50 ms after the time they claim, {worst}"
    )


def _heard_late(record: Record) -> str | None:
    stamps = record.stamps
    if not stamps.late_by_harness:
        return None
    events = "1 event was" if stamps.late_by_harness == 1 else f"{stamps.late_by_harness} events were"
    return (
        f"{events} received late because the harness was busy itself, up to {stamps.worst_harness_late_ms:.0f} ms; "
        "the trainer is not to blame"
    )


def _future(record: Record) -> str | None:
    ahead = record.stamps.ahead_over_50ms
    if ahead:
        events = "1 event claims" if ahead == 1 else f"{ahead} events claim"
        return f"{events} a time after receipt, the worst by {record.stamps.worst_ahead_ms:.0f} ms"
    for phase in record.phases:
        if phase.end_ns < phase.begin_ns:
            return f"phase {phase.name} ends before it begins"
        if phase.received_ns is not None and phase.end_ns > phase.received_ns + STAMP_TOLERANCE_NS:
            return f"phase {phase.name} was announced {(phase.end_ns - phase.received_ns) / 1e9:.2f} s before its end"
    return None


def _life(record: Record) -> str | None:
    born_ns, gone_ns = record.spawned_ns, record.exited_ns
    for phase in record.phases:
        # A process's start is known to one clock tick, 10 ms; the tolerance of the stamps covers it.
        if born_ns is not None and phase.begin_ns < born_ns - STAMP_TOLERANCE_NS:
            return f"phase {phase.name} begins {(born_ns - phase.begin_ns) / 1e9:.2f} s before the process"
        if gone_ns is not None and phase.end_ns > gone_ns + STAMP_TOLERANCE_NS:
            return f"phase {phase.name} ends {(phase.end_ns - gone_ns) / 1e9:.2f} s after the process"
    return None


def _overlap(record: Record) -> str | None:
    phases = sorted(record.phases, key=lambda phase: (phase.begin_ns, phase.end_ns))
    before: PhaseSpan | None = None
    for phase in phases:
        if before is not None and phase.begin_ns < before.end_ns - OVERLAP_TOLERANCE_NS:
            return f"phases {before.name} and {phase.name} overlap by {(before.end_ns - phase.begin_ns) / 1e9:.3f} s"
        before = phase if before is None or phase.end_ns > before.end_ns else before
    return None


def _gaps(record: Record) -> str | None:
    if record.status != "done" or record.spawned_ns is None or record.done_ns is None:
        return None
    # After `done` there is only the interpreter's own way out, which no process can announce and no clock counts.
    life_ns = record.done_ns - record.spawned_ns
    missing_ns = life_ns - sum(phase.duration_ns for phase in record.phases)
    if abs(missing_ns) <= LARGEST_GAP_SHARE * life_ns:
        return None
    more = "less" if missing_ns > 0 else "more"
    share = f"{100 * abs(missing_ns) / max(life_ns, 1):.1f} %"
    return f"the phases sum to {share} {more} than the {life_ns / 1e9:.1f} s from the process's start to `done`"


def _recount(record: Record) -> str | None:
    for each in record.recounts:
        if each.index is None:
            return f"predictions were counted for epoch {each.epoch:g}, which was never announced"
        claim = record.epochs[each.index]
        if (claim.correct, claim.total) != (each.correct, each.total):
            claimed = f"{claim.correct} of {claim.total} test images correct after epoch {each.epoch:g}"
            return f"the trainer claims {claimed}; its predictions give {each.correct} of {each.total}"
    return None


def _predictions(record: Record) -> str | None:
    if record.test_images is None or not record.epochs:
        return None
    last = len(record.epochs) - 1
    wanted = {last: "the last evaluation"} if record.status == "done" else {}
    if record.crossing_index is not None:
        wanted[record.crossing_index] = "the evaluation that crossed the target"
    missing = [wanted[index] for index in sorted(wanted.keys() - {each.index for each in record.recounts})]
    return f"no predictions were counted for {' and '.join(missing)}" if missing else None


def _test_set(record: Record) -> str | None:
    for each in record.epochs:
        if record.test_images is not None and each.total != record.test_images:
            return f"epoch {each.epoch:g} was evaluated on {each.total} images; the test set has {record.test_images}"
    return None


def _order(record: Record) -> str | None:
    plain = [each.epoch for each in record.epochs if each.view == "plain"]
    for before, after in pairwise(plain):
        if after <= before:
            return f"epoch {after:g} was announced after epoch {before:g}"
    return None


def _work(record: Record) -> str | None:
    batch, steps_per_epoch = record.recipe.get("batch"), record.recipe.get("steps_per_epoch")
    if not isinstance(batch, int) or not isinstance(steps_per_epoch, int):
        return None
    for each, steps in zip(record.epochs, accumulate(each.steps for each in record.epochs), strict=True):
        if each.images > each.steps * batch:
            return f"epoch {each.epoch:g} claims {each.images} images in {each.steps} steps of {batch}"
        if _is_new(each, record) and abs(each.epoch * steps_per_epoch - steps) >= 1:
            return f"epoch {each.epoch:g} was announced after {steps} steps of {steps_per_epoch} an epoch"
    return None


def _is_new(evaluation: Evaluation, record: Record) -> bool:
    """Return whether an evaluation is the first of its weights."""
    return bool(evaluation.view == record.recipe.get("view", "plain"))


def _waits(record: Record) -> str | None:
    for each in waited(record):
        if each.wait_seconds > each.train_seconds + WAITS_TOLERANCE_SECONDS:
            return (
                f"the waits of epoch {each.epoch:g} sum to {each.wait_seconds:.3g} s; it was trained in "
                f"{each.train_seconds:.3g} s"
            )
    return None


def _several_runs(record: Record) -> str | None:
    runs = record.runs or 1
    return f"{runs} runs shared one process: accuracies count, times make no headline" if runs > 1 else None


def _leftovers(record: Record) -> str | None:
    count = record.leftover_processes
    if not count:
        return None
    those, were = ("1 process", "was") if count == 1 else (f"{count} processes", "were")
    return f"{those} of the trainer {were} still there after its end and {were} killed"


def _warnings(record: Record) -> str | None:
    if not record.warnings:
        return None
    others = len(record.warnings) - 1 + record.warnings_not_kept
    more = f" (and {others:,} more)" if others else ""
    return f"the trainer warns: {record.warnings[0].message}{more}"


_STAMP_MS = f"{STAMP_TOLERANCE_NS / 1e6:.0f} ms"
CLAIMS = (
    Rule("finished", "ending", "invalid",
         "read trainer.log in the run's folder, then type `make bench` to run this seed again",
         "any end but a good one", after=_finished),
    Rule("greeting", "greeting", "invalid",
         "a trainer announces itself once, with `hello`, before anything else (bench/protocol.py)",
         "not exactly one `hello`", after=_greeting),
    Rule("asked", "seed and target", "invalid",
         "the trainer must use BENCH_SEED and BENCH_TARGET_PERCENT as they are given",
         "a seed or a target that is not the one it was given", after=_requested),
    Rule("done", "last event", "suspect",
         "a trainer's last event is `done`; without it the harness cannot tell an end from a crash",
         "no `done` at the end of a good run", after=_done),
    Rule("malformed", "events", "suspect",
         "run the trainer with its output on a terminal and look for prints into BENCH_EVENTS",
         "a line that is not an event", after=_malformed),
    Rule("loss", "loss", "invalid",
         "the training diverged: lower the learning rate, or use PRECISION=fp32 to see whether precision did it",
         "a loss that is not a finite number", after=_loss),
    Rule("stamps", "receipts", "suspect",
         "close what else runs on this machine; a trainer must write an event when it happens, not later",
         f"an event that arrives more than {_STAMP_MS} after the time it claims, the time apart in which the harness "
         "was busy itself", after=_stamps),
    Rule("heard-late", "harness busy", "note",
         "none is needed: times are the trainer's own; put OUT= on a local disk and leave the harness a core",
         f"an event that is received more than {_STAMP_MS} late because the harness was busy", after=_heard_late),
    Rule("future", "future", "invalid",
         "times must be CLOCK_MONOTONIC nanoseconds of this machine (bench/protocol.py)",
         f"an event, or the end of a phase, more than {_STAMP_MS} after its receipt, or a phase that ends before it "
         "begins", after=_future),
    Rule("life", "life", "suspect",
         "a phase lies inside the life of the trainer's process; look at how the trainer takes its times",
         f"a phase more than {_STAMP_MS} outside the life of the process", after=_life),
    Rule("overlap", "overlap", "suspect",
         "phases follow one another; a stretch of time must not be charged twice, or to the cheaper phase",
         f"phases that overlap by more than {OVERLAP_TOLERANCE_NS / 1e6:.0f} ms", after=_overlap),
    Rule("gaps", "gaps", "suspect",
         "every stretch of the process's life belongs to a phase; time in none of them is on no clock",
         "phases of a good run that sum to more or less than the time from the start of the process to `done`, by more "
         f"than {percent(LARGEST_GAP_SHARE)} of it", after=_gaps),
    Rule("recount", "recount", "invalid",
         "the accuracy must be that of predictions.u8, one class byte per test image in the dataset's order",
         "predictions that give another count than the trainer claims, or of an epoch that it never announced",
         after=_recount),
    Rule("predictions", "predictions", "suspect",
         "write predictions.u8 before the evaluation that crosses the target and before the last one",
         "none for the evaluation that crosses the target, or for the last", after=_predictions),
    Rule("test-set", "test set", "invalid",
         "accuracy is over the whole test set: keep the last, smaller batch of the evaluation",
         "an evaluation that is not over the whole test set", after=_test_set),
    Rule("order", "order", "suspect",
         "announce each evaluation once, in the order of training",
         "an epoch that is not after the one before", after=_order),
    Rule("work", "work", "invalid",
         "`steps` and `images` count what was trained since the evaluation before, `epoch` all of it",
         "more images than steps of a batch, or an epoch that its steps do not make", after=_work),
    Rule("waits", "waits", "suspect",
         "`sum_us` is in microseconds, and of the steps of one epoch; steps wait within `train_k`",
         f"waits of an epoch that sum to more than its training, by over {1e3 * WAITS_TOLERANCE_SECONDS:.0f} ms",
         after=_waits),
    Rule("leftovers", "left behind", "suspect",
         "end and wait for what the trainer starts: it takes time from the run after, and its work is on no clock",
         "a process that the trainer had started and that was still there a second after its end", after=_leftovers),
    Rule("several-runs", "runs a process", "note",
         "for a time that can be published, run one process per run",
         "more than one run in one process", after=_several_runs),
    Rule("warnings", "warnings", "note", "read the warnings in record.json", "the trainer warned", after=_warnings),
)  # fmt: skip
