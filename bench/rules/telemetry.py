"""Rules on what was watched: whether, and whether it was the card that trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.record import Record
from bench.record.telemetry import DIVIDED, NOT_WANTED
from bench.rules.card import failed_calls, has_failed, trains
from bench.rules.facts import Facts
from bench.rules.rule import Finding, Instead, Rule, in_container, ok, warn
from bench.system.hashing import hashed

#: Advice on a failed call, by the beginning of its reason.
_REMEDIES = {
    "no permission": "ask who runs this machine to let this user read them",
    "missing in the driver": "install a newer driver",
    DIVIDED: "type `sudo nvidia-smi -mig 0`; later undo it with `sudo nvidia-smi -mig 1`",
    "code": "type `nvidia-smi` to see what it says",
}


def unanswered(calls: Mapping[str, str]) -> dict[str, str]:
    """Return the calls of a sampler that give nothing, with why.

    A driver counts throttled time under some names, seldom all: if it has one, unsupported others are left out.
    """
    counts = any(why == "yes" for name, why in calls.items() if name.startswith("lost_"))
    return {
        name: why
        for name, why in calls.items()
        if why != "yes" and (has_failed(why) or not (counts and name.startswith("lost_")))
    }


def facts_not_given(fingerprint: Mapping[str, Any]) -> list[str]:
    """Return the facts of the GPU that its driver did not give, each with why; accepts any fingerprint."""
    listed = fingerprint.get("gpu.not_given")
    return [str(each) for each in listed] if isinstance(listed, list) else []


def _calls(facts: Facts) -> Finding | None:
    if facts.card is None:
        return None
    if facts.card.problem:
        return warn(facts.card.problem, "fix that, or records will have nothing of the GPU")
    if not facts.card.calls:
        return None
    silent = unanswered(facts.card.calls)
    if not silent:
        return ok("the driver answers every call")
    value = f"the driver does not give {', '.join(f'{name} ({why})' for name, why in silent.items())}"
    helps = [advice for why, advice in _REMEDIES.items() if any(each.startswith(why) for each in silent.values())]
    return warn(value, f"{'; '.join(helps)}; or expect these to stay empty in records") if helps else ok(value)


def _off(record: Record) -> str | None:
    return "nothing was sampled, as asked" if record.telemetry.sampling.off else None


def _damaged(record: Record) -> str | None:
    sampling = record.telemetry.sampling
    if sampling.off or sampling.period_ms is None or not sampling.why_no_ticks:
        return None
    return f"there are no ticks: {sampling.why_no_ticks}"


def _impossible(record: Record) -> str | None:
    counts = record.telemetry.impossible
    if not counts:
        return None
    parts = ", ".join(f"{name} {count} time{'' if count == 1 else 's'}" for name, count in counts.items())
    return f"what is no number, or cannot be one, was left empty: {parts}"


def _unwatched(record: Record) -> str | None:
    telemetry = record.telemetry
    if record.device.get("kind") != "gpu":
        return None
    if not telemetry.gpu and telemetry.sampling.period_ms is not None:
        return f"the GPU was not watched: {telemetry.why_no_gpu or 'no reason was recorded'}"
    silent = [f"{name} ({why})" for name, why in failed_calls(record).items() if name != "processes"]
    parts = [f"the driver did not give {', '.join(silent)}"] if silent else []
    if not_given := facts_not_given(record.fingerprint):
        parts.append(f"facts of the GPU are not known, and no rule judges them: {', '.join(not_given)}")
    return "; ".join(parts) or None


def _as_asked(record: Record) -> bool:
    return record.telemetry.why_no_gpu == NOT_WANTED


def _lost(record: Record) -> str | None:
    if not record.telemetry.gpu_lost or not trains(record):
        return None
    return f"the GPU stopped answering while the run lasted: {record.telemetry.gpu_lost}"


def _another(record: Record) -> str | None:
    uuid, watched = record.device.get("uuid"), record.telemetry.gpu.get("uuid_hash")
    # A MIG slice has its own UUID; a trainer may not report one.
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
    Rule("impossible-number", "impossible numbers", "note",
         "type `nvidia-smi` to see whether it shows them, too; a newer driver may read the card rightly; where "
         "telemetry.csv was edited, take it from a backup",
         "an impossible reading, such as a power far above the limit in force, or a cell of telemetry.csv "
         "that is not a number", after=_impossible),
    Rule("gpu-unwatched", "GPU telemetry", "note",
         "type `make doctor`, whose lines on the GPU say what its driver does not give",
         "before: a call of the sampler that the driver refuses or lacks, or a card that cannot be opened (what a card "
         "does not support is shown and no reproach); after: a GPU that trained and of which nothing was read, or a "
         "call or a fact of it that the driver should have given and did not",
         before=_calls, after=_unwatched, instead=Instead("after WATCH=none", _as_asked, "leave WATCH=none away")),
    # The times are the trainer's and were stamped on receipt, so they stand; what disturbed them is not known.
    Rule("gpu-lost", "GPU lost", "suspect", "type `nvidia-smi`, restart the machine where it gives no answer, and run "
         "it again", "the driver stopped answering for the card that trains", after=_lost,
         instead=in_container("restart the container, or the machine, and run it again")),
    Rule("other-card", "card sampled", "suspect", "set CUDA_DEVICE_ORDER=PCI_BUS_ID for the trainer, or name the card "
         "with DEVICE=UUID; what is recorded of power and clocks is another card's",
         "its UUID is not the trainer's", after=_another),
)  # fmt: skip
