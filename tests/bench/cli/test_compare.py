"""``python -m bench compare`` as it is typed: answers, files, the gate's exit code, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.report.formats.csv import read_table
from tests.support.records import NS, Run, write_campaign

Told = Callable[..., "tuple[int, str, str]"]
EVEN = (10.0, 10.05, 9.95, 10.02, 9.98)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Types the command: its exit code, and what it prints with the folding of lines undone."""

    def compare(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["compare", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, " ".join(printed.out.split()), " ".join(printed.err.split())

    return compare


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a campaign whose runs train their epochs in these times."""

    def make(name: str, times: Sequence[float], percent: float = 0.0, **changes: object) -> Path:
        begun = (1 + sum(map(ord, name))) * 1_000_000
        runs = [
            replace(
                Run(seed=seed),
                train_seconds=seconds * (1 + percent / 100),
                spawned_ns=(begun + seed * 999) * NS,
                start={"fingerprint": {"git.dirty": False, "cpu.model": "Some CPU"}},
            )
            for seed, seconds in enumerate(times)
        ]
        return write_campaign(tmp_path / name, [replace(run, **changes) for run in runs])  # type: ignore[arg-type]

    return make


def test_two_campaigns_are_compared_from_their_folders(told: Told, place: Callable[..., Path]) -> None:
    code, out, err = told(place("one", EVEN), place("two", EVEN[::-1], 5))
    assert (code, err) == (0, "")
    assert "Clock: train@1, whole schedule" in out
    assert "is slower than" in out


@pytest.mark.parametrize("percent, limit, code", [(5, "2%", 1), (5, "6", 0), (0, "0.5%", 0), (-5, "0", 0)])
def test_the_gate_speaks_by_exit_code(
    told: Told, place: Callable[..., Path], percent: float, limit: str, code: int
) -> None:
    found, _, err = told(place("one", EVEN), place("two", EVEN[::-1], percent), "--fail-if-slower", limit)
    assert found == code
    assert ("Gate failed" in err) == (code == 1)


def test_a_slower_run_does_not_open_the_gate(told: Told, place: Callable[..., Path]) -> None:
    one = place("one", (14.05, 14.12, 14.05, 13.82, 14.13))
    for name, third in (("two", 14.75), ("three", 19.22)):
        two = place(name, (14.77, 14.62, third, 14.75, 14.74))
        assert told(one, two, "--fail-if-slower", "2%")[0] == 1


def test_an_allowance_may_be_given(told: Told, place: Callable[..., Path]) -> None:
    one, two = place("one", EVEN), place("two", EVEN[::-1], 2)
    for typed, answer in (("2%", "within drift"), ("0", "slower"), ("0.5", "slower")):
        code, out, _ = told(one, two, "--drift", typed, "--format", "csv")
        assert (code, answer in out) == (0, True)


def test_a_side_may_be_several_campaigns(told: Told, place: Callable[..., Path], tmp_path: Path) -> None:
    a = [place(f"a{index}", EVEN) for index in range(4)]
    b = [place(f"b{index}", EVEN, 3) for index in range(4)]
    code, out, _ = told(
        ",".join(map(str, a)), ",".join(map(str, b)), "--fail-if-slower", "2%", "--out", tmp_path / "out"
    )
    assert (code, "4 and 4 campaigns" in out) == (1, True)
    frame = read_table(tmp_path / "out" / "comparison.csv")
    assert list(frame["campaigns"]) == [4, 4]
    assert list(frame["unit"].fillna("")) == ["", "campaign"]
    # One folder whose name holds a comma is one folder.
    odd = place("with,comma", EVEN)
    assert told(odd, a[0])[0] == 0
    assert told(f"{a[0]},{a[1]}", a[0])[0] == 2


def test_repeated_campaigns_next_to_it_tell_the_allowance(told: Told, place: Callable[..., Path]) -> None:
    repeated = [place(f"before{index}", EVEN, percent) for index, percent in enumerate((0, 0.1, -0.1, 0.05, 0))]
    (repeated[0].parent / "damaged").mkdir()
    (repeated[0].parent / "damaged" / "campaign.json").write_text("{")
    _, out, _ = told(place("one", EVEN), place("two", EVEN[::-1], 2))
    assert "measured from 5 campaigns on that machine" in out
    assert "is slower than" in out


@pytest.mark.parametrize("recipe", [["page24"], {"name": "page24"}, 7, None])
def test_a_neighbour_with_an_odd_recipe_is_left_out(told: Told, place: Callable[..., Path], recipe: object) -> None:
    one, file = place("one", EVEN), place("odd", EVEN) / "campaign.json"
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "configuration": {**stored["configuration"], "recipe": recipe}}))
    code, out, _ = told(one, place("two", EVEN))
    assert (code, "stated" in out) == (0, True)


def test_a_pipe_or_a_folder_in_the_place_of_a_neighbour_is_not_waited_for(
    told: Told, place: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "folder" / "campaign.json").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "campaign.json")
    assert told(place("one", EVEN), place("two", EVEN))[0] == 0


def test_copies_of_a_compared_campaign_tell_no_allowance(
    told: Told, place: Callable[..., Path], tmp_path: Path
) -> None:
    one = place("one", EVEN)
    for index in range(5):
        shutil.copytree(one, tmp_path / f"copy{index}")
    assert "stated, not measured" in told(one, place("two", EVEN[::-1], 1))[1]


def test_a_gate_that_could_not_fail_does_not_pass(told: Told, place: Callable[..., Path]) -> None:
    code, _, err = told(place("one", EVEN[:3]), place("two", EVEN[:3]), "--fail-if-slower", "2%")
    assert code == 1
    assert "too few runs" in err


@pytest.mark.parametrize("runs", [(3, 4), (4, 3)])
def test_a_gate_that_passes_with_an_open_interval_says_so(
    told: Told, place: Callable[..., Path], runs: tuple[int, int]
) -> None:
    # One-sided, 1 of 35 orders can fail the gate; two-sided, 2 of 35 bound nothing.
    one, two = place("one", EVEN[: runs[0]]), place("two", EVEN[: runs[1]])
    code, _, err = told(one, two, "--fail-if-slower", "2%")
    assert (code, "too few runs" in err) == (0, True)
    assert told(one, place("three", EVEN[: runs[1]], 30), "--fail-if-slower", "2%")[0] == 1


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_gate_names_the_side_without_a_time(told: Told, place: Callable[..., Path], empty: int) -> None:
    sides = [place(name, EVEN) for name in ("one", "two", "three")]
    sides[empty] = place("none", EVEN, status="failed", correct=(4000,))
    code, _, err = told(*sides, "--fail-if-slower", "2%")
    assert (code, f"no run of {'ABC'[empty]} " in err, "nan" in err) == (1, True, False)


def test_a_gate_that_saw_too_little_passes_and_says_what_could_be(told: Told, place: Callable[..., Path]) -> None:
    wide = (10.0, 12.0, 9.0, 11.0, 10.5)
    code, _, err = told(place("one", wide), place("two", wide[::-1]), "--fail-if-slower", "2%")
    assert code == 0
    assert re.search(r"up to \d+\.\d\d %", err)


@pytest.mark.parametrize("wrong", ["much", "-1", "nan", "inf", "", "1_0", "١"])
def test_a_share_that_is_none_is_a_mistake_of_use(told: Told, place: Callable[..., Path], wrong: str) -> None:
    code, _, err = told(place("one", EVEN), place("two", EVEN), f"--fail-if-slower={wrong}")
    assert code == 2
    assert err.startswith(f"bench: --fail-if-slower {wrong!r} is no")
    assert err.endswith(" --fail-if-slower 2%.")


def test_the_table_markdown_and_page_are_written_where_they_are_wanted(
    told: Told, place: Callable[..., Path], tmp_path: Path
) -> None:
    told(place("one", EVEN), place("two", EVEN[::-1]), "--drift", "0", "--out", tmp_path / "found")
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == [
        "comparison.csv", "comparison.md", "report.html",
    ]  # fmt: skip
    frame = read_table(tmp_path / "found" / "comparison.csv")
    assert list(frame["answer"].fillna("")) == ["", "no difference"]


def test_a_folder_without_a_name_is_not_the_one_we_are_in(told: Told, place: Callable[..., Path]) -> None:
    code, _, err = told(place("one", EVEN), place("two", EVEN), "--out", "")
    assert (code, "--out has no value" in err) == (2, True)


def test_a_run_that_took_too_long_stops_the_gate(told: Told, place: Callable[..., Path], tmp_path: Path) -> None:
    late = Run(seed=5, status="timed_out", correct=(4000,), spawned_ns=5 * NS)
    two = place("two", EVEN[::-1])
    more = write_campaign(tmp_path / "late", [late])
    (more / "seed-005").rename(two / "seed-005")
    code, _, err = told(place("one", EVEN), two, "--fail-if-slower", "2%")
    assert (code, "seed 5 (timed out) of B" in err) == (1, True)


def test_a_deleted_run_stops_the_gate(told: Told, place: Callable[..., Path], tmp_path: Path) -> None:
    import shutil

    two = place("two", (*EVEN[::-1], 30.0))
    shutil.rmtree(two / "seed-005")
    code, _, err = told(place("one", EVEN), two, "--fail-if-slower", "2%")
    assert (code, "seed 5 (no run) of B" in err) == (1, True)
    code, _, err = told(two, tmp_path / "one", "--fail-if-slower", "2%")
    assert (code, "seed 5 (no run) of A" in err) == (1, True)


def test_a_campaign_may_be_named_by_its_file(told: Told, place: Callable[..., Path]) -> None:
    code, out, _ = told(place("one", EVEN) / "campaign.json", place("two", EVEN[::-1]), "--drift", "0")
    assert (code, "No difference" in out) == (0, True)


def test_csv_and_markdown_go_to_the_terminal_alone(told: Told, place: Callable[..., Path], capsys: object) -> None:
    one, two = place("one", EVEN), place("two", EVEN)
    assert main(["compare", str(one), str(two), "--format", "csv"]) == 0
    text = capsys.readouterr().out  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["side"] for row in rows] == ["A", "B"]
    _, out, _ = told(one, two, "--format", "markdown")
    assert "| Clock: train@1, whole schedule | A | B |" in out


def test_names_with_markup_and_formulas_stay_text(told: Told, place: Callable[..., Path], tmp_path: Path) -> None:
    hello = {"device": {"kind": "cpu", "name": "<script>alert(1)</script>|=cmd()|\x1b[31m", "uuid": ""}}
    one, two = place("one", EVEN), place("two", EVEN, hello=hello)
    _, out, _ = told(one, two)
    assert "\x1b" not in out
    _, markdown, _ = told(one, two, "--format", "markdown")
    assert "<script>" not in markdown and "&lt;script&gt;" in markdown
    told(one, two, "--out", tmp_path / "found")
    assert "<script>alert(1)" not in (tmp_path / "found" / "report.html").read_text()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_folders_are_a_mistake_of_use(told: Told, place: Callable[..., Path], count: int) -> None:
    assert told(*[place("one", EVEN)][:count])[0] == 2


def test_what_is_no_campaign_is_told_with_what_to_name(told: Told, place: Callable[..., Path], tmp_path: Path) -> None:
    code, _, err = told(place("one", EVEN), tmp_path / "nothing")
    assert (code, "there is no folder" in err) == (3, True)
    (tmp_path / "empty").mkdir()
    code, _, err = told(tmp_path / "one", tmp_path / "empty")
    assert (code, "is not a campaign" in err) == (3, True)


def test_one_folder_named_twice_and_a_copy_of_it_are_refused(
    told: Told, place: Callable[..., Path], tmp_path: Path
) -> None:
    one = place("one", EVEN)
    code, _, err = told(one, tmp_path / "." / "one")
    assert (code, "is named twice" in err) == (2, True)
    (tmp_path / "linked").symlink_to(one)
    assert told(one, tmp_path / "linked")[0] == 2
    import shutil

    shutil.copytree(one, tmp_path / "copied")
    code, _, err = told(one, tmp_path / "copied")
    assert (code, "seed 0" in err) == (6, True)


def test_mixed_data_is_refused(told: Told, place: Callable[..., Path]) -> None:
    other = place("two", EVEN, dataset="synthetic", dataset_state="synthetic")
    code, _, err = told(place("one", EVEN), other)
    assert code == 6
    assert "cifar10 and synthetic" in err


def test_a_campaign_without_a_run_is_told(told: Told, place: Callable[..., Path]) -> None:
    code, _, err = told(place("one", EVEN), place("two", ()))
    assert (code, "has no run" in err) == (6, True)


def test_all_misses_and_one_seed_are_compared_by_their_work(told: Told, place: Callable[..., Path]) -> None:
    missed = (4000, 9000, 9100, 9200, 9300)
    code, out, _ = told(place("one", EVEN, correct=missed), place("two", EVEN[::-1], 5, correct=missed))
    assert code == 0
    assert "is slower than" in out and "0 of 5" in out
    code, out, _ = told(place("three", EVEN[:1]), place("four", EVEN[:1], 9))
    assert code == 0
    assert "Not enough runs" in out
