"""The installed command, run in the process of the test."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from bailiwick.app import cli


def exit_status(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], stdin: Any) -> int:
    """How `bailiwick ARGUMENTS` ended. What it may change of the process is as it was."""
    monkeypatch.setattr("sys.argv", ["bailiwick", *arguments])
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setenv("COLUMNS", "300")
    before = os.umask(0o022)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        os.umask(before)
    return int(ended.value.code or 0)


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str, text: str = ""
) -> tuple[int, str, str]:
    """The exit status and both outputs of the installed command."""
    status = exit_status(monkeypatch, arguments, io.StringIO(text))
    told = capsys.readouterr()
    return status, told.out, told.err
