"""Runs of several campaigns made in turn: what the commands share that compare them, so that all do it alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from bench.campaign import campaign as campaigns
from bench.campaign.outcomes import finished, raise_for_outcome
from bench.campaign.runner import Runner
from bench.launch.conditions import WarmUp
from bench.report.ablation import counted
from bench.system.paths import display_path

if TYPE_CHECKING:
    from bench.campaign.campaign import Campaign, Ending
    from bench.campaign.dataset import Data
    from bench.campaign.plan import Plan
    from bench.launch.launch import Outcome

#: A campaign by name, and a seed; or a run before those that count.
Turn = tuple[str, int] | WarmUp


class Interleavable(Protocol):
    """A folder with several campaigns, by name, and the runs that are left in it."""

    @property
    def folder(self) -> Path: ...

    @property
    def campaigns(self) -> Mapping[str, Campaign]: ...

    def left(self) -> tuple[tuple[str, int], ...]:
        """The runs still to be made, in the order to make them."""


@dataclass(frozen=True)
class InterleavedRuns:
    """Campaigns whose runs are made in turn, with the plan of each by name.

    ``warmed`` are those that a warm-up run is made of first. ``called`` says what each is called in a sentence and
    ``titled`` in the line before its runs, where that is not its name; ``all_needed`` is that of
    ``bench.campaign.campaign.run``.
    """

    made: Interleavable
    plans: Mapping[str, Plan]
    data: Data
    warmed: tuple[str, ...]
    called: Mapping[str, str] = field(default_factory=dict)
    titled: Mapping[str, str] = field(default_factory=dict)
    all_needed: bool = False

    def take(
        self, runner: Runner, finish: Callable[[], None], after_each: Callable[[], None] = lambda: None
    ) -> Ending[Turn]:
        """Make the runs that are left; ``finish`` then writes what they gave (``_runs.finished``)."""
        left = self.made.left()
        protocol = self.made.campaigns[self.warmed[0]].protocol
        how = f"; {protocol.sentence('each side' if len(self.warmed) > 1 else '')}" if left else ""
        runner.display.say(f"{self._introduction(len(left))}{how}")

        def make_run(run: Turn) -> Outcome:
            if isinstance(run, WarmUp):
                return runner.make(self.made.campaigns[run.campaign], self.plans[run.campaign], self.data, run)
            name, seed = run
            title = f"{self._title(name)}, seed {seed} (run {left.index(run) + 1} of {len(left)})"
            outcome = runner.make(self.made.campaigns[name], self.plans[name], self.data, seed, title)
            after_each()
            # Ended by us after enough epochs, which is all that was wanted of it.
            return replace(outcome, status="done") if outcome.status == "cut_short" else outcome

        warm_ups = [each for name in self.warmed for each in campaigns.warm_ups(protocol, left, name)]
        with finished(finish):
            return campaigns.run([*warm_ups, *left], make_run, _campaign_of, all_needed=self.all_needed)

    def conclude(self, ending: Ending[Turn]) -> int:
        """Say where the results are, or why runs were stopped: the exit code. Raises what failed ones were."""
        place = display_path(self.made.folder)
        if not ending.exit_code:
            click.echo(f"The table, its records and logs are in {place}.")
            return 0
        left = counted(len(self.made.left()), "run")
        kept = f"What is finished is kept in {place}; the same command again makes the {left} left."
        named = {self._name(run): outcome for run, outcome in ending.outcomes.items()}
        code, sentence = raise_for_outcome(campaigns.Ending(ending.exit_code, named), kept, str)
        click.echo(sentence, err=True)
        return code

    def _introduction(self, left: int) -> str:

        total = sum(len(each.seeds) for each in self.made.campaigns.values())
        folder = display_path(self.made.folder)
        if left == total:
            return f"{counted(left, 'run')} into {folder}"
        return f"continuing {folder}: {counted(total - left, 'run')} kept, {left} to run"

    def _name(self, run: Turn) -> str:
        campaign = _campaign_of(run)
        called = self.called.get(campaign, campaign)
        if isinstance(run, WarmUp):
            return f"{called}, {run}" if len(self.warmed) > 1 else str(run)
        return f"{called}, seed {run[1]}"

    def _title(self, name: str) -> str:
        return self.titled.get(name) or self.called.get(name, name)


def _campaign_of(run: Turn) -> str:
    return run.campaign if isinstance(run, WarmUp) else run[0]
