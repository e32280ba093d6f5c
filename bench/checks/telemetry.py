"""Rules on what was watched: whether, and whether it was the card that trains."""

from __future__ import annotations

from bench.checks.card import trains
from bench.checks.rule import Rule
from bench.metadata import hashed
from bench.record import Record


def _off(record: Record) -> str | None:
    return "nothing was sampled, as asked" if record.telemetry.sampling.off else None


def _damaged(record: Record) -> str | None:
    sampling = record.telemetry.sampling
    if sampling.off or sampling.period_ms is None or not sampling.why_no_ticks:
        return None
    return f"there are no ticks: {sampling.why_no_ticks}"


def _unwatched(record: Record) -> str | None:
    telemetry = record.telemetry
    if record.device.get("kind") != "gpu" or telemetry.gpu or telemetry.sampling.period_ms is None:
        return None
    return f"the GPU was not watched: {telemetry.why_no_gpu or 'no reason was recorded'}"


def _lost(record: Record) -> str | None:
    if not record.telemetry.gpu_lost or not trains(record):
        return None
    return f"the GPU stopped answering while the run lasted: {record.telemetry.gpu_lost}"


def _another(record: Record) -> str | None:
    uuid, watched = record.device.get("uuid"), record.telemetry.gpu.get("uuid_hash")
    # A slice has a UUID of its own, which its card does not know; a trainer that does not know its card names none.
    if not isinstance(uuid, str) or not uuid or not watched or uuid.startswith("MIG-") or not trains(record):
        return None
    if watched in (uuid.removeprefix("GPU-"), hashed(uuid)):
        return None
    return f"the card that was watched ({watched}) is not the one that the trainer names"


TELEMETRY = (
    Rule("telemetry-off", "telemetry", "note", "leave TELEMETRY=off away to see what the machine did",
         "switched off by the person", after=_off),
    Rule("telemetry-damaged", "telemetry file", "suspect",
         "take telemetry.csv from a backup; without it nobody can see what the machine did",
         "a sampler ran and left no ticks that can be read", after=_damaged),
    Rule("gpu-unwatched", "GPU telemetry", "note", "type `make doctor`, which says what the driver lacks",
         "a run on a GPU that could not be read", after=_unwatched),
    # The times are the trainer's and were stamped on receipt, so they stand; what disturbed them is not known.
    Rule("gpu-lost", "GPU lost", "suspect", "restart the container, or the machine, and run it again",
         "the driver stopped answering for the card that trains", after=_lost),
    Rule("other-card", "card sampled", "suspect", "set CUDA_DEVICE_ORDER=PCI_BUS_ID for the trainer, or name the card "
         "with DEVICE=UUID; what is recorded of power and clocks is another card's",
         "its UUID is not the trainer's", after=_another),
)  # fmt: skip
