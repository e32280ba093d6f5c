"""A container engine on PATH for commands that train: a small one that isolates nothing (`fake_engine.py`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.containers import catalog, selection
from tests.support import fake_engine


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a fake engine onto PATH, the image `cpu` as `make image` builds it there, and returns its state's folder."""
    cpu = catalog.read().find("cpu")
    built = fake_engine.image(labels=selection.recipe(cpu))

    def start(**settings: Any) -> Path:
        bin_folder = tmp_path / "bin"
        monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
        return fake_engine.install(bin_folder, **{"images": {cpu.locator: built}, **settings})

    return start
