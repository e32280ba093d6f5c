"""Which package supplies the module ``pynvml``, and whether it is one that the harness can rely on.

NVIDIA publishes the module in the package ``nvidia-ml-py``. A package named ``pynvml``, up to 11.5.3, is somebody
else's copy of an old release under the same module name; from 12 on it only depends on NVIDIA's.
"""

from __future__ import annotations

import re
from importlib import metadata as packages
from types import ModuleType

from bench.probes.gpu.nvml import GpuProblem

PACKAGE = "nvidia-ml-py"
#: Event reasons have their names since 12.535; every call made here is the same in 13.615, which runtime.in asks for.
OLDEST, TOO_NEW = (12, 535), (14,)
_FIX = "remove .venv and type `make bench`, or, in an environment of your own,"
_INSTALL = f"`pip install --force-reinstall '{PACKAGE}>=12.535,<14'`"


class WrongBinding(GpuProblem):
    """The module ``pynvml`` is not the one that the harness was made for."""


def binding() -> str | None:
    """The package that supplies ``pynvml`` and its version, as ``nvidia-ml-py 13.615.71``; None where there is none.

    Raises WrongBinding where it is not NVIDIA's, or of a version that the harness was not tried with.
    """
    try:
        import pynvml
    except ImportError:
        return None
    refuse_unofficial(pynvml)
    version = _version(PACKAGE)
    told = f"{PACKAGE} {version or 'of an unknown version'}"
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", version or ""))
    if numbers and not OLDEST <= numbers < TOO_NEW:
        raise WrongBinding(
            f"{told} is installed and 12.535 or newer, below 14, is needed to read the GPU: {_FIX} type {_INSTALL}."
        )
    return told


def refuse_unofficial(module: ModuleType) -> None:
    """Raise WrongBinding where ``module`` is not NVIDIA's: its structures are of another time than the driver's."""
    if hasattr(module, "_nvmlGetFunctionPointer"):
        return
    version = _version("pynvml")
    raise WrongBinding(
        f"The unofficial package pynvml{f' {version}' if version else ''} stands in the place of NVIDIA's {PACKAGE}, "
        f"and the GPU is not read with it: {_FIX} type `pip uninstall pynvml` and then {_INSTALL}."
    )


def _version(package: str) -> str | None:
    try:
        return packages.version(package)
    except packages.PackageNotFoundError:
        return None
