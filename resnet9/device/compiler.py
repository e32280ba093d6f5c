"""The settings of the GPU code compiler and its caches from earlier processes: the difference between a
cold start and a warm one. Look before TensorFlow starts the device, which fills what it finds empty.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Compiler:
    """In words, without paths; ``none`` throughout where no GPU trains.

    ``autotune_level`` is how hard XLA searches for the fastest kernels, a digit or ``default``. ``persistent_cache`` of
    XLA's compiled programs: ``none``, ``cold`` or ``warm``. ``kernel_cache`` of the kernels that CUDA's driver
    compiles: ``cold``, ``warm`` or ``off``.
    """

    autotune_level: str = "none"
    persistent_cache: str = "none"
    kernel_cache: str = "none"


#: Where no GPU trains.
NO_COMPILER = Compiler()


def inspect(environ: Mapping[str, str]) -> Compiler:
    """What holds for a GPU in a process with these variables (TensorFlow's flags; CUDA C++ Programming Guide)."""
    level = _flag(environ, "XLA_FLAGS", "xla_gpu_autotune_level")
    folder = _flag(environ, "TF_XLA_FLAGS", "tf_xla_persistent_cache_directory")
    return Compiler(
        # A value that is no whole number is none that XLA takes, and could be anything.
        autotune_level=level if level is not None and level.isdecimal() else "default",
        persistent_cache=_state(Path(folder)) if folder else "none",
        kernel_cache="off" if environ.get("CUDA_CACHE_DISABLE") == "1" else _state(_kernel_folder(environ)),
    )


def _flag(environ: Mapping[str, str], variable: str, name: str) -> str | None:
    """The last value of a flag in a variable that holds flags, or names a file of them."""
    text = environ.get(variable, "").strip()
    if text and not text.startswith("-"):
        try:
            text = Path(text).read_text(errors="replace")
        except OSError:
            return None
    values = re.findall(rf"""(?:^|\s)--{name}=(?:'([^']*)'|"([^"]*)"|(\S*))""", text)
    return "".join(values[-1]) if values else None


def _kernel_folder(environ: Mapping[str, str]) -> Path:
    named = environ.get("CUDA_CACHE_PATH")
    return Path(named) if named else Path(environ.get("HOME") or os.path.expanduser("~")) / ".nv" / "ComputeCache"


def _state(folder: Path) -> str:
    try:
        return "warm" if any(folder.iterdir()) else "cold"
    except OSError:  # not there yet, or not to be read
        return "cold"
