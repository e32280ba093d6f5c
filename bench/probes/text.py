"""The small text files in which a kernel shows what it knows; one that is not there, or not ours to read, is empty."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str:
    """What the file holds, without the space around it; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def fields(shown: str, mark: str) -> dict[str, str]:
    """``name mark value`` lines; the first of a name counts, as every core repeats them in /proc/cpuinfo."""
    found: dict[str, str] = {}
    for line in shown.splitlines():
        name, has_mark, value = line.partition(mark)
        if has_mark:
            found.setdefault(name.strip(), value.strip())
    return found


def number(shown: str) -> float | None:
    """The number a text is, None where it is none."""
    try:
        return float(shown)
    except ValueError:
        return None


def kibibytes(shown: str) -> int | None:
    """The bytes of a value of /proc/meminfo, such as ``2048 kB``."""
    words = shown.split()
    return int(words[0]) * 1024 if words[1:] == ["kB"] and words[0].isdecimal() else None
