"""JSON inside a page: exact, and without characters that an HTML parser interprets."""

from __future__ import annotations

import json
from typing import Any

#: What could end a script, begin a comment or an entity, or end a line of JavaScript in an older reader.
_ESCAPED = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def script_json(body: Any) -> str:
    """Return JSON for a ``<script type="application/json">``. Raises ValueError for a number JSON cannot hold."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate, which a damaged name may contain, cannot be encoded in UTF-8.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.translate(_ESCAPED)
