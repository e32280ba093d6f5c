"""The folders of this checkout."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bench.system.files import wrap_disk_errors

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "results"
PUBLISHED = RESULTS / "published"

if TYPE_CHECKING:
    pass


def make_folder(folder: Path) -> None:
    """Make the folder of what is to be run. Raises EnvironmentProblem where the disk does not take it."""
    with wrap_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def display_path(folder: Path) -> str:
    """A folder as the person at this terminal can type it."""
    absolute, here = folder.absolute(), Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
