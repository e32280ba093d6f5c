"""The facts of a campaign: their order, values, levels and clocks. Wording is in the golden files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.record import build_record
from bench.report.facts import HEADLINE, INVALID, NOTE, SUSPECT
from tests.support.facts import by_id, facts_of
from tests.support.records import ONCE_SECONDS, Run, five_seeds

MISS = Run(seed=1, correct=(1, 2, 3, 4, 9399))
CRASH = Run(seed=2, correct=(4000, 9000), status="failed")
HITS = [Run(seed=seed, train_seconds=10 + seed) for seed in range(3)]


def ids(*runs: Run) -> list[str]:
    return [each.id for each in facts_of(*runs).configurations[0].facts]


def test_the_headline_has_its_clock_and_the_times_of_the_median_run() -> None:
    facts = by_id(*HITS)
    told = {name: (facts[name].value, facts[name].clock) for name in ("time", "cold", "wall")}
    assert told == {
        "time": ("45.50 s", "dawnbench@1"),
        "cold": ("65.50 s", "dawnbench-cold@1"),
        "wall": ("77.50 s", "wall@1"),
    }
    assert {facts[name].level for name in told} == {HEADLINE}
    assert all("seed 1" in facts[name].detail for name in ("cold", "wall"))


def test_a_trainer_without_a_compile_phase_has_no_compile_time() -> None:
    without = {name: each for name, each in ONCE_SECONDS.items() if name != "compile"}
    cold = by_id(Run(once_seconds=without))["cold"]
    assert cold.value == by_id(Run(once_seconds=without))["time"].value and " - " not in cold.detail


def test_the_time_comes_first_unless_a_run_missed() -> None:
    assert ids(*HITS)[:2] == ["time", "cold"]
    assert "expected" not in by_id(*HITS)
    assert ids(*five_seeds())[:5] == ["reached", "expected_wall", "expected_wall_same_process", "expected", "time"]


def test_success_time_and_expected_times_of_a_campaign_with_a_miss() -> None:
    facts = by_id(*five_seeds())
    assert (facts["reached"].value, facts["time"].value) == ("4 of 5", "53.00 s")
    assert "38 to 96 %" in facts["reached"].detail
    assert (facts["expected_wall"].value, facts["expected"].value) == ("108.2 s", "65.62 s")
    assert "89.77 to 231.2 s" in facts["expected_wall"].detail and "54.47 to 139.8 s" in facts["expected"].detail
    assert (facts["expected_wall"].clock, facts["expected"].clock) == ("wall@1", "dawnbench@1")
    assert "93.75 % interval" in facts["time"].detail and "51.50 to inf" in facts["time"].detail
    assert facts["accuracy"].value == "94.09 ± 0.09 %"
    assert facts["fixed_work"].value == "52.50 s"


def test_a_figure_of_several_runs_is_a_median_and_of_one_run_it_is_not() -> None:
    assert "median of 5 runs" in by_id(*five_seeds())["throughput"].detail
    assert not any("median" in each.detail for each in by_id(Run()).values())


def test_six_runs_have_percentiles_and_a_95_percent_interval() -> None:
    detail = by_id(*[Run(seed=seed, train_seconds=10 + seed / 100) for seed in range(6)])["time"].detail
    assert "96.88 % interval" in detail and "41.50 to 41.70 s" in detail and "percentile" in detail
    assert "percentile" not in by_id(*five_seeds())["time"].detail


def test_variation_and_outliers() -> None:
    runs = [Run(seed=seed, train_seconds=each) for seed, each in enumerate((10.0, 10.1, 9.9, 10.05, 20.0))]
    facts = by_id(*runs)
    assert (facts["variation"].value, facts["outliers"].value) == ("30.95 %", "seed 4")
    assert "variation" not in by_id(Run())


def test_a_campaign_of_misses_has_a_rate_and_no_time() -> None:
    facts = by_id(MISS)
    assert (facts["reached"].value, facts["time"].value) == ("0 of 1", "not reached")
    assert "cold" not in facts


def test_runs_that_do_not_count_are_an_alert_with_their_seeds_and_reasons() -> None:
    facts = facts_of(Run(), CRASH, Run(seed=3, hello={"seed": 9}))
    (alert,) = facts.alerts
    assert (alert.id, alert.value, alert.level) == ("not_counted", "2 of 3 planned runs", SUSPECT)
    assert "1 invalid, 1 unfinished, seed 2, 3" in alert.detail
    assert {(each.id, each.level) for each in facts.findings} == {("finished", INVALID), ("asked", INVALID)}
    assert all(each.detail for each in facts.findings)


def test_planned_seeds_without_a_run_do_not_count() -> None:
    facts = by_id(Run(seed=1), Run(seed=4), plan=range(5))
    assert facts["reached"].value == "2 of 5 planned"
    assert "3 not run, seed 0, 2, 3" in facts["not_counted"].detail


@pytest.mark.parametrize("runs", [(), (CRASH,), (Run(seed=3, hello={"seed": 9}),), (build_record([]),)])
def test_a_campaign_without_a_valid_run_has_no_time(runs: tuple[Run, ...]) -> None:
    facts = by_id(*runs)
    assert facts["empty"].level == NOTE
    assert not {"time", "reached", "fixed_work"} & set(facts)


def test_synthetic_data_is_an_alert_before_any_other() -> None:
    facts = facts_of(Run(dataset="synthetic", dataset_state="synthetic", recipe="smoke"), CRASH)
    assert facts.alerts[0].id == "synthetic"
    assert "synthetic" not in {each.id for each in facts.findings}
    assert "synthetic" not in by_id(Run()) and "unverified-data" in by_id(Run(dataset_state="unverified"))


def test_a_reason_of_every_seed_is_one_note_without_seeds() -> None:
    facts = by_id(*[replace(run, git_dirty=True) for run in five_seeds()])
    assert "Seed" not in facts["dirty"].value
    assert facts["suspect"].value == "5 of 5 runs"


def test_each_configuration_has_its_own_facts_and_a_note_names_what_differs() -> None:
    facts = facts_of(Run(), Run(recipe="keras24", seed=1))
    assert [each.name for each in facts.configurations] == [
        f"{name}, cifar10, Some CPU, bf16, host" for name in ("page24", "keras24")
    ]
    assert "recipe (page24, keras24)" in by_id(Run(), Run(recipe="keras24", seed=1))["configurations"].value


def test_runs_of_different_machines_and_a_slow_first_run_are_notes() -> None:
    models = [Run(seed=seed, start={"fingerprint": {"cpu.model": f"CPU {seed}"}}) for seed in (0, 1)]
    assert "cpu.model" in by_id(*models)["mixed"].value
    slow = [Run(seed=seed, train_seconds=12 if seed == 0 else 10 + seed / 100) for seed in range(5)]
    assert by_id(*slow)["slow_first_run"].level == NOTE


def test_notes_of_others_come_last() -> None:
    assert facts_of(Run(), notes=("runs differ",)).notes[-1].value == "Runs differ."


def test_words_of_a_trainer_hold_no_control_character() -> None:
    warning = {"v": 1, "event": "warning", "run": 0, "t_ns": 0, "message": "\x1b[2Jboo [bold]x[/bold]"}
    record = build_record([warning, *Run().lines()])
    words = " ".join(each.text for each in facts_of(record).notes)
    assert "boo [bold]x[/bold]" in words and words.isprintable()
