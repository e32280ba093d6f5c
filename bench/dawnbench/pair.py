"""The pair of files of an entry: names, columns, where pairs are found, and safe reading."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from bench.dawnbench.findings import Finding, printable
from bench.errors import DataError, UsageError

VERSION = "v1.0"  # the only one there ever was
REQUIRED_FIELDS = ("version", "author", "authorEmail", "framework", "model", "hardware", "timestamp")
COLUMNS = ("epoch", "hours", "top1Accuracy")
TARGET_PERCENT = 94
TEST_IMAGES = 10_000
#: Author, model, hardware tag, framework.
STEM_PARTS = 4
STEM = re.compile(r"[A-Za-z0-9.+-]+(?:_[A-Za-z0-9.+-]+){3}")
TASK_FOLDER = ("CIFAR10", "train")
#: The size limit; a published TSV has 14 to 400 rows.
MAX_BYTES = 1 << 20
#: A campaign's folder is three levels above its pair, the folder of all published ones four.
MAX_DEPTH = 6
#: JSON files of a results folder that are not entries.
OTHER_JSON = frozenset({"campaign.json", "record.json"})
SUFFIXES = (".json", ".tsv")
_WHAT_TO_GIVE = "give the .json of a pair, or a folder that holds pairs"


@dataclass(frozen=True)
class Pair:
    """Both files as bytes; None if one could not be read, and ``unreadable`` says why."""

    json_path: Path
    tsv_path: Path
    json_bytes: bytes | None
    tsv_bytes: bytes | None
    unreadable: tuple[Finding, ...]


class _Unreadable(Exception):
    """Why a file cannot be read: a clause that follows its name, and what to do."""

    def __init__(self, clause: str, fix: str) -> None:
        super().__init__(clause)
        self.clause, self.fix = clause, fix


def read(json_path: Path) -> Pair:
    """Read a JSON file and the TSV of the same stem; never raises."""
    tsv_path = json_path.with_suffix(".tsv")
    contents: list[bytes | None] = []
    findings: list[Finding] = []
    for rule, path in (("json-file", json_path), ("tsv-file", tsv_path)):
        try:
            contents.append(_read_file(path))
        except _Unreadable as error:
            contents.append(None)
            findings.append(Finding("compat", rule, printable(path.name), f"The file {error.clause}.", error.fix))
    return Pair(json_path, tsv_path, contents[0], contents[1], tuple(findings))


def parse(content: bytes) -> object:
    """Parse a JSON file as the board's Python did: a whole number of any length is a number.

    Raises ValueError or RecursionError if it is not JSON in UTF-8.
    """
    return json.loads(content.decode("utf-8"), parse_int=whole)


def whole(digits: str) -> int | float:
    """A whole number, or a float, most often infinite, for one of more digits than Python takes for an int."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def body_of(content: bytes | None) -> object:
    """Return the content of a JSON file, or None."""
    try:
        return None if content is None else parse(content)
    except (ValueError, RecursionError):
        return None


def _read_file(path: Path) -> bytes:
    try:
        # Checked before opening: opening a FIFO would block.
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            what = "is a folder" if stat.S_ISDIR(kind) else "is not a regular file"
            raise _Unreadable(what, "Put a regular file in its place.")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _Unreadable("is not there", "An entry is a .json and a .tsv of the same stem, side by side.") from None
    except OSError as error:
        raise _Unreadable(f"cannot be read ({error.strerror})", "Check its links and permissions.") from None
    if len(content) > MAX_BYTES:
        raise _Unreadable(
            f"is larger than {MAX_BYTES} bytes", "An entry's files have a few kilobytes: one row an epoch, no logs."
        )
    return content


def find(path: Path) -> list[Path]:
    """Return the JSON paths of the pairs at ``path``: a JSON, a TSV (its JSON), or a folder.

    In a folder, those in any ``CIFAR10/train`` below it, else the folder's own; a TSV without JSON is listed by the
    missing JSON. Raises DataError for none, UsageError for another kind of file.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        raise DataError(f"there is no {printable(path)}", _WHAT_TO_GIVE) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no possible file name"
        raise DataError(f"cannot read {printable(path)} ({why})", "check its links and permissions") from None
    if path.suffix in SUFFIXES:
        return [path.with_suffix(".json")]
    if not is_folder:
        raise UsageError(f"{printable(path)} is neither .json nor .tsv", _WHAT_TO_GIVE)
    found = _under(path)
    if not found:
        raise DataError(
            f"no DAWNBench pair (<stem>.json and <stem>.tsv) is in {printable(path)} or a {'/'.join(TASK_FOLDER)} "
            "folder below it",
            "type `make report` with AUTHOR, EMAIL and HARDWARE, which writes the pair of a campaign",
        )
    return found


def _under(folder: Path) -> list[Path]:
    task: set[Path] = set()
    direct: set[Path] = set()
    top = len(folder.absolute().parts)
    for where, folders, names in os.walk(folder):  # links to folders are not followed, so no loop
        here = Path(where).absolute()
        # Folders, too: a folder with such a name is an error to report.
        entries = {
            Path(where, name).with_suffix(".json")
            for name in (*names, *folders)
            if Path(name).suffix in SUFFIXES and not name.startswith(".") and name not in OTHER_JSON
        }
        folders[:] = [name for name in folders if not name.startswith(".") and len(here.parts) - top < MAX_DEPTH]
        if here.parts[-len(TASK_FOLDER) :] == TASK_FOLDER:
            task |= entries
        elif len(here.parts) == top:
            direct = entries
    return sorted(task or direct)
