"""`bailiwick audit`: what it tells of a trail that a server has written, and its exit status."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bailiwick.app import environment, home
from bailiwick.app.cli import app
from bailiwick.app.home import HomeError
from bailiwick.app.settings import Settings
from bailiwick.core.message import Header, Request
from bailiwick.trail.files import Files

Run = Callable[..., Result]


@pytest.fixture(params=["files", "database"])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, on a data folder whose server has refused two requests and ended."""
    settings = Settings(data=tmp_path, audit_store=request.param)
    found = home.open_home(tmp_path, settings, {})
    with closing(environment.on_folder(found, settings)) as world:
        for name in ("ListUsers", "ListRoles"):
            headers = (Header("host", "h"), Header("content-type", "application/x-www-form-urlencoded"))
            body = f"Action={name}&Version=2010-05-08".encode()
            world.pipeline.handle(Request("POST", "/", "", headers, body, "192.0.2.7"))
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path))
    monkeypatch.setenv("BAILIWICK_AUDIT_STORE", request.param)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["audit", *arguments], catch_exceptions=False)


def test_a_whole_trail(run: Run) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert (
        "1 segments, 2 records, 2 of them vouched for by 1 digests\nThe trail is as it was written."
        in result.output
    )
    told = json.loads(run("verify", "--json").stdout)
    assert told == {"segments": 1, "records": 2, "digests": 1, "vouched": 2, "problems": [], "notes": []}


def test_anybody_can_verify_with_the_public_key(run: Run) -> None:
    key = run("key").stdout.strip()
    assert len(base64.b64decode(key)) == 32
    assert run("verify", "--key", key).exit_code == 0
    result = run("verify", "--key", base64.b64encode(b"k" * 32).decode())
    assert result.exit_code == 1
    assert "PROBLEM" in result.output
    assert "the signature does not hold" in result.output


def test_a_trail_outlives_its_root_key(run: Run) -> None:
    key = run("key").stdout
    for step in ("add", "rotate", "drop"):
        assert CliRunner().invoke(app, ["root-key", step], catch_exceptions=False).exit_code == 0
        assert run("key").stdout == key
        assert run("verify").exit_code == 0


def test_no_trail_is_not_a_whole_one(run: Run, tmp_path: Path) -> None:
    key = run("key").stdout.strip()
    for arguments in (("verify", "--key", key), ("search",)):
        with pytest.raises(HomeError, match="there is no audit trail in"):
            run(*arguments, "--audit", str(tmp_path / "nowhere"))


def test_an_empty_trail_is_not_a_whole_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for more in ((), ("--json",)):
        told = run("verify", "--key", run("key").stdout.strip(), "--audit", str(tmp_path / "empty"), *more)
        assert told.exit_code == 1
        assert "as it was written" not in told.stdout


def test_request_ids_are_whole_on_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (record,) = (json.loads(line) for line in run("search", "eventName=ListUsers", "--json").stdout.splitlines())
    monkeypatch.setenv("COLUMNS", "80")
    assert record["requestID"] in run("search").output


def test_a_changed_trail(run: Run, tmp_path: Path) -> None:
    files = list((tmp_path / "audit").glob("*.jsonl"))
    if not files:
        pytest.skip("tests/trail changes what is in the database")
    text = files[0].read_bytes()
    files[0].write_bytes(text.replace(b"192.0.2.7", b"192.0.2.8", 1))
    result = run("verify")
    assert result.exit_code == 1
    assert "the chain does not hold: what is there was changed" in result.output
    assert "1 problem: the trail was changed" in result.output


def test_search(run: Run) -> None:
    table = run("search").output
    assert table.index("iam:ListRoles") < table.index("iam:ListUsers")
    assert "192.0.2.7" in table
    assert "MissingAuthenticationToken" in table
    lines = run("search", "eventName=ListUsers", "eventSource=iam.amazonaws.com", "--json").stdout.splitlines()
    (record,) = [json.loads(line) for line in lines]
    assert record["eventName"] == "ListUsers"
    assert "chain" not in record
    assert len(run("search", "--json", "--limit", "1").stdout.splitlines()) == 1
    assert run("search", "eventName=ListUsers", "sourceIPAddress=192.0.2.9", "--json").stdout == ""


def test_a_resource_by_what_the_table_shows_of_it(tmp_path: Path, run: Run) -> None:
    trail = Files(tmp_path / "copy")
    segment = trail.begin(datetime(2026, 11, 24, tzinfo=UTC))
    for name in ("alias/app", "role/app"):
        told = {
            "eventName": name,
            "eventTime": "2026-11-24T04:00:00Z",
            "resources": [{"ARN": f"arn:aws:x:y:1:{name}"}],
        }
        segment.append([json.dumps(told).encode()])
    segment.close()

    def found(resource: str) -> list[str]:
        arguments = ("search", f"resource={resource}", "--json", "--audit", str(tmp_path / "copy"))
        return [json.loads(line)["eventName"] for line in run(*arguments).stdout.splitlines()]

    assert found("app") == ["role/app", "alias/app"]
    assert found("alias/app") == ["alias/app"]
    assert found("arn:aws:x:y:1:role/app") == ["role/app"]
    assert found("key/app") == []


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        (("--since", "1h"), 2),
        (("--until", "1h"), 0),
        (("--since", "2020-01-01", "--until", "2020-01-02T00:00:00Z"), 0),
        (("--since", "2020-01-01"), 2),
    ],
)
def test_search_by_time(run: Run, bounds: tuple[str, ...], count: int) -> None:
    assert len(run("search", "--json", *bounds).stdout.splitlines()) == count


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("search", "colour=red"), "is not NAME=VALUE with a NAME of: eventID"),
        (("search", "eventName"), "is not NAME=VALUE"),
        (("search", "--since", "yesterday"), "is no time"),
        (("verify", "--key", "abc"), "takes what `bailiwick audit key` prints"),
    ],
)
def test_what_is_asked_wrongly(run: Run, arguments: tuple[str, ...], text: str) -> None:
    from bailiwick.app.settings import SettingsError

    with pytest.raises(SettingsError, match=text):
        run(*arguments)


def test_what_the_story_command_finds(run: Run) -> None:
    (record,) = (json.loads(line) for line in run("search", "eventName=ListUsers", "--json").stdout.splitlines())
    told: Any = CliRunner().invoke(app, ["explain", record["requestID"]], catch_exceptions=False)
    assert "missing Authentication Token" in told.output
