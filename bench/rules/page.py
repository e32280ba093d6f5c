"""``docs/reference/rules.md``, made from the rule list so that no rule is asked that is not written down."""

from __future__ import annotations

from bench.rules import RULE_LIST, RULES, Rule

_HEAD = f"""# The rules, version {RULES}

One list is asked before a run, by `make doctor`, and of its record afterwards, for its verdict. A rule that is asked at
both times is about one thing; where a machine at rest shows it otherwise than a record, both thresholds are given.

- **invalid**: the run is left out of every statistic, and shown as left out.
- **suspect**: the run counts and is marked.
- **note**: a reader should know it; a run with notes alone is clean.
- A rule without a level is only asked before. `make doctor` then says ok, warn or fail, and leaves with 4 where one
  fails; what would make a run invalid fails, the rest warns.
- What a record does not tell breaks no rule: an older record has fewer findings, not worse ones. A run records the
  version that was in force when it was started, and `rules-changed` says where it was another.
- The reason for a number is beside it in `bench/rules/`. Whoever changes, adds or drops a rule raises the version.

This page is made from the list in `bench/rules/`; a test holds the two together. After a change, type
`python -c "from bench.rules.page import page; print(page(), end='')" > docs/reference/rules.md`.
"""
_SECTIONS = (
    ("What is installed, and where results go", "bench.rules.software"),
    ("The image", "bench.rules.image"),
    ("The GPU", "bench.rules.card"),
    ("The data and the input", "bench.rules.data"),
    ("CPUs and memory", "bench.rules.machine"),
    ("What was watched", "bench.rules.telemetry"),
    ("What the trainer claims", "bench.rules.claims"),
)


def page() -> str:
    """The page as it is in ``docs/reference/rules.md``."""
    parts = [_HEAD]
    for title, module in _SECTIONS:
        rows = "".join(_row(rule) for rule in RULE_LIST if _home(rule) == module)
        parts.append(
            f"## {title}\n\n| rule | asked | level | from where on | what to do |\n|---|---|---|---|---|\n{rows}"
        )
    return "\n".join(parts)


def _home(rule: Rule) -> str:
    look = rule.after or rule.before
    assert look is not None
    return look.__module__


def _row(rule: Rule) -> str:
    asked = " and ".join(when for when, look in (("before", rule.before), ("after", rule.after)) if look is not None)
    advice = rule.advice or "what `make doctor` says"
    if rule.instead is not None:
        advice = f"{advice}; {rule.instead.when}: {rule.instead.advice}"
    cells = (f"`{rule.name}`", asked, rule.level, rule.threshold, advice)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
