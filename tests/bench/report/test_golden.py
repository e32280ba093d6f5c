"""The wording of every format, pinned in one golden file each and nowhere else.

After a change of wording, regenerate them and read the diff: UPDATE_GOLDEN=1 pytest tests/bench/report/test_golden.py
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.comparison import Side, compare
from bench.analysis.fixed_work import Work
from bench.report import html
from bench.report.campaign_files import campaign_tables
from bench.report.facts.campaign import CampaignFacts, of_campaign
from bench.report.facts.comparison import ComparisonFacts, of_comparison
from bench.report.formats import console, markdown
from bench.rules import with_verdict
from tests.bench.analysis.test_comparison import EVEN, side, slowed, turns
from tests.bench.report.html import pages
from tests.support.machines import Machine
from tests.support.records import Run, five_seeds

GOLDEN = Path(__file__).parent / "golden"
WIDTH = 110
MISS = (4000, 9000, 9100, 9200, 9300)
WIDE = (10.0, 12.0, 9.0, 11.0, 10.5)
#: A machine in which no rule finds anything.
CALM = Machine(
    edges={"throttled_seconds": None, "steal_seconds": None, "lost_ns": None}, every_tick={"event_reasons": 0}
)


def campaign(runs: Sequence[Run], planned: int, cost_per_hour: float | None = None) -> CampaignFacts:
    """The facts of a campaign of these runs."""
    records = [with_verdict(run.record()) for run in runs]
    stored = replace(pages.stored(runs), seeds=tuple(range(planned)))
    tables = campaign_tables(records, stored.seeds, cost_per_hour)
    title, rank = "page24 on cifar10 (canonical), Some CPU", [("Time board", "3rd of 32"), ("", "an example")]
    return of_campaign(records, tables, title, ["an example"], planned=planned, rank=rank, campaign=stored)


def campaigns() -> Iterator[tuple[str, CampaignFacts]]:
    """Campaigns that have every fact between them, with what each shows."""
    watched = [replace(each, machine=CALM, git_dirty=each.seed == 1) for each in five_seeds()]
    others = [Run(seed=5, status="failed", correct=(4000,)), Run(seed=6, hello={"seed": 9}, machine=CALM)]
    yield "misses, a failed, an invalid and a missing run", campaign([*watched, *others], 8, cost_per_hour=3.06)
    steady = [Run(seed=seed, train_seconds=12 if seed == 0 else 10 + seed / 100) for seed in range(7)]
    yield "every run reached the target, the first was slow", campaign(steady, 7)
    synthetic = Run(dataset="synthetic", dataset_state="synthetic", hello={"input": "device"})
    yield "one run on synthetic data", campaign([synthetic], 1)
    yield (
        "two configurations, every run missed",
        campaign(
            [Run(correct=MISS, machine=replace(CALM, role="watched")), Run(seed=1, recipe="keras24", correct=MISS)], 2
        ),
    )
    yield "nothing finished", campaign([Run(status="failed", correct=(4000,))], 1)
    yield "nothing begun", campaign([], 3)


def apart(name: str, percent: float = 0.0) -> Side:
    """A side of several campaigns, one of each run."""
    whole = side(name, slowed(EVEN[:4], percent))
    return replace(whole, campaigns=tuple(replace(whole, records=(each,)) for each in whole.records))


def comparisons() -> Iterator[tuple[str, ComparisonFacts]]:
    """Comparisons that have every answer and note between them."""
    a, b = side("A", EVEN), side("B", EVEN[::-1])
    driver = {"fingerprint": {"git.dirty": False, "gpu.driver_version": "570.1", "gpu.count": 2}}
    recipe = {
        "name": "hive",
        "sha256": "ef" * 32,
        "target_percent": 94.0,
        "epochs": 5,
        "steps_per_epoch": 97,
        "batch": 512,
    }
    ended = {"dataset": "synthetic", "dataset_state": "synthetic", "status": "cut_short", "correct": (4000, 5000, 6000)}
    few = replace(side("B", EVEN[:3]), plan=(0, 1, 2, 3), without_events=("seed-007",))
    made = {
        "slower, and within drift": [a, side("B", slowed(EVEN[::-1], 5), start=driver), side("C", EVEN[::-1])],
        "slower by factors, and faster": [a, side("B", slowed(EVEN, 3900)), side("C", slowed(EVEN, -9))],
        "no difference": turns(a, b),
        "not enough runs": turns(side("A", WIDE), side("B", WIDE[::-1])),
        "too few runs for any answer": turns(side("A", EVEN[:3]), few),
        "campaigns as the unit": [apart("A"), apart("B", 3)],
        "different work, an outlier, suspect runs": [
            a, side("B", [*EVEN[:4], 20.0], hello={"recipe": recipe}, git_dirty=True),
        ],
        "ended after three epochs, on synthetic data": turns(
            *(replace(side(name, EVEN, **ended), work=Work(3, 1)) for name in "AB")
        ),
    }  # fmt: skip
    for title, sides in made.items():
        yield title, of_comparison(compare(sides, different_work=True))


def sections(texts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"== {title} ==\n\n{text}" for title, text in texts)


def made(name: str) -> str:
    """What a golden file is to hold: every sentence in console.txt, the form of each fact in the others."""
    of_runs, of_sides = list(campaigns()), list(comparisons())
    if name == "console.txt":
        texts = [(title, console.render(facts, WIDTH)) for title, facts in of_runs]
        return sections([*texts, *((title, console.render_comparison(facts, WIDTH)) for title, facts in of_sides)])
    of_runs, of_sides = [of_runs[0], of_runs[-1]], [of_sides[0], of_sides[-1]]
    if name == "markdown.md":
        texts = [(title, markdown.render(facts)) for title, facts in of_runs]
        return sections([*texts, *((title, markdown.render_comparison(facts)) for title, facts in of_sides)])
    texts = [(title, html.campaign_page(facts)) for title, facts in of_runs]
    texts += [(title, html.comparison_page(facts)) for title, facts in of_sides]
    return sections(
        (title, "".join(f"{name}: {words}\n" for name, words in pages.facts(page))) for title, page in texts
    )


@pytest.mark.parametrize("name", ["console.txt", "markdown.md", "html-facts.txt"])
def test_the_wording_is_that_of_the_golden_file(name: str) -> None:
    text = made(name)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")
