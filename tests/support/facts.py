"""The facts of made-up campaigns, for tests of what they say by id, value and level."""

from __future__ import annotations

from collections.abc import Sequence

from bench.record import Record
from bench.report.campaign_files import campaign_tables
from bench.report.facts import Fact
from bench.report.facts.campaign import CampaignFacts, of_campaign
from bench.rules import with_verdict
from tests.support.records import Run


def facts_of(
    *runs: Run | Record, plan: Sequence[int] = (), cost_per_hour: float | None = None, notes: Sequence[str] = ()
) -> CampaignFacts:
    """The facts of these runs."""
    records = [with_verdict(each.record() if isinstance(each, Run) else each) for each in runs]
    return of_campaign(records, campaign_tables(records, plan, cost_per_hour), "page24 on a CPU", notes)


def by_id(*runs: Run | Record, configuration: int = 0, **more: object) -> dict[str, Fact]:
    """The facts of one configuration of these runs, the costs and the notes, by id."""
    facts = facts_of(*runs, **more)  # type: ignore[arg-type]
    return {each.id: each for each in (*facts.configurations[configuration].facts, *facts.costs, *facts.notes)}
