"""``bench image verify``: checks that need a GPU and the real image."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.containers import acceptance, launch_spec, registry, selection
from bench.containers import engine as engines
from bench.containers import process as container_process
from bench.containers.acceptance import Found
from bench.errors import BenchError
from bench.launch import kernel_cache, launch, trainer_command
from bench.launch.monitor import Limits
from bench.launch.null_sampler import NullSampler
from bench.record import RECORD_FILE, Record, load_campaign, replace_file
from bench.record.expected_run import ExpectedRun
from bench.system import locks, redaction, signals, subprocesses
from bench.system.identity import Identity
from bench.system.paths import CHECKOUT, display_path

if TYPE_CHECKING:
    from bench.containers.launch_spec import ContainerTarget
    from bench.probes.device import Device

SMOKE, SEED = "smoke", 0
#: From the stop request to the end of all processes (docs/guide/containers.md).
STOP_SECONDS = 5.0


def verify(
    device: str | None, options: selection.ContainerOptions, out: str | None, *, tests: bool, runs: bool, write: bool
) -> int:
    """Make every check and write the result; return 0 if none failed, else 1.

    ``tests``: the trainer's own tests as well; ``runs``: a smoke campaign and a run that is stopped; ``write``: the
    result into docker/images.toml as well.
    """
    where = selection.device(device)
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    options = selection.explicitly(options)
    with signals.interrupt_on_stop_signals():
        with locks.held(locks.device_lock(where.key), f"the device {where.name}"):
            chosen = selection.resolve(options, where)
            click.echo(chosen.said)
            found = _tell([_digest(chosen)])
            placed = selection.ready(chosen, where)
            assert placed is not None
            folder = Path(out) if out else CHECKOUT / "results" / f"{now}-verify-{placed.choice.image.name}"
            answer, tried = acceptance.examine(placed, where, with_tests=tests)
            found += tried
            acceptance.keep(folder, placed, answer, found)
            if runs:
                found += _tell(_stopped(placed, where, folder))
        if runs:
            found += _tell(_smoke(options, placed, where, folder))
    body = redaction.redact_event({"found": [asdict(each) for each in found]}, Identity.of_this_process())
    replace_file(folder / "verify.json", json.dumps(body, indent=1) + "\n")
    if write:  # last: a changed table makes the checkout dirty
        click.echo(acceptance.write(placed, where, answer, tried))
    failed = [each.what for each in found if each.passed is False]
    place = display_path(folder)
    publish = (
        f"Please publish {place}, with docker/images.toml." if placed.publishable else f"The result is in {place}."
    )
    click.echo(f"{'Failed: ' + '; '.join(failed) if failed else 'Every check passed'}. {publish}")
    return 1 if failed else 0


def _tell(found: list[Found]) -> list[Found]:
    for each in found:
        acceptance.print_check(each)
    return found


def _digest(chosen: selection.ContainerChoice) -> Found:
    assert chosen.choice is not None
    image, what = chosen.choice.image, "the registry's digest"
    if image.is_built or ":" not in image.reference.rpartition("/")[2]:
        return Found(what, None, "no tag of a registry is behind this image")
    try:
        now = registry.resolve(image.reference).digest
    except BenchError as problem:
        return Found(what, None, str(problem))
    return Found(what, now == image.digest, f"{now[:19]}..., pinned {image.digest[:19] or 'none'}...")


def _stopped(placed: ContainerTarget, where: Device, folder: Path) -> list[Found]:
    """Stop a run after its hello; check the time it takes and the processes left."""
    request = trainer_command.Request(
        SMOKE, trainer_command.SYNTHETIC, "auto", "auto", where.argument, SEED, os.cpu_count() or 1
    )
    with kernel_cache.prepared("kept", trainer_command.environment(os.environ)) as env:
        start = launch_spec.start(placed, request, folder / "stopped", env, secrets.token_hex(6))
        command, clock = start.command, NullSampler()
        job = launch.RunSpec(
            command.argv, command.shown, command.env, command.cwd, folder / "stopped", ExpectedRun(SEED, 94.0),
            seen_folder=start.seen_folder,
        )  # fmt: skip
        began_ns = time.monotonic_ns()
        outcome = launch.launch(
            job,
            limits=replace(Limits(), enough_epochs=0),
            spawner=container_process.spawner(placed.engine, start.name),
            sampler=clock,
        )
    if clock.hello_ns is None or clock.hello_ns < began_ns:
        return [Found("a run that is stopped", False, outcome.reason)]
    seconds = (time.monotonic_ns() - clock.hello_ns) / 1e9  # until its container is removed
    names = subprocesses.run_captured(
        [placed.engine.program, "ps", "--all", "--format", "{{.Names}}"], engines.PATIENCE_SECONDS
    ).out
    left = start.name in names.split()
    return [
        Found("a run that is stopped", seconds <= STOP_SECONDS, f"ended after {seconds:.1f} s"),
        Found("nothing is left of it", not left, f"{start.name} is still there" if left else "its container is gone"),
    ]


def _smoke(options: selection.ContainerOptions, placed: ContainerTarget, where: Device, folder: Path) -> list[Found]:
    smoke = folder / "smoke"
    given = {"--image": options.image, "--docker": options.docker, "--docker-flags": options.docker_flags}
    words = [word for option, value in given.items() if value for word in (option, value)]
    argv = [sys.executable, "-m", "bench", "run", "--smoke", "--seeds", f"{SEED},", "--warm-up", "1"]
    code = subprocesses.run_attached(
        [*argv, "--where", "container", "--device", where.argument, "--out", str(smoke), *words], CHECKOUT
    )
    if code:
        return [Found("a smoke campaign in the container", False, f"it ended with exit code {code}")]
    (record,) = load_campaign(smoke).records
    files = [path for path in smoke.rglob("*") if path.is_file()]
    foreign = sorted(path.name for path in files if path.stat().st_uid != os.getuid())
    return [
        Found("a smoke campaign in the container", record.status == "done", record.reason or record.status),
        Found("its files are yours", not foreign, ", ".join(foreign) or f"{len(files)} files"),
        Found(
            "the record names the image",
            record.fingerprint.get("image") == placed.identity and (smoke / f"seed-{SEED:03d}" / RECORD_FILE).is_file(),
            str(record.fingerprint.get("image")),
        ),
        *_telemetry(record, where),
    ]


def _telemetry(record: Record, where: Device) -> list[Found]:
    """Check that the harness sees the trainer in the container: its CPU time and its process on the GPU."""
    spent = record.trainer_cpu_seconds
    found = [Found("the trainer's CPU time is seen", bool(spent), f"{spent:.1f} s" if spent else "none was")]
    if where.kind == "gpu":
        foreign = record.telemetry.foreign_processes
        text = "the driver lists none" if foreign is None else f"{foreign} that are somebody else's"
        found.append(
            Found("its process on the card is known as its own", foreign == 0 if foreign is not None else None, text)
        )
    return found
