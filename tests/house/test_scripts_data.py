"""The data folder that the scripts of a source tree take, where nobody has named one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree whose environment is there already, and whose Python tells what it was called with."""
    (tmp_path / "scripts").mkdir()
    for name in ("bailiwick", "serve"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for path, text in (
        ("scripts/environment", "exit 0"),
        (".venv/bin/python", 'echo "${BAILIWICK_DATA:-none} $*"'),
    ):
        (tmp_path / path).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / path).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("script", "arguments", "variables", "data"),
    [
        ("bailiwick", ["audit", "search", "eventName=a b"], {}, "TREE/data"),
        ("serve", ["--port", "5000"], {}, "TREE/data"),
        ("serve", ["--ephemeral"], {}, "none"),
        ("serve", ["--data=/elsewhere"], {}, "none"),
        ("bailiwick", ["doctor", "--config", "c.toml"], {}, "none"),
        ("bailiwick", ["doctor"], {"BAILIWICK_DATA": "/there"}, "/there"),
        ("bailiwick", ["doctor"], {"BAILIWICK_CONFIG": "c.toml"}, "none"),
    ],
)
def test_where_the_data_is(
    tree: Path, script: str, arguments: list[str], variables: dict[str, str], data: str
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BAILIWICK_")}
    told = subprocess.check_output([tree / "scripts" / script, *arguments], text=True, env={**clean, **variables})
    command = ["-m", "bailiwick", *(["serve"] if script == "serve" else []), *arguments]
    assert told == f"{data.replace('TREE', str(tree))} {' '.join(command)}\n"
