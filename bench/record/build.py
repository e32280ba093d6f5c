"""Build a Record from the lines of ``events.jsonl``: pure, and without an exception whatever the lines hold.

A line is a trainer's event as it was decoded plus ``received_ns``, or one of the harness's own (``harness_start``,
``harness_recount``, ``harness_malformed``, ``harness_busy``, ``harness_end``, and those of ``bench.record.telemetry``).
A file that ends in the middle of a line, or without ``harness_end``, belongs to a harness that was stopped: what is
there is used and the run is ``interrupted``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bench import protocol
from bench.record import machine
from bench.record.event_lines import Line, Unreadable, decoded, number, table, text, whole
from bench.record.hello import with_hello
from bench.record.machine import MachineLines
from bench.record.model import (
    SCHEMA,
    STATUSES,
    Evaluation,
    HarnessCost,
    Malformed,
    PhaseSpan,
    Record,
    Recount,
    Remark,
    WaitHistogram,
)
from bench.record.receipts import Receipts
from bench.record.ticks import TelemetrySample

EVENTS_FILE = "events.jsonl"
#: Remarks and malformed lines beyond this many are counted, not kept: a trainer that floods must not flood the record.
MAX_KEPT = 100


def build_record(
    lines: Iterable[Line], seed: int | None = None, telemetry: Iterable[TelemetrySample] | None = None
) -> Record:
    """Return the record of one run from its events in order, without a verdict.

    ``lines`` are lines of text or objects already decoded; ``seed`` is used where the events do not name one.
    ``telemetry`` are the rows of ``telemetry.csv``, None where there is none, taken one by one after the lines.
    """
    building = _Builder()
    unread: str | None = None
    for line in lines:
        if isinstance(line, (str, bytes)) and not line.strip():
            continue
        if unread is not None:
            building.refuse("", unread)
            unread = None
        try:
            body = decoded(line)
        except Unreadable as why:
            # A cut last line of a killed harness is not damage; an earlier one is.
            unread = f"a line of events.jsonl is {why}"
            continue
        building.take(body)
    record = building.record(seed)
    ticks = None if telemetry is None else building.receipts.noting(telemetry)
    found = machine.telemetry(building.machine, ticks, record)
    return replace(record, telemetry=found, stamps=building.receipts.stamps())


@dataclass
class _Builder:
    """A record in progress; ``take`` adds one decoded line."""

    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    hello: protocol.Hello | None = None
    done: protocol.Done | None = None
    done_ns: int | None = None
    hellos: int = 0
    phases: list[PhaseSpan] = field(default_factory=list)
    epochs: list[Evaluation] = field(default_factory=list)
    last_of_epoch: dict[float, int] = field(default_factory=dict)
    waits: list[WaitHistogram] = field(default_factory=list)
    recounts: list[Recount] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    warnings_not_kept: int = 0
    errors: list[Remark] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    malformed_lines: int = 0
    receipts: Receipts = field(default_factory=Receipts)
    machine: MachineLines = field(default_factory=MachineLines)

    def __post_init__(self) -> None:
        self._own: dict[str, Callable[[dict[str, Any]], object]] = {
            "harness_start": self._take_start,
            "harness_recount": self._take_recount,
            "harness_malformed": self._take_malformed,
            "harness_busy": self.receipts.take_busy,
            "harness_end": self._take_end,
            "harness_sampler": self.machine.take_sampler,
            "harness_edge": self._take_edge,
            "harness_gpu_lost": self.machine.take_gpu_lost,
            "harness_impossible": self.machine.take_impossible,
        }

    def take(self, body: dict[str, Any]) -> None:
        own = self._own.get(str(body.get("event")))
        if own is not None:
            own(body)
            return
        try:
            event = protocol.from_json(body)
        except protocol.ProtocolError as why:
            self.refuse(json.dumps(body), str(why))
            return
        received_ns = whole(body, "received_ns")
        self.receipts.take(event.t_ns, received_ns)
        if event.run == 0:  # Further runs of one process serve accuracy statistics and are no part of this record.
            self._take_event(event, received_ns)

    def refuse(self, line: str, why: str) -> None:
        self.malformed_lines += 1
        if len(self.malformed) < MAX_KEPT:
            self.malformed.append(Malformed(line[:200], why))

    def _take_start(self, body: dict[str, Any]) -> None:
        self.start = self.start or body

    def _take_end(self, body: dict[str, Any]) -> None:
        self.end = body

    def _take_malformed(self, body: dict[str, Any]) -> None:
        self.refuse(text(body, "line") or "", text(body, "why") or "")

    def _take_recount(self, body: dict[str, Any]) -> None:
        epoch, correct, total = number(body, "epoch"), whole(body, "correct"), whole(body, "total")
        if epoch is None or correct is None or total is None:
            self.refuse(json.dumps(body), "a recount needs `epoch`, `correct` and `total`")
            return
        # The harness recounts right after an evaluation, so the nearest one before applies.
        index = self.last_of_epoch.get(epoch)
        self.recounts.append(Recount(epoch, correct, total, index, text(body, "predictions_sha256")))

    def _take_edge(self, body: dict[str, Any]) -> None:
        if not self.machine.take_edge(body):
            self.refuse(json.dumps(body), "an edge needs `edge` and `t_ns`")

    def _take_event(self, event: protocol.Event, received_ns: int | None) -> None:
        if isinstance(event, protocol.Hello):
            self.hello = self.hello or event
            self.hellos += 1
        elif isinstance(event, protocol.Phase):
            self.phases.append(PhaseSpan(event.name, _as_float(event.epoch), event.begin_ns, event.end_ns, received_ns))
        elif isinstance(event, protocol.Epoch):
            self.last_of_epoch[float(event.epoch)] = len(self.epochs)
            numbers = (float(event.epoch), event.steps, event.images, float(event.loss), event.correct, event.total)
            self.epochs.append(Evaluation(*numbers, event.view, at_ns=event.t_ns, received_ns=received_ns))
        elif isinstance(event, protocol.Waits):
            edges = tuple(float(edge) for edge in event.edges_us)
            seen = WaitHistogram(
                float(event.epoch),
                edges,
                tuple(event.counts),
                float(event.floor_us),
                _as_float(event.sum_us),
                event.level_samples,
                _as_float(event.level_mean),
                event.level_capacity,
                _as_float(event.level_empty_share),
            )
            self.waits.append(seen)
        elif isinstance(event, protocol.Done):
            self.done, self.done_ns = event, received_ns
        else:
            kept = self.warnings if isinstance(event, protocol.Warning) else self.errors
            if len(kept) < MAX_KEPT:
                kept.append(Remark(event.message, event.hint))
            elif kept is self.warnings:
                self.warnings_not_kept += 1

    def record(self, seed: int | None) -> Record:
        start, end, done = self.start, self.end, self.done
        status = text(end, "status")
        reason = text(end, "reason") or ""
        if not end:
            status, reason = "interrupted", "the harness was stopped before the run ended"
        elif status not in STATUSES:
            status, reason = "failed", f"the harness ended the run with the unknown status {status!r}"
        known_seed = whole(start, "seed")
        if known_seed is None:
            known_seed = self.hello.seed if self.hello is not None and seed is None else seed
        argv = start.get("argv")
        target_percent = number(start, "target_percent")
        if target_percent is None and self.hello is not None:
            target_percent = float(self.hello.recipe["target_percent"])
        record = Record(
            schema=SCHEMA,
            seed=known_seed,
            status=str(status),
            reason=reason,
            target_percent=target_percent,
            test_images=whole(start, "test_images"),
            utc=text(start, "utc"),
            argv=tuple(str(word) for word in argv) if isinstance(argv, list) else (),
            spawned_ns=whole(start, "spawned_ns"),
            exited_ns=whole(end, "exited_ns"),
            exit_code=whole(end, "exit_code"),
            signal=whole(end, "signal"),
            hellos=self.hellos,
            done_status=None if done is None else done.status,
            done_ns=self.done_ns,
            phases=tuple(self.phases),
            epochs=tuple(_with_durations(self.epochs, self.phases, self.waits)),
            waits=tuple(self.waits),
            recounts=tuple(self.recounts),
            warnings=tuple(self.warnings),
            warnings_not_kept=self.warnings_not_kept + (whole(end, "dropped_warnings") or 0),
            errors=tuple(self.errors),
            malformed=tuple(self.malformed),
            malformed_lines=self.malformed_lines,
            peak_memory_bytes=whole(end, "peak_memory_bytes"),
            trainer_cpu_seconds=number(end, "trainer_cpu_seconds"),
            leftover_processes=whole(end, "leftover_processes"),
            harness=HarnessCost(
                cpu_seconds=number(end, "harness_cpu_seconds"),
                voluntary_switches=whole(end, "harness_voluntary_switches"),
                involuntary_switches=whole(end, "harness_involuntary_switches"),
                events=whole(end, "events"),
                emit_ns=None if done is None else done.emit_ns,
            ),
            fingerprint=table(start, "fingerprint"),
            circumstances=table(start, "circumstances"),
        )
        return _with_crossing(with_hello(record, self.hello))


def _as_float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _with_durations(epochs: list[Evaluation], phases: list[PhaseSpan], waits: list[WaitHistogram]) -> list[Evaluation]:
    train, evaluate = _duration_taker("train_k", phases), _duration_taker("eval_k", phases)
    waited = {each.epoch: each.sum_us / 1e6 for each in waits if each.sum_us is not None}
    stalled = {each.epoch: each.stall_seconds for each in waits}
    timed = [
        replace(
            each,
            train_seconds=train(each.epoch),
            eval_seconds=evaluate(each.epoch),
            wait_seconds=waited.get(each.epoch),
            stall_seconds=stalled.get(each.epoch),
        )
        for each in epochs
    ]
    final = [phase.duration_ns for phase in phases if phase.name == "final_eval"]
    if timed and final and timed[-1].eval_seconds is None:
        timed[-1] = replace(timed[-1], eval_seconds=sum(final) / 1e9)
    return timed


def _duration_taker(name: str, phases: list[PhaseSpan]) -> Callable[[float], float | None]:
    left = [(phase.epoch, phase.duration_ns) for phase in phases if phase.name == name and phase.epoch is not None]
    left.sort(reverse=True)

    def take(up_to: float) -> float | None:
        taken = []
        while left and left[-1][0] <= up_to:
            taken.append(left.pop()[1])
        return sum(taken) / 1e9 if taken else None

    return take


def _with_crossing(record: Record) -> Record:
    """Return the record with the first evaluation that meets the target, plain or in the recipe's view."""
    target_percent = record.target_percent
    if target_percent is None:
        return record
    views = {"plain", str(record.recipe.get("view", "plain"))}
    met = (i for i, each in enumerate(record.epochs) if each.view in views and each.reaches(target_percent))
    return replace(record, crossing_index=next(met, None))
