"""An A/B in words, before anything runs: what differs between its sides, what is timed, and what that cannot answer."""

from __future__ import annotations

from bench.record.experiment import StoredAB

ALIKE = "A and B are alike: this measures the method."
#: What a side has that was told nothing.
NOTHING = "nothing of its own"
STAND_IN = "The built-in stand-in checks the harness; which side trains it faster says nothing about CIFAR-10."


def plan(stored: StoredAB) -> list[str]:
    """Lines to print before anything runs."""
    differs = f"A has {_own(stored.a.words)}; B has {_own(stored.b.words)}. All else is the same."
    pairs = "1 pair" if len(stored.seeds) == 1 else f"{len(stored.seeds)} pairs"
    lines = [
        ALIKE if stored.alike else differs,
        f"{stored.recipe}: {pairs} of runs of one seed, in the order A B B A, so that drift of the machine is no "
        f"difference; {timed(stored)}.",
    ]
    return [*lines, STAND_IN] if stored.dataset == "synthetic" else lines


def timed(stored: StoredAB) -> str:
    """What is compared of each run, in a clause."""
    if stored.epochs is None:
        return "compared is the training time of the whole schedule, whether or not it reaches the target"
    if not stored.left_out:
        return "each run is ended after its first epoch, whose first-use costs are part of the training time compared"
    last = f"epoch {stored.epochs}" if stored.epochs == 2 else f"epochs 2 to {stored.epochs}"
    ended = f"each run is ended after {stored.epochs} epochs"
    return f"{ended}, and the training time of {last} is compared, as the first has first-use costs"


def _own(words: str) -> str:
    return words or NOTHING
