"""``python -m bench rank`` as it is typed: places, what has none, and a sentence for what is no result."""

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
Told = Callable[..., "tuple[int, str, str]"]
H200 = {"device": {"kind": "gpu", "name": "NVIDIA H200", "uuid": "x"}}


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Types the command: its exit code, and what it prints with the folding of lines undone."""
    for name in ("OUT", "COST_PER_HOUR"):
        monkeypatch.delenv(name, raising=False)

    def rank(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["rank", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, " ".join(printed.out.split()), printed.err.strip()

    return rank


def answer(told: Told, *arguments: str | Path) -> dict[str, Any]:
    code, out, err = told(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)  # type: ignore[no-any-return]


def run(seed: int, seconds: float, correct: int = 9400, **changes: Any) -> Run:
    """A run whose clock shows ``seconds`` at its only evaluation."""
    once = {"import": 1.0, "data_load": 0.5, "compile": 20.0}
    return Run(seed=seed, correct=(correct,), epochs=1, train_seconds=seconds - 0.5, once_seconds=once, **changes)


# Places


def test_the_median_successful_run_has_the_place(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 8.0), run(2, 50.0)])
    code, out, _ = told(folder)
    assert code == 0
    assert "Time board 4th of 32: 30.00 s (dawnbench@1), which it would show as 0:00:30" in out
    assert "Best run 1st of 32: seed 1, 8.00 s (dawnbench@1); one lucky run" in out
    # 21.5 s once, and 2 s of evaluation.
    assert "Wall clock 53.00 s (wall@1) from process start to the evaluation that reached 94 % (seed 0)" in out
    # By Student's predictive distribution of ln 30, ln 8 and ln 50, with the third of the board 27.976 s ahead.
    lucky = "By luck one more run beats the 3rd place (27.98 s) with a chance of 56 %, the best of five with 94 %"
    assert lucky in out
    assert "Counted is the median successful run, of an even count the slower of the two middle ones" in out


def test_misses_stay_in_the_rate(tmp_path: Path, told: Told) -> None:
    found = answer(told, write_campaign(tmp_path / "c", five_seeds()))
    assert (found["reached"], found["runs"], found["time"]["of"]) == (4, 5, 32)
    assert found["chosen_wall_seconds"] > found["time"]["value"]


def test_a_price_gives_a_place_on_the_cost_board_of_20(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 36.0)])
    assert "no place without a price" in told(folder)[1]
    code, out, _ = told(folder, "--cost-per-hour", "3")
    assert code == 0
    assert "Cost board 2nd of 21: $0.0300, which it would show as $0.03, at $3 an hour" in out


def test_the_price_that_was_claimed_counts_until_another_is_said(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 36.0)], claims={"cost_per_hour": 3.0})
    assert answer(told, folder)["cost_per_hour_usd"] == 3.0
    monkeypatch.setenv("COST_PER_HOUR", "5")
    assert answer(told, folder)["cost_per_hour_usd"] == 5.0


def test_one_run_has_a_place_and_is_told_to_decide_nothing(tmp_path: Path, told: Told) -> None:
    code, out, _ = told(write_campaign(tmp_path / "c", [run(0, 30.0)]))
    assert code == 0
    assert "Time board 4th of 32" in out
    assert "one run decides nothing" in out


def test_a_time_to_a_higher_target_has_a_place_and_is_told_to_be_the_worst_it_can_be(
    tmp_path: Path, told: Told
) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0, 9500, target_percent=95.0)])
    assert "the times are to 95 %, so the place among times to 94 % is the worst it can be" in told(folder)[1]


def test_all_shows_every_entry(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0)])
    few, every = told(folder)[1], told(folder, "--all")[1]
    assert len(re.findall(r"\d+:\d\d:\d\d", few)) == 2 + 5
    assert len(re.findall(r"\d+:\d\d:\d\d", every)) == 2 + 31


# What is remarked


def test_unverified_data_has_a_place_with_a_remark(tmp_path: Path, told: Told) -> None:
    code, out, _ = told(write_campaign(tmp_path / "c", [run(0, 30.0, dataset_state="unverified")]))
    assert code == 0
    assert "Time board 4th of 32" in out
    assert "nobody verified against the official archive" in out


def test_a_suspect_run_is_named(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 31.0, git_dirty=True)])
    assert "suspect: seed 1;" in told(folder)[1]


def test_runs_that_are_left_out_are_counted(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 31.0, status="failed")])
    assert "left out: 1 of 2 planned runs" in told(folder)[1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.7, "as expected"), (5.0, "slower than expected: `make doctor`"), (0.6, "faster than expected: `make doctor`")],
)
def test_a_time_is_held_against_what_its_card_was_seen_to_do(
    tmp_path: Path, told: Told, seconds: float, words: str
) -> None:
    out = told(write_campaign(tmp_path / "c", [run(0, seconds, recipe="hive", hello=H200)]))[1]
    assert f"Expected on H200 1.32 to 2.14 s (dawnbench@1) for the whole schedule; took {seconds:.2f} s, {words}" in out


def test_the_median_time_of_several_runs_is_said_to_be_one(tmp_path: Path, told: Told) -> None:
    runs = [run(seed, 1.6 + seed / 10, recipe="hive", hello=H200) for seed in range(3)]
    assert "took 1.70 s (median of 3 runs), as expected" in told(write_campaign(tmp_path / "c", runs))[1]


def test_nothing_is_expected_of_a_card_without_a_figure(tmp_path: Path, told: Told) -> None:
    assert "no figure with a source says how long page24 takes" in told(write_campaign(tmp_path / "c", five_seeds()))[1]


# The plan


def without(folder: Path, *seeds: int) -> Path:
    for seed in seeds:
        shutil.rmtree(folder / f"seed-{seed:03d}")
    return folder


def test_deleted_seeds_earn_no_place(tmp_path: Path, told: Told) -> None:
    runs = [run(0, 30.0, 9399), run(1, 8.0), run(2, 30.0, 9399), run(3, 30.0, 9399), run(4, 9.0)]
    folder = without(write_campaign(tmp_path / "c", runs), 0, 2, 3)
    found = answer(told, folder)
    assert (found["planned"], found["not_counted"], found["runs"], found["reached"]) == (5, [0, 2, 3], 2, 2)
    assert (found["success_rate"], found["median_seconds"], found["time"]) == (0.4, "inf", None)
    out = told(folder)[1]
    assert "Reached 94 % 2 of 5 planned, 40 %" in out
    assert "No place 3 of 5 planned runs did not reach 94 %" in out


def test_a_campaign_that_lost_a_seed_and_has_a_place_says_how_many_were_planned(tmp_path: Path, told: Told) -> None:
    folder = without(write_campaign(tmp_path / "c", [run(seed, 30.0 + seed) for seed in range(3)]), 1)
    code, out, _ = told(folder)
    assert code == 0
    assert "unfinished: 1 of 3 seeds are left" in out
    assert "2 of 3 planned, 67 %" in out and "no run that counts of seed 1" in out


def test_a_run_that_was_not_planned_is_refused(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(7, 8.0)], seeds=[0])
    code, out, err = told(folder)
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
    tmp_path: Path, told: Told, misc: dict[str, Any], counts: list[int], placed: bool
) -> None:
    path = put(tmp_path, json_bytes=body(misc=misc))
    found = answer(told, path)
    assert [found["reached"], found["planned"]] == counts
    assert (found["time"] is not None, found["one_run_alone"]["rank"]) == (placed, 8)
    out = told(path)[1]
    assert ("Time board 8th" in out, "One run alone 8th of 32" in out) == (placed, not placed)
    assert (f"{counts[0]} of {counts[1]} planned" in out) == (counts[1] > 1)
    assert "Best run" not in out and "seed 0" not in out


# Test-time augmentation


def test_the_accuracy_is_told_with_how_it_was_measured(told: Told) -> None:
    found = answer(told, PUBLISHED / "20261126T052749Z-hive-nvidia-h200")
    assert found["test_time_augmentation"] == "six views"
    assert found["accuracy_percent"] == 94.09 and found["plain_accuracy_percent"] < 94
    out = told(PUBLISHED / "20261126T052749Z-hive-nvidia-h200")[1]
    assert (
        f"94.09 % with test-time augmentation (six views); without it: {found['plain_accuracy_percent']:.2f} %" in out
    )


def test_an_accuracy_without_augmentation_is_told_as_such(tmp_path: Path, told: Told) -> None:
    found = answer(told, write_campaign(tmp_path / "c", [run(0, 30.0)]))
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
    tmp_path: Path, told: Told, misc: dict[str, Any], augmentation: str | None, plain: float | None
) -> None:
    found = answer(told, put(tmp_path, json_bytes=body(misc=misc)))
    assert (found["test_time_augmentation"], found["plain_accuracy_percent"]) == (augmentation, plain)
    assert found["accuracy_percent"] == 94.08


# What has no place


def test_where_most_runs_miss_there_is_no_place_but_a_single_run_is_told(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 30.0, 9399), run(2, 8.0, 9399), run(3, 20.0)])
    code, out, _ = told(folder, "--cost-per-hour", "3")
    assert code == 0
    assert "No place 2 of 4 runs missed 94 %, so the median of all of them is infinite" in out
    assert "Reached 94 % 2 of 4, 50 %" in out
    assert "One run alone 4th of 32: the median successful run, seed 0, 30.00 s (dawnbench@1)" in out
    assert "Best run 3rd of 32: seed 3, 20.00 s (dawnbench@1); one lucky run" in out
    assert "Cost board" not in out


def test_where_every_run_misses_there_is_no_place_at_all(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0, 9399), run(1, 8.0, 9399)])
    code, out, _ = told(folder)
    assert code == 0
    assert "No place each of the 2 runs missed 94 %" in out
    assert "lucky" not in out
    found = answer(told, folder)
    assert (found["median_seconds"], found["time"], found["best_run"]) == ("inf", None, None)


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
    tmp_path: Path, told: Told, runs: list[Run], sentence: str
) -> None:
    code, out, err = told(write_campaign(tmp_path / "c", runs))
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
        (ablation, 2, "is an ablation of several campaigns; name one, such as "),
        (stalls, 2, "measures an input"),
        (lambda folder: put(folder, json_bytes=b"{"), 3, "is no DAWNBench pair"),
        (lambda folder: put(folder, tsv_bytes=column("top1Accuracy", "93.99")), 6, "never reached 94 %"),
        (lambda folder: put(folder, json_bytes=body(misc={"datasetState": "synthetic"})), 6, "stand-in"),
        (lambda folder: put(folder).with_name("other.json"), 3, "there is no "),
    ],
)
def test_what_is_no_result_is_told_in_a_sentence(
    tmp_path: Path, told: Told, made: Callable[[Path], Path], code: int, sentence: str
) -> None:
    left, out, err = told(made(tmp_path / "c"))
    assert (left, out) == (code, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_run_whose_events_are_cut_off_is_left_out(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0), run(1, 31.0)])
    events = folder / "seed-001" / "events.jsonl"
    events.write_text(events.read_text()[:300])
    code, out, _ = told(folder)
    assert code == 0
    assert "left out: 1 of 2 planned runs" in out


@pytest.mark.parametrize("price", ["-1", "0", "nan", "inf"])
def test_a_price_that_is_none_is_told(tmp_path: Path, told: Told, price: str) -> None:
    code, _, err = told(write_campaign(tmp_path / "c", [run(0, 30.0)]), "--cost-per-hour", price)
    assert code == 2
    assert "is no price in US dollars above 0" in err or "is no number: write it in digits" in err


def test_a_clock_that_shows_no_time_is_a_damaged_record(tmp_path: Path, told: Told) -> None:
    one = run(0, 30.0)
    folder = write_campaign(tmp_path / "c", [one])
    lines = [each for each in one.lines() if each["event"] != "phase"]
    (folder / "seed-000" / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, err = told(folder)
    assert (code, out) == (3, "")
    assert "the clock of seed 0 shows no time at its target, so its record is damaged" in err


# Pairs


def test_a_pair_has_the_place_the_board_gave_it(tmp_path: Path, told: Told) -> None:
    code, out, _ = told(put(tmp_path))
    assert code == 0
    assert "Time board 8th of 32, tied with 1: 74.04 s" in out
    assert "which it would show as 0:01:15" in out
    assert "Cost board 3rd of 21, tied with 1: $0.0629, which it would show as $0.06" in out
    assert "a pair tells one run" in out


def test_an_entry_of_another_task_has_no_place(tmp_path: Path, told: Told) -> None:
    tables = (b"epoch\thours\ttop1Accuracy\ttop5Accuracy\n1\t0.1\t75.8\t93.0\n", None)
    for tsv_bytes, words in zip(tables, ("an ImageNet training entry", "an inference entry"), strict=True):
        path = put(tmp_path / str(bool(tsv_bytes)), body(latency=1.0), tsv_bytes)
        if tsv_bytes is None:
            path.with_suffix(".tsv").unlink()
        code, out, err = told(path)
        assert (code, out) == (6, "")
        assert words in err and len(err.splitlines()) == 1


def test_a_pair_is_found_by_its_tsv_or_its_folder(tmp_path: Path, told: Told) -> None:
    path = put(tmp_path)
    assert told(path)[1] == told(path.with_suffix(".tsv"))[1] == told(tmp_path)[1]


def test_escape_codes_in_a_pair_do_not_reach_the_terminal(tmp_path: Path, told: Told) -> None:
    _, out, _ = told(put(tmp_path, json_bytes=body(author="\x1b[2JAda", hardware="\x1b]0;V100", model="[red]x[/red]")))
    assert "\x1b" not in out
    assert "[red]x[/red]" in out


# Where it looks


def test_without_a_folder_the_newest_is_meant(tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    write_campaign(tmp_path / "20260101T000000Z-a", [run(0, 30.0)])
    write_campaign(tmp_path / "20260102T000000Z-b", [replace(run(0, 30.0), recipe="hive")])
    monkeypatch.setattr(rank, "RESULTS", tmp_path)
    assert "20260102T000000Z-b: hive" in told()[1]


def test_nothing_is_written(tmp_path: Path, told: Told) -> None:
    folder = write_campaign(tmp_path / "c", [run(0, 30.0)])
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    told(folder)
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("20261126T052749Z-hive-nvidia-h200", "No place 3 of 5 runs missed 94 %"),
        ("20261123T193745Z-hive-cpu", "No place each of the 3 runs missed 94 %"),
    ],
)
def test_published_campaigns_are_ranked_as_the_pages_say(told: Told, name: str, words: str) -> None:
    code, out, _ = told(PUBLISHED / name)
    assert code == 0
    assert words in out
    assert "comes from this very campaign" in out


def test_where_a_result_lies_is_not_told(tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_campaign(tmp_path / "secret" / "c", five_seeds())
    put(tmp_path / "secret" / "p")
    for typed in (folder, folder / "campaign.json", tmp_path / "secret" / "p"):
        assert "secret" not in str(answer(told, typed))
    assert answer(told, folder)["result"].startswith("c: page24 on cifar10")
    monkeypatch.chdir(folder)
    assert answer(told, ".")["result"].startswith("c: page24 on cifar10")


def test_an_ab_names_its_sides(tmp_path: Path, told: Told) -> None:
    side = StoredSide({}, {}, {})
    write_experiment(StoredAB(1, "smoke", "cifar10", None, (0,), side, side), tmp_path)
    code, _, err = told(tmp_path)
    assert code == 2
    assert f"{tmp_path} is an A/B of several campaigns; name one, such as {tmp_path}/a." in err
