"""``python -m bench COMMAND``: one file of this folder is one command, found by its name and imported when needed."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path

import click


class Commands(click.Group):
    """The commands in this folder's files; each has a ``command`` and imports heavy modules inside it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands' files."""
        return sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[!_]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments. Raises UsageError with the nearest name for an unknown one."""
        known = self.list_commands(ctx)
        if args[0] not in known:
            close = difflib.get_close_matches(args[0], known, n=1, cutoff=0.4)
            meant = f"did you mean `{close[0]}`?" if close else f"the commands are {', '.join(known)}."
            raise click.UsageError(f"unknown command `{args[0]}`; {meant}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def bench(ctx: click.Context) -> None:
    """Benchmark a trainer: time to 94 % on CIFAR-10."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
