"""Whether the runs of one table may stand in one table: what differs between the machines and versions they ran on."""

from __future__ import annotations

from collections.abc import Sequence

from bench.record import Record
from bench.record.fingerprint_keys import conflicts


def differences(records: Sequence[Record]) -> tuple[str, ...]:
    """The fingerprint keys, sorted, in which finished runs differ and runs of one table may not."""
    fingerprints = [record.fingerprint for record in records if record.status == "done"]
    return tuple(sorted({key for each in fingerprints[1:] for key in conflicts(fingerprints[0], each)}))
