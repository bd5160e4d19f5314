"""Imports point down: the contracts hold for the tree as it is, and each of them notices a planted violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_tree_keeps_its_contracts() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "planted", "contract"),
    [
        ("core/arn.py", "import bailiwick.store\n", "imports go down only"),
        ("wire/models.py", "import bailiwick.services\n", "imports go down only"),
        ("services/kms/keys.py", "import bailiwick.app\n", "imports go down only"),
        ("services/kms/keys.py", "import bailiwick.services.iam\n", "services do not import each other"),
        ("core/seal.py", "import time\n", "the core is pure"),
        ("core/sigv4/claim.py", "import socket\n", "the core is pure"),
        ("wire/identify.py", "import botocore.session\n", "the server does not import botocore"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, module: str, planted: str, contract: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "src" / "bailiwick" / module
    file.write_text(file.read_text() + planted)
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract in line and "BROKEN" in line for line in done.stdout.splitlines()), done.stdout
