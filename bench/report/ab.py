"""An A/B as text, before anything runs: what differs between its sides, what is timed, what that cannot answer."""

from __future__ import annotations

from bench.record.experiment import StoredAB
from bench.report.text import counted

ALIKE = "A and B are alike: this measures the method."
NOTHING = "nothing of its own"
STAND_IN = "The built-in stand-in checks the harness; which side trains it faster says nothing about CIFAR-10."


def plan(stored: StoredAB) -> list[str]:
    """Return lines to print before anything runs."""
    differs = f"A has {stored.a.words or NOTHING}; B has {stored.b.words or NOTHING}. All else is the same."
    lines = [
        ALIKE if stored.alike else differs,
        f"{stored.recipe}: {counted(len(stored.seeds), 'pair')} of runs of one seed, in the order A B B A, so that "
        f"drift of the machine is no difference; {timed(stored)}.",
    ]
    return [*lines, STAND_IN] if stored.dataset == "synthetic" else lines


def timed(stored: StoredAB) -> str:
    """Return what is compared of each run, in a clause."""
    if stored.epochs is None:
        return "compared is the training time of the whole schedule, whether or not it reaches the target"
    if not stored.left_out:
        return "each run is ended after its first epoch, whose first-use costs are part of the training time compared"
    last = f"epoch {stored.epochs}" if stored.epochs == 2 else f"epochs 2 to {stored.epochs}"
    ended = f"each run is ended after {stored.epochs} epochs"
    return f"{ended}, and the training time of {last} is compared, as the first has first-use costs"
