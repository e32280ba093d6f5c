"""The columns of ``comparison.csv``."""

from __future__ import annotations

from bench.record import Column

COMPARISON = (
    Column("side", "text", "", "the side's name; the first row is the reference"),
    Column("title", "text", "", "its folder, or its settings"),
    Column("recipe", "text", "", "name of the recipe"),
    Column("dataset", "text", "", "cifar10 or synthetic"),
    Column("dataset_state", "text", "", "canonical, unverified or synthetic"),
    Column("device", "text", "", "name of the device, as the trainer gives it"),
    Column("precision", "text", "", "number format of the training step: fp32, bf16 or fp16"),
    Column("input", "text", "", "where batches are made: host or device"),
    Column("threads", "whole", "threads", "CPU threads of the trainer"),
    Column("clock", "text", "", "clock of the fixed work and how much of the schedule it is"),
    Column("runs", "whole", "runs", "runs that are compared: ended well, not invalid, with all of the work"),
    Column("left_out", "whole", "runs", "planned runs that are not"),
    Column("suspect", "whole", "runs", "runs that are compared and are suspect"),
    Column("outliers", "text", "", "seeds whose time stands out (modified z-score above 3.5), separated by `;`; kept"),
    Column("fixed_work_seconds", "number", "s", "time of the fixed work, geometric mean"),
    Column("fixed_work_low_seconds", "number", "s", "lower end of its 95 % interval (t on log time)"),
    Column("fixed_work_high_seconds", "number", "s", "upper end"),
    Column("spread_percent", "number", "%", "standard deviation of one run's fixed work, as a share of it"),
    Column("reached", "whole", "runs", "runs that reached the target; empty where they were ended before"),
    Column("success_rate", "number", "", "reached / (runs + left_out)"),
    Column("success_low", "number", "", "lower end of its 95 % interval (Wilson)"),
    Column("success_high", "number", "", "upper end"),
    Column(
        "dawnbench_median_seconds", "number", "s", "median time to the target on `dawnbench`, misses being infinite"
    ),
    Column("epoch_train_seconds", "number", "s", "median training time of an epoch, of each run's first left out"),
    Column("images_per_second", "number", "images/s", "median over the runs"),
    Column("compile_seconds", "number", "s", "median time of compilation"),
    Column("energy_joules", "number", "J", "median energy of the card for one run"),
    Column("stall_share", "number", "", "median share of training that waited for input; empty if unknown"),
    Column("accuracy_mean", "number", "%", "mean final accuracy"),
    Column("accuracy_std", "number", "%", "its standard deviation (n - 1)"),
    Column("against", "text", "", "the reference; empty for itself, as is all that follows"),
    Column("design", "text", "", "paired (runs of one seed) or unpaired"),
    Column("pairs", "whole", "pairs", "pairs that are compared; empty for unpaired"),
    Column(
        "difference_percent", "number", "%",
        "by how much longer than the reference it takes: Hodges-Lehmann estimate on log time",
    ),
    Column(
        "difference_low_percent", "number", "%",
        "lower end of its interval, of at least 95 % (by the test's ranks), less the allowance for drift; empty where "
        "so few runs bound nothing",
    ),
    Column("difference_high_percent", "number", "%", "upper end, the allowance added"),
    Column("p_value", "number", "", "two-sided p-value of the rank test, of a difference beyond the allowance"),
    Column("p_holm", "number", "", "adjusted for all comparisons with the reference (Holm); it decides the answer"),
    Column("told_percent", "number", "%", "the difference of interest"),
    Column(
        "answer", "text", "",
        "slower, faster, no difference (larger than told_percent), within drift, or not enough runs",
    ),
    Column(
        "runs_needed", "whole", "runs",
        "about how many runs (campaigns, by unit) a side, or pairs, detect it in 80 % of all cases",
    ),
    Column(
        "runs_needed_low", "whole", "runs", "lower end of the 95 % interval of runs_needed, from that of the spread"
    ),
    Column("runs_needed_high", "whole", "runs", "upper end; empty above 100,000"),
    Column("confidence_percent", "number", "%", "exact confidence of the interval, where runs are exchangeable"),
    Column("p_slower", "number", "", "one-sided p-value that it is slower"),
    Column("p_slower_holm", "number", "", "adjusted for all comparisons; it decides the gate"),
    Column("test", "text", "", "Mann-Whitney, or Wilcoxon signed ranks (from 6 pairs on, more among several sides)"),
    Column("unit", "text", "", "what was ranked: run or campaign"),
    Column("interleaved", "text", "", "true where the runs of both sides alternated (`bench ab`)"),
    Column("same_boot", "text", "", "whether both sides ran on one machine since one start; empty where unknown"),
    Column("minutes_apart", "number", "min", "from the end of one side to the start of the other; 0: they overlap"),
    Column(
        "drift_allowance_percent", "number", "%",
        "what campaigns that were not interleaved may differ by; empty where they were, or are the unit",
    ),
    Column("drift_allowance_source", "text", "", "where the allowance is from"),
    Column("campaigns", "whole", "", "campaigns that the side holds"),
    Column("fixed_work_median_seconds", "number", "s", "median time of the fixed work"),
    Column("fixed_work_min_seconds", "number", "s", "the fastest run's"),
    Column("fixed_work_max_seconds", "number", "s", "the slowest run's"),
)  # fmt: skip
