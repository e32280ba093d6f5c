"""Rules on what is installed, on the checkout, and on where results go."""

from __future__ import annotations

from collections.abc import Iterator

from bench.record import Record
from bench.rules.facts import Facts
from bench.rules.rule import RULES, Finding, Rule, fail, ok, warn

#: The harness's lock has wheels for these (requirements/pythons.py).
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
_PYTHONS = " to ".join(f"{major}.{minor}" for major, minor in (OLDEST_PYTHON, NEWEST_PYTHON))
#: A campaign writes a few MB; the archive of CIFAR-10 has 170.
RESULTS_BYTES = 100_000_000
DATA_BYTES = 200_000_000
#: Why git cannot read a repository, by the value in the fingerprint.
_PROBLEMS = {
    "no-commit": "it has no commit yet",
    "not-installed": "git could not be started",
    "other-owner": "git does not trust its owner, see safe.directory",
    "timeout": "git did not answer in time",
    "unreadable": "git could not read it",
}


def _python(facts: Facts) -> Finding:
    value = f"{facts.python[0]}.{facts.python[1]}"
    if OLDEST_PYTHON <= facts.python <= NEWEST_PYTHON:
        return ok(value)
    return fail(value, f"install one of Python {_PYTHONS}, then type `make bench`")


def _packages(facts: Facts) -> Finding:
    if facts.unlike_lock is None:
        return warn("not installed from a lock file", "type `make bench`, which installs what is locked into .venv")
    if facts.unlike_lock:
        value = f"not as {facts.lock_name}.txt says: {', '.join(facts.unlike_lock)}"
        return warn(value, "remove .venv and type `make bench`, which installs what is locked")
    return ok(f"as {facts.lock_name}.txt says")


def _tensorflow(facts: Facts) -> Finding:
    if facts.tensorflow_version is None:
        advice = "remove .venv and type `make bench`, which installs it again"
        return fail(facts.tensorflow_error or "no answer", advice)
    return ok(facts.tensorflow_version)


def _disk(facts: Facts) -> Finding:
    needed = RESULTS_BYTES + (DATA_BYTES if facts.data.state == "missing" else 0)
    value = f"{facts.free_bytes / 1e9:.1f} GB free"
    return ok(value) if facts.free_bytes >= needed else fail(value, f"make room: {needed / 1e6:.0f} MB are needed")


def _results(facts: Facts) -> Finding:
    if facts.results_writable:
        return ok("can be written")
    return fail("cannot be written", "name one that can with OUT=/path")


def _checkout(facts: Facts) -> Finding:
    if facts.git_dirty is None:
        why = f": {facts.git_reason}" if facts.git_reason else ""
        advice = facts.git_advice or "work in a clone of the repository"
        return warn(f"git does not report its commit and changes{why}", f"{advice}; else results are marked for it")
    commit = (facts.git_commit or "")[:12]
    if facts.git_dirty:
        return warn(f"{commit} with changes", "commit them, as publishing refuses such results")
    return ok(commit)


def _was_dirty(record: Record) -> str | None:
    places = {"git.dirty": "the checkout", "trainer.dirty": "the folder of the trainer"}
    dirty = [place for key, place in places.items() if record.fingerprint.get(key) is True]
    return f"{' and '.join(dirty)} had changes that are not committed" if dirty else None


def _unread(record: Record) -> str | None:
    parts = [f"{place} ({_PROBLEMS[why]})" for place, why in _unknown_code(record) if why in _PROBLEMS]
    return f"git did not tell the commit, or whether there were changes, of {' and '.join(parts)}" if parts else None


def _no_repository(record: Record) -> str | None:
    parts = [place for place, why in _unknown_code(record) if why not in _PROBLEMS]
    return f"nothing tells the commit, or whether there were changes, of {' and '.join(parts)}" if parts else None


def _unknown_code(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the checkout and the folder of a custom trainer whose commit or changes are unknown, each with why."""
    for place, family, problem in (
        ("the checkout", "git", "git.problem"),
        ("the folder of the trainer", "trainer", "trainer.git_problem"),
    ):
        parts = [record.fingerprint.get(f"{family}.{key}", "") for key in ("commit", "dirty")]
        if None in parts:
            yield place, str(record.fingerprint.get(problem))


def _no_start(record: Record) -> str | None:
    if record.spawned_ns is not None or record.utc is not None:
        return None
    return "the events do not say how the run was started, on what machine and with what code"


def _rules_changed(record: Record) -> str | None:
    before = record.circumstances.get("rules")
    if not isinstance(before, int) or before == RULES:
        return None
    return f"the run was started under version {before} of the rules and is judged by version {RULES}"


SOFTWARE = (
    Rule("python", "Python", threshold=f"outside {_PYTHONS}", before=_python),
    Rule("packages", "packages", threshold="a version unlike its lock file, or not installed from one",
         before=_packages),
    Rule("tensorflow", "TensorFlow", threshold="cannot be imported", before=_tensorflow),
    Rule("disk", "disk", threshold=f"less than {RESULTS_BYTES / 1e6:.0f} MB free, and {DATA_BYTES / 1e6:.0f} MB more "
         "where CIFAR-10 is to be downloaded", before=_disk),
    Rule("results", "results folder", threshold="cannot be written", before=_results),
    Rule("dirty", "checkout", "suspect",
         "commit or drop your changes, so that others can get the code this number came from",
         "a change outside results/ that is not committed, in the checkout or, after, in the folder of a trainer of "
         "one's own; before: also a checkout that git cannot read", before=_checkout, after=_was_dirty),
    Rule("unread-checkout", "unread checkout", "suspect",
         "type `make doctor`, which gives git's reason and what helps: for a checkout of another user `git config "
         "--global --add safe.directory PATH`, or `sudo chown`",
         "a repository that git did not read (another owner, no git, an answer that took too long, a damaged index), "
         "or one without a commit", after=_unread),
    Rule("no-commit", "commit", "note",
         "work in a clone of the repository, so that others can get the code this number came from",
         "a folder that is not a git repository, such as an unpacked archive", after=_no_repository),
    Rule("no-start", "start of the run", "suspect",
         "run it again: the harness writes this before anything else, so the events were cut",
         "events without the line that the harness begins with", after=_no_start),
    Rule("rules-changed", "rules", "note",
         "compare it with runs judged by one version: `python -m bench report DIR` judges a folder again",
         "not the version that was fixed before the run", after=_rules_changed),
)  # fmt: skip
