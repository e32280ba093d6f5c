"""What a trainer says, held against what it was asked and what can be checked while it runs (architecture, law 7)."""

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
class Recount:
    """``correct`` of ``total`` predictions found in ``predictions.u8`` after an evaluation.

    ``fault`` says why it is not believed, where it is not; ``sha256`` is of the file, None where it is not there or of
    another size than it should be.
    """

    epoch: float
    correct: int
    total: int
    fault: str = ""
    sha256: str | None = None


class EventVerifier:
    """Follows the events of one run, for what no honest run says and for the accuracies that matter."""

    def __init__(self, asked: ExpectedRun, folder: Path) -> None:
        self._asked = asked
        self._predictions = folder / protocol.PREDICTIONS_FILE
        self._hello: protocol.Hello | None = None
        self._crossed = False
        self._uncounted: protocol.Epoch | None = None
        self.done = False

    @property
    def hello_received(self) -> bool:
        """A ``hello`` has come."""
        return self._hello is not None

    def fault(self, event: protocol.Event) -> str:
        """One sentence where ``event`` cannot stand in a run that was asked for, else nothing."""
        if self.done:
            return f"the trainer wrote {event.kind} after done"
        if event.run != 0:
            return f"the trainer wrote an event of run {event.run}, but one run was asked for"
        if isinstance(event, protocol.Hello):
            again = self.hello_received
            self._hello = event
            return "the trainer wrote hello twice" if again else self._wrong_hello(event)
        # A trainer that cannot even begin, for lack of a GPU or of data, has an error to tell before it can say hello.
        if not self.hello_received and not isinstance(event, (protocol.Error, protocol.Warning)):
            return f"the trainer wrote {event.kind} before hello"
        self.done = isinstance(event, protocol.Done)
        return ""

    def _wrong_hello(self, hello: protocol.Hello) -> str:
        asked, data = self._asked, hello.dataset
        if hello.runs != 1:
            return f"the trainer announced {hello.runs} runs in one process; a timed run has a process of its own"
        # A trainer with a reader of its own may not know the content hash; it then vouches for nothing.
        unknown = data["sha256"] == "" and data["state"] == "unverified" and asked.dataset_state != "synthetic"
        told = [
            ("seed", hello.seed, asked.seed),
            ("target_percent", float(hello.recipe["target_percent"]), float(asked.target_percent)),
            ("recipe.sha256", hello.recipe["sha256"], asked.recipe_sha256),
            ("dataset.sha256", data["sha256"], "" if unknown else asked.dataset_sha256),
            ("dataset.state", data["state"], "" if unknown else asked.dataset_state),
            ("device.kind", hello.device["kind"], asked.device_kind),
            ("input", hello.input, asked.input),
            ("precision", hello.precision, asked.precision),
        ]
        wrong = [f"{name} {said!r}, not {wanted!r}" for name, said, wanted in told if wanted not in (said, "")]
        return f"the trainer runs something else than it was asked: {'; '.join(wrong)}" if wrong else ""

    def recount(self, event: protocol.Event) -> Recount | None:
        """Count ``predictions.u8`` after the first evaluation that meets the target, and after the last one.

        The last is known by the recipe's number of epochs, or else by ``done``; for any other event the answer is None.
        Call it as soon as the event is there: the trainer may write the next predictions at any time.
        """
        if self._asked.test_labels is None or self._hello is None:
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
        return None if evaluation is None else self._count(evaluation, self._asked.test_labels)

    @property
    def _declared_view(self) -> object:
        return "plain" if self._hello is None else self._hello.recipe.get("view", "plain")

    def _crosses(self, event: protocol.Epoch) -> bool:
        met = 100 * event.correct >= Fraction(repr(float(self._asked.target_percent))) * event.total
        first = met and event.view in ("plain", self._declared_view) and not self._crossed
        self._crossed = self._crossed or first
        return first

    def _count(self, event: protocol.Epoch, labels: bytes) -> Recount:
        claim = f"after epoch {event.epoch:g} the trainer claims {event.correct} of {event.total} test images correct"
        try:
            with open(self._predictions, "rb", opener=plainly) as stream:
                held = os.fstat(stream.fileno()).st_size
                # One byte more than there are images tells that there are too many; the rest may have no end.
                predictions = stream.read(len(labels) + 1)
        except OSError as error:
            fault = f"{claim}, but {self._predictions.name} cannot be read ({error.strerror})"
            return Recount(event.epoch, 0, 0, fault)
        correct = sum(map(int.__eq__, predictions, labels))
        if len(predictions) != len(labels):
            held = max(held, len(predictions))
            fault = f"{claim}, but {self._predictions.name} holds {held} predictions for {len(labels)} test images"
            return Recount(event.epoch, correct, held, fault)
        agrees = (correct, len(labels)) == (event.correct, event.total)
        fault = "" if agrees else f"{claim}, but its predictions give {correct} of {len(labels)}"
        return Recount(event.epoch, correct, len(predictions), fault, sha256(predictions).hexdigest())
