"""What git says of a checkout: its commit and whether it has changes, or why neither is known."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, one_line
from bench.system.subprocesses import CompletedCommand, RunCaptured

#: Of which commit the code in an image is, ``-dirty`` behind it where there were changes; set when it is built.
REVISION_VARIABLE = "BENCH_REVISION"
#: Why nothing is known, in the words that a record keeps.
NO_REPOSITORY, NO_COMMIT, NOT_INSTALLED = "no-repository", "no-commit", "not-installed"
OTHER_OWNER, TIMEOUT, UNREADABLE = "other-owner", "timeout", "unreadable"
PROBLEMS = (NO_REPOSITORY, NO_COMMIT, NOT_INSTALLED, OTHER_OWNER, TIMEOUT, UNREADABLE)
#: Longer than git takes on a slow disk; a hang costs the fingerprint its commit and not the campaign.
_SECONDS = 30.0
#: Variables that lead git to another repository or index than the checkout's (`git rev-parse --local-env-vars`).
_ELSEWHERE = re.compile(
    r"GIT_(ALTERNATE_OBJECT_DIRECTORIES|CEILING_DIRECTORIES|COMMON_DIR|DIR|GRAFT_FILE|IMPLICIT_WORK_TREE|INDEX_FILE|"
    r"(LITERAL|GLOB|NOGLOB|ICASE)_PATHSPECS|NAMESPACE|OBJECT_DIRECTORY|PREFIX|REPLACE_REF_BASE|SHALLOW_FILE|WORK_TREE)"
)


@dataclass(frozen=True)
class Checkout:
    """The ``commit`` of a checkout, and whether anything outside results/ is ``dirty``; None is not known.

    Then ``problem`` is one of PROBLEMS, ``reason`` says it in words, git's own where it has any, and ``advice`` what to
    type. Both may hold a path of this machine: they are for its terminal, and no record has them.
    """

    commit: str | None = None
    dirty: bool | None = None
    problem: str | None = None
    reason: str = ""
    advice: str = ""


def look(checkout: Path, run: RunCaptured, environ: Mapping[str, str] = os.environ) -> Checkout:
    """Return what git, or the image that it is in, says of ``checkout``; never raises."""
    if not (checkout / ".git").exists():
        # The repository that git would find further up is somebody else's. An image says what it was built from.
        found = re.fullmatch(r"([0-9a-f]{40})(-dirty)?", environ.get(REVISION_VARIABLE, ""))
        if found:
            return Checkout(found[1], bool(found[2]))
        return Checkout(None, None, NO_REPOSITORY, "it is no git repository", "work in a clone of the repository")
    absolute = checkout.absolute()
    # Without optional locks, as these could make a concurrent commit fail.
    command = ["git", "--no-optional-locks"]
    # Start no program that the checkout's settings name.
    command += ["-c", "core.fsmonitor=false", "-C", str(absolute), "status", "--porcelain=v2", "--branch"]
    # The user's settings may hide untracked files and submodules.
    command += ["--untracked-files=normal", "--ignore-submodules=none", "--", ".", ":(exclude)results"]
    env = {name: value for name, value in environ.items() if not _ELSEWHERE.fullmatch(name)}
    # In English, and no repository further up where .git is an empty folder.
    env |= {"LC_ALL": "C", "GIT_CEILING_DIRECTORIES": str(absolute.resolve().parent)}
    try:
        return _read(run(command, _SECONDS, env), absolute)
    except TimeoutError:
        advice = f"see why `git -C {shlex.quote(str(absolute))} status` takes so long, as on a network file system"
        return Checkout(None, None, TIMEOUT, f"git took longer than {_SECONDS:.0f} s", advice)
    except FileNotFoundError:
        return Checkout(None, None, NOT_INSTALLED, "git is not installed", "install git")
    except (OSError, BenchError) as error:
        why = f"git cannot be started ({getattr(error, 'strerror', None) or error})"
        return Checkout(None, None, NOT_INSTALLED, why, "make `git --version` work")


def _read(completed: CompletedCommand, checkout: Path) -> Checkout:
    lines = completed.out.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid ")]
    if completed.exit_code or not commits:
        return _refused(completed, checkout)
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commits[0]):
        return Checkout(None, None, NO_COMMIT, "it has no commit yet", "commit it")
    dirty = any(not line.startswith("#") for line in lines)
    unseen = [line for line in completed.err.splitlines() if "could not open directory" in line]
    if unseen and not dirty:
        # It may hold files that git does not know.
        advice = "make that folder readable, or remove it"
        return Checkout(commits[0], None, UNREADABLE, _words(unseen[0]), advice)
    return Checkout(commits[0], dirty)


def _refused(completed: CompletedCommand, checkout: Path) -> Checkout:
    """Why git failed; with another owner's checkout, how to trust it (git 2.35.2 and later)."""
    lines = [line.strip() for line in completed.err.splitlines() if line.strip()]
    fatal = next((line for line in lines if line.startswith("fatal:")), lines[0] if lines else "")
    reason = _words(fatal) or f"git ended with exit code {completed.exit_code} and wrote no error"
    place = shlex.quote(str(checkout))
    trust = re.search(r"safe\.directory[ \t]+(\S.*)", completed.err)
    if trust or re.search(r"dubious ownership|unsafe repository", completed.err):
        named = trust[1].strip() if trust else place
        advice = f'type `git config --global --add safe.directory {named}`, or `sudo chown -R "$USER" {place}`'
        return Checkout(None, None, OTHER_OWNER, reason, advice)
    advice = f"make `git -C {place} status` work, or work in a new clone"
    return Checkout(None, None, UNREADABLE, reason, advice)


def _words(line: str) -> str:
    return one_line(re.sub(r"^(fatal|error|warning): ", "", line.strip()))[:300]
