"""Learning rates and the other columns of the table of controls, against what the originals compute."""

import dataclasses
import math

import numpy as np
import pytest

from resnet9 import recipe as recipes
from resnet9.optim.schedule import CONTROLS, controls, frozen_after, learning_rates
from resnet9.recipe import GROUPS, Average, Cutmix, Muon
from tests.resnet9.narrow import knots

CIFAR = 50_000


def rates_of(name):
    return learning_rates(recipes.load(name), CIFAR)


def column(recipe, name):
    return controls(recipe, CIFAR)[:, CONTROLS.index(name)]


def page(peak, *epochs_and_rates):
    """cifar10-fast: step s = 1, 2, ... takes np.interp at s / 97."""
    epochs, rates = np.array(epochs_and_rates).T
    return np.interp((np.arange(97 * epochs[-1]) + 1) / 97, epochs, rates * peak)


def air(total, peak, warm, start, end):
    """airbench: step s = 0, 1, ...; start to 1 over ``warm`` steps, then to ``end`` at step ``total``."""
    return [
        peak * (start + (1 - start) * s / warm if s < warm else 1 - (1 - end) * (s - warm) / (total - warm))
        for s in range(total)
    ]


ORIGINALS = {
    "page24": page(0.4, (0, 0), (5, 1), (24, 0)),
    "plain24": page(0.6, (0, 1 / 6), (4.8, 1), (24, 0)),
    "page13": page(1.0, (0, 0), (2.6, 1), (11, 0.1), (13, 0.1)),
    "page10": page(1.0, (0, 0), (2, 1), (8, 0.1), (10, 0.1)),
    "resnet9": page(1.0, (0, 0), (2, 1), (10, 0.1), (12, 0.1)),
    "air-clean": air(500, 1.27378, 100, 0.2, 0.0),
    "air94": air(476, 1.5, 109, 0.2, 0.07),
    "air93": air(528, 1.5, 121, 0.2, 0.07),
    "air95": air(720, 1.304348, 165, 0.2, 0.07),
    "air96": air(1776, 1.173913, 177, 0.2, 0.0),
    "air94-muon": [1 - s / 200 for s in range(200)],
    "hive": [1 - s / 243 for s in range(243)],
    "speedrun": [1 - s / 352 for s in range(352)],
    "hlb12": [1.525 * (s / 132.63 if s < 132.63 else 1 - 0.93 * (s - 132.63) / (580 - 132.63)) for s in range(581)],
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_every_step_has_the_rate_of_the_original(name):
    rates = rates_of(name)
    assert rates.dtype == np.float32
    np.testing.assert_allclose(rates, ORIGINALS[name], rtol=1e-5, atol=1e-7)


def test_page24_rises_to_its_peak_at_epoch_5_and_ends_at_exactly_0():
    rates = rates_of("page24")
    assert len(rates) == 2328 and rates[0] == pytest.approx(0.4 / 485)
    assert rates[5 * 97 - 1] == pytest.approx(0.4) and rates.argmax() == 5 * 97 - 1 and rates[-1] == 0


def test_keras24_holds_its_rate_through_an_epoch():
    rates = rates_of("keras24").reshape(24, 97)
    assert (rates == rates[:, :1]).all()
    expected = [*np.linspace(0.08, 0.4, 5), *np.linspace(0.4, 0.007, 20)[1:]]
    np.testing.assert_allclose(rates[:, 0], expected, rtol=1e-5)


def short(epochs=4, **changes):
    return dataclasses.replace(recipes.load("page24"), batch=12_500, epochs=epochs, **changes)


def test_a_fractional_number_of_epochs_ends_inside_the_last_one():
    assert len(learning_rates(dataclasses.replace(recipes.load("page24"), epochs=9.9), CIFAR)) == 961  # ceil(9.9 * 97)


def test_before_the_first_knot_and_after_the_last_the_rate_stays():
    rates = learning_rates(short(learning_rate=knots((1, 0.2), (3, 0.1))), CIFAR)
    assert rates[0] == pytest.approx(0.2) and rates[-1] == pytest.approx(0.1)


def test_a_stair_keeps_the_rate_of_the_knot_before():
    stair = knots((0, 0.4), (4, 0.04), (8, 0.004), unit="step", first=0, between="stair")
    rates = learning_rates(short(learning_rate=stair), CIFAR)
    np.testing.assert_allclose(rates, [0.4] * 4 + [0.04] * 4 + [0.004] * 8, rtol=1e-6)


def test_half_a_cosine_leaves_one_knot_and_meets_the_next_level():
    cosine = knots((0, 0.1), (4, 0.5), (16, 0.0), unit="step", first=0, between="cosine")
    rates = learning_rates(short(learning_rate=cosine), CIFAR)
    rise = [0.3 - 0.2 * math.cos(math.pi * s / 4) for s in range(4)]
    fall = [0.25 + 0.25 * math.cos(math.pi * s / 12) for s in range(12)]
    np.testing.assert_allclose(rates, [*rise, *fall], rtol=1e-5)


@pytest.mark.parametrize("between", ["line", "cosine", "stair"])
def test_a_single_knot_is_a_constant_rate(between):
    assert set(learning_rates(short(learning_rate=knots((2, 0.25), between=between)), CIFAR)) == {np.float32(0.25)}


def test_a_share_of_the_run_counts_steps_whatever_the_epochs():
    line = knots((0, 0.0), (0.25, 1.0), (1, 0.0), unit="run")
    np.testing.assert_allclose(
        learning_rates(short(learning_rate=line), CIFAR), np.interp(np.arange(1, 17), [0, 4, 16], [0, 1, 0]), rtol=1e-6
    )


FACTORS = {
    "page24": {"filters": 1, "norms": 1, "head": 1},
    "page13": {"filters": 1, "norms": 64, "head": 1},
    "air94": {"filters": 1, "norms": 64, "head": 1},
    "air94-muon": {"filters": 0.24, "norms": 106, "head": 1340},
    "hive": {"filters": 0.205, "norms": 88.01, "head": 831.7},
}


@pytest.mark.parametrize("name", FACTORS)
def test_every_group_has_the_rate_times_its_own_factor(name):
    recipe = recipes.load(name)
    for group, factor in FACTORS[name].items():
        np.testing.assert_allclose(column(recipe, group), factor * rates_of(name), rtol=1e-5)


def test_decay_of_the_norms_times_their_rate_is_that_of_the_weights():
    for name in ("page13", "air-clean", "air94", "hlb12", "air95", "air96"):
        recipe = recipes.load(name)
        norms = recipe.group("norms")
        assert norms.rate_factor * norms.weight_decay == pytest.approx(recipe.weight_decay, rel=1e-4)


@pytest.mark.parametrize("name, steps", [("air94", 144), ("air94-muon", 75), ("hive", 7), ("air-clean", 500)])
def test_the_whitening_bias_is_trained_as_long_as_in_the_original(name, steps):
    assert frozen_after(recipes.load(name), CIFAR) == steps


@pytest.mark.parametrize("name", ["page24", "page13", "hlb12"])
def test_without_a_whitening_bias_no_step_trains_one(name):
    assert frozen_after(recipes.load(name), CIFAR) == 0


def test_the_rate_of_the_whitening_bias_ends_where_it_freezes():
    air94, muon = column(recipes.load("air94"), "whitening_bias"), column(recipes.load("air94-muon"), "whitening_bias")
    np.testing.assert_allclose(air94, np.where(np.arange(476) < 144, rates_of("air94"), 0))
    np.testing.assert_allclose(muon, [106 * max(0, 1 - s / 75) for s in range(200)], rtol=1e-5, atol=1e-4)


def test_airbench_scales_its_kernels_at_every_step():
    assert column(recipes.load("air94-muon"), "renormalise").tolist() == [1.0] * 200


def test_hiverge_scales_its_kernels_ever_more_rarely():
    """Where the last time was at least 2 + int(15 s / T) steps ago."""
    expected, last = [], 0
    for step in range(1, 244):
        due = step - last >= 2 + int(15 * step / 243)
        last = step if due else last
        expected.append(float(due))
    found = column(recipes.load("hive"), "renormalise")
    assert found.tolist() == expected
    gaps = np.diff(np.flatnonzero(found))
    assert gaps[0] == 2 and gaps[-1] >= 13 and (np.diff(gaps) >= 0).all()


def test_what_a_recipe_lacks_is_off_at_every_step():
    table = controls(recipes.load("page24"), CIFAR)
    assert table.shape == (2328, len(CONTROLS)) and table.dtype == np.float32
    assert (table[:, len(GROUPS) :] == 0).all() and (column(recipes.load("page24"), "whitening_bias") == 0).all()


def test_cutmix_begins_with_its_epoch_counted_from_0():
    mixing = column(recipes.load("hlb12"), "cutmix")
    assert mixing.tolist() == [0.0] * (7 * 48) + [1.0] * (581 - 7 * 48)
    assert column(short(cutmix=Cutmix(3)), "cutmix").tolist() == [1.0] * 16


def test_an_average_keeps_all_of_itself_between_its_moves():
    recipe = short(average=Average(every=4, decay=0.5, power=1, copy_back=True), muon=Muon(0.1, 0.5))
    expected = [1.0 if s % 4 else 0.5 * s / 16 for s in range(1, 17)]
    np.testing.assert_allclose(column(recipe, "average_keep"), expected)
    assert column(recipe, "average_copy").tolist() == [float(s % 4 == 0) for s in range(1, 17)]
    judged = dataclasses.replace(recipe, average=Average(every=4, decay=0.5))
    assert column(judged, "average_copy").tolist() == [0.0] * 16


@pytest.mark.parametrize("copy_back", [False, True])
def test_an_average_that_a_run_is_too_short_for_follows_the_net(copy_back):
    """Else the weights the run began with would be judged."""
    average = Average(every=5, decay=0.9, first=971, copy_back=copy_back)
    table = controls(dataclasses.replace(recipes.load("page10"), average=average), CIFAR)
    assert not table[:, CONTROLS.index("average_keep")].any() and not table[:, CONTROLS.index("average_copy")].any()


def test_a_fraction_of_epochs_makes_no_step_of_its_rounding():
    recipe = recipes.load("air-clean")
    assert [dataclasses.replace(recipe, epochs=e).total_steps(50_000) for e in (1.1, 2.2, 8.3)] == [55, 110, 415]
