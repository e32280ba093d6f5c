"""``python -m bench data``: CIFAR-10 downloaded and verified, or the copy that DATA names checked."""

from __future__ import annotations

import click

from bench.commands import _options


@click.command("data")
@_options.data
def command(data: str | None) -> int:
    """Download CIFAR-10 into data/ and verify it, or check the copy that DATA names."""
    import sys

    from bench import execute
    from bench.commands import _dataset
    from bench.trainers import ROOT

    named = [] if data is None else [_dataset.local(data)]
    return execute.call([sys.executable, "-m", "resnet9", "data", *named], ROOT)
