"""What a person reads of an ablation: before it runs, on the terminal, and as Markdown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis import ablation as compared
from bench.record import Reason, StoredAblation, Verdict
from bench.report import ablation as shown
from bench.rules import with_verdict
from tests.support.records import Run, ablation, finals, variant

STORED = ablation(
    variant("base"), variant("smooth", "base"), variant("speed", "smooth", decides="images_per_second")
)  # fmt: skip
RUNS = {
    "base": finals(94.0, 94.2, 93.8, 94.0),
    "smooth": finals(95.0, 95.2, 94.8, 95.0),
    "speed": finals(95.0, 95.1, 94.9),
}


def rendered(stored: StoredAblation, runs: dict[str, list[Run]], width: int = 160) -> tuple[str, str]:
    records = {name: [run.record() for run in each] for name, each in runs.items()}
    frame = compared.table(stored, records)
    return shown.render(stored, frame, records, width), shown.markdown(stored, frame, records)


def test_before_it_runs_the_smallest_detectable_difference_is_said() -> None:
    told = "\n".join(shown.plan(STORED))
    assert "3 x 4 runs, one process each: every variant with seed 0, 1, 2, 3 in turn" in told
    assert "of accuracy with 4 runs each (80 % power at 5 %, two-sided): 0.75 points by itself, 0.90 points" in told
    assert "of images/s with 4 runs each (80 % power at 5 %, two-sided): 7.8 % by itself, 9.4 %" in told
    assert "Holm's method over all 2 comparisons" in told
    assert "smooth: with smooth: smooth true instead of false" in told
    assert "speed: with speed (against smooth), decided on images/s" in told
    assert "A declared proxy decides. A small one." in told


def test_a_spread_that_decides_nothing_is_not_told() -> None:
    told = "\n".join(shown.plan(ablation(variant("base"), variant("smooth", "base"))))
    assert "images/s" not in told
    assert "under Holm" not in told


def test_one_seed_can_find_nothing_and_says_so() -> None:
    assert "none, one run has no spread" in "\n".join(shown.plan(replace(STORED, seeds=(0,))))


def test_the_table_has_technique_epochs_accuracy_with_interval_and_seconds() -> None:
    console, markdown = rendered(STORED, RUNS)
    assert console.splitlines()[0].split()[:4] == ["technique", "epochs", "accuracy", "%"]
    base = next(line for line in console.splitlines() if line.startswith("base"))
    assert "94.00 (93.74 to 94.26)" in base and " 50.00 " in base
    smooth = next(line for line in markdown.splitlines() if line.startswith("| with smooth"))
    assert "| +1.00 (+0.72 to +1.28) points | below 0.001 | better |" in smooth
    assert "**A declared proxy decides.** A small one." in markdown
    assert "Spread of accuracy seen between seeds: 0.15 points; declared 0.3 points." in markdown
    assert "Not all runs are there, or count, of speed." in console


def test_a_larger_spread_than_declared_is_said() -> None:
    _, markdown = rendered(replace(STORED, spread_percent=0.05), RUNS)
    assert "more than declared, so less was detectable than was said" in markdown


def test_nothing_yet_is_a_table_all_the_same() -> None:
    console, markdown = rendered(STORED, {})
    assert "not enough runs" in console
    assert "| base | 5 | - | - | - | - | - | - |" in markdown


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    console, _ = rendered(STORED, RUNS, width)
    assert max(map(len, console.splitlines())) <= width


def test_words_of_a_file_begin_no_markup() -> None:
    hostile = replace(
        STORED, title="a | b\n<script>", variants=(*STORED.variants[:2], variant("v", "base", technique="x|y"))
    )
    console, markdown = rendered(hostile, RUNS)
    assert "<script>" not in markdown
    assert "| x\\|y |" in markdown
    assert "x|y" in console


def test_the_stand_in_is_no_answer_about_cifar10() -> None:
    synthetic = replace(STORED, configuration={**STORED.configuration, "dataset": "synthetic"})
    assert "answers nothing about CIFAR-10" in rendered(synthetic, RUNS)[1]


def test_runs_that_are_suspect_or_of_two_machines_are_told() -> None:
    elsewhere = [replace(run, start={"fingerprint": {"cpu.model": f"CPU {run.seed}"}}) for run in finals(94.0, 94.1)]
    records = {"base": [with_verdict(run.record()) for run in elsewhere]}
    records["smooth"] = [
        replace(records["base"][0], verdict=Verdict(1, "suspect", (Reason("load", "suspect", "busy"),)))
    ]
    told = shown.notes(STORED, compared.table(STORED, records), records)
    assert "1 of the 3 runs are suspect: load; see record.json." in told
    assert any("differ in cpu.model" in line for line in told)


def test_one_is_not_told_in_the_plural() -> None:
    told = " ".join(shown.plan(ablation(variant("base", epochs=1.0), variant("other", "base"), seeds=(0,))))

    assert "1 epoch, input host" in told
    assert "2 x 1 run, one process each" in told
    assert "Holm's method over the one comparison: a finding" in told


def test_names_in_markdown_are_shown_and_not_obeyed() -> None:
    hostile = replace(
        STORED,
        title="@everybody",
        question="See https://example.org",
        variants=(replace(STORED.variants[0], recipe="a`b"), *STORED.variants[1:]),
    )
    _, markdown = rendered(hostile, RUNS)
    assert "@everybody" not in markdown and "https://" not in markdown and "a\\`b" in markdown
    assert "| +1.00 (+0.72 to +1.28) points |" in markdown
