"""The DAWNBench pair of a campaign: of its median successful run."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.dawnbench import claims as claiming
from bench.dawnbench import entry
from bench.dawnbench.details import Facts
from bench.dawnbench.pair import TARGET_PERCENT
from bench.errors import Refused, UsageError, one_line
from bench.record import Evaluation, Record, StoredCampaign
from bench.record.clocks import CLOCKS, HEADLINE, cumulative_seconds, to_target_seconds
from bench.record.hello import is_ours
from bench.rules import with_verdict
from bench.rules.data import is_control
from bench.rules.image import not_publishable

if TYPE_CHECKING:
    from bench.record.claims import Claims

#: The nets of the recipes, as a board's reader knows them.
MODELS = {"resnet9": "ResNet9", "plain8": "Plain8", "air": "airbench CNN"}


def _pair_command(record: Record, shown_folder: str, lacking: Sequence[str]) -> str:
    values = " ".join(lacking)
    if record.dataset.get("state") == "unverified":
        return f"{values} .venv/bin/python -m bench entry {shown_folder} --allow-unverified-data"
    return f"make report OUT={shown_folder} {values}"


def _one_an_epoch(record: Record) -> list[tuple[Evaluation, float]]:
    """The evaluations of a record with the headline clock at each, one an epoch: of several the one that reached the
    target first, else the one in the recipe's own view.
    """
    kept = {}
    for index, pair in enumerate(zip(record.epochs, cumulative_seconds(HEADLINE, record), strict=True)):
        each = pair[0]
        crossed = record.crossing_index is not None and record.epochs[record.crossing_index].epoch == each.epoch
        wanted = index == record.crossing_index if crossed else each.view == record.recipe.get("view", "plain")
        if wanted or each.epoch not in kept:
            kept[each.epoch] = pair
    return list(kept.values())


def _described(record: Record, recipe: dict[str, Any]) -> dict[str, Any]:
    """Return an entry's description of the trainer, from the recipe's table or a custom trainer's ``hello``.

    Raises Refused if neither names the model.
    """
    name = one_line(str(record.recipe.get("name")))
    model = MODELS.get(str(recipe.get("net")))
    if model is not None:
        return {
            "model": f"{model} ({name})",
            "recipe": {**recipe, **record.recipe},
            "cudnn_version": record.fingerprint.get("package.nvidia-cudnn-cu12"),
        }
    model = record.recipe.get("model")
    if recipe or not isinstance(model, str) or not model.strip():
        raise Refused(
            f"what the recipe {name} was is neither in campaign.json nor in this checkout, and an entry has to state "
            "it",
            "a custom trainer says it with `recipe.model` in its hello",
        )
    # The libraries of this checkout are not those of a custom trainer.
    known = {key: record.recipe[key] for key in ("name", "sha256", "batch", "steps_per_epoch")}
    cudnn_version = record.fingerprint.get("build.cudnn_version")
    return {"model": f"{one_line(model)[:100]} ({name})", "recipe": known, "cudnn_version": cudnn_version}


def _views(record: Record, rows: Sequence[Evaluation]) -> dict[str, Any]:
    """How the accuracy of the row that counts on the board, and of the last, was measured, as ``Facts`` takes it."""
    counts = next(each for each in rows if each.reaches(TARGET_PERCENT))
    plain = record.plain(counts)
    without_views = None if plain is None else float(entry.accuracy(plain.correct, plain.total))
    return {"view": counts.view, "last_view": rows[-1].view, "plain_percent": without_views}


def _code(record: Record) -> tuple[str | None, str]:
    """The commit of the code that trained, and what is against it; the commit of this checkout says nothing about a
    program from elsewhere.
    """
    family = "git" if is_ours(record) and "trainer.commit" not in record.fingerprint else "trainer"
    commit, dirty = (record.fingerprint.get(f"{family}.{key}") for key in ("commit", "dirty"))
    if commit is None:
        return None, "the commit of its code is not known"
    if dirty is None:
        return str(commit), "whether its code had changes that are not committed is not known"
    return str(commit), "its code had changes that are not committed" if dirty else ""


def write_entry(
    folder: Path, campaign: StoredCampaign, claims: Claims, recipe: dict[str, Any], *,
    allow_unverified_data: bool, allow_uncommitted_code: bool,
) -> str:  # fmt: skip
    """Write the pair as ``write_dawnbench`` does, for a command that does nothing else.

    Raises UsageError for a missing claim, Refused if no run reached the target.
    """
    lacking = claiming.missing(author=claims.author, email=claims.email, hardware=claims.hardware)
    if lacking:
        raise UsageError(
            "a DAWNBench entry needs to know more", f"type `make report {' '.join(lacking)}` with your values"
        )
    if campaign.configuration.dataset == "synthetic":
        raise Refused(f"{folder} was trained on the synthetic dataset, which is not a CIFAR-10 result.")
    records = tuple(with_verdict(record) for record in campaign.records)
    if not any(each.reached and each.verdict and each.verdict.level != "invalid" for each in records):
        raise Refused(f"no run in {folder} reached the target with a verdict above invalid.")
    return write_dawnbench(
        folder, records, claims, recipe, str(folder), plan=campaign.seeds,
        allow_unverified_data=allow_unverified_data, allow_uncommitted_code=allow_uncommitted_code,
    )  # fmt: skip


def write_dawnbench(
    folder: Path, records: Sequence[Record], claims: Claims, recipe: dict[str, Any], shown_folder: str, *,
    plan: Collection[int], allow_unverified_data: bool, allow_uncommitted_code: bool = False,
) -> str:  # fmt: skip
    """Write the DAWNBench pair of the median successful run; print the path or what is missing.

    ``recipe`` is the recipe's whole table, empty if unknown; ``plan`` are the planned seeds, with or without a run.
    Raises Refused for a result that may not be published or described: of code with changes or without a known commit,
    unless it is allowed.
    """
    require_planned(records, plan, shown_folder)
    if any(is_control(each) for each in records):
        raise Refused(
            "INPUT=memory repeats the first epoch's batches, so its accuracy does not count", "use INPUT=host"
        )
    counted = [each for each in records if each.status == "done" and each.verdict and each.verdict.level != "invalid"]
    times = {each.seed: to_target_seconds(HEADLINE, each) for each in counted}
    known = {seed: seconds for seed, seconds in times.items() if seed is not None and seconds is not None}
    chosen = entry.choose(known)
    if chosen is None:
        return "No DAWNBench pair: no run that is to be believed reached the target."
    lacking = claiming.missing(author=claims.author, email=claims.email, hardware=claims.hardware)
    record = next(each for each in counted if each.seed == chosen)
    commit, against_code = _code(record)
    if against_code and not allow_uncommitted_code:
        raise Refused(
            f"the result of seed {chosen} is not to be published, as {against_code}",
            "run it in a clone without changes (`make doctor` says what git sees), or type `python -m bench "
            f"entry {shown_folder} --allow-uncommitted-code`, whose entry says so",
        )
    if lacking:
        return f"For the DAWNBench pair type, with your own values: {_pair_command(record, shown_folder, lacking)}"
    against = not_publishable(record)
    if against is not None:
        raise Refused(f"the result of seed {chosen} is not to be published: {against}.")
    evaluations = _one_an_epoch(record)
    facts = Facts(
        framework=record.framework or "",
        dataset_state=str(record.dataset.get("state")),
        clock=HEADLINE.label,
        seed=chosen,
        selection=entry.selection(known, plan),
        planned_runs=len({*plan, *known}),
        reached_runs=sum(math.isfinite(each) for each in known.values()),
        dataset_sha256=record.dataset.get("sha256"),
        precision=record.precision,
        command_line=" ".join(record.argv) or None,
        wall_seconds=to_target_seconds(CLOCKS["wall"], record),
        **_views(record, [each for each, _ in evaluations]),
        commit=commit,
        more={"codeNote": f"{against_code[0].upper()}{against_code[1:]}."} if against_code else {},
        **_described(record, recipe),
    )
    pair = entry.from_record(
        [(each.epoch, seconds, each.correct, each.total) for each, seconds in evaluations],
        facts,
        datetime.now(UTC).date(),
        allow_unverified_data=allow_unverified_data,
        **asdict(claims),
    )
    path = entry.write(pair, folder / "dawnbench" / "CIFAR10" / "train")
    return f"The DAWNBench pair is {path.relative_to(folder)} in {shown_folder}, with its .tsv."


def require_planned(records: Sequence[Record], plan: Collection[int], shown_folder: str) -> None:
    """Raise Refused for a run that is not in the ``plan``."""
    if unplanned := [str(each.seed) for each in records if each.seed not in plan]:
        seeds = ",".join(unplanned) + ("," if len(unplanned) == 1 else "")
        raise Refused(
            f"seed {', '.join(unplanned)} in {shown_folder} is not among the seeds in campaign.json",
            f"move its folder out, or add it to the plan with `make bench OUT={shown_folder} SEEDS={seeds}`",
        )
