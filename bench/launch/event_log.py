"""``events.jsonl``: what happened in one run, written line by line as it comes, so that a crash loses nothing seen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.system import redaction
from bench.system.files import creating, wrap_disk_errors
from bench.system.identity import Identity

#: How much of a line that is no event is kept as evidence.
MALFORMED_LINE_CHARACTERS = 200
#: How much of it is read for that: more than is kept, so that no private word is cut before it is recognised.
_MALFORMED_LINE_BYTES = 4096
#: Warnings of one run beyond this many are counted and not written: nobody reads the thousandth, and a trainer that
#: warns at every step would fill a disk.
MAX_WARNINGS = 1000


class EventLog:
    """An append-only ``events.jsonl``; every line reaches the kernel before ``write`` returns.

    What others say is written without what tells the ``identity``, by default that of this process. Raises
    EnvironmentProblem where the file exists already or the disk does not take a line.
    """

    def __init__(self, path: Path, identity: Identity | None = None, most_warnings: int = MAX_WARNINGS) -> None:
        self.path = path
        self.dropped_warnings = 0
        self._warnings_left = most_warnings
        self._identity = identity or Identity.of_this_process()
        with wrap_disk_errors(path):
            self._stream = open(path, "x", encoding="ascii", opener=creating)  # noqa: SIM115 (closed in close)

    def write(self, body: Mapping[str, Any], received_ns: int) -> None:
        """Add one event of our own as a line of JSON, stamped with ``received_ns`` (CLOCK_MONOTONIC).

        A whole number of more than 64 bits, which no reader takes, is written as null: nothing that is counted or
        measured is one. Raises ValueError, with nothing written, for a number that JSON cannot hold.
        """
        self._append(_of_64_bits(body), received_ns)

    def _append(self, body: Mapping[str, Any], received_ns: int) -> None:
        line = json.dumps({**body, "received_ns": received_ns}, separators=(",", ":"), allow_nan=False)
        with wrap_disk_errors(self.path):
            self._stream.write(line + "\n")
            self._stream.flush()

    def write_told(self, body: dict[str, Any], received_ns: int) -> None:
        """Add an event of the trainer, each text in it as it may be published (``bench.system.redaction``).

        A warning after the first ``most_warnings`` is counted in ``dropped_warnings`` instead.
        """
        if body.get("event") == "warning":
            if not self._warnings_left:
                self.dropped_warnings += 1
                return
            self._warnings_left -= 1
        self._append(redaction.redact_event(body, self._identity), received_ns)

    def write_malformed(self, line: bytes, why: str, received_ns: int) -> None:
        """Keep the beginning of a line that is no event, and the sentence that says why it is none."""
        kept = redaction.redact(line[:_MALFORMED_LINE_BYTES].decode("utf-8", "replace"), self._identity)
        body = {"event": "harness_malformed", "line": kept[:MALFORMED_LINE_CHARACTERS]}
        self.write({**body, "why": redaction.redact(why, self._identity)}, received_ns)

    def close(self) -> None:
        """Bring the file to the disk itself, so that a power cut after a finished run does not take the run."""
        with wrap_disk_errors(self.path):
            try:
                self._stream.flush()
                os.fsync(self._stream.fileno())
            finally:
                self._stream.close()


def _of_64_bits(value: Any) -> Any:
    """A JSON value with None in the place of every whole number that has more bits."""
    if isinstance(value, Mapping):
        return {key: _of_64_bits(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_of_64_bits(inner) for inner in value]
    return None if isinstance(value, int) and not -(2**63) <= value < 2**63 else value
