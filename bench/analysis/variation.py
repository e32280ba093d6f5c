"""Run-to-run variation of a configuration: quantiles of the time to the target, standard deviation of training time,
outliers, and how many runs detect a small difference.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.analysis import censored, spread
from bench.record import Column

#: The difference that the reported number of runs detects.
_SHARE = 0.01
SUMMARY_COLUMNS = (
    Column("median_low_seconds", "number", "s", "lower end of the median's 95 % interval (ranks); empty below 6 runs"),
    Column("median_high_seconds", "number", "s", "upper end; inf where so many miss"),
    Column("quantile_10_seconds", "number", "s", "time to the target that a tenth of the runs stays below"),
    Column(
        "quantile_90_seconds", "number", "s", "time that nine tenths stay below; inf where more than a tenth misses"
    ),
    Column(
        "fixed_work_spread_percent",
        "number",
        "%",
        "standard deviation of one run's training of the whole schedule, as a share of it",
    ),
    Column(
        "outliers",
        "text",
        "",
        "seeds whose training of the whole schedule stands out (modified z-score above 3.5), separated by `;`; none is "
        "left out",
    ),
    Column(
        "runs_for_1_percent_difference",
        "whole",
        "runs",
        "runs a side that find a true difference of 1 % of training time in 80 % of all cases, by Student's t; empty "
        "below 4 runs, which hardly tell it",
    ),
    Column(
        "runs_for_1_percent_difference_low",
        "whole",
        "runs",
        "lower end of its 95 % interval, from that of the spread",
    ),
    Column("runs_for_1_percent_difference_high", "whole", "runs", "upper end; empty above 100,000"),
)


def summary_cells(counted: pd.DataFrame) -> dict[str, Any]:
    """Return the cells of SUMMARY_COLUMNS from the rows of ``runs.csv`` that count."""
    times = [float(each) for each in counted["dawnbench_seconds"].dropna()]
    work = [None if pd.isna(each) else float(each) for each in counted["fixed_work_train_seconds"]]
    middle, deviation = censored.median_interval(times), spread.relative([each for each in work if each])
    seeds = list(counted["seed"])
    known = sum(each is not None for each in work)
    freedom = known - 1 if known >= spread.LEAST_VALUES else 0
    runs, fewest, most = spread.runs_to_detect_interval(_SHARE, deviation, freedom, least=spread.LEAST_VALUES)
    return {
        "median_low_seconds": middle.low,
        "median_high_seconds": middle.high,
        "quantile_10_seconds": censored.quantile(times, 0.1),
        "quantile_90_seconds": censored.quantile(times, 0.9),
        "fixed_work_spread_percent": 100 * deviation,
        "outliers": ";".join(str(seeds[place]) for place in spread.outliers(work)) or None,
        "runs_for_1_percent_difference": runs,
        "runs_for_1_percent_difference_low": fewest,
        "runs_for_1_percent_difference_high": most,
    }
