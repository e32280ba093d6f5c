"""Output formats of a campaign: each file here is one, found by its name.

A module has ``HELP``, one line for ``bench report --help``, and ``write(facts, out)``. Where it has ``PRINTS = True``,
``out`` is a stream; else it is the folder of the campaign, and ``write`` returns the names of the files it wrote. A
module whose library is optional has ``require()``, which raises EnvironmentProblem where it is not installed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


def load(name: str) -> ModuleType:
    """Return the module of a format."""
    return importlib.import_module(f"{__name__}.{name}")


def require(name: str) -> None:
    """Raise EnvironmentProblem where a format needs a library that is not installed."""
    getattr(load(name), "require", lambda: None)()


def prints(name: str) -> bool:
    """Return whether a format is text for a stream, and not files of the campaign's folder."""
    return getattr(load(name), "PRINTS", False)


def describe() -> str:
    """Return what each format is, for a command's help."""
    return "; ".join(f"{name}: {load(name).HELP}" for name in NAMES)
