"""What the host's input costs: its runs compared with those of the control, whose batches are ready in memory.

A wait alone does not mean that the input is the bottleneck: a device works on while the host waits. So the answer
``input-bound`` needs two indicators: steps that waited, and either a prefetch buffer that was empty or a control that
was faster. The first epoch, which has first-use costs, is left out.

A run is compared with the one of the same seed next to it in time, so that drift cancels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import frames, welch
from bench.analysis.censored import Interval
from bench.analysis.columns import STALLS
from bench.record import Evaluation, Record, input_waits
from bench.record.experiment import HOST, MEMORY
from bench.rules import with_verdict
from bench.rules.data import EMPTY_SHARE, MEMORY_INPUT, STALL_SHARE

INPUT_BOUND, NOT_INPUT_BOUND = "input-bound", "not input-bound"
NOT_ENOUGH = "not enough runs"
#: What the control has to save of the host's training time to count as an indicator: the same as of waiting.
COST_SHARE = STALL_SHARE
#: Invalid as results, and just what is compared here: a run that was ended after enough epochs, and the control.
_MEANT = frozenset({"finished", MEMORY_INPUT})


def table(records: Mapping[str, Sequence[Record]]) -> pd.DataFrame:
    """Return one row an epoch after the first that both inputs have trained, and one of all: ``stalls.csv``.

    ``records`` are those of each input, by name. Without a run of the control the rows are of the host's epochs, as a
    wait needs no partner.
    """
    host, memory = (counted(records.get(name, ())) for name in (HOST, MEMORY))
    epochs = sorted(_epochs(host) & _epochs(memory) if memory else _epochs(host))
    rows = [_row(host, memory, [epoch], epoch) for epoch in epochs]
    return frames.frame(STALLS, [*rows, _row(host, memory, epochs, None)])


def counted(records: Sequence[Record]) -> list[Record]:
    """Return the runs that can be compared: ended well, or by the harness after enough epochs, and valid otherwise."""
    return [each for each in records if _counts(each if each.verdict else with_verdict(each))]


def _counts(record: Record) -> bool:
    if record.status not in ("done", "cut_short") or record.verdict is None:
        return False
    return all(reason.rule in _MEANT for reason in record.verdict.reasons if reason.level == "invalid")


def answer(stall_share: float | None, empty_share: float | None, cost: Interval) -> str:
    """Return whether training is input-bound, by two indicators that agree; None is one that is not known."""
    if stall_share is None:
        return NOT_ENOUGH
    if stall_share <= STALL_SHARE:
        return NOT_INPUT_BOUND
    if empty_share is not None and empty_share >= EMPTY_SHARE:
        return INPUT_BOUND
    if math.isnan(cost.low):
        return NOT_ENOUGH
    return INPUT_BOUND if cost.low > 0 and cost.estimate > COST_SHARE else NOT_INPUT_BOUND


def cost(pairs: Sequence[tuple[float, float]]) -> Interval:
    """Return the share of the host's training time that its input costs, with its 95 % interval.

    ``pairs`` are the training times of host and control. It is the mean of the logarithms of their ratios, with
    Student's interval; NaN of no pair, and the ends of fewer than two.
    """
    found = welch.mean([math.log(host / memory) for host, memory in pairs])
    # A mean d means that the control takes exp(-d) of the host's time.
    return Interval(*(-welch.relative(-each) for each in (found.estimate, found.low, found.high)))


def _row(host: Sequence[Record], memory: Sequence[Record], epochs: Sequence[float], epoch: float | None) -> Any:
    ours, theirs = _seconds(host, epochs), _seconds(memory, epochs)
    pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    saved = cost(pairs)
    stalled, buffer = _stall_share(host, epochs), _buffer(host, epochs)
    ours_mean, theirs_mean = (_geometric_mean([pair[side] for pair in pairs]) for side in (0, 1))
    return {
        "epoch": epoch,
        "host_runs": len(ours),
        "memory_runs": len(theirs),
        "pairs": len(pairs),
        "host_seconds": ours_mean,
        "memory_seconds": theirs_mean,
        "stall_share": stalled,
        **buffer,
        "cost_seconds": None if ours_mean is None or theirs_mean is None else ours_mean - theirs_mean,
        "cost_share": saved.estimate,
        "cost_share_low": saved.low,
        "cost_share_high": saved.high,
        "answer": answer(stalled, buffer.get("buffer_empty_share"), saved),
    }


def _trained(record: Record) -> dict[float, Evaluation]:
    """The evaluations with their training time, by epoch; of several of one epoch the one that has the work."""
    return {each.epoch: each for each in record.epochs if each.steps and each.train_seconds}


def _epochs(records: Sequence[Record]) -> set[float]:
    """The epochs after the first that any of these runs has trained."""
    return {epoch for record in records for epoch in list(_trained(record))[1:]}


def _seconds(records: Sequence[Record], epochs: Sequence[float]) -> dict[int | None, float]:
    """The training time of these epochs together, by seed, of every run that has them all."""
    runs = {each.seed: _trained(each) for each in records}
    return {
        seed: math.fsum(trained[epoch].train_seconds or 0.0 for epoch in epochs)
        for seed, trained in runs.items()
        if epochs and trained.keys() >= set(epochs)
    }


def _stall_share(records: Sequence[Record], epochs: Sequence[float]) -> float | None:
    return input_waits.stall_share(
        each for record in records for each in input_waits.after_first(record) if each.epoch in epochs
    )


def _buffer(records: Sequence[Record], epochs: Sequence[float]) -> dict[str, Any]:
    """The level of the prefetch buffer over all samples, as cells; nothing where it cannot be seen."""
    level = input_waits.level([each for record in records for each in record.waits if each.epoch in epochs])
    if level is None:
        return {}
    return {
        "buffer_level_mean": level.mean,
        "buffer_capacity": level.capacity,
        "buffer_empty_share": level.empty_share,
    }


def _geometric_mean(values: Sequence[float]) -> float | None:
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else None
