"""The house keeps its own rules: sizes of files, no leftovers, documents that point somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
# scripts/models writes shapes.py, scripts/migration what is in versions/.
WRITTEN = [path for path in SOURCES if path.name != "shapes.py" and path.parent.name != "versions"]


def test_files_are_small_enough_to_read() -> None:
    assert [str(path) for path in WRITTEN if len(path.read_text().splitlines()) > 400] == []


def test_nothing_is_left_open() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert [str(path) for path in WRITTEN if marks.search(path.read_text())] == []


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=str)
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    named = re.findall(r"`((?:docs|scripts|tests|src)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_test_files_have_names_of_their_own() -> None:
    """Without packages pytest tells test files apart by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts]
    assert sorted(name for name in set(names) - {"conftest.py"} if names.count(name) > 1) == []
