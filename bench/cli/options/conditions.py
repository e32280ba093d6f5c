"""The options of the run conditions; ``make`` passes each as a variable."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options as _options
from bench.cli.options.numbers import Number
from bench.launch import kernel_cache

if TYPE_CHECKING:
    from bench.record import RunConditions

_MOST_WARM_UPS = 100
_LONGEST_IDLE_SECONDS = 86_400.0
#: So that a side which heats the card does not slow the other. With a process's start the card rests about as long as a
#: fast recipe trains.
REST_OF_TURNS_SECONDS = 5.0


_OPTIONS = (
    click.option(
        "--warm-up", envvar="WARMUP", show_envvar=True, metavar="N",
        type=Number("1", 0, _MOST_WARM_UPS, unit="runs", whole=True),
        help="discarded runs before the first seed, each ended after an epoch and a minute  [default: 1]",
    ),
    click.option(
        "--cache", envvar="CACHE", show_envvar=True, type=click.Choice(kernel_cache.KINDS),
        help="CUDA's compiled kernels: kept from run to run, or none at each  [default: kept]",
    ),
    click.option(
        "--telemetry", envvar="TELEMETRY", show_envvar=True, type=click.Choice(["on", "off"]),
        help="sample GPU and host four times a second  [default: on]",
    ),
    click.option(
        "--watch", envvar="WATCH", show_envvar=True, metavar="GPU",
        help="the GPU to sample: auto (the one that trains), none, an index or a UUID  [default: auto]",
    ),
)  # fmt: skip


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options to a command, which takes them as keywords; None is one that was not given."""
    return _added(command, _idle("0"))


def interleaved_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command whose sides have to be equally warm."""
    return _added(command, _idle(f"{REST_OF_TURNS_SECONDS:g} on a GPU, else 0"))


def _idle(default: str) -> _options.Decorator:
    return click.option(
        "--idle", envvar="IDLE", show_envvar=True, metavar="SECONDS",
        type=Number("1.5", 0, _LONGEST_IDLE_SECONDS, unit="seconds"),
        help=f"rest between the end of a run and the start of the next  [default: {default}]",
    )  # fmt: skip


def _added(command: Callable[..., Any], idle: _options.Decorator) -> Callable[..., Any]:
    warm_up, *others = _OPTIONS
    in_order: list[_options.Decorator] = [warm_up, idle, *others]
    for option in reversed(in_order):
        command = option(command)
    return command


def of(
    warm_up: int | None, idle: float | None, cache: str | None, telemetry: str | None,
    environ: Mapping[str, str] = os.environ,
) -> RunConditions:  # fmt: skip
    """Return the requested conditions. Raises UsageError for a contradiction."""
    from bench.record import RunConditions

    kernel_cache.check(cache or "kept", environ)
    return RunConditions(
        warm_up=1 if warm_up is None else warm_up,
        idle_seconds=0.0 if idle is None else idle,
        kernel_cache=cache or "kept",
        telemetry=telemetry != "off",
    )
