"""Validate DAWNBench pairs at one of two levels: ``compat`` (DAWNBench's own tests) or ``full`` (further rules)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from bench.dawnbench import compat, full, task
from bench.dawnbench.findings import LEVELS, Finding, Level
from bench.dawnbench.pair import find, read

__all__ = ["LEVELS", "Finding", "Level", "Verdict", "judge", "validate"]


@dataclass(frozen=True)
class Verdict:
    """The findings of one level on the pair of one JSON file."""

    json_path: Path
    level: Level
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        return not self.findings


def judge(json_path: Path, level: Level, today: date | None = None) -> Verdict:
    """Validate one pair by the path of its JSON; the files may be missing or damaged.

    ``today`` is the day in UTC by which a date lies in the future; None reads the clock.
    """
    pair = read(json_path)
    if (of_another_task := task.other(pair)) is not None:
        return Verdict(json_path, level, (of_another_task,))
    findings = compat.check(pair)
    if level == "full":
        day = today or datetime.now(UTC).date()
        found_rules = {finding.rule for finding in findings}
        findings += [finding for finding in full.check(pair, day) if finding.rule not in found_rules]
    return Verdict(json_path, level, tuple(findings))


def validate(path: Path, level: Level = "full") -> tuple[Verdict, ...]:
    """Validate every pair at ``path`` (a JSON, a TSV, or a folder), in the order of their names.

    DAWNBench's tests start from the JSON files of a folder, so a TSV without one counts only at ``full``. Raises
    DataError for no pair, UsageError for a file of another kind.
    """
    json_paths = find(path)
    if level == "compat" and len(json_paths) > 1:
        json_paths = [json_path for json_path in json_paths if os.path.lexists(json_path)] or json_paths
    return tuple(judge(json_path, level) for json_path in json_paths)
