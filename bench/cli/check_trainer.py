"""``python -m bench check-trainer``: which rules of the trainer's contract a program keeps, and which it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.options.numbers import PERCENT, Number

if TYPE_CHECKING:
    from bench.campaign.conformance_runs import ConformanceRunner
    from bench.campaign.plan import RunOptions
    from bench.record.expected_run import ExpectedRun
    from bench.rules.conformance import Finding

_COLOURS = {"kept": "green", "broken": "red", "unseen": "yellow", "hint": "cyan"}


@click.command("check-trainer")
@click.argument("words", nargs=-1, metavar="'CMD ...'", type=click.UNPROCESSED)
@options.variable("DATA", "what to train on: an archive or a folder  [default: synthetic, which is built in]")
@options.device
@options.variable("TARGET", "percent the first run has to reach  [default: 94]", type=PERCENT)
@click.option(
    "--seed", type=Number("1", 0, 2**31 - 4, whole=True), default=0, metavar="N", help="of the first run  [default: 0]"
)
@options.threads
@options.timeout
@click.option("--quick", is_flag=True, help="leave out the second run, with another seed and another target")
@click.option("--keep", type=click.Path(path_type=Path), metavar="PATH", help="a new folder for what the runs leave")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of lines to read")
def command(
    words: tuple[str, ...], data: str | None, device: str | None, target: float | None, seed: int,
    threads: int | None, timeout: int | None, quick: bool, keep: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Start a custom trainer a few times and report the rules of docs/reference/protocol.md that it breaks.

    Two whole runs on built-in data, and a start that is told to end. Leaves with 0 where no rule is broken, else
    with 1.
    """
    import json

    from bench.campaign import conformance_runs, custom_campaign
    from bench.campaign.plan import RunOptions
    from bench.record.expected_run import ExpectedRun
    from bench.rules import conformance

    typed, wishes = _typed(words), RunOptions(data=data, device=device, threads=threads)
    asked = ExpectedRun(seed, target or custom_campaign.TARGET_PERCENT)
    try:
        with _bench(typed, wishes, asked, timeout, keep) as bench:
            starts = bench.all(quick)
    except conformance_runs.Interrupted:
        raise KeyboardInterrupt from None
    findings = (*conformance.findings(starts), *conformance.hints(starts))
    broken = [each.rule for each in findings if each.verdict == conformance.FAIL]
    if as_json:
        click.echo(json.dumps({"good": not broken, "rules": [asdict(each) for each in findings]}, indent=1))
        return 1 if broken else 0
    for each in findings:
        _tell(each)
    click.echo(_conclusion(typed, broken, sum(each.verdict == conformance.NOT_TESTED for each in findings)))
    if keep is not None:
        click.echo(f"Events, logs and predictions of every start are in {keep}.")
    return 1 if broken else 0


def _typed(words: tuple[str, ...]) -> str:
    """The command, or that of TRAINER. Raises UsageError where several words came without quotes around them."""
    import os
    import shlex

    from bench.errors import UsageError

    if len(words) > 1:
        whole = shlex.join(words)
        raise UsageError(f"put the trainer's command into quotes: check-trainer {shlex.quote(whole)}.")
    return words[0] if words else os.environ.get("TRAINER", "")


@contextmanager
def _bench(
    typed: str, wishes: RunOptions, asked: ExpectedRun, timeout: int | None, keep: Path | None
) -> Iterator[ConformanceRunner]:
    """What starts the program, with its data, its device and a folder, for as long as the ``with`` lasts."""
    import os

    from bench.campaign import conformance_runs, dataset_export, plan
    from bench.campaign import dataset as _dataset
    from bench.containers.selection import device as choose_device
    from bench.launch import custom_trainer
    from bench.launch.monitor import Limits
    from bench.launch.trainer_command import TrainerContext
    from bench.probes import host
    from bench.system import locks, signals
    from resnet9.data import dataset

    program = custom_trainer.read(typed, Path.cwd(), os.environ.get("PATH"))
    where = choose_device(wishes.device, err=True)
    with (
        signals.interrupt_on_stop_signals(),
        locks.held(locks.device_lock(where.key), f"the device {where.name}"),
        _place(keep) as folder,
    ):
        data = _dataset.load(wishes.data or dataset.SYNTHETIC)
        with dataset_export.file_of(data) as flat:
            threads = wishes.threads or plan.usable_cpus(host.read())
            yield conformance_runs.ConformanceRunner(
                program=program,
                given=TrainerContext(data.where, data.state, flat, len(data.test_labels), where.asked, threads),
                asked=replace(
                    asked,
                    dataset_sha256=data.sha256,
                    dataset_state=data.state,
                    device_kind=where.kind,
                    test_labels=data.test_labels,
                ),
                limits=Limits() if timeout is None else Limits(start_seconds=timeout, silence_seconds=timeout),
                folder=folder,
                told=lambda what: click.echo(f"{program.name}: {what} ...", err=True),
            )


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """The folder of the starts: a new one that stays, or one that is gone afterwards. Raises UsageError."""
    from bench.errors import UsageError
    from bench.system import tempdirs
    from bench.system.files import wrap_disk_errors

    if keep is None:
        with tempdirs.folder() as folder:
            yield folder
        return
    if keep.exists():
        raise UsageError(f"{keep} is there already; name a new folder with --keep.")
    with wrap_disk_errors(keep):
        keep.mkdir(parents=True)
    yield keep


def _tell(finding: Finding) -> None:
    from bench.errors import one_line

    verdict = click.style(f"{finding.verdict:8}", fg=_COLOURS[finding.verdict])
    if finding.verdict == "hint":
        click.echo(f"{verdict}{finding.rule:13}{finding.evidence}")
        return
    click.echo(f"{verdict}{finding.rule:13}{finding.says}")
    for line in (finding.evidence, finding.advice):
        if line:
            click.echo(f"{'':21}{'-> ' if line == finding.advice else ''}{one_line(line)}")


def _conclusion(typed: str, broken: list[str], unseen: int) -> str:
    import shlex

    if broken:
        count = "1 rule" if len(broken) == 1 else f"{len(broken)} rules"
        return f"It breaks {count}: {', '.join(broken)}. Fix the first one first; docs/reference/protocol.md has each."
    seen = "every rule" if not unseen else "every rule that was seen"
    return f"It keeps {seen}. A campaign: make bench TRAINER={shlex.quote(typed)}"
