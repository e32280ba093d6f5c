"""Numbers as people write them: each option takes one form, and refuses any other in a sentence with an example."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.__main__ import main
from bench.cli import bench
from bench.cli.options.numbers import PERCENT, SHARE, Number
from bench.errors import UsageError


def numeric() -> Iterator[tuple[tuple[str, ...], click.Option]]:
    """Every option that takes a number, with the words of its command."""
    context = click.Context(bench)
    for name in bench.list_commands(context):
        command = bench.get_command(context, name)
        inner = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        for word, each in inner:
            assert each is not None
            for parameter in each.params:
                assert not isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType)), (
                    f"{name} {parameter.name}: a Number tells more of what was typed"
                )
                if isinstance(parameter.type, Number):
                    assert isinstance(parameter, click.Option)
                    yield tuple(filter(None, (name, word))), parameter


NUMERIC = [pytest.param(words, option, id="-".join((*words, option.opts[0][2:]))) for words, option in numeric()]
#: What a command asks for before its options.
ARGUMENTS = {"compare": ("a", "b"), "choose-epochs": ("speedrun",), "check-trainer": ("true",)}


def test_the_options_are_those_that_are_known() -> None:
    named = {f"{words.values[0][0]} {words.values[1].opts[0]}" for words in NUMERIC}  # type: ignore[union-attr, index]
    assert {
        "run --target", "run --cost-per-hour", "run --idle", "run --warm-up", "run --threads", "run --timeout",
        "report --cost-per-hour", "entry --cost-per-hour", "rank --cost-per-hour", "compare --tell", "compare --drift",
        "compare --fail-if-slower", "ab --fail-if-slower", "ab --fixed-work", "stalls --epochs", "ablate --idle",
        "choose-epochs --success", "check-trainer --target", "check-trainer --seed",
    } <= named  # fmt: skip


@pytest.mark.parametrize(("words", "option"), NUMERIC)
@pytest.mark.parametrize("typed", ["3,06", "$3.06"])
def test_every_number_is_refused_in_a_sentence_with_an_example(
    words: tuple[str, ...], option: click.Option, typed: str, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    flag = option.opts[0]
    assert main([*words, *ARGUMENTS.get(words[0], ()), flag, typed]) == 2
    _, err = capfd.readouterr()
    assert err.startswith(f"bench: {flag} '{typed}' is not a ")
    assert f", such as {flag} " in err
    assert err.count("\n") == 1

    if isinstance(option.envvar, str):
        monkeypatch.setenv(option.envvar, typed)
        assert main([*words, *ARGUMENTS.get(words[0], ())]) == 2
        _, err = capfd.readouterr()
        assert err.startswith(f"bench: {option.envvar}='{typed}' is not a ")
        assert f", such as {option.envvar}=" in err
        assert err.count("\n") == 1


PRICE, COUNT = Number("3.06"), Number("4", 1, 9, unit="threads", whole=True)


@pytest.mark.parametrize(
    ("kind", "typed", "says"),
    [
        (PRICE, "3,06", "'3,06' is not a number. Write it with a point, such as 3.06."),
        (PRICE, "$3.06", "'$3.06' is not a number. Write the number alone, such as 3.06."),
        (PRICE, "3.06 USD", "Write the number alone, such as"),
        (PRICE, "3,06 €", "Write the number alone, with a point, such as"),
        (PRICE, "1,000.50", "Write it without separators"),
        (PRICE, "1 000", "Write it without separators"),
        (PRICE, "1_000", "Write the number alone"),
        (PRICE, "٣.٠٦", "is not a number"),
        (PRICE, "cheap", "Write it in digits"),
        (PRICE, "nan", "Write it in digits"),
        (PRICE, "inf", "Write it in digits"),
        (PRICE, "", "Write it in digits"),
        (PRICE, "0x10", "is not a number"),
        (PRICE, "1e999", "'1e999' is not finite. Type, for example, 3.06."),
        (PERCENT, "94%", "Write the number alone, such as 94.5."),
        (PERCENT, "0", "'0' is not above 0 and at most 100 per cent. Type, for example, 94.5."),
        (PERCENT, "100.1", "is not above 0"),
        (SHARE, "-1%", "is not 0 per cent or more"),
        (SHARE, "2,5%", "Write it with a point, such as 2%."),
        (COUNT, "1.5", "is not a whole number. Write it in digits alone, such as 4."),
        (COUNT, "1,5", "is not a whole number. Write it in digits alone, such as 4."),
        (COUNT, "0", "'0' is not from 1 to 9 threads. Type, for example, 4."),
        (COUNT, "9" * 5000, "is not a whole number"),
    ],
)
def test_what_is_no_number_is_told_by_what_is_wrong_with_it(kind: Number, typed: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        kind.convert(typed, None, None)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("kind", "typed", "number"),
    [(PRICE, " 3.06 ", 3.06), (PRICE, ".5", 0.5), (PRICE, "3.", 3.0), (PRICE, "1e2", 100.0), (PRICE, "+2", 2.0),
     (SHARE, "2%", 2.0), (SHARE, "0.5 %", 0.5), (SHARE, "2", 2.0), (COUNT, "7", 7), (COUNT, 3, 3)],
)  # fmt: skip
def test_a_number_is_read(kind: Number, typed: object, number: float) -> None:
    found = kind.convert(typed, None, None)
    assert (found, type(found)) == (number, type(number))


@given(st.text())
def test_any_text_is_a_finite_number_or_a_sentence(text: str) -> None:
    for kind in (PRICE, PERCENT, SHARE, COUNT):
        with contextlib.suppress(UsageError):
            assert math.isfinite(kind.convert(text, None, None))
