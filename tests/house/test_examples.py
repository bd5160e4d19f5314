"""The documents' Python examples, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, int, str]]:
    found = []
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if document.name == "architecture.md":
            continue  # its code is a picture
        for number, match in enumerate(FENCE.finditer(document.read_text())):
            if "def test_" not in match[1]:  # tests for pytest users are run as such in tests/app
                found.append((document.name, number, match[1]))
    return found


@pytest.mark.parametrize(("document", "number", "code"), examples(), ids=lambda value: str(value)[:20])
def test_an_example_runs(document: str, number: int, code: str) -> None:
    exec(compile(code, f"{document}#{number}", "exec"), {"__name__": "example"})
