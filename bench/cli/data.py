"""``python -m bench data``: CIFAR-10 downloaded and verified, or the copy that DATA names checked."""

from __future__ import annotations

import click

from bench.cli import options


@click.command("data")
@options.data
def command(data: str | None) -> int:
    """Download CIFAR-10 into data/ and verify it, or check the copy that DATA names."""
    from bench.campaign import dataset

    return dataset.prepare(data)
