"""The options that commands which run trainers share; ``make`` passes each as a variable in the environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bench.cli.options.numbers import Number

#: More than eleven days; what poll(2) can wait for ends after twenty-four.
_LONGEST_SILENCE_SECONDS = 1_000_000


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def variable(name: str, help_text: str, **how: Any) -> Decorator:
    """Return an option that may also be given as an environment variable; an empty one was not given."""
    flag = f"--{name.lower().replace('_', '-')}"
    # Errors then name the variable, too, which is what `make` was given.
    how["show_envvar"] = True
    return click.option(flag, envvar=name, help=help_text, callback=lambda context, option, value: value or None, **how)


data = variable(
    "DATA",
    "where CIFAR-10 is: an archive, a folder (also torchvision's, Keras's, the hub's Parquet), an https:// mirror, or "
    "`synthetic`  [default: data/, downloaded]",
)
input_ = variable(
    "INPUT",
    "tf.data on CPU cores, or augmented on the device; memory is a control that repeats batches, no result",
    type=click.Choice(["auto", "host", "device", "memory"]),
)
precision = variable("PRECISION", "of the computation", type=click.Choice(["auto", "bf16", "fp16", "fp32"]))
device = variable("DEVICE", "auto, cpu, gpu, or a GPU's index or UUID  [default: auto]")
threads = click.option(
    "--threads", type=Number("4", 1, whole=True), metavar="N", help="CPU threads of the trainer  [default: all]"
)
timeout = click.option(
    "--timeout",
    type=Number("600", 1, _LONGEST_SILENCE_SECONDS, unit="seconds", whole=True),
    metavar="SECONDS",
    help="seconds a trainer may keep silent  [default: 300 until it says hello, then 3600]",
)
