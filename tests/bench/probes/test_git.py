"""What git says of a checkout: true to it, of no other repository, and never clean where it could not look."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bench.probes import git
from bench.probes.git import Checkout, look
from bench.system import subprocesses
from bench.system.subprocesses import CompletedCommand, RunCaptured

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")


def answers(exit_code: int = 0, out: str = "", err: str = "") -> RunCaptured:
    """A git that ends so."""

    def hear(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
        return CompletedCommand(exit_code, out, err)

    return hear


def fails(error: Exception) -> RunCaptured:
    """A git that cannot be asked."""

    def hear(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
        raise error

    return hear


def repository(folder: Path) -> Path:
    """A repository of one commit that ignores data/."""
    folder.mkdir()
    (folder / ".gitignore").write_text("/data/\n")
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, env=ENVIRONMENT)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with an awkward name."""
    return repository(tmp_path / "check out")


def head(folder: Path) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, env=ENVIRONMENT, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_committed_checkout_is_clean_and_names_its_commit(checkout: Path) -> None:
    assert look(checkout, subprocesses.run_captured, ENVIRONMENT) == Checkout(head(checkout), False)


def test_a_shallow_clone_names_its_commit(checkout: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    clone = ["git", "clone", "-q", "--depth", "1", checkout.as_uri(), str(shallow)]
    subprocess.run(clone, check=True, env=ENVIRONMENT)

    assert look(shallow, subprocesses.run_captured, ENVIRONMENT) == Checkout(head(checkout), False)


@pytest.mark.parametrize(
    ("path", "dirty"),
    [
        ("results/published/new/record.json", False),
        ("results/README.md", False),
        ("data/archive", False),
        ("new.py", True),
        (".gitignore", True),
        ("bench/results/x", True),
    ],
)
def test_dirty_means_a_change_outside_results(checkout: Path, path: str, dirty: bool) -> None:
    (checkout / path).parent.mkdir(parents=True, exist_ok=True)
    (checkout / path).write_text("changed")
    assert look(checkout, subprocesses.run_captured, ENVIRONMENT).dirty is dirty


def test_settings_that_hide_new_files_hide_none(checkout: Path) -> None:
    subprocess.run(["git", "-C", str(checkout), "config", "status.showUntrackedFiles", "no"], check=True)
    (checkout / "new.py").touch()
    assert look(checkout, subprocesses.run_captured, ENVIRONMENT).dirty is True


def test_a_program_that_the_checkouts_settings_name_is_not_started(checkout: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    configure = ["git", "-C", str(checkout), "config", "core.fsmonitor", str(program)]
    subprocess.run(configure, check=True, env=ENVIRONMENT)

    assert look(checkout, subprocesses.run_captured, ENVIRONMENT) == Checkout(head(checkout), False)
    assert not started.exists()


def test_a_submodule_that_settings_leave_out_is_looked_at(checkout: Path, tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner")
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "protocol.file.allow=always"]
    for command in (
        ["submodule", "--quiet", "add", str(inner), "part"],
        ["config", "-f", ".gitmodules", "submodule.part.ignore", "all"],
        ["add", "-A"],
        ["commit", "-q", "-m", "with a part"],
    ):
        subprocess.run(["git", *who, *command], cwd=checkout, check=True, env=ENVIRONMENT)
    assert look(checkout, subprocesses.run_captured, ENVIRONMENT).dirty is False

    (checkout / "part" / ".gitignore").write_text("changed")
    assert look(checkout, subprocesses.run_captured, ENVIRONMENT).dirty is True


def test_variables_of_another_repository_are_not_followed(checkout: Path, tmp_path: Path) -> None:
    other = repository(tmp_path / "other")
    (other / "new.py").touch()
    led = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": str(tmp_path / "none")}
    assert look(checkout, subprocesses.run_captured, ENVIRONMENT | led) == Checkout(head(checkout), False)


def test_a_folder_inside_somebody_elses_repository_has_no_commit(checkout: Path) -> None:
    inside = checkout / "unpacked"
    inside.mkdir()
    assert look(inside, subprocesses.run_captured, {}).problem == git.NO_REPOSITORY

    (inside / ".git").mkdir()  # of which git makes nothing, and goes on in the folder above
    found = look(inside, subprocesses.run_captured, ENVIRONMENT)
    assert (found.commit, found.dirty, found.problem) == (None, None, git.UNREADABLE)


@pytest.mark.parametrize(
    ("revision", "commit", "dirty"),
    [("a" * 40, "a" * 40, False), (f"{'b' * 40}-dirty", "b" * 40, True), ("v1.0", None, None), ("", None, None)],
)
def test_a_checkout_in_an_image_is_of_the_commit_that_the_image_says(
    tmp_path: Path, revision: str, commit: str | None, dirty: bool | None
) -> None:
    found = look(tmp_path, fails(FileNotFoundError()), {"BENCH_REVISION": revision})
    assert (found.commit, found.dirty) == (commit, dirty)
    assert found.problem == (None if commit else git.NO_REPOSITORY)


@as_root
def test_a_checkout_of_another_user_is_told_with_gits_reason_and_what_to_type(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("changed")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)

    found = look(checkout, subprocesses.run_captured, ENVIRONMENT)

    assert (found.commit, found.dirty, found.problem) == (None, None, git.OTHER_OWNER)
    assert "dubious ownership" in found.reason
    assert f"`git config --global --add safe.directory '{checkout}'`" in found.advice
    assert f"`sudo chown -R \"$USER\" '{checkout}'`" in found.advice


def damage_index(folder: Path) -> None:
    (folder / "index").write_bytes(b"XXXX")


def lose_objects(folder: Path) -> None:
    shutil.rmtree(folder / "objects")


def damage_head(folder: Path) -> None:
    (folder / "HEAD").write_text("junk")


def lead_nowhere(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("gitdir: /nonexistent/worktrees/x\n")


@pytest.mark.parametrize("harm", [damage_index, lose_objects, damage_head, lead_nowhere])
def test_a_damaged_repository_is_not_known_to_be_clean(checkout: Path, harm: Callable[[Path], None]) -> None:
    harm(checkout / ".git")

    found = look(checkout, subprocesses.run_captured, ENVIRONMENT)

    assert (found.commit, found.dirty, found.problem) == (None, None, git.UNREADABLE)
    assert found.reason
    assert "status` work" in found.advice


COMMIT = f"# branch.oid {'c' * 40}\n# branch.head main\n"


@pytest.mark.parametrize(
    ("hear", "problem", "reason"),
    [
        (answers(out="# branch.oid (initial)\n# branch.head main\n"), git.NO_COMMIT, "no commit yet"),
        (answers(), git.UNREADABLE, "exit code 0 and wrote no error"),
        (answers(137), git.UNREADABLE, "exit code 137"),
        (answers(129, err="error: unknown option `porcelain=v2'\nusage: git status"), git.UNREADABLE, "unknown option"),
        # What came before it failed is no whole answer.
        (answers(128, out=COMMIT, err="fatal: index file corrupt"), git.UNREADABLE, "index file corrupt"),
        (answers(128, err="fatal: unsafe repository ('/x' is owned by someone else)\nTo add an exception for this "
                 "directory, call:\n\n\tgit config --global --add safe.directory /x\n"), git.OTHER_OWNER, "unsafe"),
        (fails(FileNotFoundError(2, "No such file or directory")), git.NOT_INSTALLED, "not installed"),
        (fails(PermissionError(13, "Permission denied")), git.NOT_INSTALLED, "Permission denied"),
        (fails(TimeoutError("git took longer")), git.TIMEOUT, "longer than 30 s"),
    ],
)  # fmt: skip
def test_what_git_does_not_say_is_not_known(checkout: Path, hear: RunCaptured, problem: str, reason: str) -> None:
    found = look(checkout, hear, ENVIRONMENT)

    assert (found.commit, found.dirty, found.problem) == (None, None, problem)
    assert reason in found.reason
    assert found.advice
    assert problem in git.PROBLEMS


def test_a_folder_that_git_cannot_open_may_have_changes(checkout: Path) -> None:
    warning = "warning: could not open directory 'locked/': Permission denied\n"
    unseen = look(checkout, answers(out=COMMIT, err=warning))
    assert (unseen.commit, unseen.dirty, unseen.problem) == ("c" * 40, None, git.UNREADABLE)
    assert "locked/" in unseen.reason

    assert look(checkout, answers(out=f"{COMMIT}? new.py\n", err=warning)).dirty is True
