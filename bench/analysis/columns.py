"""The columns of every CSV file the harness writes: their order, types, units and meaning, in one place.

The frames are built from these lists, the files are read and written by them, and ``docs/reference/columns.md`` is made
of them.
"""

from __future__ import annotations

from bench.analysis import energy, telemetry, variation, waits, wall_clock
from bench.analysis.comparison_columns import COMPARISON
from bench.analysis.stall_columns import STALLS
from bench.record import Column
from bench.record.telemetry import COLUMNS as TICKS

__all__ = ["ABLATION", "COMPARISON", "EPOCHS", "FILES", "RUNS", "STALLS", "SUMMARY", "TICKS", "Column", "page"]


_CONFIGURATION = (
    Column("precision", "text", "", "number format of the training step: fp32, bf16 or fp16"),
    Column("input", "text", "", "where batches are made: host or device; memory is the control that repeats some"),
    Column("threads", "whole", "threads", "CPU threads of the trainer"),
    Column("target_percent", "number", "%", "test accuracy that counts as reached"),
)

RUNS = (
    Column("seed", "whole", "", "seed of the run"),
    Column("recipe", "text", "", "name of the recipe"),
    Column("dataset", "text", "", "cifar10 or synthetic"),
    Column("dataset_state", "text", "", "canonical, unverified or synthetic"),
    Column("device", "text", "", "name of the device, as the trainer gives it"),
    Column("status", "text", "", "how the run ended: done, failed, timed_out or interrupted"),
    Column("final_accuracy_percent", "number", "%", "test accuracy of the last evaluation"),
    Column("final_accuracy_view", "text", "", "view of that evaluation: plain, flip or six"),
    Column("reached_epoch", "number", "epochs",
           "epoch of the first evaluation at or above the target; empty for a miss"),
    Column("dawnbench_seconds", "number", "s",
           "time to the target: loading, preprocessing and training; inf for a miss"),
    Column("dawnbench_cold_seconds", "number", "s", "the same with compilation; inf for a miss"),
    Column("run_seconds", "number", "s", "time to the target: building, preprocessing and training; inf for a miss"),
    Column("train_seconds", "number", "s", "time to the target: training alone; inf for a miss"),
    Column("wall_seconds", "number", "s",
           "time to the target: everything from the start of the process; inf for a miss"),
    Column("fixed_work_train_seconds", "number", "s", "training of the recipe's whole schedule, target or not"),
    Column("compile_seconds", "number", "s", "compilation on random data, before the headline clock starts"),
    Column("images_per_second", "number", "images/s", "images trained over the time spent training them, all epochs"),
    Column("peak_memory_bytes", "whole", "bytes", "largest resident memory of the trainer"),
    Column("verdict", "text", "", "clean, suspect or invalid"),
    Column("verdict_reasons", "text", "",
           "rules behind the verdict, separated by `;`, empty for none; evidence and advice: record.json"),
    Column("warm_images_per_second", "number", "images/s",
           "the same from the second epoch on, first-use costs left out"),
    Column("fixed_work_seconds", "number", "s", "the headline clock after the whole schedule, target or not"),
    *_CONFIGURATION,
    Column("clocks", "text", "", "the clocks of the five times, each with its version, in the order of the columns"),
    Column("rules", "whole", "", "version of the rules behind the verdict"),
    Column("trainer", "text", "", "trainer and its version"),
    Column("framework", "text", "", "framework and its version"),
    Column("utc", "text", "", "when the run was started"),
    Column("process_seconds", "number", "s", "life of the trainer's process, from its start to its exit"),
    Column("trainer_cpu_seconds", "number", "s", "CPU time of the trainer"),
    Column("harness_cpu_seconds", "number", "s", "CPU time of the harness while the run lasted"),
    Column("harness_cpu_share", "number", "", "that, as a share of one core over the run"),
    Column("harness_voluntary_switches", "whole", "", "times the harness went to sleep while the run lasted"),
    Column("harness_involuntary_switches", "whole", "", "times it was pushed off a core"),
    Column("events", "whole", "", "events the harness received"),
    Column("emit_seconds", "number", "s", "time the trainer spent writing its events, as it reports"),
    Column("final_plain_accuracy_percent", "number", "%", "test accuracy after the whole schedule without TTA"),
    *telemetry.RUN_COLUMNS,
    *waits.RUN_COLUMNS,
    *energy.RUN_COLUMNS,
    *wall_clock.RUN_COLUMNS,
    *telemetry.ADDED_RUN_COLUMNS,
)  # fmt: skip

EPOCHS = (
    Column("seed", "whole", "", "seed of the run"),
    Column("epoch", "number", "epochs", "steps done over steps per epoch, so 9.9 is possible"),
    Column("steps", "whole", "steps", "steps trained since the evaluation before"),
    Column("images", "whole", "images", "images trained since the evaluation before"),
    Column("train_seconds", "number", "s", "time spent training them"),
    Column("eval_seconds", "number", "s", "time of this evaluation"),
    Column("loss", "number", "", "mean training loss since the evaluation before"),
    Column("correct", "whole", "images", "test images classified correctly"),
    Column("total", "whole", "images", "test images"),
    Column("accuracy_percent", "number", "%", "100 x correct / total"),
    Column("view", "text", "", "what the network was shown: plain, flip (and its mirror image) or six (crops)"),
    Column("images_per_second", "number", "images/s", "images / train_seconds"),
    Column("wait_seconds", "number", "s",
           "time the steps waited for input; empty where the trainer does not measure it"),
    Column("wait_share", "number", "", "wait_seconds / train_seconds"),
    Column("dawnbench_seconds", "number", "s", "the headline clock at this evaluation"),
    Column("wall_seconds", "number", "s", "the wall clock at this evaluation"),
    *telemetry.EPOCH_COLUMNS,
    *waits.EPOCH_COLUMNS,
    *energy.EPOCH_COLUMNS,
    *telemetry.ADDED_EPOCH_COLUMNS,
)  # fmt: skip

SUMMARY = (
    Column("recipe", "text", "", "name of the recipe"),
    Column("dataset", "text", "", "cifar10 or synthetic"),
    Column("runs", "whole", "runs", "runs that count: finished and not invalid"),
    Column("reached", "whole", "runs", "of those, the runs that reached the target"),
    Column("success_rate", "number", "", "reached / planned; empty where no run counts"),
    Column("success_low", "number", "", "lower end of its 95 % interval (Wilson)"),
    Column("success_high", "number", "", "upper end"),
    Column("clock", "text", "", "clock of the times in this row, with its version"),
    Column("median_seconds", "number", "s", "median time to the target, misses being infinite"),
    Column("mean_seconds", "number", "s", "geometric mean of the time to the target over the runs that reached it"),
    Column("low_seconds", "number", "s",
           "lower end of its interval by Student's t on log time: 95 % of log-normal times, but 69 to 89 % for 2 to "
           "5 runs that cross at different epochs, so time_low_seconds is shown instead; empty below two runs"),
    Column("high_seconds", "number", "s", "upper end"),
    Column("fixed_work_seconds", "number", "s", "median of this clock after the whole schedule, target or not"),
    Column("accuracy_mean", "number", "%", "mean final accuracy of the runs that count"),
    Column("accuracy_std", "number", "%", "its standard deviation (n - 1); empty below two runs"),
    Column("expected_seconds", "number", "s",
           "mean time to a success where a miss is followed by another try; inf for none"),
    Column("cold_median_seconds", "number", "s", "median time to the target with compilation, misses being infinite"),
    Column("compile_median_seconds", "number", "s", "median time of compilation"),
    Column("images_per_second", "number", "images/s", "median over the runs"),
    Column("suspect", "whole", "runs", "runs that count and are suspect"),
    Column("invalid", "whole", "runs", "runs left out of the times: finished, but invalid by the rules"),
    Column("unfinished", "whole", "runs", "runs left out of the times: failed, timed out or interrupted"),
    Column("dataset_state", "text", "", "canonical, unverified or synthetic"),
    Column("device", "text", "", "name of the device, as the trainer gives it"),
    *_CONFIGURATION,
    Column("accuracy_view", "text", "", "view of the final accuracies: plain, flip or six"),
    Column("plain_accuracy_mean", "number", "%", "mean final accuracy without TTA"),
    *telemetry.SUMMARY_COLUMNS,
    Column("stall_share", "number", "", "median of the runs' stall_share, so after the first epoch; empty as theirs"),
    *energy.SUMMARY_COLUMNS,
    *variation.SUMMARY_COLUMNS,
    *wall_clock.SUMMARY_COLUMNS,
    Column("planned", "whole", "runs", "seeds asked for in `campaign.json`, and any others that have a run"),
    Column("not_counted", "text", "",
           "those of them without a run that counts, separated by `;`: not made, deleted, failed, interrupted or "
           "invalid; each is not successful in success_rate"),
    Column("time_low_seconds", "number", "s",
           "lower end of an interval of median_seconds that holds for any times (by ranks); below 6 runs the fastest"),
    Column("time_high_seconds", "number", "s", "upper end; inf where so many miss"),
    Column("time_confidence_percent", "number", "%",
           "its exact confidence: 95 or more from 6 runs on, 93.75 for 5, 87.5 for 4, 75 for 3, 50 for 2"),
    Column("expected_low_seconds", "number", "s",
           "expected_seconds at success_high; what the times vary by is not in it"),
    Column("expected_high_seconds", "number", "s", "the same at success_low; inf where no run reached the target"),
    *telemetry.ADDED_SUMMARY_COLUMNS,
)  # fmt: skip

ABLATION = (
    Column("technique", "text", "", "what the variant does, in words; the base comes first"),
    Column("recipe", "text", "", "name of the recipe, SET:TABLE"),
    Column("against", "text", "", "variant it is compared with; empty for the base, as are all columns about that"),
    Column("decides", "text", "", "what the answer is read from: accuracy or images_per_second"),
    Column("epochs", "number", "epochs", "length of the recipe's schedule"),
    Column("runs", "whole", "runs", "runs that count: finished and not invalid"),
    Column("accuracy_mean", "number", "%", "mean final accuracy of the runs that count, in accuracy_view"),
    Column("accuracy_low", "number", "%", "lower end of its 95 % interval (t); empty below two runs"),
    Column("accuracy_high", "number", "%", "upper end"),
    Column("train_seconds", "number", "s", "median time to train the whole schedule"),
    Column("images_per_second", "number", "images/s", "median over the runs"),
    Column("difference", "number", "points or %", "variant minus `against`; of images/s: ratio of geometric means - 1"),
    Column("difference_low", "number", "points or %", "lower end of its 95 % interval (Welch), by itself"),
    Column("difference_high", "number", "points or %", "upper end"),
    Column("p_value", "number", "", "two-sided p-value of Welch's t test, by itself"),
    Column("p_holm", "number", "",
           "the same by Holm's method over all comparisons of the set; below 0.05 is a finding"),
    Column("smallest_detectable", "number", "points or %",
           "difference that so many runs find with a chance of 80 % at 5 %, two-sided, by the spread the set assumes"),
    Column("answer", "text", "",
           "better, worse, faster or slower; no difference larger than the larger end of the interval; not enough "
           "runs; no spread to judge by, where all runs of both sides gave the same"),
    Column("unit", "text", "", "unit of the differences: points (of accuracy) or %"),
    Column("variant", "text", "", "name of the variant and of its folder"),
    Column("input", "text", "", "where batches are made: host or device"),
    Column("accuracy_view", "text", "", "view of the recipe's final evaluation: plain, flip or six"),
    Column("changes", "text", "", "what the variant changes of `against`, separated by `;`"),
    Column("left_out", "whole", "runs", "runs that do not count: failed, timed out, interrupted or invalid"),
)  # fmt: skip

#: Each file with its columns.
FILES: dict[str, tuple[Column, ...]] = {
    "runs.csv": RUNS,
    "epochs.csv": EPOCHS,
    "summary.csv": SUMMARY,
    "ablation.csv": ABLATION,
    "comparison.csv": COMPARISON,
    "stalls.csv": STALLS,
    "telemetry.csv": TICKS,
}
#: Of the tables that can be made again: raised where a column gets another meaning or another method, so that a table
#: made before is known to be older than the code; a column that is added changes nothing. 1 are the tables without one.
VERSIONS = {"runs.csv": 2, "epochs.csv": 2, "summary.csv": 2, "ablation.csv": 2, "comparison.csv": 2, "stalls.csv": 2}
VERSION_COLUMN = "table_version"

_INTRODUCTION = {
    "runs.csv": "One row per run. A run that finished below the target is a miss: its five times to it are `inf`.",
    "epochs.csv": "One row per evaluation of every run, in order.",
    "summary.csv": "One row per configuration, from the rows of `runs.csv` that count.",
    "ablation.csv": "One row per variant of an ablation (`make ablate`), above the folders of its variants' campaigns.",
    "comparison.csv": "One row per side of a comparison (`make compare`, `make ab`), the reference first. Only the "
    "fixed work is tested.",
    "stalls.csv": "One row per epoch after the first, of the pairs of `make stalls`, and one of all together; "
    "above the folders of the two campaigns.",
    "telemetry.csv": "One row per tick of the sampler, in the folder of the run (`seed-000/`). It cannot be rebuilt. "
    "Counters that only grow are read at the boundaries of phases and are in `events.jsonl`.",
}


def page() -> str:
    """Return the page ``docs/reference/columns.md``."""
    lines = [
        "# The columns of the tables",
        "",
        "Every table except `telemetry.csv` is built from that file and `seed-*/events.jsonl`, and can be rebuilt with "
        "`python -m bench report DIR`.",
        "",
        "`record.json` in a run's folder is what its events come to, for other programs: no command reads it back.",
        "",
        f"The last column is `{VERSION_COLUMN}`, now "
        f"{', '.join(f'{version} in `{name}`' for name, version in VERSIONS.items())}. It is raised when the "
        "meaning or the method of a column changes, not when a column is added.",
        "",
        "- An empty cell is an unknown value. An unknown value is never written as 0.",
        "- `inf` is the time, energy or cost to a target that was never reached.",
        "- Numbers are written in full, so that reading them back gives the same number.",
        "- A text that a spreadsheet would take for a formula has a `'` before it.",
        "- Clocks and what they count: `bench/record/clocks.py`. Rules behind a verdict: [rules](rules.md).",
        "",
        "This page is generated from `bench/analysis/columns.py` and the lists it imports; a test compares the two.",
    ]
    for file, columns in FILES.items():
        lines += ["", f"## {file}", "", _INTRODUCTION[file], "", "| column | unit | meaning |", "|---|---|---|"]
        lines += [f"| `{column.name}` | {column.unit} | {column.meaning} |" for column in columns]
    return "\n".join(lines) + "\n"
