"""What a server's start leaves unloaded, and that it is there for whoever needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("email.message", "zipfile", "logging.handlers", "rich", "greenlet", "click", "multiprocessing", "argon2")


def run(code: str) -> str:
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return told.stdout.strip()


def test_a_server_is_loaded_without_what_it_has_no_use_for() -> None:
    code = "import sys, bailiwick.app.start; print(*({names!r} & sys.modules.keys()))"
    assert run(code.format(names=set(HEAVY))) == ""


@pytest.mark.parametrize(
    "code",
    [
        "import importlib.metadata as found; print(found.version('sqlalchemy') > '2')",
        "from importlib.metadata import version; print(version('sqlalchemy') > '2')",
        "from importlib import metadata; print(metadata.version('sqlalchemy') > '2')",
        "import logging.config; print(callable(logging.config.dictConfig))",
        "from logging.config import dictConfig; print(callable(dictConfig))",
        "import sqlalchemy; print(sqlalchemy.create_engine('sqlite://').dialect.name == 'sqlite')",
    ],
)
def test_what_was_put_off_is_there_when_it_is_asked_for(code: str) -> None:
    assert run(f"import bailiwick.app.light; {code}") == "True"
