import dataclasses

import numpy as np
import pytest

from resnet9 import recipe as recipes
from resnet9.schedule import learning_rates
from tests.resnet9.narrow import knots

CIFAR = 50_000


def test_page24_rises_to_its_peak_at_epoch_5_and_ends_at_exactly_0():
    rates = learning_rates(recipes.load("page24"), CIFAR)
    assert len(rates) == 2328 and rates.dtype == np.float32
    assert rates[0] == pytest.approx(0.4 / 485)
    assert rates[5 * 97 - 1] == pytest.approx(0.4) and rates.argmax() == 5 * 97 - 1
    assert rates[-1] == 0
    assert rates[10 * 97 - 1] == pytest.approx(0.4 * 14 / 19)


def test_keras24_holds_its_rate_through_an_epoch():
    rates = learning_rates(recipes.load("keras24"), CIFAR).reshape(24, 97)
    assert (rates == rates[:, :1]).all()
    by_epoch = rates[:, 0]
    assert (
        by_epoch[0] == pytest.approx(0.08)
        and by_epoch[4] == pytest.approx(0.4)
        and by_epoch[23] == pytest.approx(0.007)
    )
    assert by_epoch[1] == pytest.approx(0.16)
    assert by_epoch[5] == pytest.approx(0.4 - (0.4 - 0.007) / 19)


def test_a_fractional_number_of_epochs_ends_inside_the_last_one():
    recipe = dataclasses.replace(recipes.load("page24"), epochs=9.9)
    assert len(learning_rates(recipe, CIFAR)) == 961  # ceil(9.9 * 97)


def test_before_the_first_knot_and_after_the_last_the_rate_stays():
    recipe = dataclasses.replace(recipes.load("page24"), epochs=4, learning_rate=knots((1, 0.2), (3, 0.1)))
    rates = learning_rates(recipe, CIFAR)
    assert rates[0] == pytest.approx(0.2) and rates[-1] == pytest.approx(0.1)
