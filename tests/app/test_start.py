"""The short way to a server: which arguments go past typer, and that they mean the same there."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bailiwick.app import cli, start
from bailiwick.app.settings import TABLE

PLAIN = [setting for setting in TABLE if setting.annotation is not bool]
TRUTHS = [setting for setting in TABLE if setting.annotation is bool]


@pytest.mark.parametrize("setting", PLAIN, ids=lambda setting: setting.name)
def test_a_flag_with_a_value(setting: Any) -> None:
    assert start.flags_of_serve(["serve", setting.flag, "v"]) == {setting.name: "v"}
    assert start.flags_of_serve(["serve", f"{setting.flag}=a=b"]) == {setting.name: "a=b"}


@pytest.mark.parametrize("setting", TRUTHS, ids=lambda setting: setting.name)
def test_a_flag_that_is_a_truth(setting: Any) -> None:
    assert start.flags_of_serve(["serve", setting.flag]) == {setting.name: True}
    assert start.flags_of_serve(["serve", f"--no{setting.flag[1:]}"]) == {setting.name: False}


def test_several_flags_of_which_the_last_counts() -> None:
    arguments = ["serve", "--port", "1", "--config", "c.toml", "--port=2"]
    assert start.flags_of_serve(arguments) == {"port": "2", "config": Path("c.toml")}
    assert start.flags_of_serve(["serve"]) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["doctor"],
        ["serve", "--help"],
        ["serve", "--nonsense", "v"],
        ["serve", "--port"],
        ["serve", "--port", "--host"],
        ["serve", "--port", "-1"],
        ["serve", "port"],
        ["serve", f"{TRUTHS[0].flag}=true"],
    ],
    ids=" ".join,
)
def test_all_else_is_for_typer(arguments: list[str]) -> None:
    assert start.flags_of_serve(arguments) is None


def test_typer_has_the_same_flags() -> None:
    named = set(inspect.signature(cli.serve).parameters)
    assert named == {setting.name for setting in TABLE} | {"config"}


def test_a_server_starts_without_what_it_does_not_need() -> None:
    code = "import sys, bailiwick.app.start; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unused = {"typer", "pydantic", "alembic", "botocore", "boto3", "cryptography.x509", "rich", "click", "greenlet"}
    unused |= {"multiprocessing", "http.client", "http.server", "stringprep", "uvicorn.main", "psycopg"}
    loaded = set(done.stdout.split())
    assert not unused & loaded
    assert not {name for name in loaded if name.startswith("bailiwick.services.")}, "until someone calls them"
