"""Logs: one JSON object a line for machines, no local variable in a traceback, and no failure of their own."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog

from bailiwick.app import logs


def test_a_failure_is_logged_in_full_but_without_variables(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    secret = "hid" + "den"
    try:
        int("x" + secret[6:])
    except ValueError as error:
        structlog.get_logger().error("failed", request_id="r-1", exc_info=error)
    structlog.get_logger().debug("not shown")
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"], record["request_id"]) == ("failed", "error", "r-1")
    assert "invalid literal for int()" in record["exception"]
    assert "hidden" not in line


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_each_level_lets_through_what_is_as_bad(capsys: pytest.CaptureFixture[str], level: str) -> None:
    logs.configure(level)
    order = ["debug", "info", "warning", "error"]
    for each in order:
        getattr(structlog.get_logger(), each)(each)
    shown = [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()]
    assert shown == order[order.index(level) :]


def test_a_closed_standard_error_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    logs.configure("info")
    monkeypatch.setattr(sys, "stderr", closed)
    structlog.get_logger().error("nobody hears this")
    assert closed.closed
