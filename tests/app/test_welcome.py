"""What a person reads when a server is ready: nothing that is not so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bailiwick.app.welcome import Welcome, show


@pytest.fixture
def welcome(tmp_path: Path) -> Welcome:
    key, config = tmp_path / "root-credentials", tmp_path / "aws-config"
    key.touch()
    return Welcome("http://127.0.0.1:1", "123456789012", "us-east-1", "aws", key, config, tmp_path, is_new=True)


def test_a_first_start(welcome: Welcome, capsys: pytest.CaptureFixture[str]) -> None:
    show(welcome)
    told = capsys.readouterr().out
    assert f"root user {welcome.credentials} (mode 0600)\n" in told
    assert "aws iam create-user --user-name admin" in told
    assert told.endswith("\nReady: http://127.0.0.1:1 (Ctrl-C ends it)\n")


def test_a_later_start_makes_no_administrator(welcome: Welcome, capsys: pytest.CaptureFixture[str]) -> None:
    show(msgspec.structs.replace(welcome, is_new=False))
    told = capsys.readouterr().out
    assert "aws sts get-caller-identity" in told
    assert "create-user" not in told


def test_a_key_that_was_put_away_is_not_promised(welcome: Welcome, capsys: pytest.CaptureFixture[str]) -> None:
    welcome.credentials.unlink()
    show(msgspec.structs.replace(welcome, is_new=False))
    told = capsys.readouterr().out
    assert f"root user no access key in {welcome.credentials}\n" in told
    assert "aws sts get-caller-identity" not in told
    assert told.endswith("\nReady: http://127.0.0.1:1 (Ctrl-C ends it)\n")
