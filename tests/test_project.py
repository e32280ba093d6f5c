"""What the project says about itself in several places agrees."""

from __future__ import annotations

import re
from pathlib import Path

import bench
import resnet9

CHECKOUT = Path(__file__).resolve().parents[1]


def test_version_is_the_same_everywhere() -> None:
    places = {
        "bench": bench.__version__,
        "resnet9": resnet9.__version__,
        "pyproject.toml": re.search(r'^version = "(.+)"$', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)[1],
        "CITATION.cff": re.search(r"^version: (.+)$", (CHECKOUT / "CITATION.cff").read_text(), re.MULTILINE)[1],
        "CHANGELOG.md": re.search(r"^## \[(\d.+?)\]", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)[1],
    }
    assert len(set(places.values())) == 1, places


def test_licence_is_the_whole_apache_licence() -> None:
    text = (CHECKOUT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
