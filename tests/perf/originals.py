"""The original scripts, run from a checkout of the user's as they are; their tables are read, nothing of them is ours.

What a checkout prints decides what is read: the columns of its table whose names speak of accuracy or time.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

#: The script in each original's repository.
SCRIPTS = {"page24": "dawn.py", "air94": "legacy/airbench94_compiled.py", "hive": "cifar10_speedrun.py"}
_TOLD = re.compile(r"time|acc", re.IGNORECASE)


def run(name: str, checkout: Path, python: str, limit_seconds: float = 3600.0) -> list[str]:
    """What the original of a recipe says of each of its runs; one line that says why where it cannot be run."""
    script = checkout / SCRIPTS[name]
    if not script.exists():
        return [f"{script} is not there"]
    try:
        result = subprocess.run(
            [python, str(script.resolve())], cwd=checkout, capture_output=True, text=True, timeout=limit_seconds
        )
    except subprocess.TimeoutExpired:
        return [f"not done after {limit_seconds:.0f} s"]
    if result.returncode:
        return [f"failed: {(result.stderr.strip().splitlines() or ['without a word'])[-1]}"]
    return summary(result.stdout)


def summary(text: str) -> list[str]:
    """The rows that end a run, as ``column value`` of their times and accuracies.

    airbench and its kin print ``| run | epoch | ... |`` and end a run with a row ``eval``; cifar10-fast prints columns
    of equal width and ends with its last row.
    """
    header: list[str] = []
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.rstrip().endswith("|"):
            # hiverge's rows follow its running mean on the same line, so it is the last cells that are the row's.
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")][-len(header) or None :]
        else:
            cells = re.split(r"\s{2,}", line.strip())
        if any("time" in cell for cell in cells) and len(cells) > 3:
            header, rows = cells, []
        elif header and len(cells) == len(header):
            rows.append(cells)
    ends = [row for row in rows if "eval" in row and "warmup" not in row] or rows[-1:]
    told = [index for index, column in enumerate(header) if _TOLD.search(column)]
    return [", ".join(f"{header[index]} {row[index]}" for index in told if row[index]) for row in ends]
