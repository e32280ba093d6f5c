"""JSON inside a page: what was put in, and nothing that a parser would take for its own."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.html import data


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_in_a_page_reads_back_as_it_was_and_ends_no_script(body: object) -> None:
    text = data.script_json(body)
    assert not re.search("[<>&\u2028\u2029]", text)
    if "\ufffd" not in text:
        assert json.loads(text) == body


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", "<!--", "&lt;", "\u2028", "=cmd()"])
def test_a_hostile_name_is_text(name: str) -> None:
    text = data.script_json([name])
    assert "<" not in text
    assert json.loads(text) == [name]


def test_half_a_character_does_not_break_the_page() -> None:
    assert json.loads(data.script_json(["a\ud800b"])) == ["a?b"]


def test_a_number_without_a_word_in_json_is_refused_where_it_would_be_drawn_wrong() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        data.script_json([math.inf])
