"""The page without a browser: every value is that of the tables, every text stays text, and nothing is loaded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bench.analysis import frames
from bench.analysis.figures.plotly import DARK, GRID, HIT, INK, MUTED, PANEL, PAPER, STATES
from bench.analysis.figures.plotly import MISS as MISSED
from bench.record import Record, build_record, load_campaign
from bench.report import campaign_files, html
from bench.report.facts import HEADLINE
from bench.report.formats.csv import table_text
from bench.rules import with_verdict
from tests.bench.report.html import pages
from tests.support.facts import facts_of
from tests.support.machines import Machine
from tests.support.records import CONFIGURATION, Run, changed, five_seeds

HOSTILE = "<script>alert(1)</script>"
MISS = Run(seed=1, correct=(1, 2, 3, 4, 9399))
CRASH = Run(seed=2, correct=(4000, 9000), status="failed")


def figures_in(text: str) -> dict[str, dict[str, object]]:
    body = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert body is not None
    return {each["key"]: each for each in json.loads(body[1])["figures"]}


# --- What it says ---


def ids(text: str) -> list[str]:
    return [name for name, _ in pages.facts(text)]


def test_the_cards_are_the_facts_of_the_headline_in_their_order() -> None:
    page = pages.of(*five_seeds())
    facts = facts_of(*five_seeds())
    shown = [each for each in facts.configurations[0].facts if each.level == HEADLINE]
    cards = [attributes.get("data-fact") for tag, attributes in pages.read(page).elements if tag == "li"]
    assert cards == [each.id for each in shown]
    assert all(each.value in dict(pages.facts(page))[each.id] for each in shown)


def test_the_table_of_runs_has_the_values_of_runs_csv() -> None:
    runs = [pages.watched(seed, train_seconds=10 + seed / 7) for seed in range(3)] + [MISS, CRASH]
    runs = [replace(each, seed=place) for place, each in enumerate(runs)]
    made = frames.runs([with_verdict(each.record()) for each in runs])
    written = list(csv.DictReader(io.StringIO(table_text(made, "runs.csv"))))
    shown = pages.seeds_of(pages.of(*runs))
    titles = {heading.title: heading.name for heading in html.cells.of_runs(made).headings}
    assert len(titles) > 40
    for title, name in titles.items():
        assert shown[title] == [row[name].replace("inf", "missed") for row in written], name


def test_an_unknown_value_is_an_empty_cell_and_a_miss_is_told() -> None:
    shown = pages.seeds_of(pages.of(replace(MISS, seed=0), replace(CRASH, seed=1)))
    assert shown["dawnbench@1 s"] == ["missed", ""]


def test_curves_are_the_values_of_epochs_csv() -> None:
    record = Run().record()
    epochs = frames.epochs([with_verdict(record)])
    accuracy = figures_in(pages.of(record))["accuracy"]
    curve = accuracy["data"][0]  # type: ignore[index]
    assert curve["x"] == list(epochs["dawnbench_seconds"])
    assert curve["y"] == list(epochs["accuracy_percent"])


def test_alerts_stand_before_any_number() -> None:
    invalid = Run(seed=3, hello={"seed": 9}, dataset="synthetic", dataset_state="synthetic")
    found = ids(pages.of(Run(dataset="synthetic", dataset_state="synthetic"), CRASH, invalid))
    assert found[:3] == ["title", "synthetic", "not_counted"]
    assert found.index("asked") > found.index("time")
    assert ids(pages.of(Run(seed=1), seeds=(0, 1, 2)))[1] == "not_counted"


def test_what_differs_between_the_runs_is_marked() -> None:
    alike = {"git.commit": "a" * 40, "memory.total_bytes": 1, "cpu.model": "one"}
    records = [
        Run(seed=seed, start={"fingerprint": {**alike, "cpu.model": model, "memory.total_bytes": seed}}).record()
        for seed, model in enumerate(("one", "other"))
    ]
    rows = {row[0]: row for row in pages.read(pages.of(*records)).rows if row}
    assert rows["cpu.model"][1:3] == ["differs", "one (seed 0); other (seed 1)"]
    assert rows["memory.total_bytes"][1] == "may differ"
    assert rows["git.commit"][1:3] == ["", "a" * 40]


def test_it_says_what_to_type_to_make_it_again_and_not_where_it_lay() -> None:
    text = pages.of(Run(seed=3))
    assert "make bench RECIPE=page24 INPUT=host SEEDS=3, DEVICE=cpu" in pages.words(text)
    assert "make report OUT=results/20260304T050607Z-page24-cpu" in pages.words(text)
    assert "/somewhere" not in text


# --- Odd campaigns ---

ODD: dict[str, tuple[Run | Record, ...]] = {
    "nothing begun": (),
    "nothing finished": (replace(CRASH, seed=0), replace(CRASH, seed=1, correct=())),
    "one run": (Run(),),
    "all missed": (replace(MISS, seed=0), MISS),
    "one epoch": (Run(epochs=1, correct=(9500,)),),
    "all invalid": (Run(seed=3, hello={"seed": 9}),),
    "no phases": (build_record([line for line in Run().lines() if line["event"] != "phase"]),),
    "nothing but a start": (build_record(Run().lines()[:1]),),
    "no seed": (replace(Run().record(), seed=None),),
    "telemetry off": (Run(machine=Machine(sampler={"off": True})),),
    "no card": (pages.watched(machine=Machine(gpu=False)),),
    "no evaluation": (replace(CRASH, correct=()),),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_campaign_has_a_page_with_sentences_for_what_it_lacks(name: str) -> None:
    text = pages.of(*ODD[name])
    drawn = figures_in(text)
    for each in pages.read(text).elements:
        if each[0] == "figure":
            key = str(each[1]["data-figure"])
            empty = f'id="figure-{key}"' in text and key not in drawn
            assert empty or drawn[key]["data"], key
    assert text.count('<p class="empty">') >= len(["accuracy", "epochs", "runs", "machine", "waits"]) - len(drawn)
    assert "nan" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower().split()


def test_waits_are_drawn_with_their_floor() -> None:
    lines = Run().lines()
    for epoch in (1, 2, 3):
        place = next(i for i, line in enumerate(lines) if line["event"] == "epoch" and line["epoch"] == epoch)
        lines.insert(place, {**changed(lines, "epoch")[place], "event": "waits", "epoch": epoch, **pages.WAITS})
    waits = figures_in(pages.of(build_record(lines)))["waits"]
    assert waits["data"][0]["y"] == [2, 180, 10, 2]  # type: ignore[index]
    assert waits["layout"]["annotations"][0]["text"] == "baseline 20 us"  # type: ignore[index]


# --- What strangers say ---


def test_a_hostile_name_stays_text_wherever_it_stands() -> None:
    hello = {"trainer": HOSTILE, "device": {"kind": "gpu", "name": HOSTILE, "uuid": ""}, "framework": "=cmd()"}
    record = Run(recipe=HOSTILE, hello=hello, start={"fingerprint": {"cpu.model": HOSTILE, HOSTILE: HOSTILE}}).record()
    text = pages.of(record, configuration=replace(CONFIGURATION, recipe=HOSTILE, dataset=HOSTILE), notes=[HOSTILE])
    assert HOSTILE not in text
    assert HOSTILE in pages.words(text)
    assert "=cmd()" in pages.words(text)
    assert [tag for tag, _ in pages.read(text).elements].count("script") == 3


def test_a_hostile_name_of_a_side_stays_text() -> None:
    text = pages.of_sides(five_seeds(), five_seeds(), names=(HOSTILE, "</title><b>"))
    assert HOSTILE not in text
    assert "</title><b>" not in text
    assert figures_in(text)["fixed-work"]["data"][0]["name"] == HOSTILE  # type: ignore[index]


def test_nothing_is_loaded_from_anywhere() -> None:
    text = pages.own(pages.of(pages.watched(), pages.watched(1)))
    for tag, attributes in pages.read(text).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes, tag
        assert not str(attributes.get("href") or "#").startswith(("http", "//")), attributes
    assert not re.search(r"https?://|@import|url\(", text)


def test_the_policy_lets_its_own_scripts_run_and_nothing_else() -> None:
    text = pages.of(Run())
    policy = next(str(a["content"]) for t, a in pages.read(text).elements if t == "meta" and "http-equiv" in a)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == len(scripts) == 2
    for script in scripts:
        assert html._hash(script) in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy
    assert not re.search(r"\son[a-z]+=", pages.own(text).split("<script", 1)[0])


# --- How it is built ---


def test_headings_come_in_order_and_every_chart_has_a_caption_and_its_numbers() -> None:
    elements = pages.read(pages.of(pages.watched(), MISS)).elements
    levels = [int(tag[1]) for tag, _ in elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    charts = [a for tag, a in elements if tag == "div" and a.get("class") == "plot"]
    ids = {str(a["id"]) for _, a in elements if "id" in a}
    assert charts
    for chart in charts:
        assert {str(chart["aria-labelledby"]), *str(chart["aria-describedby"]).split()} <= ids
        assert chart["tabindex"] == "0"
    assert [tag for tag, _ in elements].count("details") == len(charts)
    assert ("html", {"lang": "en"}) in elements


def test_ids_are_unique() -> None:
    for text in (pages.of(pages.watched(), MISS), pages.of_sides(five_seeds(), five_seeds())):
        ids = [a["id"] for _, a in pages.read(text).elements if "id" in a]
        assert len(ids) == len(set(ids))


def test_fifty_seeds_with_telemetry_stay_below_six_megabytes() -> None:
    machine = Machine(period_ms=250, every_tick={"gpu_power_watts": 123.456, "sm_clock_mhz": 1234})
    record = pages.watched(machine=machine)
    runs = [replace(record, seed=seed, train_seconds=9 + seed / 31) for seed in range(50)]
    assert len(pages.of(*runs).encode()) < 6_000_000


def test_the_same_records_give_the_same_bytes() -> None:
    assert pages.of(*five_seeds()) == pages.of(*five_seeds())


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    html.write_campaign(tmp_path / html.PAGE_FILE, replace(facts_of(Run()), campaign=pages.stored([Run()])))
    text = (tmp_path / html.PAGE_FILE).read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>\n")
    assert [each.name for each in tmp_path.iterdir()] == [html.PAGE_FILE]


def test_plotly_js_is_the_file_that_was_vendored() -> None:
    vendor = Path(html.__file__).parent / "vendor"
    stated = dict(line.split(": ", 1) for line in (vendor / "VENDORED").read_text().splitlines())
    content = (vendor / stated["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == stated["sha256"]
    assert f"plotly.js (basic - minified) v{stated['version']}\n".encode() in content[:200]
    assert "Permission is hereby granted, free of charge" in (vendor / "plotly-LICENSE").read_text()


def test_charts_have_the_colours_of_the_page_in_light_and_in_dark() -> None:
    light, dark = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", each))
        for each in (Path(html.__file__).parent / "page.css").read_text().split("}")[:2]
    )
    names = {"ink": INK, "muted": MUTED, "line": GRID, "paper": PAPER, "panel": PANEL}
    names |= {state: STATES[state].colour for state in (HIT, MISSED)}
    assert {name: (light[name], dark[name]) for name in names} == {
        name: (colour, DARK[colour]) for name, colour in names.items()
    }


def test_the_page_of_five_published_seeds_stays_below_1600_kilobytes(tmp_path: Path) -> None:
    published = Path(__file__).parents[4] / "results" / "published" / "20261126T052749Z-hive-nvidia-h200"
    folder = shutil.copytree(published, tmp_path / published.name)
    assert len(list(folder.glob("seed-*"))) == 5
    campaign_files.build(load_campaign(folder)).write_page()
    assert (folder / html.PAGE_FILE).stat().st_size < 1_600_000


def test_the_command_for_a_page_can_be_typed_whatever_the_folder_is_called() -> None:
    said = pages.words(pages.of(Run(), folder=Path("/somewhere/a b; rm -rf ~")))
    assert "make report OUT='results/a b; rm -rf ~'" in said
