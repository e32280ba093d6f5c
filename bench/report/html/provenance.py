"""Where a page's numbers come from, and what to type to make them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.record import Record, StoredCampaign
from bench.record.clocks import CLOCKS
from bench.report.html.headline import Said
from bench.rules import RULES

if TYPE_CHECKING:
    from bench.analysis.comparison import Comparison

_UNKNOWN = "not known"


def name(campaign: StoredCampaign, records: Sequence[Record]) -> str:
    """A campaign by its recipe and device."""
    run = next((each for each in records if each.device.get("name")), None)
    device = run.device["name"] if run else campaign.configuration.get("device", "?")
    return f"{campaign.configuration.get('recipe', '?')} on {device}"


def of_campaign(campaign: StoredCampaign, records: Sequence[Record]) -> tuple[Said, ...]:
    """Commit, image, versions, dates and the commands, of a campaign."""
    # The folder's name alone: where it lies is nobody's business.
    folder = campaign.path.absolute().name
    said = [
        Said("Campaign", folder),
        Said("Created", campaign.created_utc or _UNKNOWN),
        *_software(records),
        Said("To run it again", command(campaign, records)),
        Said("To make this page again", f"make report OUT={shlex.quote(f'results/{folder}')}"),
    ]
    return tuple(said)


def of_comparison(comparison: Comparison) -> tuple[Said, ...]:
    """What the sides of a comparison were made with: once where they agree, else each for itself."""
    told = [tuple(_software(side.records)) for side in comparison.sides]
    said = []
    for facts in zip(*told, strict=True):
        if len(set(facts)) == 1:
            said.append(facts[0])
        else:
            named = zip(comparison.sides, facts, strict=True)
            said += [Said(f"{fact.label}, {side.name}", fact.sentence) for side, fact in named]
    return tuple(said)


def command(campaign: StoredCampaign, records: Sequence[Record]) -> str:
    """What to type to run such a campaign again, as far as its file tells."""
    asked = campaign.configuration
    seeds = campaign.seeds
    count = seeds == tuple(range(len(seeds)))
    run = next((each for each in records if each.device.get("kind")), None)
    kind = run.device["kind"] if run else ("cpu" if asked.get("device") == "cpu" else None)
    words: dict[str, Any] = {}
    if asked.get("trainer", "resnet9") == "resnet9":
        words["RECIPE"] = asked.get("recipe")
        words["INPUT"], words["PRECISION"] = asked.get("input"), asked.get("precision")
        words["DATA"] = "synthetic" if asked.get("dataset") == "synthetic" else None
    else:
        words["TRAINER"], words["TARGET"] = asked.get("trainer"), asked.get("target_percent")
    words["SEEDS"] = len(seeds) if count else ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
    words["DEVICE"] = kind
    given = (f"{key}={shlex.quote(_plain(value))}" for key, value in words.items() if value not in (None, "", "auto"))
    return " ".join(("make bench", *given))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _software(records: Sequence[Record]) -> Iterator[Said]:
    """What the runs were made with, each fact once with every value it had."""
    yield Said("Commit", _values(_commit(each) for each in records))
    yield Said("Image", _values(str(each.fingerprint.get("image") or "none, a native run") for each in records))
    yield Said("Trainer", _values(each.trainer or _UNKNOWN for each in records))
    yield Said("Framework", _values(each.framework or _UNKNOWN for each in records))
    yield Said("Dataset", _values(_dataset(each) for each in records))
    judged = _values(str(each.verdict.rules) for each in records if each.verdict)
    yield Said("Rules", f"version {judged if judged != _UNKNOWN else RULES}")
    yield Said("Clocks", ", ".join(clock.label for clock in CLOCKS.values()))


def _commit(record: Record) -> str:
    commit = record.fingerprint.get("git.commit")
    dirty = " with uncommitted changes" if record.fingerprint.get("git.dirty") else ""
    return f"{commit}{dirty}" if commit else _UNKNOWN


def _dataset(record: Record) -> str:
    parts = [record.dataset.get(key) for key in ("name", "state", "sha256")]
    return ", ".join(dict.fromkeys(str(each) for each in parts if each)) or _UNKNOWN


def _values(values: Iterator[str] | Any) -> str:
    return "; ".join(dict.fromkeys(values)) or _UNKNOWN
