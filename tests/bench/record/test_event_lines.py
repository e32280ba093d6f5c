"""Lines of events are read the short way only where that gives what the long way gives."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.record.event_lines import Unreadable, decoded

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
#: What numbers, escapes and words that are no numbers can be put together of.
PIECES = st.lists(st.sampled_from([
    *'{}[]":,0123456789eE+-.', "NaN", "Infinity", "\\ud800", "\\u0041", "\\", "\0", "é",
    "1e400", "9" * 20, '{"a":', "}\n",
]))  # fmt: skip


def outcome(line: str | bytes) -> object:
    """The object, in a form in which 1, 1.0 and True differ; or that there is none."""
    try:
        return json.dumps(decoded(line))
    except Unreadable:
        return Unreadable


@given(body=st.dictionaries(st.text(max_size=4), VALUES, max_size=5), ascii=st.booleans())
@example(body={"t_ns": 2**63 - 1, "late": 1e308, "early": -0.0, "name": "\ud800"}, ascii=True)
def test_bytes_and_text_give_the_same_object(body: dict[str, object], ascii: bool) -> None:
    text = json.dumps(body, ensure_ascii=ascii)
    assert outcome(text.encode("utf-8", "surrogatepass")) == outcome(text)


@given(pieces=PIECES)
@example(pieces=['{"a":', "9" * 20, "}\n"])
@example(pieces=['{"a":', "1e400", "}\n"])
@example(pieces=['{"a":', "NaN", "}\n"])
@example(pieces=['{"a":', '"', "\\ud800", '"', "}\n"])
@example(pieces=['{"a":', "-", "Infinity", "}\n"])
def test_bytes_and_text_are_refused_alike(pieces: list[str]) -> None:
    line = "".join(pieces)
    assert outcome(line.encode()) == outcome(line)


@pytest.mark.parametrize("depth", [100, 5_000, 100_000])
def test_nesting_is_kept_or_refused_and_never_a_crash(depth: int) -> None:
    line = b'{"a":' * depth + b"1" + b"}" * depth
    assert (outcome(line) is Unreadable) == (depth > 100)
