"""The look at the machine before a run: everything asked for, nothing left behind, and no more started than given."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import pytest

from bench.campaign.preflight import gather, packages_unlike_lock
from bench.rules import Data, run_preflight
from bench.system.subprocesses import CompletedCommand


def no_answer(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
    """A program that writes nothing."""
    return CompletedCommand(0, "", "")


def test_packages_are_compared_with_their_lock(tmp_path: Path) -> None:
    lock = tmp_path / "cpu.txt"
    version = metadata.version("pytest")
    lock.write_text(
        f"# a comment\npytest=={version} ; sys_platform == 'linux' \\\n    --hash=sha256:0\n"
        "pytest==0.1 ; sys_platform != 'linux' \\\n    --hash=sha256:0\n"
        "click==0.0.1 \\\n    --hash=sha256:0\nnot-installed-here==1.0\n"
    )
    assert packages_unlike_lock(lock) == (f"click {metadata.version('click')}",)
    assert packages_unlike_lock(tmp_path / "missing.txt") is None


def test_this_machine_is_looked_at_without_starting_more_than_it_was_given(tmp_path: Path) -> None:
    asked = []

    def hear(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
        asked.append(argv[0])
        return CompletedCommand(0, f"framework-answer {json.dumps({'version': '9.9', 'gpus': []})}", "")

    facts = gather(tmp_path, tmp_path / "not/there/yet", "auto", Data("missing", ""), hear)
    assert asked == [sys.executable]  # and no git, as there is no checkout
    assert (facts.tensorflow_version, facts.tensorflow_gpus, facts.python) == ("9.9", 0, sys.version_info[:2])
    assert facts.results_writable
    assert facts.free_bytes > 0
    assert {"python", "memory", "cpu-contention"} <= {each.rule for each in run_preflight(facts)}
    assert not (tmp_path / "not").exists()


def test_results_cannot_be_written_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not gather(tmp_path, tmp_path / "file/results", "cpu", Data("missing", ""), no_answer).results_writable


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; run the tests as a user to see this one")
def test_results_cannot_be_written_where_the_user_may_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    facts = gather(tmp_path, tmp_path / "results", "cpu", Data("missing", ""), no_answer)
    tmp_path.chmod(0o700)
    assert not facts.results_writable
