"""The expected settings of a run, to compare with the trainer's report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExpectedRun:
    """The expected settings of a run. An empty text, or ``test_labels`` None, is not checked.

    ``device_kind``: ``cpu`` or ``gpu``. ``test_labels``: one class byte per test image, in the order of
    ``predictions.u8``.
    """

    seed: int
    target_percent: float
    recipe_sha256: str = ""
    dataset_sha256: str = ""
    dataset_state: str = ""
    device_kind: str = ""
    input: str = ""
    precision: str = ""
    test_labels: bytes | None = None
