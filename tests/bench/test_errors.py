"""Errors carry their parts as fields, and no code decides by the text of a message."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from pathlib import Path

from bench.errors import BenchError, EnvironmentProblem, UsageError

ROOT = Path(__file__).parents[2]
#: Attributes that hold a sentence for a person, in errors, outcomes, violations, rules and findings.
SENTENCES = {"message", "advice", "hint", "reason", "why", "why_not", "told", "text", "evidence", "says", "problem"}
REGEX = {"search", "match", "fullmatch", "sub", "findall"}


def is_sentence(node: ast.AST) -> bool:
    """Whether an expression is such an attribute, the text of an exception, or one of these in lower case."""
    if isinstance(node, ast.Attribute):
        return node.attr in SENTENCES
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("lower", "strip", "rstrip") and is_sentence(node.func.value)
    exceptions = ("error", "problem", "why", "exception")
    return isinstance(node, ast.Call) and ast.unparse(node) in [f"str({name})" for name in exceptions]


def decisions(tree: ast.AST) -> Iterator[str]:
    """Every test of what a sentence contains, begins with, ends with, equals or matches."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for left, operation, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
                contains = isinstance(operation, (ast.In, ast.NotIn)) and is_sentence(right)
                literal = isinstance(right, ast.Constant) and right.value not in (None, "")
                if contains or (isinstance(operation, (ast.Eq, ast.NotEq)) and literal and is_sentence(left)):
                    yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            begins = node.func.attr in ("startswith", "endswith") and is_sentence(node.func.value)
            if begins or (node.func.attr in REGEX and any(map(is_sentence, node.args))):
                yield ast.unparse(node)


def test_no_code_reads_a_message() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {decision}"
        for folder in ("bench", "resnet9")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for decision in decisions(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()
    assert (
        len(list(decisions(ast.parse("'x' in a.reason; re.sub('x', '', str(error)); b.why.lower().endswith('')")))) == 3
    )


def test_an_error_prints_its_message_and_its_advice_as_sentences() -> None:
    error = EnvironmentProblem("there is no engine", "install one", code="no-engine")
    assert (str(error), error.code, error.exit_code) == ("there is no engine. Install one.", "no-engine", 4)
    assert str(UsageError("no.")) == "no."
    again = copy.copy(error)
    assert (again.message, again.advice, again.code) == (error.message, error.advice, error.code)


def test_every_kind_of_error_has_a_code_and_an_exit_code() -> None:
    kinds = BenchError.__subclasses__()
    assert {kind.exit_code for kind in kinds} == {1, 2, 3, 4, 5, 6}
    assert len({kind.default_code for kind in kinds}) == len(kinds) == 6
