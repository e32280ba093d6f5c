"""``python -m bench data``: CIFAR-10 downloaded and verified, or the copy that DATA names checked."""

from __future__ import annotations

import click

from bench.cli import options
from bench.system import subprocesses


@click.command("data")
@options.data
def command(data: str | None) -> int:
    """Download CIFAR-10 into data/ and verify it, or check the copy that DATA names."""
    import sys

    from bench.campaign import dataset
    from bench.system.paths import CHECKOUT

    named = [] if data is None else [dataset.local(data)]
    return subprocesses.run_attached([sys.executable, "-m", "resnet9", "data", *named], CHECKOUT)
