"""Where a page's numbers come from, and the commands that reproduce them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.record import Record, StoredCampaign
from bench.record.clocks import CLOCKS
from bench.report.facts import Fact
from bench.rules import RULES

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison

_UNKNOWN = "unknown"


def name(campaign: StoredCampaign, records: Sequence[Record]) -> str:
    """Return a campaign's recipe and device."""
    run = next((each for each in records if each.device.get("name")), None)
    device = run.device["name"] if run else campaign.configuration.device
    return f"{campaign.configuration.recipe} on {device}"


def of_campaign(campaign: StoredCampaign, records: Sequence[Record]) -> tuple[Fact, ...]:
    """Return commit, image, versions, dates and commands of a campaign."""
    # The name of the folder only: its path is private.
    folder = campaign.folder.absolute().name
    return (
        _fact("Campaign", folder),
        _fact("Created", campaign.created_utc or _UNKNOWN),
        *_software(records),
        _fact("Run it again", command(campaign, records)),
        _fact("Rebuild this page", f"make report OUT={shlex.quote(f'results/{folder}')}"),
    )


def of_comparison(comparison: Comparison) -> tuple[Fact, ...]:
    """Return the software of a comparison's sides: once where they agree, else for each side."""
    software = [tuple(_software(side.records)) for side in comparison.sides]
    found: list[Fact] = []
    for facts in zip(*software, strict=True):
        if len(set(facts)) == 1:
            found.append(facts[0])
        else:
            named = zip(comparison.sides, facts, strict=True)
            found += [_fact(f"{fact.label}, {side.name}", fact.value) for side, fact in named]
    return tuple(found)


def command(campaign: StoredCampaign, records: Sequence[Record]) -> str:
    """Return the command that runs such a campaign again, as far as its file says."""
    configuration = campaign.configuration
    seeds = campaign.seeds
    count = seeds == tuple(range(len(seeds)))
    run = next((each for each in records if each.device.get("kind")), None)
    kind = run.device["kind"] if run else ("cpu" if configuration.device == "cpu" else None)
    words: dict[str, Any] = {}
    if configuration.trainer == "resnet9":
        words["RECIPE"] = configuration.recipe
        words["INPUT"], words["PRECISION"] = configuration.input, configuration.precision
        words["DATA"] = "synthetic" if configuration.dataset == "synthetic" else None
    else:
        words["TRAINER"], words["TARGET"] = configuration.trainer, configuration.target_percent
    words["SEEDS"] = len(seeds) if count else ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
    words["DEVICE"] = kind
    given = (f"{key}={shlex.quote(_plain(value))}" for key, value in words.items() if value not in (None, "", "auto"))
    return " ".join(("make bench", *given))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _software(records: Sequence[Record]) -> Iterator[Fact]:
    yield _fact("Commit", _values(_commit(each) for each in records))
    yield _fact("Image", _values(str(each.fingerprint.get("image") or "none (native run)") for each in records))
    yield _fact("Trainer", _values(each.trainer or _UNKNOWN for each in records))
    yield _fact("Framework", _values(each.framework or _UNKNOWN for each in records))
    yield _fact("Dataset", _values(_dataset(each) for each in records))
    rules = _values(str(each.verdict.rules) for each in records if each.verdict)
    yield _fact("Rules", f"version {rules if rules != _UNKNOWN else RULES}")
    yield _fact("Clocks", ", ".join(clock.label for clock in CLOCKS.values()))


def _commit(record: Record) -> str:
    commit = record.fingerprint.get("git.commit")
    dirty = " with uncommitted changes" if record.fingerprint.get("git.dirty") else ""
    return f"{commit}{dirty}" if commit else _UNKNOWN


def _dataset(record: Record) -> str:
    parts = [record.dataset.get(key) for key in ("name", "state", "sha256")]
    return ", ".join(dict.fromkeys(str(each) for each in parts if each)) or _UNKNOWN


def _fact(label: str, value: str) -> Fact:
    return Fact("provenance", label, value)


def _values(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or _UNKNOWN
