from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.launch import custom_trainer
from bench.system.env_snapshot import Identity

NOBODY = Identity(frozenset())


def executable(path: Path, content: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def read(typed: str, cwd: Path, path: str = "", identity: Identity = NOBODY) -> custom_trainer.Program:
    return custom_trainer.read(typed, cwd, path, identity)


def refusal(typed: str, cwd: Path, path: str = "") -> str:
    with pytest.raises(UsageError) as told:
        read(typed, cwd, path)
    sentence = str(told.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


# Which program it is


def test_a_name_with_a_slash_is_looked_up_in_the_working_directory(tmp_path: Path) -> None:
    mine = executable(tmp_path / "bin" / "train")

    program = read("bin/train --width 64 'two words'", tmp_path)

    assert program.argv == (str(mine), "--width", "64", "two words")
    assert program.cwd == tmp_path


def test_a_bare_name_is_looked_up_on_path_and_not_in_the_working_directory(tmp_path: Path) -> None:
    executable(tmp_path / "train")
    installed = executable(tmp_path / "bin" / "train")

    assert read("train", tmp_path, path=str(installed.parent)).argv == (str(installed),)


def test_the_link_of_a_virtual_environment_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)

    assert read("bin/python -c pass", tmp_path).argv[0] == str(tmp_path / "bin" / "python")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("''", "is empty"),
        ("python 'train.py", "a quote that is not closed"),
        ("python train.py \\", "a backslash with nothing after it"),
        ("cd there && python train.py", "has `&&`, which only a shell knows"),
        ("python train.py | tee log", "has `|`"),
        ("python train.py >log", "has `>`"),
        ("python train.py 2>&1", "has `>&`"),
        ("python train.py;rm log", "has `;`, which only a shell knows"),
        ("no-such-program --fast", "there is no program `no-such-program` on PATH"),
        ("WIDTH=64 python train.py", "'env WIDTH=64 python train.py'"),
        ("./missing.sh", "there is no file ./missing.sh in"),
        ("~/venv/bin/python train.py", "`~`"),
        ("./folder", "is a folder"),
        ("./plain.py --fast", "`chmod +x ./plain.py`"),
        ("plain.py", "./plain.py"),
        ("python x\0y", "null character"),
    ],
)
def test_a_command_that_starts_nothing_is_refused_in_one_sentence(typed: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain.py").write_text("")
    python = executable(tmp_path / "bin" / "python")

    assert told in refusal(typed, tmp_path, path=str(python.parent))


@pytest.mark.parametrize(
    ("typed", "word"),
    [("-c 'import a; b'", "import a; b"), ('-c "a > \\"b\\""', 'a > "b"'), ("a\\;b", "a;b"), ("'|'", "|")],
)
def test_what_only_a_shell_knows_may_be_in_quotes(typed: str, word: str, tmp_path: Path) -> None:
    executable(tmp_path / "train")

    assert read(f"./train {typed}", tmp_path).argv[-1] == word


# What a record shows


def test_what_is_shown_has_no_path_of_this_host(tmp_path: Path) -> None:
    python = executable(tmp_path / "bin" / "python")

    program = read(f"{python} train.py --net=/home/me/net.json -I/home/me/lib a:/home/me/x,/home/me/y here/z", tmp_path)

    assert program.shown == ("python", "train.py", "--net=net.json", "-Ilib", "a:x,y", "here/z")


def test_a_word_that_names_the_user_is_withheld(tmp_path: Path) -> None:
    executable(tmp_path / "train")

    program = read("./train --owner=alice --fast", tmp_path, identity=Identity.of("alice"))

    assert program.shown == ("./train", "--owner=(withheld)", "--fast")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("--api-key=sk-12345", ("--api-key=(withheld)",)),
        ("--api-key sk-12345 --fast", ("--api-key", "(withheld)", "--fast")),
        ("--add-tokens --fast", ("--add-tokens", "--fast")),
        ("TOKEN=abc", ("TOKEN=(withheld)",)),
        ("+login.password=abc", ("+login.password=(withheld)",)),
        ("-c \"login(token = 'abc')\"", ("-c", "(withheld)")),
        ('\'{"api_key": "abc"}\'', ("(withheld)",)),
        ("--port 10.0.0.5:1234", ("--port", "(withheld):1234")),
        ("a@b.org", ("(withheld)",)),
        ("--to=a@b.org", ("--to=(withheld)",)),
        ("https://user:pass@host.example.org/x", ("(withheld)",)),
        ("--width=64 --lr 0.1 --mix=a:1,b:2", ("--width=64", "--lr", "0.1", "--mix=a:1,b:2")),
    ],
)
def test_a_secret_or_an_address_is_not_shown(typed: str, shown: tuple[str, ...], tmp_path: Path) -> None:
    executable(tmp_path / "train")

    assert read(f"./train {typed}", tmp_path).shown[1:] == shown


def test_what_is_not_shown_tells_trainers_apart(tmp_path: Path) -> None:
    executable(tmp_path / "train")

    first, second = (read(f"./train --api-key {key}", tmp_path) for key in ("one", "two"))

    assert first.shown == second.shown
    assert first.sha256 != second.sha256


def test_results_are_not_called_by_an_address(tmp_path: Path) -> None:
    executable(tmp_path / "10.0.0.5.sh")

    assert read("./10.0.0.5.sh", tmp_path).name == "trainer"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("python train.py --width 64", "train"),
        ("python3.11 -u train.py", "train"),
        ("python -m mine.train", "mine.train"),
        ("bin/python train.py", "train"),
        ("./own.sh net.json", "own"),
        ("python -c pass", "python"),
        ("python train.py -m ./model", "train"),
    ],
)
def test_results_are_called_by_the_program_and_not_by_what_interprets_it(typed: str, name: str, tmp_path: Path) -> None:
    for word in ("bin/python", "bin/python3.11", "own.sh", "train.py", "net.json"):
        executable(tmp_path / word)

    assert read(typed, tmp_path, path=str(tmp_path / "bin")).name == name


# What tells its code


def test_another_word_or_another_content_is_another_trainer(tmp_path: Path) -> None:
    python = executable(tmp_path / "bin" / "python")
    (tmp_path / "train.py").write_text("one")
    (tmp_path / "net.json").write_text("{}")

    def sha256(typed: str = "bin/python train.py --net=net.json") -> str:
        return read(typed, tmp_path).sha256

    first = sha256()
    assert sha256() == first
    found = {first, sha256("bin/python train.py --net=net.json --fast")}
    for path in (tmp_path / "train.py", tmp_path / "net.json", python):
        path.write_text("two")
        found.add(sha256())
    assert len(found) == 5


def test_the_sources_of_a_module_belong_to_it(tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "python")
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    source = tmp_path / "mine" / "deep" / "net.py"
    source.write_text("one")
    program = read("bin/python -m mine", tmp_path)

    source.write_text("two")

    assert program.changed()
    assert read("bin/python -m mine", tmp_path).sha256 != program.sha256


def test_two_environments_with_one_interpreter_are_two_trainers(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch")
    for place in ("t213", "t217"):
        executable(tmp_path / place / "bin" / "python")

    first, second = (read(f"{tmp_path}/{place}/bin/python train.py", tmp_path) for place in ("t213", "t217"))

    assert first.shown == second.shown
    assert first.sha256 != second.sha256
    assert read("python train.py", tmp_path, path=str(tmp_path / "t213" / "bin")).sha256 == first.sha256


def test_two_folders_of_one_name_are_two_trainers(tmp_path: Path) -> None:
    executable(tmp_path / "train")

    first, second = (read(f"./train --data {place}/data", tmp_path) for place in ("/one", "/two"))

    assert first.shown == second.shown
    assert first.sha256 != second.sha256


def test_one_command_in_two_folders_is_two_trainers(tmp_path: Path) -> None:
    python = executable(tmp_path / "bin" / "python")
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "train.py").write_text("import net")

    first, second = (read("python train.py", tmp_path / place, path=str(python.parent)) for place in ("a", "b"))

    assert first.sha256 != second.sha256


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file; run the tests as a user to see this one")
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    executable(tmp_path / "train").chmod(0o111)

    assert "cannot read train" in refusal("./train", tmp_path)


@pytest.mark.parametrize("word", [".", "..", "./model", "/"])
def test_a_folder_behind_m_of_a_program_is_no_module_whose_sources_count(word: str, tmp_path: Path) -> None:
    executable(tmp_path / "train")
    (tmp_path / "mine.py").write_text("1\n")
    program = read(f"./train -m {word}", tmp_path)

    (tmp_path / "mine.py").write_text("2\n")

    assert not program.changed()
