"""What is known about one run, as plain frozen data: the shape of ``record.json``, schema 1.

Times ending in ``_ns`` are CLOCK_MONOTONIC nanoseconds. None, or an empty table, is "not known", which is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from bench.record.telemetry import Telemetry

SCHEMA = 1
RECORD_FILE = "record.json"
#: A claimed time further than this from its receipt is not believed (contracts, section 1).
STAMP_TOLERANCE_NS = 50_000_000
#: How a run ended, as the harness saw it.
#: ``cut_short``: the harness had seen enough, as of a warm-up run.
STATUSES = ("done", "failed", "timed_out", "interrupted", "cut_short")
#: The view of an evaluation without test-time augmentation.
PLAIN = "plain"
#: What a verdict says, from best to worst; a reason may also be a ``note``, which does not change the verdict.
LEVELS = ("clean", "suspect", "invalid")


@dataclass(frozen=True)
class PhaseSpan:
    """A stretch of the trainer's life; ``epoch`` is given for the phases that happen once an epoch."""

    name: str
    epoch: float | None
    begin_ns: int
    end_ns: int
    received_ns: int | None = None

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.begin_ns


@dataclass(frozen=True)
class Evaluation:
    """One evaluation and the training before it; ``at_ns`` is when the trainer says it announced it."""

    epoch: float
    steps: int
    images: int
    loss: float
    correct: int
    total: int
    view: str
    train_seconds: float | None = None
    eval_seconds: float | None = None
    wait_seconds: float | None = None
    stall_seconds: float | None = None
    at_ns: int = 0
    received_ns: int | None = None

    @property
    def accuracy_percent(self) -> float:
        return 100 * self.correct / self.total

    def reaches(self, target_percent: float) -> bool:
        """100 x correct / total >= target, in whole numbers: 93.99 is not 94, whatever a float makes of it."""
        return 100 * self.correct >= Fraction(repr(target_percent)) * self.total


@dataclass(frozen=True)
class WaitHistogram:
    """``counts[i]`` steps of the epoch waited less than ``edges_us[i]`` for input, the last count longer than all.

    ``floor_us`` is a wait for what is ready; ``sum_us`` all waits together. The level of the prefetch buffer, where the
    trainer could look: ``level_samples`` looks, ``level_mean`` batches ready of ``level_capacity``, and the share of
    looks that found it empty.
    """

    epoch: float
    edges_us: tuple[float, ...]
    counts: tuple[int, ...]
    floor_us: float
    sum_us: float | None = None
    level_samples: int | None = None
    level_mean: float | None = None
    level_capacity: int | None = None
    level_empty_share: float | None = None

    @property
    def steps(self) -> int:
        return sum(self.counts)

    @property
    def stall_seconds(self) -> float | None:
        """Return the time waited beyond the floor; None if unknown."""
        return None if self.sum_us is None else max(0.0, self.sum_us - self.steps * self.floor_us) / 1e6


@dataclass(frozen=True)
class Recount:
    """What the harness counted in ``predictions.u8`` for the evaluation at ``index``, or None where none fits.

    ``predictions_sha256`` is of the file as it was counted; events written before it was kept have none.
    """

    epoch: float
    correct: int
    total: int
    index: int | None = None
    predictions_sha256: str | None = None


@dataclass(frozen=True)
class Remark:
    """A warning or an error the trainer announced."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class Malformed:
    """The beginning of a malformed line, and the reason."""

    line: str
    why: str


@dataclass(frozen=True)
class HarnessCost:
    """The price of watching: the parent's CPU time and context switches, and the trainer's account of its events."""

    cpu_seconds: float | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    events: int | None = None
    emit_ns: int | None = None


@dataclass(frozen=True)
class Stamps:
    """How far receipts lie from claimed times: ``late`` after them, ``ahead`` before them, which cannot be.

    Time in which the harness received nothing is not the trainer's lateness. ``late_by_harness`` are the
    events that were late for that alone, ``worst_harness_late_ms`` the most of it in any that came late.
    """

    events: int = 0
    late_over_50ms: int = 0
    worst_late_ms: float = 0.0
    ahead_over_50ms: int = 0
    worst_ahead_ms: float = 0.0
    late_by_harness: int = 0
    worst_harness_late_ms: float = 0.0


@dataclass(frozen=True)
class Reason:
    """One rule's finding: what was seen (``evidence``) and what to do about it (``advice``)."""

    rule: str
    level: str
    evidence: str
    advice: str = ""


@dataclass(frozen=True)
class Verdict:
    """``level`` under version ``rules`` of the rule list, with every reason found."""

    rules: int
    level: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Record:
    """Everything the events of one run say; ``crossing_index`` is the first evaluation that reached the target."""

    schema: int
    seed: int | None
    status: str
    reason: str
    target_percent: float | None = None
    test_images: int | None = None
    utc: str | None = None
    argv: tuple[str, ...] = ()
    spawned_ns: int | None = None
    exited_ns: int | None = None
    exit_code: int | None = None
    signal: int | None = None

    trainer: str | None = None
    framework: str | None = None
    runs: int | None = None
    claimed_seed: int | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None
    input: str | None = None
    device: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None
    xla: dict[str, Any] = field(default_factory=dict)
    hellos: int = 0
    done_status: str | None = None
    done_ns: int | None = None

    phases: tuple[PhaseSpan, ...] = ()
    epochs: tuple[Evaluation, ...] = ()
    waits: tuple[WaitHistogram, ...] = ()
    crossing_index: int | None = None
    recounts: tuple[Recount, ...] = ()
    warnings: tuple[Remark, ...] = ()
    #: How many more warnings there were: a trainer that floods must not flood the record.
    warnings_not_kept: int = 0
    errors: tuple[Remark, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    malformed_lines: int = 0
    stamps: Stamps = Stamps()

    peak_memory_bytes: int | None = None
    trainer_cpu_seconds: float | None = None
    #: Processes that the trainer had started, still there a second after its end, and killed.
    leftover_processes: int | None = None
    harness: HarnessCost = HarnessCost()
    fingerprint: dict[str, Any] = field(default_factory=dict)
    #: How the run came about: ``rules`` in force before it, ``warm_up`` (did one precede it in this process),
    #: ``idle_seconds`` before it and ``idle_seconds_asked``, ``kernel_cache`` (``kept``, or ``cold`` for each run);
    #: of `bench run`, ``session_began_ns``, when that was started, and ``earlier_sessions_seconds`` of its campaign.
    circumstances: dict[str, Any] = field(default_factory=dict)
    telemetry: Telemetry = field(default_factory=Telemetry)
    verdict: Verdict | None = None

    @property
    def life_ns(self) -> int | None:
        """From the spawn of the trainer's process to its exit, as the harness stamped them."""
        if self.spawned_ns is None or self.exited_ns is None:
            return None
        return self.exited_ns - self.spawned_ns

    @property
    def crossing(self) -> Evaluation | None:
        """Return the first evaluation that reached the target."""
        return None if self.crossing_index is None else self.epochs[self.crossing_index]

    def plain(self, evaluation: Evaluation) -> Evaluation | None:
        """Return the evaluation of the same weights without test-time augmentation, or None."""
        same = (each for each in reversed(self.epochs) if each.epoch == evaluation.epoch and each.view == PLAIN)
        return evaluation if evaluation.view == PLAIN else next(same, None)

    @property
    def reached(self) -> bool:
        """A finished run that met the target: what counts as a success."""
        return self.status == "done" and self.crossing_index is not None

    @property
    def finished_schedule(self) -> bool:
        """Return whether the run ended well and trained the recipe's whole schedule."""
        epochs = self.recipe.get("epochs")
        if self.status != "done" or not self.epochs or not isinstance(epochs, (int, float)):
            return False
        # Epoch numbers are steps / steps per epoch: this is beyond rounding and far below one missing step.
        return max(each.epoch for each in self.epochs) >= epochs - 1e-6
