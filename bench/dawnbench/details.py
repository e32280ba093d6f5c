"""The facts of a run that an entry gives next to its score, under the names used in the board's reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.dawnbench import hyperparameters
from bench.dawnbench.pair import TARGET_PERCENT
from bench.record.model import PLAIN

CANONICAL, UNVERIFIED, SYNTHETIC = "canonical", "unverified", "synthetic"
#: The beginning of `testTimeAugmentation` without augmentation.
NO_AUGMENTATION = "none"
_UNVERIFIED_NOTE = (
    "The dataset has the shapes and class counts of CIFAR-10; that it is the official archive was not verified."
)


@dataclass(frozen=True)
class Facts:
    """A run and how it was selected, as plain values; None is unknown.

    ``framework`` is a name and a version; ``recipe`` a recipe's table under its own names; ``clock`` the label of the
    clock of the times; ``selection`` the rule that chose this ``seed`` among the ``reached_runs`` of the
    ``planned_runs``; ``wall_seconds`` the wall clock from process start to the evaluation that reached the target;
    ``view`` is that of the evaluation that counts on the board, ``last_view`` of the last row, and ``plain_percent``
    the accuracy of the former without test-time augmentation; ``more`` goes to ``misc`` as it is.
    """

    framework: str
    dataset_state: str
    clock: str
    seed: int
    selection: str
    recipe: Mapping[str, object] = field(default_factory=dict)
    model: str = "ResNet9"
    dataset_sha256: str | None = None
    precision: str | None = None
    cuda_version: str | None = None
    cudnn_version: str | None = None
    commit: str | None = None
    command_line: str | None = None
    wall_seconds: float | None = None
    planned_runs: int | None = None
    reached_runs: int | None = None
    view: str | None = None
    last_view: str | None = None
    plain_percent: float | None = None
    more: Mapping[str, object] = field(default_factory=dict)


def misc(facts: Facts) -> dict[str, object]:
    """Return the ``misc`` object of an entry: the recipe, libraries, method and machine."""
    fields: dict[str, object] = {
        **facts.more,
        **hyperparameters.of(facts.recipe),
        "testTimeAugmentation": _augmentation(facts),
        "plainTop1Accuracy": facts.plain_percent,
        "CUDA version": facts.cuda_version,
        "CuDNN version": facts.cudnn_version,
        "precision": facts.precision,
        "commandLine": facts.command_line,
        "commitHash": facts.commit,
        "clock": facts.clock,
        "wallClockSeconds": facts.wall_seconds,
        "runSelection": facts.selection,
        "runsPlanned": facts.planned_runs,
        "runsReached": facts.reached_runs,
        "seed": facts.seed,
        "datasetState": facts.dataset_state,
        "datasetSha256": facts.dataset_sha256,
        "datasetNote": _UNVERIFIED_NOTE if facts.dataset_state == UNVERIFIED else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _augmentation(facts: Facts) -> str | None:
    """Return how accuracy was measured with test-time augmentation; None if unknown."""
    if facts.view == PLAIN and facts.last_view not in (None, PLAIN):
        return (
            f"{NO_AUGMENTATION} where {TARGET_PERCENT} % was reached, {_views(facts, facts.last_view)} at the last row"
        )
    return None if facts.view is None else _views(facts, facts.view)


def _views(facts: Facts, view: str | None) -> str:
    if view == PLAIN:
        return NO_AUGMENTATION
    share = facts.recipe.get("views_share") if facts.recipe.get("views") == view else None
    of_all = f" of {share:.0%} of the test images" if isinstance(share, (int, float)) else ""
    return f"{view} views{of_all}"
