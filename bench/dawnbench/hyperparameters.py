"""The hyperparameters of a recipe under the names of an entry's ``misc``, by group of weights if they differ."""

from __future__ import annotations

from collections.abc import Mapping

#: A recipe's own names and those that most of the 31 published entries use in ``misc``.
_USUAL_NAMES = {
    "name": "recipe",
    "sha256": "recipeSha256",
    "batch": "batchSize",
    "momentum": "momentum",
    "weight_decay": "weightDecay",
    "label_smoothing": "labelSmoothing",
    "steps_per_epoch": "stepsPerEpoch",
    "init": "initialization",
    "pad_mode": "padding",
}
#: Groups of weights in our recipes; each may have its own rate, decay and momentum.
_GROUPS = ("filters", "norms", "head", "whitening_bias")
#: Values that do not apply if the groups have their own.
_OF_A_GROUP = ("momentum", "weight_decay", "learning_rate")


def of(recipe: Mapping[str, object]) -> dict[str, object]:
    """Return the hyperparameters of a recipe's table, under usual names; unknown keys are skipped.

    A recipe with Muon or with groups of weights has ``parameterGroups``, the optimizer, rate, momentum and decay of
    each, and no such values for all of them together.
    """
    groups = _groups(recipe)
    shared = {name: value for name, value in recipe.items() if not (groups and name in _OF_A_GROUP)}
    table = {usual: shared[name] for name, usual in _USUAL_NAMES.items() if name in shared}
    if recipe.get("nesterov"):
        muon = "Muon for the filters, " if recipe.get("muon") else ""
        table = {**table, "optimizer": f"{muon}SGD with Nesterov momentum", "nesterovForm": recipe["nesterov"]}
    if "learning_rate" in shared:
        table["learningRate"] = _schedule(recipe["learning_rate"])
    return {**table, "parameterGroups": groups} if groups else table


def _groups(recipe: Mapping[str, object]) -> dict[str, object]:
    muon, groups = recipe.get("muon"), recipe.get("groups")
    if not (muon or groups):
        return {}
    whitening = recipe.get("whitening")
    biased = isinstance(whitening, Mapping) and bool(whitening.get("bias"))
    return {
        name: _muon(recipe, muon)
        if name == "filters" and isinstance(muon, Mapping)
        else _sgd(recipe, groups.get(name) if isinstance(groups, Mapping) else None)
        for name in _GROUPS
        if biased or name != "whitening_bias"
    }


def _muon(recipe: Mapping[str, object], muon: Mapping[str, object]) -> dict[str, object]:
    return {
        "optimizer": "Muon",
        "learningRate": _schedule(recipe.get("learning_rate"), muon.get("rate")),
        "momentum": muon.get("momentum"),
        "weightDecay": muon.get("weight_decay"),
        "weightDecayForm": "decoupled",
        "newtonSchulzIterations": muon.get("iterations"),
        "newtonSchulzCoefficients": muon.get("coefficients"),
        "renormalise": muon.get("renormalise"),
    }


def _sgd(recipe: Mapping[str, object], group: object) -> dict[str, object]:
    values = group if isinstance(group, Mapping) else {}
    learning_rate, until = recipe.get("learning_rate"), values.get("until_epochs")
    table = {
        "optimizer": "SGD with Nesterov momentum",
        "learningRate": _schedule(learning_rate, values.get("rate_factor", 1.0)),
        **{
            usual: recipe.get(name) if values.get(name) is None else values[name]
            for name, usual in (("momentum", "momentum"), ("weight_decay", "weightDecay"))
        },
        "weightDecayForm": recipe.get("decay", "coupled"),
    }
    if until is not None:
        how = ", the rate falling from its first value to 0 in a line" if values.get("fade") else ""
        table["trained"] = f"until epoch {until}{how}, then frozen"
    return table


def _schedule(learning_rate: object, factor: object = 1.0) -> object:
    """A piecewise linear schedule in the shape of the published entries: a type, epochs and values, each value times
    ``factor``.
    """
    knots = learning_rate.get("knots") if isinstance(learning_rate, Mapping) else None
    if not isinstance(knots, (list, tuple)) or not all(
        isinstance(knot, (list, tuple)) and len(knot) == 2 for knot in knots
    ):
        return learning_rate
    assert isinstance(learning_rate, Mapping)
    between = {"line": "linear", "cosine": "cosine", "stair": "constant"}[str(learning_rate.get("between", "line"))]
    times = {"epoch": "epochs", "step": "steps", "run": "sharesOfTheRun"}[str(learning_rate.get("unit", "epoch"))]
    return {
        "type": f"piecewise {between}, per {learning_rate.get('per', 'epoch')}",
        times: [when for when, _ in knots],
        "values": [_times(value, factor) for _, value in knots],
    }


def _times(value: object, factor: object) -> object:
    """Return a product without float rounding; other values unchanged."""
    if isinstance(value, (int, float)) and isinstance(factor, (int, float)) and factor != 1:
        return float(f"{value * factor:.12g}")
    return value
