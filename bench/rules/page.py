"""``docs/reference/rules.md``, generated from the rule list, so that every rule is documented."""

from __future__ import annotations

from bench.rules import RULE_LIST, RULES, Rule

_HEAD = f"""# The rules, version {RULES}

One list of rules is applied before a run, by `make doctor` (preflight), and to its record afterwards, for its verdict.
A rule that is applied at both times checks one thing; if the two thresholds differ, both are given.

- **invalid**: the run is left out of every statistic, and shown as left out.
- **suspect**: the run counts and is marked.
- **note**: a reader should know it; a run with only notes is clean.
- A rule without a level is applied only before a run. `make doctor` prints ok, warn or fail for each rule and exits
  with 4 if one fails. What would make a run invalid fails; the rest warns.
- What a record does not contain breaks no rule: an older record has fewer findings, not worse ones. A run records the
  version that was in force when it was started; `rules-changed` reports another one.
- The reason for a threshold is next to it in `bench/rules/`. Raise the version when you change, add or remove a rule.

This page is generated from the list in `bench/rules/`; a test compares the two. After a change, type
`python -c "from bench.rules.page import page; print(page(), end='')" > docs/reference/rules.md`.
"""
_SECTIONS = (
    ("Software and results folder", "bench.rules.software"),
    ("The image", "bench.rules.image"),
    ("The GPU", "bench.rules.card"),
    ("The data and the input", "bench.rules.data"),
    ("CPUs and memory", "bench.rules.machine"),
    ("Telemetry", "bench.rules.telemetry"),
    ("Claims of the trainer", "bench.rules.claims"),
)


def page() -> str:
    """Return the page ``docs/reference/rules.md``."""
    parts = [_HEAD]
    for title, module in _SECTIONS:
        rows = "".join(_row(rule) for rule in RULE_LIST if _home(rule) == module)
        parts.append(
            f"## {title}\n\n| rule | applied | level | threshold | what to do |\n|---|---|---|---|---|\n{rows}"
        )
    return "\n".join(parts)


def _home(rule: Rule) -> str:
    look = rule.after or rule.before
    assert look is not None
    return look.__module__


def _row(rule: Rule) -> str:
    applies = " and ".join(when for when, look in (("before", rule.before), ("after", rule.after)) if look is not None)
    advice = rule.advice or "what `make doctor` says"
    if rule.instead is not None:
        advice = f"{advice}; {rule.instead.when}: {rule.instead.advice}"
    cells = (f"`{rule.name}`", applies, rule.level, rule.threshold, advice)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
