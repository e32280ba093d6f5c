"""The columns of ``stalls.csv``."""

from __future__ import annotations

from bench.record import Column

STALLS = (
    Column("epoch", "number", "epochs", "which epoch; empty in the last row, which is of all of them together"),
    Column("host_runs", "whole", "runs", "runs of the host's input that trained it"),
    Column("memory_runs", "whole", "runs", "runs of its control, whose batches are ready in memory"),
    Column("pairs", "whole", "pairs", "those with a partner of the same seed, which are compared"),
    Column("host_seconds", "number", "s", "training time with the host's input, geometric mean of the pairs"),
    Column("memory_seconds", "number", "s", "the same of the control"),
    Column(
        "stall_share", "number", "", "share of the host's training time that steps waited for input beyond the baseline"
    ),
    Column("buffer_level_mean", "number", "batches", "batches found ready in the prefetch buffer, mean of the samples"),
    Column("buffer_capacity", "whole", "batches", "batches that the buffer holds"),
    Column("buffer_empty_share", "number", "", "share of the samples that found it empty; empty if unknown"),
    Column("cost_seconds", "number", "s", "what the input costs: host_seconds - memory_seconds"),
    Column("cost_share", "number", "", "that, as a share of host_seconds"),
    Column(
        "cost_share_low",
        "number",
        "",
        "lower end of its 95 % interval (Student, logs of the pairs' ratios); empty below two pairs",
    ),
    Column("cost_share_high", "number", "", "upper end"),
    Column("answer", "text", "", "input-bound, not input-bound, or not enough runs"),
)
