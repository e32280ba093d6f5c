"""Which package supplies the module ``pynvml``, and whether the harness supports it.

NVIDIA publishes the module in the package ``nvidia-ml-py``. The package ``pynvml``, up to 11.5.3, is an unofficial copy
of an old release under the same module name; from 12 on it only depends on NVIDIA's.
"""

from __future__ import annotations

import re
from importlib import metadata as packages
from types import ModuleType

from bench.probes.gpu.nvml import GpuProblem

PACKAGE = "nvidia-ml-py"
#: Event reasons have their names since 12.535; every call made here is the same in 13.615, which runtime.in requires.
OLDEST, TOO_NEW = (12, 535), (14,)
_FIX = "remove .venv and type `make bench`, or, in another environment,"
_INSTALL = f"`pip install --force-reinstall '{PACKAGE}>=12.535,<14'`"


class WrongBinding(GpuProblem):
    """The module ``pynvml`` is not a supported one."""


def binding() -> str | None:
    """Return the package that supplies ``pynvml`` and its version, as ``nvidia-ml-py 13.615.71``; None without one.

    Raises WrongBinding where it is not NVIDIA's, or of a version that was not tested.
    """
    try:
        import pynvml
    except ImportError:
        return None
    refuse_unofficial(pynvml)
    version = _version(PACKAGE)
    found = f"{PACKAGE} {version or 'of an unknown version'}"
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", version or ""))
    if numbers and not OLDEST <= numbers < TOO_NEW:
        raise WrongBinding(
            f"{found} is installed and 12.535 or newer, below 14, is needed to read the GPU: {_FIX} type {_INSTALL}."
        )
    return found


def refuse_unofficial(module: ModuleType) -> None:
    """Raise WrongBinding where ``module`` is not NVIDIA's: its structures may differ from the driver's."""
    if hasattr(module, "_nvmlGetFunctionPointer"):
        return
    version = _version("pynvml")
    raise WrongBinding(
        f"The unofficial package pynvml{f' {version}' if version else ''} is installed in place of NVIDIA's {PACKAGE}, "
        f"and the GPU is not read with it: {_FIX} type `pip uninstall pynvml` and then {_INSTALL}."
    )


def _version(package: str) -> str | None:
    try:
        return packages.version(package)
    except packages.PackageNotFoundError:
        return None
