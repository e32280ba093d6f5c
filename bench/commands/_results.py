"""What becomes of a campaign's events: records with a verdict, the tables, the summary and the DAWNBench pair.

Shared by the commands that run a campaign and that report on one, so that both give the same results.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bench import record as records_on_disk
from bench.checks import judged
from bench.checks.data import is_control
from bench.checks.image import not_publishable
from bench.clocks import CLOCKS, HEADLINE, cumulative_seconds, to_target_seconds
from bench.errors import Refused, one_line
from bench.record import Evaluation, Record
from bench.record.greeting import is_ours
from bench.record.shape import PLAIN

#: The nets of the recipes, as a board's reader knows them.
MODELS = {"resnet9": "ResNet9", "plain8": "Plain8", "air": "airbench CNN"}

if TYPE_CHECKING:
    import pandas as pd

    from bench.campaign import Campaign, Claims
    from bench.record.ticks import Tick


def write_record(run_folder: Path) -> Record:
    """Fold a run's events, judge them, and write ``record.json`` beside them, sealed."""
    run = records_on_disk.load_run(run_folder)
    record = judged(run.record)
    records_on_disk.write_run(run, record)
    return record


def write_missing_records(campaign: Campaign) -> None:
    """Write the records that a harness was killed before it could write; their runs are done and are not made again."""
    for seed in campaign.seeds:
        folder = campaign.run_folder(seed)
        if campaign.done(seed) and not (folder / records_on_disk.RECORD_FILE).exists():
            write_record(folder)


def line(record: Record) -> str:
    """How a run went, in one line, its time with the clock it is of."""
    begin = f"seed {record.seed}  {record.status.replace('_', ' ')}"
    if record.status != "done" or not record.epochs:
        return f"{begin}: {record.reason}"
    last = record.epochs[-1]
    shown = record_accuracy(last.correct, last.total)
    if last.view != PLAIN:
        plain = record.plain(last)
        beside = f", plain {record_accuracy(plain.correct, plain.total)}" if plain else ""
        shown += f" ({last.view} views{beside})"
    final = f"{shown} after epoch {round(last.epoch, 2):g}"
    target = f"{record.target_percent:g} %"
    crossing, seconds = record.crossing, to_target_seconds(HEADLINE, record)
    reached = f"{target} not reached"
    if crossing is not None and seconds is not None:
        reached = f"{target} at epoch {round(crossing.epoch, 2):g} in {seconds:,.2f} s ({HEADLINE.label})"
    verdict = "" if record.verdict is None else f", {record.verdict.level}"
    return f"{begin}: {final}, {reached}{verdict}"


def record_accuracy(correct: int, total: int) -> str:
    """The accuracy as progress shows it."""
    from bench.progress import accuracy_text

    return accuracy_text(correct, total)


def write_tables(folder: Path, cost_per_hour: float | None = None) -> tuple[Record, ...]:
    """Write ``runs.csv``, ``epochs.csv`` and ``summary.csv`` of a campaign; the judged records they are made of.

    ``cost_per_hour`` (US dollars) is said now; without it the campaign's own claim holds.
    """
    stored = records_on_disk.load_campaign(folder)
    records = tuple(judged(record) for record in stored.records)
    made = campaign_tables(records, stored.seeds, price(stored.claims) if cost_per_hour is None else cost_per_hour)
    put_tables(folder, made)
    return records


def campaign_tables(
    records: Sequence[Record], plan: Collection[int], cost_per_hour: float | None = None
) -> dict[str, pd.DataFrame]:
    """The frames of judged records by name: ``runs``, ``epochs`` and ``summary``; ``plan`` are the seeds asked for."""
    from bench.analysis import frames

    runs = frames.runs(records, cost_per_hour)
    return {"runs": runs, "epochs": frames.epochs(records), "summary": frames.summary(runs, plan)}


def put_tables(folder: Path, made: Mapping[str, pd.DataFrame]) -> None:
    """Write each frame as the CSV file of its name. Raises EnvironmentProblem where the disk does not take one."""
    from bench.output import tables

    for name, frame in made.items():
        tables.write(frame, folder / f"{name}.csv")


def write_all(folder: Path) -> tuple[tuple[Record, ...], str]:
    """Write the tables and the page of a campaign: the judged records they are made of, and where the page is.

    The records are folded ``anew``, as a DAWNBench pair may be made of them.
    """
    stored = records_on_disk.load_campaign(folder, anew=True)
    records = tuple(judged(record) for record in stored.records)
    made = campaign_tables(records, stored.seeds, price(stored.claims))
    put_tables(folder, made)
    return records, write_page(stored, records, made, price(stored.claims))


def write_page(
    campaign: records_on_disk.StoredCampaign,
    records: Sequence[Record],
    made: Mapping[str, pd.DataFrame],
    cost_per_hour: float | None,
) -> str:
    """Write ``report.html`` of a campaign from its tables; where it is, in a sentence, or why there is none."""
    from bench.commands import _runs
    from bench.errors import EnvironmentProblem
    from bench.output import page

    path = campaign.path / page.PAGE_FILE
    notes, rank = notes_of(records, made["summary"]), _rank(campaign, cost_per_hour)
    try:
        page.write_campaign(
            path, campaign, records, made["runs"], made["summary"], ticks=ticks_of(campaign), notes=notes, rank=rank
        )
    except EnvironmentProblem as why:  # Everything it is made of is there: it can be made when the trouble is over.
        return f"No page: {why}"
    return f"Charts and tables on one page: {_runs.place(path)}"


def ticks_of(campaign: records_on_disk.StoredCampaign) -> Mapping[int | None, Sequence[Tick]]:
    """What the sampler read, by seed, as it is asked for."""
    from bench.record.run_ticks import RunTicks

    return RunTicks({run.record.seed: run.folder / records_on_disk.TELEMETRY_FILE for run in campaign.runs})


def _rank(campaign: records_on_disk.StoredCampaign, cost_per_hour: float | None) -> list[tuple[str, str]]:
    """A campaign's place on the board, in sentences with a word before each; none where it can have no place."""
    from bench.analysis import ranking
    from bench.commands import _rank
    from bench.dawnbench import board
    from bench.errors import BenchError
    from bench.output import ranking as shown

    try:
        asked = _rank.of_campaign(campaign, cost_per_hour)
    except BenchError:
        return []
    found = ranking.rank(
        asked.sample,
        asked.cost_per_hour_usd,
        board.entries(),
        lambda each: each.seconds,
        lambda each: each.cost_usd,
    )
    return [*((label, text.plain) for label, text in shown.lines(asked.candidate, found)), ("Board", shown.THE_BOARD)]


def require_planned(records: Sequence[Record], plan: Collection[int], shown_folder: str) -> None:
    """Raise Refused for a run that is not in the ``plan``: a claim that rests on a plan cannot count it."""
    if unplanned := [str(each.seed) for each in records if each.seed not in plan]:
        seeds = ",".join(unplanned) + ("," if len(unplanned) == 1 else "")
        raise Refused(
            f"seed {', '.join(unplanned)} in {shown_folder} is not among the seeds in campaign.json; move its folder "
            f"out, or add it to the plan with `make bench OUT={shown_folder} SEEDS={seeds}`."
        )


def price(claims: Mapping[str, Any]) -> float | None:
    """The COST_PER_HOUR among a campaign's claims; None where there is none that could be one."""
    from bench.dawnbench.claims import is_price

    claimed = claims.get("cost_per_hour")
    return float(claimed) if claimed is not None and is_price(claimed) else None


def show(records: Sequence[Record], plan: Collection[int], out: TextIO, cost_per_hour: float | None = None) -> None:
    """Print the summary of a campaign of which the seeds of ``plan`` were asked for; ``cost_per_hour`` is the price of
    its machine in US dollars.
    """
    from bench.analysis import frames

    runs = frames.runs(records, cost_per_hour)
    show_tables(records, {"runs": runs, "summary": frames.summary(runs, plan)}, out)


def show_tables(
    records: Sequence[Record], made: Mapping[str, pd.DataFrame], out: TextIO, notes: Sequence[str] = ()
) -> None:
    """Print the summary of a campaign from the tables of its records, with ``notes`` before those that they tell."""
    from bench.output import console

    console.show(records, made["runs"], made["summary"], out, [*notes, *notes_of(records, made["summary"])])


def notes_of(records: Sequence[Record], summary: pd.DataFrame) -> list[str]:
    """The sentences about a campaign that no single record knows."""
    from bench.analysis import first_run, mixture
    from bench.commands import _evidence

    notes = []
    if len(summary) > 1:
        notes.append(f"the runs are of {len(summary)} configurations, each with figures of its own: {_told(summary)}")
    differing = mixture.differences(records)
    notes += [f"the runs differ in {', '.join(differing)}, so they are no one sample"] if differing else []
    slow = first_run.note(records)
    notes += [] if slow is None else [slow]
    return notes + _evidence.notes(records)


def _told(summary: pd.DataFrame) -> str:
    """In what the rows of a summary differ: `recipe (hive, page24), dataset (cifar10, synthetic)`."""
    from bench.analysis.frames import CONFIGURATION

    values = {key: list(dict.fromkeys(summary[key].astype("string").fillna("unknown"))) for key in CONFIGURATION}
    return ", ".join(f"{key} ({', '.join(each)})" for key, each in values.items() if len(each) > 1)


def write_ablation(folder: Path) -> None:
    """Write ``ablation.csv`` and ``ablation.md`` of an ablation from the events of its variants."""
    from bench.analysis import ablation
    from bench.output import ablation as shown
    from bench.output import tables

    stored, records = _judged_ablation(folder)
    frame = ablation.table(stored, records)
    tables.write(frame, folder / "ablation.csv")
    shown.write(stored, frame, records, folder / "ablation.md")


def show_ablation(folder: Path, out: TextIO) -> None:
    """Print the table of an ablation and what it rests on."""
    from bench.analysis import ablation
    from bench.output import ablation as shown

    stored, records = _judged_ablation(folder)
    shown.show(stored, ablation.table(stored, records), records, out)


def _judged_ablation(folder: Path) -> tuple[records_on_disk.StoredAblation, dict[str, tuple[Record, ...]]]:
    stored, records = records_on_disk.load_ablation(folder)
    return stored, {name: tuple(judged(record) for record in each) for name, each in records.items()}


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
    """What an entry tells of a run's trainer: of ours by the recipe's table, of another one by its ``hello``.

    Raises Refused where neither says what the model was.
    """
    name = one_line(str(record.recipe.get("name")))
    model = MODELS.get(str(recipe.get("net")))
    if model is not None:
        return {
            "model": f"{model} ({name})",
            "recipe": {**recipe, **record.recipe},
            "cudnn_version": record.fingerprint.get("package.nvidia-cudnn-cu12"),
        }
    own = record.recipe.get("model")
    if recipe or not isinstance(own, str) or not own.strip():
        raise Refused(
            f"what the recipe {name} was is neither in campaign.json nor in this checkout, and an entry has to tell "
            "it; a trainer of your own says it with `recipe.model` in its hello."
        )
    # The libraries of this checkout are not those of somebody else's program.
    told = {key: record.recipe[key] for key in ("name", "sha256", "batch", "steps_per_epoch")}
    cudnn_version = record.fingerprint.get("build.cudnn_version")
    return {"model": f"{one_line(own)[:100]} ({name})", "recipe": told, "cudnn_version": cudnn_version}


def _views(record: Record, rows: Sequence[Evaluation]) -> dict[str, Any]:
    """How the accuracy of the row that counts on the board, and of the last, was measured, as ``Facts`` takes it."""
    from bench.dawnbench import entry
    from bench.dawnbench.pair import TARGET_PERCENT

    counts = next(each for each in rows if each.reaches(TARGET_PERCENT))
    plain = record.plain(counts)
    beside = None if plain is None else float(entry.accuracy(plain.correct, plain.total))
    return {"view": counts.view, "last_view": rows[-1].view, "plain_percent": beside}


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


def write_dawnbench(
    folder: Path, records: Sequence[Record], claims: Claims, recipe: dict[str, Any], shown_folder: str, *,
    plan: Collection[int], allow_unverified_data: bool, allow_uncommitted_code: bool = False,
) -> str:  # fmt: skip
    """Write the DAWNBench pair of the median successful run, and say so or what is lacking in one line.

    ``recipe`` is the recipe's whole table, empty where it is not known; ``plan`` are the seeds that were asked for,
    with or without a run. Raises Refused for a result that may not be published or cannot be described: of code whose
    commit is not known, or that had changes, unless it is allowed.
    """
    from bench.dawnbench import claims as claiming
    from bench.dawnbench import entry
    from bench.dawnbench.details import Facts

    require_planned(records, plan, shown_folder)
    if any(is_control(each) for each in records):
        raise Refused("INPUT=memory repeats the first epoch's batches, so its accuracy is nobody's; use INPUT=host.")
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
            f"the result of seed {chosen} is not to be published, as {against_code}: run it in a clone without changes "
            f"(`make doctor` says what git sees), or type `python -m bench entry {shown_folder} "
            "--allow-uncommitted-code`, whose entry says so."
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
