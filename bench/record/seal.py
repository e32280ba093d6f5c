"""Whether ``record.json`` is the fold of the files beside it, told without folding them again.

Folding a run takes several times as long as reading its record, and a folder may hold thousands. So a record that was
folded here is sealed: ``record.sha256`` holds the hashes of what it was folded from, of itself, and of the code that
folded it. A seal that fits in every byte lets the record be read; whatever does not fit, as after an edit by hand or
with another version of the folding, is folded anew. ``sha256sum --check record.sha256`` asks the same by hand.

A seal is a cache and no proof. It finds accidents; whoever edits a record on purpose can write its seal as well. So
nothing that is published or ranked is read by it (``load_campaign(..., anew=True)``): that is folded from the events.
"""

from __future__ import annotations

import json
import os
from functools import cache
from hashlib import sha256
from pathlib import Path

from bench import protocol
from bench.record.build import EVENTS_FILE
from bench.record.event_lines import MOST_EVENT_BYTES
from bench.record.model import RECORD_FILE, Record
from bench.record.telemetry import TELEMETRY_FILE
from bench.record.ticks import MOST_BYTES
from bench.system import files as disk
from bench.system import json_schema

SEAL_FILE = "record.sha256"
_CHUNK_BYTES = 1 << 20
#: A larger record is not read, and its run folded again: that holds no more in memory than the events do.
MOST_RECORD_BYTES = 512 << 20


def code() -> tuple[Path, ...]:
    """The files of the code that a record depends on."""
    return Path(protocol.__file__), Path(json_schema.__file__), *sorted(Path(__file__).parent.glob("*.py"))


@cache
def folding_sha256() -> str:
    """Hash of that code. Another one folds anew."""
    together = sha256()
    for path in code():
        together.update(f"{path.name} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return together.hexdigest()


def sources(folder: Path) -> str:
    """The hashes of what a run's record is folded from, as its files are now. Raises OSError where one is unreadable.

    Ask before folding, not after: a run may still be going on.
    """
    lines = [f"{_sha256(folder / EVENTS_FILE, MOST_EVENT_BYTES)}  {EVENTS_FILE}"]
    # Not there is a fact about a run like any other; there and not to be read is none.
    if os.path.lexists(folder / TELEMETRY_FILE):
        lines.append(f"{_sha256(folder / TELEMETRY_FILE, MOST_BYTES)}  {TELEMETRY_FILE}")
    return "\n".join(lines) + "\n"


def text(folder: Path, folded: str, record: bytes) -> str:
    """The seal of the record of a run's folder; ``folded`` are the ``sources`` it was folded from."""
    first = f"# folding {folding_sha256()} of {folder.name}\n"
    return f"{first}{folded}{sha256(record).hexdigest()}  {RECORD_FILE}\n"


def sealed_record(folder: Path, now: str) -> Record | None:
    """The record of a run's folder, with its verdict, where its seal fits; None where it has to be folded.

    ``now`` are its ``sources``.
    """
    try:
        record = disk.read_bytes(folder / RECORD_FILE, MOST_RECORD_BYTES)
        if disk.read_bytes(folder / SEAL_FILE, _CHUNK_BYTES) != text(folder, now, record).encode():
            return None
        kept = json_schema.load(Record, json.loads(record))
    except (OSError, ValueError, RecursionError):
        return None
    return kept if kept.holds_together else None


def _sha256(path: Path, most: int) -> str:
    found = sha256()
    with open(path, "rb", opener=disk.plainly) as stream:
        disk.refuse_larger(stream.fileno(), most, path)
        while chunk := stream.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()
