"""The options on where runs are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bench.cli import options as _options
from bench.containers import CONTAINER, NATIVE

_OPTIONS = (
    _options.variable(
        "WHERE",
        "container (the pinned image) or native  [default: container where GPU, engine and toolkit are there]",
        type=click.Choice(["auto", CONTAINER, NATIVE]),
    ),
    _options.variable(
        "IMAGE", "of `bench image list`, or any reference  [default: the first that fits GPU and driver]"
    ),
    _options.variable("DOCKER", "the engine: docker, podman or a path  [default: docker, else podman]"),
    _options.variable(
        "DOCKER_FLAGS", "words to add to the engine's command, as '--cpuset-cpus=0-7'; they are recorded"
    ),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options to a command, which takes them as keywords of those names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
