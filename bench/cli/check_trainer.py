"""``python -m bench check-trainer``: check a program against the trainer contract, rule by rule."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli.options.numbers import PERCENT, Number

if TYPE_CHECKING:
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
    """Start a custom trainer a few times and say which rule of the contract it breaks (docs/reference/protocol.md).

    Two whole runs on the synthetic dataset, and one that is stopped early. Exits with 0 if no rule is broken, else
    with 1.
    """
    import json

    from bench.campaign import conformance_runs, custom_campaign
    from bench.campaign.plan import RunOptions
    from bench.record.expected_run import ExpectedRun
    from bench.rules import conformance

    typed, wanted = _typed(words), RunOptions(data=data, device=device, threads=threads)
    expected = ExpectedRun(seed, target or custom_campaign.TARGET_PERCENT)
    starts = conformance_runs.starts(typed, wanted, expected, timeout, keep, quick)
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
    import os
    import shlex

    from bench.errors import UsageError

    if len(words) > 1:
        whole = shlex.join(words)
        raise UsageError(
            "the trainer's command is several words", f"put it into quotes: check-trainer {shlex.quote(whole)}"
        )
    return words[0] if words else os.environ.get("TRAINER", "")


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
