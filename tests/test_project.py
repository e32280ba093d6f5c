"""What the project says about itself in several places agrees."""

from __future__ import annotations

import re
from pathlib import Path

import bench
import resnet9
from bench.campaign import plan
from resnet9.recipe import listing, load_all, reproductions

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


def test_readme_and_guide_show_the_success_rates_that_the_published_runs_give() -> None:
    """They change with every run that is published, and a stale one would be a claim."""
    readme, guide = ((CHECKOUT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/guide/recipes.md"))
    table = listing.recipes(load_all().values())
    for name in (plan.FULL, plan.FAST):
        (row,) = (line for line in table.splitlines() if line.startswith(f"{name} ") and " reach it " in line)
        assert row in guide, "copy the row from `python -m resnet9 recipes`"
    found = reproductions.success_of(load_all()[plan.FULL])
    assert found is not None
    rate, low, high = map(reproductions.percent, (found.success, found.success_low, found.success_high))
    assert f"{rate} % of runs, 95 % interval {low} to {high} %" in " ".join(readme.split())
