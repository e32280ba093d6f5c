"""The level ``compat``: what the DAWNBench repository's own four tests accept for CIFAR-10 training, no more, no less.

Written from a description of those tests (dawn-bench-entries, commit fb27b827). Whatever raised there was a failed
test, so a list where an object belongs, or text where a number belongs, is a plain "no" here; and so is a word that the
board's pandas (0.22) did not read as today's does (``read_table``). Two bounds are ours, so that no file can hold up
the machine: the size of a file (``pair.MAX_BYTES``) and the cells of a line.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Iterator
from datetime import datetime

import pandas as pd

from bench.dawnbench.findings import Finding, printable, sentence, shown
from bench.dawnbench.lines import Lines
from bench.dawnbench.pair import COLUMNS, REQUIRED_FIELDS, TARGET_PERCENT, VERSION, Pair, parse

ACCURACY = "top1Accuracy"
#: What pandas 0.22 took for a missing value.
_MISSING = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA", "NULL",
    "NaN", "n/a", "nan", "null",
]  # fmt: skip
#: It read `inf` as a number and this not.
_INFINITY = re.compile(r"\s*[+-]?infinity\s*", re.IGNORECASE)
#: pandas takes 25 s and 1 GB for a line of 262,144 cells; an entry's line has three.
MAX_CELLS = 256


def check(pair: Pair) -> list[Finding]:
    """The findings of the four tests; an empty list means that DAWNBench's repository would accept the pair."""
    findings = list(pair.unreadable)
    body: object = None
    if pair.json_bytes is not None:
        try:
            body = parse(pair.json_bytes)
        except (ValueError, RecursionError) as error:
            findings.append(_finding("json-parses", printable(pair.json_path.name), *_why_no_json(error)))
        else:
            findings += _fields(body, printable(pair.json_path.name))
    if pair.tsv_bytes is not None:
        findings += _table(pair.tsv_bytes, printable(pair.tsv_path.name), body)
    return findings


def _finding(rule: str, where: str, sentence: str, fix: str) -> Finding:
    return Finding("compat", rule, where, sentence, fix)


def _why_no_json(error: Exception) -> tuple[str, str]:
    if isinstance(error, UnicodeDecodeError):
        return f"Byte {error.start} is not UTF-8.", "Save the file as UTF-8 text."
    if isinstance(error, RecursionError):
        return (
            "Its objects are nested too deep to be read.",
            "An entry is one flat object, with at most a table or two in `misc`.",
        )
    if isinstance(error, json.JSONDecodeError) and error.doc.startswith("\ufeff"):
        return (
            "It begins with a byte order mark, which JSON does not allow.",
            "Save it as UTF-8 without a byte order mark.",
        )
    assert isinstance(error, json.JSONDecodeError)
    return f"It is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.", "Put that place right."


def _fields(body: object, where: str) -> Iterator[Finding]:
    if not isinstance(body, dict):
        yield _finding(
            "json-fields", where, f"It holds {shown(body)}, not an object.", "An entry is one object, { ... }."
        )
        return
    missing = [name for name in REQUIRED_FIELDS if name not in body]
    if missing:
        fields = ", ".join(f"`{name}`" for name in missing)
        yield _finding("json-fields", where, f"It has no {fields}.", "Every entry has all of them.")
    if "timestamp" in body and not is_date(body["timestamp"]):
        sentence = f"`timestamp` is {shown(body['timestamp'])}, not a date."
        yield _finding(
            "json-timestamp", where, sentence, 'Write the day as yyyy-mm-dd, for example "2018-11-06", without a time.'
        )
    if "version" in body and body["version"] != VERSION:
        sentence = f"`version` is {shown(body['version'])}, not {shown(VERSION)}."
        yield _finding(
            "json-version", where, sentence, f"Write {shown(VERSION)}: it is the version of the form, not of your code."
        )


def is_date(value: object) -> bool:
    """Whether strptime reads the value as yyyy-mm-dd; it takes months and days without their zero too."""
    try:
        datetime.strptime(value, "%Y-%m-%d")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def read_table(content: bytes) -> pd.DataFrame:
    """A table as the board's pandas (0.22) read it, which kept three words as text that today's takes for numbers or
    for missing ones: `None`, `<NA>` and `Infinity`. Raises whatever pandas raises.
    """
    frame = pd.read_csv(io.BytesIO(content), sep="\t", keep_default_na=False, na_values=_MISSING)
    if b"infinity" in content.lower():
        texts = pd.read_csv(io.BytesIO(content), sep="\t", keep_default_na=False, dtype=object)
        for name in frame.columns:
            if texts[name].map(_is_infinity).any():
                frame[name] = texts[name]
    return frame


def _is_infinity(cell: object) -> bool:
    return isinstance(cell, str) and _INFINITY.fullmatch(cell) is not None


def _table(content: bytes, where: str, body: object) -> Iterator[Finding]:
    widest = max(line.count(b"\t") + 1 for line in content.replace(b"\r", b"\n").split(b"\n"))
    if widest > MAX_CELLS:
        yield _finding(
            "tsv-parses", where, f"A line has {widest} cells.", f"A line has {len(COLUMNS)} cells with one tab between."
        )
        return
    lines = Lines.of(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about mixed types, for the one who wrote the read
            frame = read_table(content)
    except Exception as error:  # whatever it is that pandas raises, there the test failed
        reason = sentence(str(error))
        place = lines.place(where, lines.first_longer())
        yield _finding(
            "tsv-parses",
            place,
            f"pandas cannot read it: {reason}.",
            "Write UTF-8 text, three cells a line, a tab between.",
        )
        return
    if sorted(frame.columns) != sorted(COLUMNS):
        yield _columns(list(frame.columns), where)
    if len(frame) == 0:
        yield _finding("tsv-rows", where, "It has a header and no rows.", "Write one row for each epoch.")
    elif isinstance(body, dict) and body.get("version") == VERSION and ACCURACY in frame.columns:
        yield from _threshold(frame, lines, where)


def _columns(names: list[str], where: str) -> Finding:
    listed = ", ".join(shown(name) for name in names[: len(COLUMNS) + 1]) + (
        ", ..." if len(names) > len(COLUMNS) + 1 else ""
    )
    if len(names) == 1 and sorted(names[0].replace(",", " ").split()) == sorted(COLUMNS):
        fix = "Put one tab between the cells, not spaces or commas."
    elif "epochs" in names:
        fix = "Rename `epochs` to `epoch`."
    else:
        fix = f"The columns are {', '.join(COLUMNS)}, and no others, with one tab between."
    return _finding("tsv-columns", f"{where} line 1", f"Its columns are {listed}.", fix)


def _threshold(frame: pd.DataFrame, lines: Lines, where: str) -> Iterator[Finding]:
    accuracies = frame[ACCURACY]
    try:
        best = accuracies.max()
        reached = bool(best >= TARGET_PERCENT)
    except (TypeError, ValueError):
        line, cell = lines.first_text(ACCURACY, _MISSING)
        message = (
            f"`{ACCURACY}` is {shown(cell)}, no number." if line else f"{ACCURACY} holds something other than numbers."
        )
        yield _finding("tsv-threshold", lines.place(where, line), message, "Write percent as plain numbers.")
        return
    if reached:
        return
    if pd.isna(best):
        line, fix = lines.first_unlike()
        message = f"No row has a number in {ACCURACY}."
        yield _finding("tsv-threshold", lines.place(where, line), message, fix or f"Write percent into {ACCURACY}.")
        return
    fix = "Only a run that reached the target makes an entry."
    if 0 < best <= 1:
        fix = "Write percent, 94.08 and not 0.9408."
    elif (other := _exchanged(frame)) is not None:
        fix = f"Are {other} and {ACCURACY} exchanged? {other} reaches {frame[other].max()}."
    yield _finding("tsv-threshold", where, f"The best {ACCURACY} is {best}, under {TARGET_PERCENT}.", fix)


def _exchanged(frame: pd.DataFrame) -> str | None:
    """The column that accuracies may stand in, where hours or epochs may stand in theirs; None for none."""
    if not frame[ACCURACY].is_monotonic_increasing:
        return None
    for name in ("hours", "epoch"):
        values = frame.get(name)
        if values is not None and pd.api.types.is_float_dtype(values) and TARGET_PERCENT <= values.max() <= 100:
            return name
    return None
