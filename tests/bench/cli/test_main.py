from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from bench import cli
from bench.__main__ import main
from bench.errors import DataError, Refused

ROOT = Path(__file__).parents[3]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Puts a command ``doctor`` in place that raises what it is given."""

    def put(error: BaseException) -> None:
        def fail() -> None:
            raise error

        command = click.Command("doctor", callback=fail)
        monkeypatch.setattr(cli.bench, "get_command", lambda context, name: command)

    return put


def test_the_commands_are_the_files_of_their_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    out, err = capsys.readouterr()
    assert err == ""
    for path in (ROOT / "bench" / "cli").glob("[!_]*.py"):
        assert f"\n  {path.stem.replace('_', '-')} " in out


def test_nothing_typed_is_a_wish_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: python -m bench")


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from bench.__main__ import main; main(['--help']); main(['run', '--help']); "
        "heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'rich', 'pynvml', 'tensorflow'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("runn", "run"), ("docter", "doctor"), ("reprot", "report")])
def test_a_mistyped_command_is_told_with_the_nearest(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed]) == 2
    assert capsys.readouterr().err == f"bench: unknown command `{typed}`; did you mean `{meant}`?\n"


def test_a_command_like_no_other_is_told_with_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyzzy"]) == 2
    assert "the commands are ab, ablate, check-trainer, choose-epochs, compare, data, " in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(DataError("the file is cut off."), 3), (Refused("no."), 6)])
def test_an_error_of_ours_is_its_sentence_and_its_code(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    failing(error)

    assert main(["doctor"]) == code
    assert capsys.readouterr().err == f"bench: {error}\n"


def test_an_error_of_the_trainers_is_one_of_ours(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from resnet9.errors import EnvironmentProblem

    failing(EnvironmentProblem("no room on the disk", "free some"))

    assert main(["doctor"]) == 4
    assert capsys.readouterr().err == "bench: no room on the disk; free some\n"


def test_a_bug_shows_itself_whole(failing: Callable[[BaseException], None]) -> None:
    failing(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_debugging_shows_the_traceback_of_an_error_for_the_person(
    failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DEBUG", "1")
    failing(DataError("x"))

    with pytest.raises(DataError):
        main(["doctor"])


def test_ctrl_c_is_told_and_no_error(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(KeyboardInterrupt())

    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "\nbench: interrupted.\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = f"{sys.executable} -m bench run --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode in (0, 141)
    assert done.stderr == ""


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a line in which PY is this Python."""
    line = script.replace("PY", shlex.quote(sys.executable))
    return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["bench image list", "resnet9 recipes"])
@pytest.mark.parametrize(("where", "why"), [(">/dev/full", "No space left"), ("1</dev/null", "Bad file descriptor")])
def test_output_that_cannot_be_written_is_one_sentence_that_fits_every_command(
    command: str, where: str, why: str
) -> None:
    done = shell(f"PY -m {command} {where}")

    assert done.returncode == 4
    assert done.stderr.startswith(f"{command.split()[0]}: cannot write to standard output ({why}")
    assert "make report" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("command", "code"), [("bench image list", 0), ("resnet9 recipes", 0), ("bench rank no", 3)])
def test_a_stream_that_is_missing_or_full_changes_no_exit_code(command: str, code: int, closed: str) -> None:
    done = shell(f"PY -m {command} {closed}")

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    if code == 0:
        assert done.stderr == ""


def test_what_is_opened_next_does_not_get_the_number_of_a_missing_stream() -> None:
    script = (
        "import os, sys; from bench.system import streams; streams.complete(); "
        "opened = os.open('/dev/zero', os.O_RDONLY); "
        "os.write(9, repr((opened > 2, *map(os.get_inheritable, (0, 1, 2)))).encode())"
    )
    done = shell(f"exec 9>&1; PY -c {shlex.quote(script)} <&- >&- 2>&-")

    assert done.stdout == repr((True,) * 4)
