"""The compiled driver that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fake_nvml


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library of the newest driver."""
    pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    return fake_nvml.build(tmp_path_factory.mktemp("driver"))
