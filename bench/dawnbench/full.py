"""The level ``full``: rules beyond ``compat``, so that a pair states exactly what was measured.

Files are checked as bytes and cells as text, because parsers hide what these rules find (a byte order mark, 2020-1-5,
94.02000000000001). The rules come from errors in the 31 published entries, and from the board's reviews (`reviewed`).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from bench.dawnbench import reviewed
from bench.dawnbench.claims import is_email, is_web_address
from bench.dawnbench.compat import is_date
from bench.dawnbench.findings import Finding, printable, shown
from bench.dawnbench.pair import COLUMNS, REQUIRED_FIELDS, STEM, STEM_PARTS, TARGET_PERCENT, Pair, whole
from bench.record.claims import is_price

HEADER = "\t".join(COLUMNS)
#: A plain number, exponent allowed: an epoch of 0.3 s is 8.3e-05 h where somebody printed a float.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
MAX_NUMBER_CHARACTERS = 64
ZERO_PADDED_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Cell:
    """One cell of a column: its line (the header is line 1), its text, and its value where it is a finite number."""

    line: int
    text: str
    value: float | None


def check(pair: Pair, today: date) -> list[Finding]:
    """Return the findings of all rules; unreadable files are left to ``pair.unreadable``. ``today`` is in UTC."""
    findings: list[Finding] = []
    if not STEM.fullmatch(pair.json_path.stem):
        findings.append(_stem(pair.json_path))
    if pair.json_bytes is not None:
        findings += _json(pair.json_bytes, printable(pair.json_path.name), today)
    if pair.tsv_bytes is not None:
        findings += _tsv(pair.tsv_bytes, printable(pair.tsv_path.name))
    return findings


def _finding(rule: str, where: str, sentence: str, fix: str) -> Finding:
    return Finding("full", rule, where, sentence, fix)


def _stem(path: Path) -> Finding:
    parts = path.stem.split("_")
    if len(parts) == STEM_PARTS:
        sentence = "A part of the stem is empty or has characters beyond A-Z a-z 0-9 . + -."
    else:
        sentence = f"The stem has {len(parts)} part{'s' * (len(parts) > 1)} between underscores, not {STEM_PARTS}."
    fix = "Name both files author_model_hardware_framework, with hyphens within a part."
    return _finding("stem", printable(path.name), sentence, fix)


# --- JSON ---


def _json(content: bytes, where: str, today: date) -> Iterator[Finding]:
    doubled: list[str] = []
    constants: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        body = dict(pairs)
        if len(body) < len(pairs):
            doubled.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return body

    try:
        text = content.decode("utf-8")
        body = json.loads(text, object_pairs_hook=unique, parse_constant=constants.append, parse_int=whole)
    except (ValueError, RecursionError):
        return  # compat has said so
    if doubled:
        sentence = f"The key {shown(doubled[0])} stands twice in one object."
        yield _finding("json-keys", where, sentence, "Keep one: readers differ on which of them counts.")
    if constants:
        sentence = f"It holds {constants[0]}, which is not a JSON number."
        yield _finding("json-numbers", where, sentence, "Leave the value out, or write null.")
    if isinstance(body, dict):
        yield from _fields(body, where)
        yield from _reviewed(body, where, today)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _fields(body: dict[str, object], where: str) -> Iterator[Finding]:
    for name in REQUIRED_FIELDS:
        if name in body and not _is_text(body[name]):
            yield _finding("json-text", where, f"`{name}` is {shown(body[name])}.", "Write a text that is not empty.")
    email, timestamp = body.get("authorEmail"), body.get("timestamp")
    if _is_text(email) and not is_email(email):
        sentence = f"`authorEmail` is {shown(email)}, no e-mail address."
        yield _finding("json-email", where, sentence, "Write an address, or several with commas between.")
    if is_date(timestamp) and not ZERO_PADDED_DATE.fullmatch(str(timestamp)):
        sentence = f"`timestamp` is {shown(timestamp)}, without its zeros."
        yield _finding("json-timestamp", where, sentence, 'Write four, two and two digits, for example "2020-01-05".')
    cost = body.get("costPerHour")
    if cost is not None and not is_price(cost):
        sentence = f"`costPerHour` is {shown(cost)}."
        yield _finding(
            "json-cost",
            where,
            sentence,
            "Write US dollars an hour as a number above 0; leave it out for a machine of your own.",
        )
    code = body.get("codeURL")
    if code is not None and not is_web_address(code):
        yield _finding(
            "json-code", where, f"`codeURL` is {shown(code)}.", "Write an http or https address, or leave it out."
        )
    if "misc" in body and not isinstance(body["misc"], dict):
        yield _finding(
            "json-misc", where, f"`misc` is {shown(body['misc'])}.", "Write an object, { ... }, or leave it out."
        )


def _reviewed(body: dict[str, object], where: str, today: date) -> Iterator[Finding]:
    """Yield findings by the board's reviews; wrong types are left to the rules of form."""
    framework, hardware, code, day = (body.get(name) for name in ("framework", "hardware", "codeURL", "timestamp"))
    misc = body.get("misc", {})
    if _is_text(framework) and not reviewed.names_version(str(framework)):
        sentence = f"`framework` is {shown(framework)}, without a version."
        yield _finding("json-framework", where, sentence, 'Write name and version, for example "PyTorch 2.9.0".')
    if _is_text(hardware) and not reviewed.names_device(str(hardware)):
        sentence = f"`hardware` is {shown(hardware)}, without a number and a kind of device."
        fix = 'Write how many of what, or the machine type, for example "1 V100 / 61 GB / 8 CPU (AWS p3.2xlarge)".'
        yield _finding("json-hardware", where, sentence, fix)
    if isinstance(misc, dict) and not reviewed.has_content(misc):
        sentence = f"`misc` is {'empty' if 'misc' in body else 'not there'}."
        fix = "Write the optimizer, its learning rate, momentum and weight decay, the batch size and library versions."
        yield _finding("json-misc", where, sentence, fix)
    commits = [each["commitHash"] for each in (body, misc) if isinstance(each, dict) and "commitHash" in each]
    if commits and not all(map(reviewed.is_commit, commits)):
        sentence = f"`commitHash` is {shown(commits[0])}."
        yield _finding("json-commit", where, sentence, "Write the hash of the commit, 7 hexadecimal digits or more.")
    elif not commits and is_web_address(code) and not reviewed.names_commit(str(code)):
        sentence = f"`codeURL` is {shown(code)}, without a commit."
        fix = "Write the address of the code at its commit, .../tree/COMMIT, or add `commitHash` to `misc`."
        yield _finding("json-commit", where, sentence, fix)
    if is_date(day) and not reviewed.can_be_submission(datetime.strptime(str(day), "%Y-%m-%d").date(), today):
        fix = f"Write the day of submission: from 2017 on, and today ({today.isoformat()}) at the latest."
        yield _finding("json-date", where, f"`timestamp` is {shown(day)}, which cannot be the day of submission.", fix)
    if is_price(body.get("costPerHour")) and not reviewed.names_price_source(hardware, misc):
        sentence = f"`costPerHour` is {shown(body['costPerHour'])}, and nothing says whose price it is."
        fix = (
            "Name the provider or machine type in `hardware`, or add `costSource` to `misc`: a price list, and its day."
        )
        yield _finding("json-cost-source", where, sentence, fix)


# --- TSV ---


def _tsv(content: bytes, where: str) -> Iterator[Finding]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        yield _finding("tsv-parses", where, f"Byte {error.start} is not UTF-8.", "Save the file as UTF-8 text.")
        return
    if text.startswith("\ufeff"):
        text = text[1:]
        yield _finding(
            "tsv-bom",
            where,
            "It begins with a byte order mark.",
            "Save it as UTF-8 without one: it becomes part of a name.",
        )
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        yield _finding("tsv-line-ends", where, "Its lines end in CR.", "End each line with one LF.")
    if not text.endswith("\n"):
        text += "\n"
        yield _finding("tsv-final-newline", where, "The last line has no end.", "End the last line with LF as well.")
    header, *rows = text[:-1].split("\n")
    names = header.split("\t")
    if header != HEADER:
        yield _finding("tsv-header", f"{where} line 1", f"The header is {shown(header)}.", f"Write {shown(HEADER)}.")
    if sorted(names) == sorted(COLUMNS):
        yield from _rows(names, rows, where)


def _rows(names: list[str], rows: list[str], where: str) -> Iterator[Finding]:
    columns: dict[str, list[Cell]] = {name: [] for name in names}
    ragged: list[tuple[int, str]] = []
    for line, row in enumerate(rows, start=2):
        texts = row.split("\t")
        if len(texts) != len(names):
            ragged.append((line, f"The line has {len(texts)} cell{'s' * (len(texts) != 1)}."))
            continue
        for name, text in zip(names, texts, strict=True):
            columns[name].append(Cell(line, text, _number(text)))
    yield from _first(
        "tsv-cells", where, ragged, f"Write {len(COLUMNS)} cells on every line, one tab between, no empty lines."
    )
    for name, rule in (("epoch", _epochs), ("hours", _hours), ("top1Accuracy", _accuracies)):
        no_numbers = [(cell.line, f"`{name}` is {shown(cell.text)}.") for cell in columns[name] if cell.value is None]
        yield from _first("tsv-numbers", where, no_numbers, _how_to_write(name, no_numbers))
        yield from rule([cell for cell in columns[name] if cell.value is not None], where)


def _number(text: str) -> float | None:
    if len(text) > MAX_NUMBER_CHARACTERS or not NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _first(rule: str, where: str, lines: Sequence[tuple[int, str]], fix: str) -> Iterator[Finding]:
    """Return one finding for all lines that break a rule: the first line, and their number."""
    if lines:
        line, sentence = lines[0]
        more = f" {len(lines)} lines are like that." if len(lines) > 1 else ""
        yield _finding(rule, f"{where} line {line}", sentence + more, fix)


def _how_to_write(name: str, lines: Sequence[tuple[int, str]]) -> str:
    if name == "hours" and any(":" in sentence for _, sentence in lines):
        return "Write decimal hours: 0:01:14 is 0.02055556."
    return "Write a finite decimal number, with a point and without a unit."


def _where(cells: Sequence[Cell], bad: Callable[[Cell], bool], sentence: str) -> list[tuple[int, str]]:
    return [(cell.line, sentence.format(cell.text)) for cell in cells if bad(cell)]


def _value(cell: Cell) -> float:
    assert cell.value is not None
    return cell.value


def _not_above(cells: Sequence[Cell], name: str) -> list[tuple[int, str]]:
    return [
        (after.line, f"`{name}` goes from {before.text} to {after.text}.")
        for before, after in pairwise(cells)
        if not _value(after) > _value(before)
    ]


def _epochs(cells: Sequence[Cell], where: str) -> Iterator[Finding]:
    negative = _where(cells, lambda cell: _value(cell) < 0, "`epoch` is {}.")
    yield from _first(
        "tsv-epochs",
        where,
        negative or _not_above(cells, "epoch"),
        "Count epochs up from 0 or 1, each larger than the last.",
    )


def _hours(cells: Sequence[Cell], where: str) -> Iterator[Finding]:
    not_positive = _where(cells, lambda cell: _value(cell) <= 0, "`hours` is {}.")
    fix = "Write the hours since the clock started, summed up to this row and not for this epoch alone."
    yield from _first("tsv-hours", where, not_positive or _not_above(cells, "hours"), fix)


def _accuracies(cells: Sequence[Cell], where: str) -> Iterator[Finding]:
    outside = _where(cells, lambda cell: not 0 <= _value(cell) <= 100, "`top1Accuracy` is {}.")
    yield from _first("tsv-accuracy-range", where, outside, "Write percent, from 0 to 100.")
    noisy = _where(
        [cell for cell in cells if 0 <= _value(cell) <= 100], _is_noisy, "`top1Accuracy` is {}, no multiple of 0.01."
    )
    fix = "Compute 100 x correct / 10,000 from whole numbers and write two decimals: noise can hide a crossing."
    yield from _first("tsv-accuracy-step", where, noisy, fix)
    if cells and not any(_value(cell) >= TARGET_PERCENT for cell in cells):
        sentence = f"No row has a top1Accuracy of {TARGET_PERCENT} or more."
        yield _finding("tsv-threshold", where, sentence, "Only a run that reached the target makes an entry.")


def _is_noisy(cell: Cell) -> bool:
    # By digits, not by arithmetic: floats cannot hold 0.01, and a context rounds long decimals.
    _, digits, exponent = Decimal(cell.text).as_tuple()
    assert isinstance(exponent, int)
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return any(digits) and exponent + zeros < -2
