"""The options of a DAWNBench entry's claims; ``make`` passes each as a variable in the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options.numbers import Number

if TYPE_CHECKING:
    from bench.record.claims import Claims

_OPTIONS = (
    ("author", str, "who publishes the entry, as the board would show it"),
    ("email", str, "how to reach the author; it is published"),
    ("hardware", str, "the machine in words"),
    ("cost-per-hour", Number("3.06"), "what the machine costs, in US dollars on demand"),
    ("code-url", str, "where the code of the result can be read"),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the claims to a command, as ``**claims``; an empty one was not given."""
    for name, kind, meaning in reversed(_OPTIONS):
        variable = name.upper().replace("-", "_")
        option = click.option(f"--{name}", envvar=variable, show_envvar=True, type=kind, help=meaning, callback=_given)
        command = option(command)
    return command


def _given(context: click.Context, option: click.Parameter, value: Any) -> Any:
    return None if value == "" else value


def together(stored: Claims, given: Mapping[str, Any]) -> Claims:
    """Return a campaign's claims, updated with those given now. Raises UsageError for an invalid one."""
    from bench.dawnbench.claims import check
    from bench.record.claims import Claims

    check(**given)
    return stored.updated(Claims(**given))
