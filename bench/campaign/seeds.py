"""Parse the seeds of a campaign."""

from __future__ import annotations

import re

from bench.errors import UsageError

_EXAMPLE = "type a count, SEEDS=5, or a list, SEEDS=0,3 or SEEDS=3, for one"
_MOST_SEEDS = 1000
_LARGEST_SEED = 2**31 - 1


def parse(text: str) -> tuple[int, ...]:
    """Return the seeds of ``5`` (a count: 0 to 4), ``0,3`` or ``3,`` (lists). Raises UsageError with an example."""
    words = [word.strip() for word in text.split(",")]
    listed = len(words) > 1
    if listed and not words[-1]:
        words.pop()
    wrong = [word for word in words if not re.fullmatch(r"[0-9]{1,10}", word) or int(word) > _LARGEST_SEED]
    if wrong:
        raise UsageError(f"SEEDS={text!r} has {wrong[0]!r}, which is not a whole number from 0", _EXAMPLE)
    seeds = [int(word) for word in words]
    if not listed:
        seeds = list(range(min(seeds[0], _MOST_SEEDS + 1)))
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise UsageError(f"SEEDS={text!r} has seed {twice[0]} twice", _EXAMPLE)
    if not 0 < len(seeds) <= _MOST_SEEDS:
        raise UsageError(f"SEEDS={text!r} is not between 1 and {_MOST_SEEDS} runs", _EXAMPLE)
    return tuple(seeds)
