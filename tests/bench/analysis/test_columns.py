"""The page of columns, the lists it is made from, and the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.analysis.columns import FILES, page

# The columns the contracts name, in their order (section 3). More may follow; none of these may move.
CONTRACT = {
    "runs.csv": "seed recipe dataset dataset_state device status final_accuracy_percent final_accuracy_view "
    "reached_epoch dawnbench_seconds dawnbench_cold_seconds run_seconds train_seconds wall_seconds "
    "fixed_work_train_seconds compile_seconds images_per_second peak_memory_bytes verdict verdict_reasons",
    "epochs.csv": "seed epoch steps images train_seconds eval_seconds loss correct total accuracy_percent view "
    "images_per_second wait_seconds wait_share",
    "summary.csv": "recipe dataset runs reached success_rate success_low success_high clock median_seconds "
    "mean_seconds low_seconds high_seconds fixed_work_seconds accuracy_mean accuracy_std",
    "ablation.csv": "technique recipe against decides epochs runs accuracy_mean accuracy_low accuracy_high "
    "train_seconds images_per_second difference difference_low difference_high p_value p_holm smallest_detectable "
    "answer",
    "comparison.csv": "side title recipe dataset dataset_state device precision input threads clock runs left_out",
    "stalls.csv": "epoch host_runs memory_runs pairs host_seconds memory_seconds stall_share buffer_level_mean",
    "telemetry.csv": "t_ns",
}


def test_the_page_is_what_the_code_says() -> None:
    written = (Path(__file__).parents[3] / "docs" / "reference" / "columns.md").read_text()
    command = 'python -c "from bench.analysis.columns import page; print(page(), end=str())"'
    assert written == page(), f"make it again: {command} > docs/reference/columns.md"


@pytest.mark.parametrize("file", FILES)
def test_a_file_begins_with_the_columns_of_the_contract(file: str) -> None:
    names = [column.name for column in FILES[file]]
    wanted = CONTRACT[file].split()
    assert names[: len(wanted)] == wanted
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("file", FILES)
def test_a_unit_in_a_name_is_the_unit_on_the_page(file: str) -> None:
    units = {"_seconds": "s", "_bytes": "bytes", "_percent": "%", "images_per_second": "images/s"}
    units |= {"_joules": "J", "_millijoules": "mJ", "_usd": "USD", "_watts": "W", "_mhz": "MHz", "_celsius": "C"}
    units |= {"_cores": "cores", "_ms": "ms", "_us": "us", "_ns": "ns"}
    for column in FILES[file]:
        for ending, unit in units.items():
            assert not column.name.endswith(ending) or column.unit == unit
        assert column.meaning
