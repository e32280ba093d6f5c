"""README, CONTRIBUTING and docs/: every link resolves, and what a page shows is what the code does."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")),
    *(ROOT / "docs").rglob("*.md"),
]
_FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ +(.+)$", _FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    before: Counter[str] = Counter()
    found = set()
    for slug in slugs:
        found.add(f"{slug}-{before[slug]}" if before[slug] else slug)
        before[slug] += 1
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_resolves(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text(encoding="utf-8")))

    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_readme_is_short_and_the_index_names_every_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    index = ROOT / "docs" / "index.md"
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", index.read_text(encoding="utf-8")))
    assert {str(page.relative_to(index.parent)) for page in index.parent.rglob("*.md") if page != index} <= linked


def test_readme_shows_the_summary_of_its_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "20261123T234444Z-smoke-cpu"
    shutil.copytree(ROOT / "results" / "published" / name, tmp_path / name)
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["report", str(tmp_path / name)]) == 0
    (shown,) = re.findall(r"```text\n(seed +status.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert set(shown.splitlines()) <= set(capfd.readouterr().out.splitlines())


def test_the_examples_of_the_python_api_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("BENCH_EVENTS", raising=False)
    page = (ROOT / "docs" / "reference" / "python-api.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "python-api.md", "exec"), {})
