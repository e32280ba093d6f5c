from __future__ import annotations

import pytest

from resnet9 import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.RecipeError, 2),
        (errors.DataError, 3),
        (errors.EnvironmentProblem, 4),
        (errors.TrainingFailed, 5),
        (errors.TrainerError, 5),
    ],
)
def test_each_error_has_the_exit_code_of_its_kind(kind, code):
    assert kind("x").exit_code == code
    assert isinstance(kind("x"), errors.TrainerError)


def test_message_and_hint_read_as_one_sentence():
    assert str(errors.DataError("No data at x", "type `make data`")) == "No data at x; type `make data`"
    assert str(errors.DataError("No data at x")) == "No data at x"


def test_an_error_is_one_printable_line_whatever_it_quotes():
    error = errors.DataError("bad\r\nreason \x1b[2J \udcff é", "a\nb")
    assert error.message == "bad  reason  [2J   é"
    assert error.hint == "a b"
    str(error).encode("utf-8")
