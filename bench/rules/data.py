"""Rules on the dataset, on where it is read from, and on an input that keeps the step waiting."""

from __future__ import annotations

from bench.record import Record, input_waits
from bench.record.hello import is_ours
from bench.rules.facts import Facts
from bench.rules.rule import Finding, Rule, fail, ok, percent, warn

#: The official archive has 170 MB. A run that reads half of that from a disk had a cold page cache.
COLD_BYTES = 85_000_000
#: A warm file is in memory as a whole; a few pages of it may have been given up.
CACHED_SHARE = 0.95
#: Time spent waiting for input, beyond what a wait for a ready batch costs, that is worth a remedy.
STALL_SHARE = 0.10
#: A buffer that is full half of the time is not what the step waits for.
EMPTY_SHARE = 0.5
#: The rule that excludes the control runs of `bench stalls` from every statistic.
MEMORY_INPUT = "memory-input"


def _data(facts: Facts) -> Finding:
    data = facts.data
    if data.state == "unusable":
        return fail(data.text, data.advice)
    if data.state == "missing" and facts.has_gpu:
        return warn(data.text, data.advice)
    if data.state == "missing":
        return ok(f"{data.text}; the recipe smoke does without")
    return ok(data.text)


def _will_be_unverified(facts: Facts) -> Finding | None:
    if facts.data.will_be != "unverified":
        return None
    return warn("not known to be the official archive", f"{_VERIFY}; results are marked until then")


def _unverified(record: Record) -> str | None:
    state = record.dataset.get("state")
    return "nobody verified that the images are those of the official archive" if state == "unverified" else None


def _synthetic(record: Record) -> str | None:
    return (
        "trained on the built-in stand-in: no CIFAR-10 result" if record.dataset.get("state") == "synthetic" else None
    )


def is_control(record: Record) -> bool:
    """Return whether it is a control run of `bench stalls`; a custom trainer's input `memory` is not."""
    return record.input == "memory" and is_ours(record)


def _memory(record: Record) -> str | None:
    return "its batches were the first epoch's, again and again" if is_control(record) else None


def _page_cache(facts: Facts) -> Finding | None:
    size, cached = facts.data.bytes, facts.data.cached_bytes
    if not size or cached is None:
        return None
    value = f"{percent(cached / size)} of the {size / 1e6:.0f} MB of CIFAR-10 is in memory"
    if cached >= CACHED_SHARE * size:
        return ok(value)
    return warn(value, "let a warm-up run read it first, as `make bench` does, or the first run waits for the disk")


def _was_cold(record: Record) -> str | None:
    read = record.telemetry.read_bytes
    if read is None or read < COLD_BYTES or record.dataset.get("name") != "cifar10":
        return None
    return f"the trainer read {read / 1e6:.0f} MB from a disk; what was in memory before it cost no time"


def _input_bound(record: Record) -> str | None:
    if record.input == "device":
        return None  # batches are made where they are used: there is nothing to wait for
    level = input_waits.level_after_first(record)
    stalled, empty = (
        input_waits.stall_share(input_waits.after_first(record)),
        None if level is None else level.empty_share,
    )
    if stalled is None or empty is None or stalled <= STALL_SHARE or empty < EMPTY_SHARE:
        return None
    found = f"{percent(empty)} of the looks at the prefetch buffer found it empty"
    return f"steps waited for input in {percent(stalled)} of training after the first epoch, and {found}"


_VERIFY = "`make data` fetches the official archive and checks it; or give it with DATA=/path/to/archive"
DATA = (
    Rule("data", "CIFAR-10", threshold="missing where a GPU would train, or not to be used where the person says it is",
         before=_data),
    Rule("unverified-data", "archive", "note", _VERIFY, "not from the official archive", _will_be_unverified,
         _unverified),
    Rule("synthetic", "stand-in", "note", "for a CIFAR-10 result type `make bench RECIPE=speedrun`",
         "the built-in synthetic dataset", after=_synthetic),
    Rule(MEMORY_INPUT, "control", "invalid", "for a result type INPUT=host or INPUT=device; this one only tells time",
         "the input `memory`, the control of `bench stalls`", after=_memory),
    Rule("page-cache", "page cache", "note",
         "make a warm-up run first, as `make bench` does unless told otherwise; times with data loading include a disk",
         f"before: less than {percent(CACHED_SHARE)} of the files in memory; after: {COLD_BYTES / 1e6:.0f} MB or more "
         "read from a disk by the trainer", _page_cache, _was_cold),
    Rule("input-bound", "input", "note",
         "give the input more CPU time, or INPUT=device; `python -m bench stalls` measures what waiting costs",
         f"two witnesses, after the first epoch: over {percent(STALL_SHARE)} of training spent waiting, and the "
         f"prefetch buffer empty in {percent(EMPTY_SHARE)} or more of the looks; one alone says nothing",
         after=_input_bound),
)  # fmt: skip
