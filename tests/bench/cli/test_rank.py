"""``python -m bench rank`` as it is typed: positions, what has none, and the errors of what is no result."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.cli import rank
from bench.record.experiment import StoredAB, StoredSide, write_experiment
from tests.bench.dawnbench.pairs import body, column, put
from tests.support.records import Run, five_seeds, write_campaign

PUBLISHED = Path(__file__).resolve().parents[3] / "results" / "published"
Command = Callable[..., "tuple[int, str, str]"]
H200 = {"device": {"kind": "gpu", "name": "NVIDIA H200", "uuid": "x"}}


@pytest.fixture
def ranked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command: its exit code, and what it prints with the folding of lines undone."""
    for name in ("OUT", "COST_PER_HOUR"):
        monkeypatch.delenv(name, raising=False)

    def run_command(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["rank", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, " ".join(printed.out.split()), printed.err.strip()

    return run_command


def answer(ranked: Command, *arguments: str | Path) -> dict[str, Any]:
    code, out, err = ranked(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)  # type: ignore[no-any-return]


def run(seed: int, seconds: float, correct: int = 9400, **changes: Any) -> Run:
    """A run whose clock shows ``seconds`` at its only evaluation."""
    once = {"import": 1.0, "data_load": 0.5, "compile": 20.0}
    return Run(seed=seed, correct=(correct,), epochs=1, train_seconds=seconds - 0.5, once_seconds=once, **changes)


# Positions


def test_the_median_successful_run_has_the_place(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 8.0), run(2, 50.0)])
    found = answer(ranked, folder)
    assert (found["time"]["rank"], found["time"]["of"], found["time"]["value"]) == (4, 32, 30.0)
    # 21.5 s once, and 2 s of evaluation.
    assert (found["chosen_seed"], found["chosen_wall_seconds"]) == (0, 53.0)
    code, out, _ = ranked(folder)
    assert code == 0
    assert "Time board 4th of 32: 30.00 s (dawnbench@1), shown as 0:00:30" in out
    assert "Wall clock 53.00 s (wall@1)" in out


def test_misses_stay_in_the_rate(tmp_path: Path, ranked: Command) -> None:
    found = answer(ranked, write_campaign(tmp_path / "c", five_seeds()))
    assert (found["reached"], found["planned"], found["time"]["of"]) == (4, 5, 32)
    assert found["success_rate"] == 0.8


def test_a_price_gives_a_place_on_the_cost_board_of_20(
    tmp_path: Path, ranked: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 36.0)])
    assert answer(ranked, folder)["cost"] is None
    assert answer(ranked, folder, "--cost-per-hour", "3")["cost"] == {
        "value": pytest.approx(0.03), "rank": 2, "of": 21, "tied": 0,
    }  # fmt: skip
    claimed = write_campaign(tmp_path / "d", [run(0, 36.0)], claims={"cost_per_hour": 3.0})
    assert answer(ranked, claimed)["cost_per_hour_usd"] == 3.0
    monkeypatch.setenv("COST_PER_HOUR", "5")
    assert answer(ranked, claimed)["cost_per_hour_usd"] == 5.0


def test_all_shows_every_entry(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0)])
    few, every = (len(re.findall(r"\d+:\d\d:\d\d", ranked(folder, *more)[1])) for more in ((), ("--all",)))
    assert few < every == 1 + 31


# What is remarked


@pytest.mark.parametrize(
    ("runs", "remark"),
    [
        ([run(0, 30.0)], "one run shows no spread"),
        ([run(0, 30.0, 9500, target_percent=95.0)], "the times are to 95 %"),
        ([run(0, 30.0, dataset_state="unverified")], "not verified against the official archive"),
        ([run(0, 30.0), run(1, 31.0, git_dirty=True)], "suspect: seed 1;"),
        ([run(0, 30.0), run(1, 31.0, status="failed")], "left out: 1 of 2 planned runs"),
    ],
)
def test_a_place_is_remarked_on(tmp_path: Path, ranked: Command, runs: list[Run], remark: str) -> None:
    found = answer(ranked, write_campaign(tmp_path / "c", runs))
    assert any(remark in each for each in found["remarks"])


@pytest.mark.parametrize(("seconds", "words"), [(1.7, "as expected"), (5.0, "slower"), (0.6, "faster")])
def test_a_time_is_compared_with_what_its_card_was_seen_to_do(
    tmp_path: Path, ranked: Command, seconds: float, words: str
) -> None:
    out = ranked(write_campaign(tmp_path / "c", [run(0, seconds, recipe="hive", hello=H200)]))[1]
    assert f"Expected on H200 1.32 to 2.14 s (dawnbench@1) for the whole schedule; took {seconds:.2f} s, {words}" in out


def test_nothing_is_expected_of_a_card_without_a_figure(tmp_path: Path, ranked: Command) -> None:
    found = answer(ranked, write_campaign(tmp_path / "c", five_seeds()))
    assert found["expected"] is None


# The plan


def test_deleted_seeds_earn_no_place(tmp_path: Path, ranked: Command) -> None:
    runs = [run(0, 30.0, 9399), run(1, 8.0), run(2, 30.0, 9399), run(3, 30.0, 9399), run(4, 9.0)]
    folder = write_campaign(tmp_path / "c", runs)
    for seed in (0, 2, 3):
        shutil.rmtree(folder / f"seed-{seed:03d}")
    found = answer(ranked, folder, "--cost-per-hour", "3")
    assert (found["planned"], found["not_counted"], found["reached"]) == (5, [0, 2, 3], 2)
    assert (found["success_rate"], found["time"], found["cost"]) == (0.4, None, None)
    assert "No place 3 of 5 planned runs did not reach 94 %" in ranked(folder)[1]


def test_a_run_that_was_not_planned_is_refused(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(7, 8.0)], seeds=[0])
    code, out, err = ranked(folder)
    assert (code, out) == (6, "")
    assert "seed 7" in err and "SEEDS=7," in err


@pytest.mark.parametrize(
    ("misc", "counts", "placed"),
    [
        ({"runsPlanned": 5, "runsReached": 2}, [2, 5], False),
        ({"runsPlanned": 4, "runsReached": 2}, [2, 4], False),
        ({"runsPlanned": 5, "runsReached": 3}, [3, 5], True),
        ({"runsPlanned": 1, "runsReached": 1}, [1, 1], True),
        ({"runsPlanned": "5", "runsReached": 2}, [1, 1], True),
        ({"runsPlanned": 5, "runsReached": 6}, [1, 1], True),
        ({"runsReached": 0}, [1, 1], True),
    ],
)
def test_a_pair_has_a_place_where_its_campaign_has_one(
    tmp_path: Path, ranked: Command, misc: dict[str, Any], counts: list[int], placed: bool
) -> None:
    found = answer(ranked, put(tmp_path, json_bytes=body(misc=misc)))
    assert [found["reached"], found["planned"]] == counts
    assert (found["time"] is not None and found["time"]["rank"] == 8) == placed
    assert found["chosen_seed"] is None


# Test-time augmentation


def test_the_accuracy_is_told_with_how_it_was_measured(ranked: Command) -> None:
    found = answer(ranked, PUBLISHED / "20261126T052749Z-hive-nvidia-h200")
    assert found["test_time_augmentation"] == "six views"
    assert found["accuracy_percent"] == 94.09 and found["plain_accuracy_percent"] < 94
    out = ranked(PUBLISHED / "20261126T052749Z-hive-nvidia-h200")[1]
    assert f"94.09 % with TTA (six views); without it: {found['plain_accuracy_percent']:.2f} %" in out


def test_an_accuracy_without_augmentation_is_told_as_such(tmp_path: Path, ranked: Command) -> None:
    found = answer(ranked, write_campaign(tmp_path / "c", [run(0, 30.0)]))
    assert (found["test_time_augmentation"], found["plain_accuracy_percent"]) == ("none", 94.0)


@pytest.mark.parametrize(
    ("misc", "augmentation", "plain"),
    [
        ({"testTimeAugmentation": "six views of 25% of the test images", "plainTop1Accuracy": 93.2},
         "six views of 25% of the test images", 93.2),
        ({"testTimeAugmentation": "none", "plainTop1Accuracy": "x"}, "none", None),
        ({"plainTop1Accuracy": float("inf")}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_a_pair_tells_what_it_says_of_augmentation(
    tmp_path: Path, ranked: Command, misc: dict[str, Any], augmentation: str | None, plain: float | None
) -> None:
    found = answer(ranked, put(tmp_path, json_bytes=body(misc=misc)))
    assert (found["test_time_augmentation"], found["plain_accuracy_percent"]) == (augmentation, plain)
    assert found["accuracy_percent"] == 94.08


# What has no place


def test_where_half_of_the_runs_miss_there_is_no_place(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 30.0, 9399), run(2, 8.0, 9399), run(3, 20.0)])
    found = answer(ranked, folder, "--cost-per-hour", "3")
    assert (found["time"], found["cost"], found["success_rate"]) == (None, None, 0.5)
    assert found["chosen_seconds"] == 30.0


def test_where_every_run_misses_there_is_no_time(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0, 9399), run(1, 8.0, 9399)])
    found = answer(ranked, folder)
    assert (found["time"], found["chosen_seconds"], found["chosen_seed"]) == (None, None, None)
    assert "No place 2 of 2 planned runs did not reach 94 %" in ranked(folder)[1]


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ([run(0, 30.0, dataset="synthetic", dataset_state="synthetic")], "type `make bench RECIPE=speedrun`"),
        ([run(0, 30.0, target_percent=93.0)], "the target in .* was 93.0 %, and the board is of times to 94 %"),
        ([run(0, 30.0, 940, total=1000)], "was not evaluated on all 10,000 test images"),
        ([run(0, 30.0, dataset_state="mine")], "was not trained on CIFAR-10"),
        ([run(0, 30.0, status="failed")], "no run in .* is finished"),
        ([run(0, 30.0, runs=3)], "share a process, so none has a time of its own"),
        ([run(0, 30.0, hello={"input": "memory"})], "every run in .* is invalid"),
        ([], "no run in .* is finished"),
    ],
)
def test_a_result_that_can_have_no_place_is_refused_in_a_sentence(
    tmp_path: Path, ranked: Command, runs: list[Run], sentence: str
) -> None:
    code, out, err = ranked(write_campaign(tmp_path / "c", runs))
    assert (code, out) == (6, "")
    assert re.search(sentence, err)
    assert len(err.splitlines()) == 1


# What is no result


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def cut_off(folder: Path) -> Path:
    write_campaign(folder, [run(0, 30.0)])
    (folder / "campaign.json").write_text('{"schema": 1, "conf')
    return folder


def ablation(folder: Path) -> Path:
    return PUBLISHED / "20261123T200859Z-ablate-author-cpu"


def stalls(folder: Path) -> Path:
    return PUBLISHED / "20261123T225652Z-stalls-smoke-cpu"


@pytest.mark.parametrize(
    ("made", "code", "sentence"),
    [
        (lambda folder: folder, 3, "there is no "),
        (empty, 3, "is neither a campaign"),
        (cut_off, 3, "is not whole JSON"),
        (ablation, 2, "is an ablation of several campaigns. Name one, such as "),
        (stalls, 2, "measures an input"),
        (lambda folder: put(folder, json_bytes=b"{"), 3, "is not a valid DAWNBench pair"),
        (lambda folder: put(folder, tsv_bytes=column("top1Accuracy", "93.99")), 6, "never reached 94 %"),
        (lambda folder: put(folder, json_bytes=body(misc={"datasetState": "synthetic"})), 6, "synthetic dataset"),
        (lambda folder: put(folder).with_name("other.json"), 3, "there is no "),
    ],
)
def test_what_is_no_result_is_told_in_a_sentence(
    tmp_path: Path, ranked: Command, made: Callable[[Path], Path], code: int, sentence: str
) -> None:
    left, out, err = ranked(made(tmp_path / "c"))
    assert (left, out) == (code, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_run_whose_events_are_cut_off_is_left_out(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 31.0)])
    events = folder / "seed-001" / "events.jsonl"
    events.write_text(events.read_text()[:300])
    code, out, _ = ranked(folder)
    assert code == 0
    assert "left out: 1 of 2 planned runs" in out


@pytest.mark.parametrize("price", ["-1", "0", "nan", "inf"])
def test_a_price_that_is_none_is_ranked(tmp_path: Path, ranked: Command, price: str) -> None:
    code, _, err = ranked(write_campaign(tmp_path / "c", [run(0, 30.0)]), "--cost-per-hour", price)
    assert code == 2
    assert "is not a price in US dollars above 0" in err or "is not a number. Write it in digits" in err


def test_a_clock_that_shows_no_time_is_a_damaged_record(tmp_path: Path, ranked: Command) -> None:
    one = run(0, 30.0)
    folder = write_campaign(tmp_path / "c", [one])
    lines = [each for each in one.lines() if each["event"] != "phase"]
    (folder / "seed-000" / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, err = ranked(folder)
    assert (code, out) == (3, "")
    assert "the clock of seed 0 shows no time at its target, so its record is damaged" in err


# Pairs


def test_a_pair_has_the_place_the_board_gave_it(tmp_path: Path, ranked: Command) -> None:
    found = answer(ranked, put(tmp_path))
    assert (found["time"]["rank"], found["time"]["tied"], round(found["time"]["value"], 2)) == (8, 1, 74.04)
    assert (found["cost"]["rank"], found["cost"]["tied"], round(found["cost"]["value"], 4)) == (3, 1, 0.0629)


def test_an_entry_of_another_task_has_no_place(tmp_path: Path, ranked: Command) -> None:
    tables = (b"epoch\thours\ttop1Accuracy\ttop5Accuracy\n1\t0.1\t75.8\t93.0\n", None)
    for tsv_bytes, words in zip(tables, ("an ImageNet training entry", "an inference entry"), strict=True):
        path = put(tmp_path / str(bool(tsv_bytes)), body(latency=1.0), tsv_bytes)
        if tsv_bytes is None:
            path.with_suffix(".tsv").unlink()
        code, out, err = ranked(path)
        assert (code, out) == (6, "")
        assert words in err and len(err.splitlines()) == 1


def test_a_pair_is_found_by_its_tsv_or_its_folder(tmp_path: Path, ranked: Command) -> None:
    path = put(tmp_path)
    assert ranked(path)[1] == ranked(path.with_suffix(".tsv"))[1] == ranked(tmp_path)[1]


def test_escape_codes_in_a_pair_do_not_reach_the_terminal(tmp_path: Path, ranked: Command) -> None:
    _, out, _ = ranked(
        put(tmp_path, json_bytes=body(author="\x1b[2JAda", hardware="\x1b]0;V100", model="[red]x[/red]"))
    )
    assert "\x1b" not in out
    assert "[red]x[/red]" in out


# Where it looks


def test_without_a_folder_the_newest_is_meant(tmp_path: Path, ranked: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write_campaign(tmp_path / "20260101T000000Z-a", [run(0, 30.0)])
    write_campaign(tmp_path / "20260102T000000Z-b", [replace(run(0, 30.0), recipe="hive")])
    monkeypatch.setattr(rank, "RESULTS", tmp_path)
    assert "20260102T000000Z-b: hive" in ranked()[1]


def test_nothing_is_written(tmp_path: Path, ranked: Command) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0)])
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    ranked(folder)
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("20261126T052749Z-hive-nvidia-h200", "No place 3 of 5 planned runs did not reach 94 %"),
        ("20261123T193745Z-hive-cpu", "No place 3 of 3 planned runs did not reach 94 %"),
    ],
)
def test_published_campaigns_are_ranked_as_the_pages_say(ranked: Command, name: str, words: str) -> None:
    code, out, _ = ranked(PUBLISHED / name)
    assert code == 0
    assert words in out
    assert "comes from this very campaign" in out


def test_where_a_result_lies_is_not_ranked(tmp_path: Path, ranked: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_campaign(tmp_path / "secret" / "c", five_seeds())
    put(tmp_path / "secret" / "p")
    for typed in (folder, folder / "campaign.json", tmp_path / "secret" / "p"):
        assert "secret" not in str(answer(ranked, typed))
    assert answer(ranked, folder)["result"].startswith("c: page24 on cifar10")
    monkeypatch.chdir(folder)
    assert answer(ranked, ".")["result"].startswith("c: page24 on cifar10")


def test_an_ab_names_its_sides(tmp_path: Path, ranked: Command) -> None:
    side = StoredSide({}, {}, {})
    write_experiment(StoredAB(1, "smoke", "cifar10", None, (0,), side, side), tmp_path)
    code, _, err = ranked(tmp_path)
    assert code == 2
    assert str(tmp_path / "a") in err
