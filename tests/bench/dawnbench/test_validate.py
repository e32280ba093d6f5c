"""Both levels against every shape seen in the published entries and in reviews, and against what nobody should send."""

from __future__ import annotations

import json
import os
import string
from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.dawnbench.pair import MAX_BYTES
from bench.dawnbench.validate import LEVELS, Finding, Level, judge, validate
from bench.errors import DataError, UsageError
from tests.bench.dawnbench.pairs import BODY, HEADER, ROWS, STEM, body, column, put, table

BOM = b"\xef\xbb\xbf"
DEEP = b"[" * 200_000


class Shape(NamedTuple):
    """What is in the files, and the rules that each level finds broken; ``full`` finds those of ``compat``, too."""

    json_bytes: bytes = body()
    tsv_bytes: bytes = table()
    compat: str = ""
    full: str = ""
    stem: str = STEM


SHAPES = {
    "good": Shape(),
    # The table's form.
    "byte order mark": Shape(tsv_bytes=BOM + table(), full="tsv-bom"),
    "CRLF": Shape(tsv_bytes=table(line_end="\r\n"), full="tsv-line-ends"),
    "CR alone": Shape(tsv_bytes=table(line_end="\r"), full="tsv-line-ends"),
    "byte order mark and CRLF": Shape(tsv_bytes=BOM + table(line_end="\r\n"), full="tsv-bom tsv-line-ends"),
    "no final newline": Shape(tsv_bytes=table()[:-1], full="tsv-final-newline"),
    "CRLF and no final newline": Shape(tsv_bytes=table(line_end="\r\n")[:-2], full="tsv-line-ends tsv-final-newline"),
    "empty line at the end": Shape(tsv_bytes=table() + b"\n", full="tsv-cells"),
    "empty line between": Shape(tsv_bytes=table().replace(b"\n2\t", b"\n\n2\t"), full="tsv-cells"),
    # pandas takes the first of four cells for the name of the row, so the accuracies are those of an empty column.
    "tab at the end of each line": Shape(
        tsv_bytes=table(*((*row, "") for row in ROWS)), compat="tsv-threshold", full="tsv-cells"
    ),
    "tab at the end of a later line": Shape(
        tsv_bytes=table(*ROWS[:3], (*ROWS[3], "")), compat="tsv-parses", full="tsv-cells"
    ),
    "UTF-16": Shape(tsv_bytes=table().decode().encode("utf-16"), compat="tsv-parses"),
    "no UTF-8 in a cell": Shape(tsv_bytes=table().replace(b"34.69", b"\xff"), compat="tsv-parses"),
    "empty table": Shape(tsv_bytes=b"", compat="tsv-parses", full="tsv-header tsv-final-newline"),
    "header alone": Shape(tsv_bytes=HEADER.encode() + b"\n", compat="tsv-rows"),
    # Its columns.
    "columns in another order": Shape(
        tsv_bytes=table(("0.1", "94.00", "1"), header="hours\ttop1Accuracy\tepoch"), full="tsv-header"
    ),
    "header says epochs": Shape(
        tsv_bytes=table(header="epochs\thours\ttop1Accuracy"), compat="tsv-columns", full="tsv-header"
    ),
    "column too many": Shape(
        tsv_bytes=table(("1", "0.1", "94.00", "1.0"), header=f"{HEADER}\tloss"), compat="tsv-columns", full="tsv-header"
    ),
    "column too few": Shape(
        tsv_bytes=table(("1", "94.00"), header="epoch\ttop1Accuracy"), compat="tsv-columns", full="tsv-header"
    ),
    "no header": Shape(tsv_bytes=table()[len(HEADER) + 1 :], compat="tsv-columns", full="tsv-header"),
    "aligned spaces": Shape(
        tsv_bytes=table(header="epoch   hours        top1Accuracy", separator="   "),
        compat="tsv-columns",
        full="tsv-header",
    ),
    "commas": Shape(
        tsv_bytes=table(header=HEADER.replace("\t", ","), separator=","), compat="tsv-columns", full="tsv-header"
    ),
    # Epochs.
    "epochs from 0": Shape(tsv_bytes=column("epoch", "0", "1", "2")),
    "epochs from 1": Shape(tsv_bytes=column("epoch", "1", "2", "3")),
    "fractional epochs": Shape(tsv_bytes=column("epoch", "1.00096", "2.00192", "3.00288")),
    "epochs stand still": Shape(tsv_bytes=column("epoch", "1", "1"), full="tsv-epochs"),
    "epochs go back": Shape(tsv_bytes=column("epoch", "2", "1"), full="tsv-epochs"),
    "negative epoch": Shape(tsv_bytes=column("epoch", "-1", "0"), full="tsv-epochs"),
    "epoch no number": Shape(tsv_bytes=column("epoch", "one", "2"), full="tsv-numbers"),
    # Hours.
    "six decimals": Shape(tsv_bytes=column("hours", "0.001522", "0.020567")),
    "seventeen digits": Shape(tsv_bytes=column("hours", "0.0026191027585688666")),
    "exponent": Shape(tsv_bytes=column("hours", "8.3e-05", "1.7e-04")),
    "h:mm:ss": Shape(tsv_bytes=column("hours", "0:00:05", "0:01:14"), full="tsv-numbers"),
    "hours of each epoch alone": Shape(tsv_bytes=column("hours", "0.002", "0.001", "0.001"), full="tsv-hours"),
    "zero hours": Shape(tsv_bytes=column("hours", "0", "0.001"), full="tsv-hours"),
    "negative hours": Shape(tsv_bytes=column("hours", "-0.1", "0.001"), full="tsv-hours"),
    "infinite hours": Shape(tsv_bytes=column("hours", "0.1", "inf"), full="tsv-numbers"),
    "overflowing hours": Shape(tsv_bytes=column("hours", "0.1", "1e999"), full="tsv-numbers"),
    "empty hours": Shape(tsv_bytes=column("hours", "0.1", ""), full="tsv-numbers"),
    # Accuracies.
    "exactly 94": Shape(tsv_bytes=column("top1Accuracy", "94.0")),
    "94 without a point": Shape(tsv_bytes=column("top1Accuracy", "94")),
    "just under 94": Shape(tsv_bytes=column("top1Accuracy", "93.99"), compat="tsv-threshold"),
    "under 94 by noise": Shape(
        tsv_bytes=column("top1Accuracy", "93.99999999"), compat="tsv-threshold", full="tsv-accuracy-step"
    ),
    "never 94": Shape(tsv_bytes=column("top1Accuracy", "10.00", "93.35"), compat="tsv-threshold"),
    "later rows under 94": Shape(tsv_bytes=column("top1Accuracy", "94.10", "93.20", "94.20")),
    "last row under 94": Shape(tsv_bytes=column("top1Accuracy", "93.00", "94.05", "93.93")),
    "float noise of doubles": Shape(tsv_bytes=column("top1Accuracy", "94.02000000000001"), full="tsv-accuracy-step"),
    "float noise of singles": Shape(tsv_bytes=column("top1Accuracy", "94.04000012397766"), full="tsv-accuracy-step"),
    "zeros after the hundredths": Shape(tsv_bytes=column("top1Accuracy", "94.0200000")),
    "fractions": Shape(tsv_bytes=column("top1Accuracy", "0.93", "0.94"), compat="tsv-threshold"),
    "percent sign": Shape(tsv_bytes=column("top1Accuracy", "94.08%"), compat="tsv-threshold", full="tsv-numbers"),
    "over 100": Shape(tsv_bytes=column("top1Accuracy", "100.01"), full="tsv-accuracy-range"),
    "infinite accuracy": Shape(tsv_bytes=column("top1Accuracy", "93.00", "inf"), full="tsv-numbers tsv-threshold"),
    "infinity in letters": Shape(
        tsv_bytes=column("top1Accuracy", "94.20", "Infinity"), compat="tsv-threshold", full="tsv-numbers"
    ),
    "infinity in letters with a sign": Shape(
        tsv_bytes=column("top1Accuracy", "+INFINITY", "94.20"), compat="tsv-threshold", full="tsv-numbers"
    ),
    "infinity in letters elsewhere": Shape(tsv_bytes=column("hours", "0.1", "Infinity"), full="tsv-numbers"),
    "None": Shape(tsv_bytes=column("top1Accuracy", "94.20", "None"), compat="tsv-threshold", full="tsv-numbers"),
    "<NA>": Shape(tsv_bytes=column("top1Accuracy", "94.20", "<NA>"), compat="tsv-threshold", full="tsv-numbers"),
    "NA": Shape(tsv_bytes=column("top1Accuracy", "94.20", "NA"), full="tsv-numbers"),
    "text beside NA": Shape(
        tsv_bytes=column("top1Accuracy", "NA", "94.20 (best)"), compat="tsv-threshold", full="tsv-numbers"
    ),
    "blanks below a right header": Shape(
        tsv_bytes=table(*(("   ".join(row),) for row in ROWS)), compat="tsv-threshold", full="tsv-cells"
    ),
    "hours and accuracy exchanged": Shape(
        tsv_bytes=table(("1", "60.00", "0.1"), ("2", "94.20", "6.0")), compat="tsv-threshold"
    ),
    "quoted": Shape(tsv_bytes=column("top1Accuracy", '"94.08"'), full="tsv-numbers"),
    "empty accuracies": Shape(tsv_bytes=column("top1Accuracy", "", ""), compat="tsv-threshold", full="tsv-numbers"),
    # The JSON's fields.
    "costPerHour null": Shape(body(costPerHour=None)),
    "costPerHour absent": Shape(body(costPerHour=...)),
    "costPerHour a whole number": Shape(body(costPerHour=3)),
    "costPerHour 0": Shape(body(costPerHour=0), full="json-cost"),
    "costPerHour negative": Shape(body(costPerHour=-3.06), full="json-cost"),
    "costPerHour text": Shape(body(costPerHour="3.06"), full="json-cost"),
    "costPerHour true": Shape(body(costPerHour=True), full="json-cost"),
    "costPerHour overflowing": Shape(body(costPerHour=0).replace(b": 0", b": 1e999"), full="json-cost"),
    "costPerHour NaN": Shape(body(costPerHour=float("nan")), full="json-numbers"),
    "fields at the top": Shape(body(commitHash="0123abc", optimizer="SGD", momentum=0.9)),
    # What reviewers asked for.
    "code without a commit": Shape(body(codeURL="https://github.com/owner/name"), full="json-commit"),
    "code at a branch": Shape(body(codeURL="https://github.com/owner/name/tree/main"), full="json-commit"),
    "code at a tag": Shape(body(codeURL="https://github.com/owner/name/tree/v1.0"), full="json-commit"),
    "code in a gist": Shape(body(codeURL=f"https://gist.github.com/owner/{'0a' * 16}"), full="json-commit"),
    "code in a gist at a commit": Shape(body(codeURL=f"https://gist.github.com/owner/{'0a' * 16}/{'1b' * 20}")),
    "commit in misc": Shape(body(codeURL="https://github.com/owner/name", misc={"commitHash": "a" * 40})),
    "commit at the top": Shape(body(codeURL="https://github.com/owner/name", commitHash="0123abc")),
    "commit that is none": Shape(body(misc={"commitHash": "main"}), full="json-commit"),
    "commit null": Shape(body(commitHash=None), full="json-commit"),
    "misc empty": Shape(body(misc={}), full="json-misc"),
    "misc of nothing": Shape(body(misc={"optimizer": "", "momentum": None}), full="json-misc"),
    "framework without a version": Shape(body(framework="Caffe2 / fastai"), full="json-framework"),
    "framework at a commit": Shape(body(framework="PyTorch 0a1b2c3d")),
    "hardware without a number": Shape(body(hardware="Tesla V100 (AWS)"), full="json-hardware"),
    "hardware without a device": Shape(body(hardware="1 machine (AWS)"), full="json-hardware"),
    "hardware of memory": Shape(body(hardware="V100 / 61 GB (AWS)"), full="json-hardware"),
    "hardware by its machine type": Shape(body(hardware="V100 (AWS p3.2xlarge)")),
    "hardware of an odd kind": Shape(body(hardware="POWER " * 50_000), full="json-hardware json-cost-source"),
    "date in the future": Shape(body(timestamp="2999-01-01"), full="json-date"),
    "date before the board": Shape(body(timestamp="2016-12-31"), full="json-date"),
    "price of nobody": Shape(body(hardware="1 V100 / 61 GB"), full="json-cost-source"),
    "price with its source": Shape(body(hardware="1 V100", misc={"costSource": "list price, 2020-01-05"})),
    "price with an empty source": Shape(body(hardware="1 V100", misc={"priceSource": " "}), full="json-cost-source"),
    "machine of one's own": Shape(body(hardware="1 V100", costPerHour=...)),
    "no code": Shape(body(codeURL=...)),
    "code no address": Shape(body(codeURL="see my page"), full="json-code"),
    "misc a list": Shape(body(misc=["SGD"]), full="json-misc"),
    "misc absent": Shape(body(misc=...), full="json-misc"),
    "misc null": Shape(body(misc=None), full="json-misc"),
    "wrong version": Shape(body(version="v1.1"), compat="json-version"),
    "version a number": Shape(body(version=1.0), compat="json-version", full="json-text"),
    "wrong version hides the threshold": Shape(
        body(version="v2"), column("top1Accuracy", "93.00"), compat="json-version", full="tsv-threshold"
    ),
    "date without zeros": Shape(body(timestamp="2020-1-5"), full="json-timestamp"),
    "date with a time": Shape(body(timestamp="2020-01-05T10:00:00Z"), compat="json-timestamp"),
    "date that is none": Shape(body(timestamp="2020-02-30"), compat="json-timestamp"),
    "date in other digits": Shape(body(timestamp="202٠-01-05"), full="json-timestamp"),
    "date null": Shape(body(timestamp=None), compat="json-timestamp", full="json-text"),
    "empty author": Shape(body(author=" "), full="json-text"),
    "author null": Shape(body(author=None), full="json-text"),
    "two addresses": Shape(body(authorEmail="ada@example.org, charles@example.org")),
    "no address": Shape(body(authorEmail="ada at example"), full="json-email"),
    **{
        f"no {name}": Shape(body(**{name: ...}, costPerHour=None), compat="json-fields")
        for name in ("version", "author", "authorEmail", "framework", "model", "hardware", "timestamp")
    },
    "a number of 5,000 digits": Shape(body(misc={"images": 0}).replace(b": 0", b": " + b"9" * 5000)),
    "a price of 5,000 digits": Shape(body(costPerHour=0).replace(b": 0", b": " + b"9" * 5000), full="json-cost"),
    "a version of 5,000 digits": Shape(
        body(version=0).replace(b": 0", b": " + b"9" * 5000), compat="json-version", full="json-text"
    ),
    # The JSON's form.
    "JSON with a byte order mark": Shape(BOM + body(), compat="json-parses"),
    "JSON in UTF-16": Shape(body().decode().encode("utf-16"), compat="json-parses"),
    "JSON with CRLF": Shape(json.dumps(BODY, indent=1).replace("\n", "\r\n").encode()),
    "JSON in UTF-8": Shape(json.dumps({**BODY, "author": "Zoë"}, ensure_ascii=False).encode()),
    "JSON in Latin-1": Shape(
        json.dumps({**BODY, "author": "Zoë"}, ensure_ascii=False).encode("latin-1"), compat="json-parses"
    ),
    "empty JSON": Shape(b"", compat="json-parses"),
    "JSON cut off": Shape(body()[:-5], compat="json-parses"),
    "JSON list": Shape(json.dumps(list(BODY)).encode(), compat="json-fields"),
    "JSON text that names the fields": Shape(json.dumps(" ".join(BODY)).encode(), compat="json-fields"),
    "JSON null": Shape(b"null", compat="json-fields"),
    "JSON nested deep": Shape(DEEP, compat="json-parses"),
    "key twice": Shape(b'{"author": "Charles", ' + body()[1:], full="json-keys"),
    "key twice within": Shape(body().replace(b'"misc": {', b'"misc": {"optimizer": 1, '), full="json-keys"),
    # The name.
    "stem of five parts": Shape(stem="dawn_resnet164_nb_1k80-gc_tensorflow", full="stem"),
    "stem of one part": Shape(stem="basenet", full="stem"),
    "stem with a space": Shape(stem="ada_resnet 9_1v100_tensorflow", full="stem"),
    "stem with an empty part": Shape(stem="ada__1v100_tensorflow", full="stem"),
    "stem with points": Shape(stem="ada_resnet9_p3.2xlarge-ec2_c++-2.17"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_level_finds_in_each_shape_exactly_the_rules_it_breaks(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name]
    path = put(tmp_path, shape.json_bytes, shape.tsv_bytes, shape.stem)
    compat, full = judge(path, "compat"), judge(path, "full")
    assert [finding.rule for finding in compat.findings] == shape.compat.split()
    assert sorted(finding.rule for finding in full.findings) == sorted([*shape.compat.split(), *shape.full.split()])
    assert compat.accepted == (not shape.compat)
    assert full.accepted == (not shape.compat and not shape.full)


@pytest.mark.parametrize(("day", "found"), [("2020-01-06", []), ("2020-01-07", ["json-date"])])
def test_a_day_ahead_is_today_somewhere(tmp_path: Path, day: str, found: list[str]) -> None:
    verdict = judge(put(tmp_path, body(timestamp=day)), "full", date(2020, 1, 5))
    assert [finding.rule for finding in verdict.findings] == found


def test_a_finding_says_its_level_its_place_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    path = put(tmp_path, body(version="v2"), column("hours", "0.1", "0.3", "0.2", "0.1"))
    wrong_version, back = judge(path, "full").findings
    assert (wrong_version.level, wrong_version.rule, wrong_version.where) == ("compat", "json-version", f"{STEM}.json")
    assert wrong_version.sentence == '`version` is "v2", not "v1.0".'
    assert (back.level, back.rule, back.where) == ("full", "tsv-hours", f"{STEM}.tsv line 4")
    assert back.sentence == "`hours` goes from 0.3 to 0.2. 2 lines are like that."
    assert back.fix == "Write the hours since the clock started, summed up to this row and not for this epoch alone."
    with pytest.raises(FrozenInstanceError):
        back.rule = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ("fractions", "Write percent, 94.08 and not 0.9408."),
        ("aligned spaces", "Put one tab between the cells, not spaces or commas."),
        ("commas", "Put one tab between the cells, not spaces or commas."),
        ("header says epochs", "Rename `epochs` to `epoch`."),
        ("h:mm:ss", "Write decimal hours: 0:01:14 is 0.02055556."),
        ("JSON with a byte order mark", "Save it as UTF-8 without a byte order mark."),
    ],
)
def test_a_known_slip_gets_its_own_advice(tmp_path: Path, shape: str, advice: str) -> None:
    path = put(tmp_path, SHAPES[shape].json_bytes, SHAPES[shape].tsv_bytes)
    assert advice in {finding.fix for finding in judge(path, "full").findings}


@pytest.mark.parametrize(
    ("shape", "line", "words"),
    [
        ("text beside NA", 3, '"94.20 (best)"'),
        ("infinity in letters", 3, '"Infinity"'),
        ("None", 3, '"None"'),
        ("blanks below a right header", 2, f'"{"   ".join(ROWS[0])}"'),
        ("tab at the end of each line", 2, "4 cells"),
        ("tab at the end of a later line", 5, "Expected 3 fields in line 5, saw 4"),
        ("column too many", 1, '"loss"'),
        ("hours and accuracy exchanged", None, "Are hours and top1Accuracy exchanged?"),
    ],
)
def test_a_finding_on_the_table_names_the_line_and_the_cell(
    tmp_path: Path, shape: str, line: int | None, words: str
) -> None:
    (found,) = judge(put(tmp_path, tsv_bytes=SHAPES[shape].tsv_bytes), "compat").findings
    assert found.where == f"{STEM}.tsv" + (f" line {line}" if line else "")
    assert words in f"{found.sentence} {found.fix}"
    assert "...." not in found.sentence


# --- Entries of other tasks ---

IMAGENET = table(("1", "0.5", "60.10", "84.20"), ("2", "1.0", "75.84", "93.01"), header=f"{HEADER}\ttop5Accuracy")
SQUAD = table(("1", "0.5", "70.1"), header="epoch\thours\tf1Score")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("folder", "more", "tsv_bytes", "words"),
    [
        ("x", {}, IMAGENET, "an ImageNet training entry (top5Accuracy)"),
        ("x", {}, BOM + IMAGENET.replace(b"\n", b"\r\n"), "an ImageNet training entry (top5Accuracy)"),
        ("x", {}, IMAGENET.replace(b"\t", b" "), "an ImageNet training entry (top5Accuracy)"),
        ("ImageNet/train", {}, IMAGENET, "an ImageNet training entry (top5Accuracy)"),
        ("ImageNet/train", {}, None, "an ImageNet training entry (its folder is ImageNet/train)"),
        ("ImageNet/train", {}, table(), "an ImageNet training entry (its folder is ImageNet/train)"),
        ("x", {}, SQUAD, "a SQuAD training entry (f1Score)"),
        ("SQuAD/train", {}, b"", "a SQuAD training entry (its folder is SQuAD/train)"),
        ("x", {"latency": 1.1, "top1Accuracy": 94.1}, None, "a CIFAR-10 inference entry (latency, no TSV)"),
        ("x", {"latency": 1.1, "top5Accuracy": 93.1}, None, "an ImageNet inference entry (latency, no TSV)"),
        ("x", {"cost": 1e-5, "f1Score": 75.1}, None, "a SQuAD inference entry (f1Score, no TSV)"),
        ("x", {"latency": 1.1}, None, "an inference entry (latency, no TSV)"),
        ("CIFAR10/inference", {}, None, "a CIFAR-10 inference entry (its folder is CIFAR10/inference)"),
    ],
)
def test_an_entry_of_another_task_is_named_as_such_in_one_finding(
    tmp_path: Path, level: Level, folder: str, more: dict[str, float], tsv_bytes: bytes | None, words: str
) -> None:
    path = put(tmp_path / folder, body(**more), tsv_bytes)
    if tsv_bytes is None:
        path.with_suffix(".tsv").unlink()
    (found,) = judge(path, level).findings
    assert found.rule == "other-task"
    assert words in found.sentence


@pytest.mark.parametrize(
    ("json_bytes", "tsv_bytes", "found"),
    [
        (body(), IMAGENET, ["tsv-columns", "tsv-threshold"]),  # a column too many in a folder of ours
        (body(latency=1.1), table(), []),
        (b"{", table(), ["json-parses"]),
    ],
)
def test_an_entry_of_our_task_is_judged_as_one(
    tmp_path: Path, json_bytes: bytes, tsv_bytes: bytes, found: list[str]
) -> None:
    assert rules(put(tmp_path / "CIFAR10" / "train", json_bytes, tsv_bytes)) == found


# --- Files that are not there, or not files ---


def rules(path: Path, level: Level = "compat") -> list[str]:
    return [finding.rule for finding in judge(path, level).findings]


@pytest.mark.parametrize("level", LEVELS)
def test_a_missing_table_is_found(tmp_path: Path, level: Level) -> None:
    path = put(tmp_path)
    path.with_suffix(".tsv").unlink()
    assert rules(path, level) == ["tsv-file"]


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_no_file_is_found_and_not_waited_for(tmp_path: Path, level: Level) -> None:
    folder, loop, fifo, dangling = (tmp_path / f"{name}_b_c_d.json" for name in ("folder", "loop", "fifo", "dangling"))
    folder.mkdir()
    loop.symlink_to(loop)
    os.mkfifo(fifo)
    dangling.symlink_to(tmp_path / "nowhere")
    for path in (folder, loop, fifo, dangling):
        path.with_suffix(".tsv").symlink_to(path)
        assert rules(path, level) == ["json-file", "tsv-file"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_of_any_size_is_refused_unread(tmp_path: Path, level: Level) -> None:
    path = put(tmp_path)
    for each in (path, path.with_suffix(".tsv")):
        os.truncate(each, 1 << 40)  # sparse: a terabyte that takes no room
    assert rules(path, level) == ["json-file", "tsv-file"]


def test_the_largest_file_that_is_read_is_judged(tmp_path: Path) -> None:
    blanks = b" " * (MAX_BYTES - len(body()))
    assert rules(put(tmp_path, body() + blanks), "full") == []
    assert rules(put(tmp_path, body() + blanks + b" "), "full") == ["json-file"]


def test_a_table_of_a_million_cells_is_refused_at_once(tmp_path: Path) -> None:
    # pandas would take two minutes and 4 GB for each of these.
    for content in (b"\t" * (MAX_BYTES - 1), table() + b"\t" * (MAX_BYTES - 200)):
        assert rules(put(tmp_path, tsv_bytes=content)) == ["tsv-parses"]


def test_a_key_repeated_a_hundred_thousand_times_is_found_at_once(tmp_path: Path) -> None:
    content = b"{" + b",".join(b'"%d":0' % (number // 2) for number in range(100_000)) + b"}"
    assert "json-keys" in rules(put(tmp_path, content), "full")


# --- Which pairs a path means ---


def test_a_path_means_the_same_pair_by_its_json_and_by_its_tsv(tmp_path: Path) -> None:
    path = put(tmp_path)
    assert validate(path) == validate(path.with_suffix(".tsv")) == validate(tmp_path)


def test_a_folder_means_every_pair_of_the_task_below_it(tmp_path: Path) -> None:
    one = put(tmp_path / "a" / "dawnbench" / "CIFAR10" / "train")
    two = put(tmp_path / "b" / "dawnbench" / "CIFAR10" / "train")
    put(tmp_path / "CIFAR10" / "inference", json_bytes=b"of another task")
    (tmp_path / "package.json").write_text("{}")
    put(tmp_path / ".git" / "CIFAR10" / "train")
    (one.parent / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [verdict.json_path for verdict in validate(tmp_path)] == [one, two]


def test_a_folder_by_a_relative_name_is_known_for_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "CIFAR10" / "train")
    monkeypatch.chdir(path.parent)
    assert [verdict.json_path.name for verdict in validate(Path())] == [path.name]


def test_a_campaigns_own_files_are_no_entries(tmp_path: Path) -> None:
    (tmp_path / "campaign.json").write_text("{}")
    with pytest.raises(DataError, match=r"no DAWNBench pair .* AUTHOR, EMAIL and HARDWARE"):
        validate(tmp_path)


def test_a_table_without_its_json_counts_at_the_full_level_alone(tmp_path: Path) -> None:
    put(tmp_path)
    orphan = tmp_path / "b_b_c_d.tsv"
    orphan.write_bytes(table())
    assert all(verdict.accepted for verdict in validate(tmp_path, "compat"))
    assert [verdict.accepted for verdict in validate(tmp_path, "full")] == [True, False]
    assert [finding.rule for finding in validate(orphan, "compat")[0].findings] == ["json-file"]


def test_a_folder_where_a_file_should_be_is_told(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "b_b_c_d.json").mkdir()
    assert [verdict.accepted for verdict in validate(tmp_path, "compat")] == [True, False]


@pytest.mark.parametrize("name", ["nothing.json", "nothing", "loop.json", "\0.json", "x" * 300])
def test_a_path_where_nothing_is_is_a_data_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    with pytest.raises(DataError):
        validate(tmp_path / name)


def test_a_file_of_another_kind_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("")
    with pytest.raises(UsageError, match=r"neither \.json nor \.tsv"):
        validate(tmp_path / "runs.csv")


# --- Whatever anybody sends ---

fuzz = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
cells = st.sampled_from(
    ["1", "94", "-1", "nan", "inf", "1e999", "1e-99", "", "é", '"', "94.08", "0:01", "9" * 80, "\0"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["v1.0", "2020-1-5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(BODY)), inner, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(st.sampled_from(list(BODY)), values).map(lambda changes: {**BODY, **changes})
jsons = st.binary(max_size=200) | (bodies | values).map(lambda value: json.dumps(value).encode())
lines = st.lists(cells, max_size=4).map("\t".join) | st.text(string.printable, max_size=20)
tables = st.binary(max_size=200) | st.tuples(
    st.sampled_from([HEADER, f"\ufeff{HEADER}", "hours\tepoch\ttop1Accuracy", "epoch\tepoch\thours", ""]),
    st.lists(lines, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
).map(lambda parts: parts[2].join([parts[0], *parts[1]]).encode())


@fuzz
@given(json_bytes=jsons, tsv_bytes=tables)
@example(json_bytes=body(), tsv_bytes=b'"')
@example(json_bytes=body(author="\ud800\x1b[2J"), tsv_bytes=table(header='"\x1b[2J'))
@example(json_bytes=b'{"version": ' + b"9" * 5000 + b"}", tsv_bytes=table())
def test_any_bytes_get_a_verdict_for_any_terminal(tmp_path: Path, json_bytes: bytes, tsv_bytes: bytes) -> None:
    path = put(tmp_path, json_bytes, tsv_bytes)
    compat, full = judge(path, "compat"), judge(path, "full")
    # Full is compat and more, and no rule is told twice for one column.
    assert full.findings[: len(compat.findings)] == compat.findings
    for finding in full.findings:
        assert isinstance(finding, Finding)
        for text in (finding.rule, finding.where, finding.sentence, finding.fix):
            assert text.isascii()
            assert text.isprintable()
            assert 0 < len(text) < 500
