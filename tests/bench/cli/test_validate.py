"""``python -m bench validate`` as it is typed: what it prints and how it leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.bench.dawnbench.pairs import STEM, column, put


def test_an_accepted_pair_is_named_and_leaves_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(tmp_path)
    assert main(["validate", str(path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / STEM}: accepted at the level full\n"


def test_a_pair_that_is_not_accepted_lists_what_to_change_and_leaves_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path, tsv_bytes=column("top1Accuracy", "0.9301", "0.94"))
    assert main(["validate", str(path.with_suffix(".tsv"))]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{tmp_path / STEM}: not accepted at the level full",
        f"  {STEM}.tsv: The best top1Accuracy is 0.94, under 94. [compat/tsv-threshold]",
        "    Write percent, 94.08 and not 0.9408.",
        f"  {STEM}.tsv line 2: `top1Accuracy` is 0.9301, no multiple of 0.01. [full/tsv-accuracy-step]",
        "    Compute 100 x correct / 10,000 from whole numbers and write two decimals: noise can hide a crossing.",
    ]
    assert printed.err.startswith("bench: 1 of 1 not accepted at the level full.")


def test_the_level_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, stem="basenet")
    assert main(["validate", "--level", "compat", str(tmp_path)]) == 0
    assert main(["validate", "--level", "full", str(tmp_path)]) == 1
    assert "[full/stem]" in capsys.readouterr().out


def test_every_pair_of_a_folder_is_told_and_one_bad_one_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = tmp_path / "dawnbench" / "CIFAR10" / "train"
    put(train, stem="a_b_c_d")
    put(train, json_bytes=b"\x00\xff", stem="a_b_c_e")
    assert main(["validate", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert [line for line in printed.out.splitlines() if "at the level" in line] == [
        f"{train / 'a_b_c_d'}: accepted at the level full",
        f"{train / 'a_b_c_e'}: not accepted at the level full",
    ]
    assert "1 of 2 not accepted" in printed.err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["{}/none.json"], 3, "{}/none.json"),
        (["{}"], 3, "no DAWNBench pair"),
        (["{}/runs.csv"], 2, "is neither .json nor .tsv"),
        (["--level", "strict", "{}"], 2, "'strict' is not one of 'compat', 'full'"),
        ([], 2, "Missing argument 'PATH'"),
    ],
)
def test_what_cannot_be_judged_is_one_sentence_and_the_code_of_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, sentence: str
) -> None:
    (tmp_path / "runs.csv").write_text("")
    assert main(["validate", *(each.format(tmp_path) for each in arguments)]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence.format(tmp_path) in printed.err
    assert printed.err.count("\n") == 1


def test_a_name_that_is_no_text_is_printed_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, stem="\udcff\x1b[2J")
    assert main(["validate", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from bench.__main__ import main; main(['validate', '--help']); "
        "print({'pandas', 'numpy', 'rich'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "compat" in run.stdout
    assert run.stdout.endswith("\nset()\n")
