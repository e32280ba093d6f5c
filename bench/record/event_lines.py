"""Decode one line of ``events.jsonl``, and read its values by type, or None."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

Line = str | bytes | Mapping[str, Any]
#: The most a harness writes of one run, far above: 64 MiB of events, whose characters may become six in ASCII, and its
#: own lines among them (``bench.launch.monitor.Limits``).
MOST_EVENT_BYTES = 1 << 30
#: The same of one line, of which a trainer's has at most 1 MiB as it comes (``bench.protocol``).
MOST_LINE_BYTES = 8 << 20


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; one that is too long is cut off, which makes it unreadable."""
    while line := stream.readline(MOST_LINE_BYTES):
        yield line
        while len(line) == MOST_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MOST_LINE_BYTES)


class Unreadable(ValueError):
    """A line that is not a JSON object, or that JSON in UTF-8 cannot hold."""


def decoded(line: Line) -> dict[str, Any]:
    """Return the object in a line, restricted to JSON in UTF-8 and, except in edges, whole numbers of at most 64 bits.

    Raises Unreadable for everything else.
    """
    plain = _plainly(line) if isinstance(line, bytes) else None
    if plain is not None:
        return plain
    try:
        body = line if isinstance(line, Mapping) else json.loads(line)
        # Written and read once more: that drops lone surrogates and refuses infinity, which text can hide as 1e999.
        kept = json.dumps(body, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace")
        body = json.loads(kept)
        # ``bench.record.counter_snapshots`` checks the harness's own counters value by value, so the line is kept.
        if not isinstance(body, dict) or body.get("event") != "harness_edge":
            body = json.loads(kept, parse_int=_whole_of_64_bits)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"not JSON that can be kept ({type(error).__name__})") from None
    if not isinstance(body, dict):
        raise Unreadable("not a JSON object")
    return body


#: Takes every digit to 0 and E to e, so that long numbers and exponents can be searched for; `+` is taken out.
_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
#: What of JSON in 7-bit text may be more than can be kept: an escape, which may be half a character; a zero byte, which
#: makes it UTF-16; words that are no JSON numbers; a number that may be of more than 64 bits, or infinite.
_NOT_PLAIN = (b"\\", b"\0", b"NaN", b"Infinity", b"0" * 18, b"0e0")
#: Deeper nesting may be read and not written again.
_MOST_BRACKETS = 200


def _plainly(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line that needs no further check, as nearly every line; None for any other."""
    alike = line.translate(_ALIKE, b"+")
    if not line.isascii() or any(each in alike for each in _NOT_PLAIN):
        return None
    if line.count(b"{") + line.count(b"[") > _MOST_BRACKETS:
        return None
    try:
        body = json.loads(line)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _whole_of_64_bits(digits: str) -> int:
    value = int(digits)
    if not -(2**63) <= value < 2**63:
        raise ValueError("a whole number of more than 64 bits")
    return value


def whole(body: Mapping[str, Any], key: str) -> int | None:
    """Return the whole number under ``key``, or None."""
    value = body.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(body: Mapping[str, Any], key: str) -> float | None:
    """Return the number under ``key``, or None."""
    value = body.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(body: Mapping[str, Any], key: str) -> str | None:
    """Return the text under ``key``, or None."""
    value = body.get(key)
    return value if isinstance(value, str) else None


def table(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under ``key``, or an empty one."""
    value = body.get(key)
    return value if isinstance(value, dict) else {}
