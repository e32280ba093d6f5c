"""Checks of a trainer's events against the request, and of its accuracies against its predictions, while it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from bench import protocol
from bench.record.expected_run import ExpectedRun
from bench.system.files import plainly


@dataclass(frozen=True)
class Violation:
    """What no honest run writes: a stable ``code`` for code and tests, a ``message`` for the person."""

    code: str
    message: str


@dataclass(frozen=True)
class Recount:
    """``correct`` of ``total`` predictions found in ``predictions.u8`` after an evaluation.

    ``violation`` is set where they do not support the event; ``sha256`` is of the file, None where it is missing or has
    the wrong size.
    """

    epoch: float
    correct: int
    total: int
    violation: Violation | None = None
    sha256: str | None = None


class EventVerifier:
    """Follows the events of one run: reports violations and recounts the accuracies that matter."""

    def __init__(self, expected: ExpectedRun, folder: Path) -> None:
        self._expected = expected
        self._predictions = folder / protocol.PREDICTIONS_FILE
        self._hello: protocol.Hello | None = None
        self._crossed = False
        self._uncounted: protocol.Epoch | None = None
        self.done = False

    @property
    def hello_received(self) -> bool:
        """Whether a ``hello`` has come."""
        return self._hello is not None

    def violation(self, event: protocol.Event) -> Violation | None:
        """Return why ``event`` cannot belong to the run that was requested, or None."""
        if self.done:
            return Violation("after-done", f"the trainer wrote {event.kind} after done")
        if event.run != 0:
            return Violation("other-run", f"the trainer wrote an event of run {event.run}, but one run was asked for")
        if isinstance(event, protocol.Hello):
            again = self.hello_received
            self._hello = event
            return Violation("second-hello", "the trainer wrote hello twice") if again else self._wrong_hello(event)
        # A trainer without a GPU or data reports an error before it can write hello.
        if not self.hello_received and not isinstance(event, (protocol.Error, protocol.Warning)):
            return Violation("before-hello", f"the trainer wrote {event.kind} before hello")
        self.done = isinstance(event, protocol.Done)
        return None

    def _wrong_hello(self, hello: protocol.Hello) -> Violation | None:
        expected, data = self._expected, hello.dataset
        if hello.runs != 1:
            message = f"the trainer announced {hello.runs} runs in one process; a timed run has a process of its own"
            return Violation("several-runs", message)
        # A custom trainer with its own reader may not know the content hash; its data then count as unverified.
        unknown = data["sha256"] == "" and data["state"] == "unverified" and expected.dataset_state != "synthetic"
        compared = [
            ("seed", hello.seed, expected.seed),
            ("target_percent", float(hello.recipe["target_percent"]), float(expected.target_percent)),
            ("recipe.sha256", hello.recipe["sha256"], expected.recipe_sha256),
            ("dataset.sha256", data["sha256"], "" if unknown else expected.dataset_sha256),
            ("dataset.state", data["state"], "" if unknown else expected.dataset_state),
            ("device.kind", hello.device["kind"], expected.device_kind),
            ("input", hello.input, expected.input),
            ("precision", hello.precision, expected.precision),
        ]
        wrong = [(name, f"{name} {given!r}, not {want!r}") for name, given, want in compared if want not in (given, "")]
        if not wrong:
            return None
        message = f"the trainer runs something else than was requested: {'; '.join(each for _, each in wrong)}"
        return Violation(f"wrong-{wrong[0][0]}", message)

    def recount(self, event: protocol.Event) -> Recount | None:
        """Count ``predictions.u8`` after the first evaluation that meets the target, and after the last one.

        The last is known by the recipe's number of epochs, or else by ``done``; for any other event the answer is None.
        Call it as soon as the event is there: the trainer may write the next predictions at any time.
        """
        if self._expected.test_labels is None or self._hello is None:
            return None
        if isinstance(event, protocol.Epoch):
            self._uncounted = event
            # An epoch number is steps / steps per epoch, so a millionth is rounding and never a step.
            last = event.view == self._declared_view and event.epoch >= self._hello.recipe["epochs"] - 1e-6
            if not self._crosses(event) and not last:
                return None
        elif not isinstance(event, protocol.Done):
            return None
        evaluation, self._uncounted = self._uncounted, None
        return None if evaluation is None else self._count(evaluation, self._expected.test_labels)

    @property
    def _declared_view(self) -> object:
        return "plain" if self._hello is None else self._hello.recipe.get("view", "plain")

    def _crosses(self, event: protocol.Epoch) -> bool:
        met = 100 * event.correct >= Fraction(repr(float(self._expected.target_percent))) * event.total
        first = met and event.view in ("plain", self._declared_view) and not self._crossed
        self._crossed = self._crossed or first
        return first

    def _count(self, event: protocol.Epoch, labels: bytes) -> Recount:
        claim = f"after epoch {event.epoch:g} the trainer claims {event.correct} of {event.total} test images correct"
        name, images = self._predictions.name, len(labels)
        try:
            with open(self._predictions, "rb", opener=plainly) as stream:
                size = os.fstat(stream.fileno()).st_size
                # One byte more than there are images shows that there are too many; the rest may have no end.
                predictions = stream.read(images + 1)
        except OSError as error:
            message = f"{claim}, but {name} cannot be read ({error.strerror})"
            return Recount(event.epoch, 0, 0, Violation("predictions-unreadable", message))
        correct = sum(map(int.__eq__, predictions, labels))
        if len(predictions) != images:
            size = max(size, len(predictions))
            message = f"{claim}, but {name} holds {size} predictions for {images} test images"
            return Recount(event.epoch, correct, size, Violation("predictions-size", message))
        violation = None
        if (correct, images) != (event.correct, event.total):
            message = f"{claim}, but its predictions give {correct} of {images}"
            violation = Violation("predictions-disagree", message)
        return Recount(event.epoch, correct, images, violation, sha256(predictions).hexdigest())
