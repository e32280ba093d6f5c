"""The epochs of a run: train, evaluate, report, in an order that keeps reporting outside the timed phases."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from bench.protocol import Epoch, Writer
from resnet9.errors import TrainingFailed
from resnet9.input import waits
from resnet9.training.epoch_table import EpochTable
from resnet9.training.phases import PhaseLog

if TYPE_CHECKING:
    from resnet9.input.loops import DeviceLoop, EpochStats, HostLoop, MemoryLoop
    from resnet9.optim.step import TrainingStep
    from resnet9.training.evaluation import Evaluation


@dataclass(frozen=True)
class Components:
    """What the phases before the first epoch have made."""

    step: TrainingStep
    loop: DeviceLoop | HostLoop | MemoryLoop
    evaluation: Evaluation
    test_labels: Any  # uint8 [M]
    precision: str


@dataclass(frozen=True)
class _Evaluated:
    """An evaluation: how many test images were classified rightly, the mean loss, and the classes as bytes."""

    view: str
    correct: int
    loss: float
    classes: bytes


class TrainingRun:
    """One run over the whole schedule of its recipe, from the first ``train_k`` to the end of the last evaluation.

    ``views`` ``last``: a recipe with test-time augmentation uses it after its last epoch; ``every``: after each.
    """

    def __init__(self, parts: Components, target_percent: float, views: str, writer: Writer, phases: PhaseLog) -> None:
        self._parts, self._target, self._views = parts, target_percent, views
        self._writer, self._phases = writer, phases
        self._recipe = parts.step.recipe
        self._total = len(parts.test_labels)
        self._reached = False
        self._seconds = 0.0
        self._table = EpochTable(sys.stdout, self._recipe.views)

    def run(self, seed: int) -> float:
        """Train and evaluate every epoch; the running phase is ``exit`` when this returns. Returns the accuracy the
        run reports, in percent. Raises TrainingFailed for a loss that is no number.
        """
        loop = self._parts.loop
        last = math.ceil(len(loop.rates) / loop.steps_per_epoch)
        self._phases.next("train_k", loop.epoch_label(1))
        for number in range(1, last):
            self._epoch(number, seed)
        return 100 * self._last_epoch(last, seed) / self._total

    def _epoch(self, number: int, seed: int) -> None:
        epoch, sums = self._parts.loop.epoch_label(number), self._train(number, seed)
        train_seconds = self._phases.next("eval_k", epoch)
        self._check_weights(epoch)
        self._parts.step.swap_average()
        found = [self._evaluate("plain", sums, epoch)]
        if self._views == "every" and self._recipe.views != "plain":
            found.append(self._evaluate(self._recipe.views, sums, epoch))
        self._parts.step.swap_average()
        test_seconds = self._phases.next("train_k", self._parts.loop.epoch_label(number + 1))
        for each in found:
            self._report(each, sums, epoch)
        self._print(number, sums, train_seconds, test_seconds, found)

    def _last_epoch(self, number: int, seed: int) -> int:
        """Train and evaluate like any other epoch; the final evaluation is a phase of its own. Return its correct
        count.
        """
        epoch, sums = self._parts.loop.epoch_label(number), self._train(number, seed)
        viewed = self._recipe.views != "plain"
        train_seconds = self._phases.next("eval_k", epoch) if viewed else self._phases.next("final_eval")
        self._check_weights(epoch)
        self._parts.step.swap_average()
        found, test_seconds = [self._evaluate("plain", sums, epoch)], 0.0
        if viewed:
            test_seconds = self._phases.next("final_eval")
            # Reported before the views are computed: the harness reads these predictions before they are overwritten.
            self._report(found[0], sums, epoch)
            found.append(self._evaluate(self._recipe.views, sums, epoch))
        test_seconds += self._phases.next("exit")
        self._report(found[-1], sums, epoch, last=True)
        self._print(number, sums, train_seconds, test_seconds, found)
        return found[-1].correct

    def _train(self, number: int, seed: int) -> EpochStats:
        sums = self._parts.loop.run(number, seed)
        self._check(sums.mean_loss, self._parts.loop.epoch_label(number))
        return sums

    def _evaluate(self, view: str, sums: EpochStats, epoch: float) -> _Evaluated:
        classes, loss = self._parts.evaluation.run(view)
        self._check(loss, epoch)
        return _Evaluated(view, int((classes == self._parts.test_labels).sum()), loss, classes.tobytes())

    def _check(self, loss: float, epoch: float) -> None:
        if not math.isfinite(loss):
            self._fail(f"the loss is {loss} after epoch {epoch:g}")

    def _check_weights(self, epoch: float) -> None:
        if not self._parts.step.is_finite():
            self._fail(f"a weight or a running statistic is no number after epoch {epoch:g}")

    def _fail(self, what: str) -> NoReturn:
        if self._parts.precision == "fp16":
            scale = self._parts.step.settings.loss_scale
            raise TrainingFailed(
                f"{what}: fp16 has overflowed (loss scale {scale:g}), or the training has diverged",
                "try PRECISION=bf16 or fp32, or a lower learning rate in the recipe",
            )
        raise TrainingFailed(
            f"{what}: the training has diverged", "try PRECISION=fp32, or a lower learning rate in the recipe"
        )

    def _report(self, evaluated: _Evaluated, sums: EpochStats, epoch: float, last: bool = False) -> None:
        # In integers, like the harness's own check: a float would miss 94.04 % of 10,000 by its last digit.
        crosses = 100 * evaluated.correct >= Fraction(repr(float(self._target))) * self._total and not self._reached
        self._reached |= crosses
        if crosses or last:
            self._writer.write_predictions(evaluated.classes)
        # The steps of an epoch are reported once, with its first evaluation; another view uses the same weights.
        first = evaluated.view == "plain"
        if sums.waits_us and first:
            floor_us = self._parts.loop.floor_us
            self._writer.emit(waits.event(epoch, sums.waits_us, sums.levels, sums.capacity, floor_us))
        work = (sums.steps, sums.images) if first else (0, 0)
        self._writer.emit(Epoch(epoch, *work, sums.mean_loss, evaluated.correct, self._total, view=evaluated.view))

    def _print(
        self, number: int, sums: EpochStats, train_seconds: float, test_seconds: float, found: list[_Evaluated]
    ) -> None:
        loop = self._parts.loop
        self._seconds += train_seconds
        self._table.row(
            {
                "epoch": loop.epoch_label(number),
                "lr": float(loop.rates[loop.steps_of(number).stop - 1]),
                "train time": train_seconds,
                "train loss": sums.mean_loss,
                "train acc": sums.correct / sums.images,
                "test time": test_seconds,
                "test loss": found[0].loss,
                "test acc": found[0].correct / self._total,
                "total time": self._seconds,
                **{each.view: each.correct / self._total for each in found[1:]},
            }
        )
