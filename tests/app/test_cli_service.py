"""`bailiwick service`: keys in private files, names that are refused, and keys that end at once."""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bailiwick.app import environment, home
from bailiwick.app.cli import app
from bailiwick.app.home import read_credentials
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.core.errors import UnknownToken
from bailiwick.core.policy.question import PrincipalKind

BACKUP = "backup.example.internal"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    home.open_home(tmp_path, Settings(data=tmp_path), {})
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["service", *arguments])


def test_the_life_of_a_service(run: Run, tmp_path: Path) -> None:
    path = tmp_path / f"service-credentials-{BACKUP}"
    made = run("create", BACKUP)
    assert made.exit_code == 0, made.output
    assert str(path) in made.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = read_credentials(path.read_text(), "here")
    settings = Settings(data=tmp_path)
    found = home.open_home(tmp_path, settings, {})
    with closing(environment.on_folder(found, settings)) as server:
        caller = server.directory.credential(first.access_key_id, None, 0.0).caller
        assert (caller.kind, caller.arn) == (PrincipalKind.SERVICE, BACKUP)
        listed = run("list").output
        assert listed.startswith(f"{BACKUP}  backup  {first.access_key_id}  20")
        assert first.secret not in listed

        assert run("rotate-key", BACKUP).exit_code == 0
        second = read_credentials(path.read_text(), "here")
        assert second != first
        assert not path.with_name(f"{path.name}.new").exists()
        server.store.refresh()
        with pytest.raises(UnknownToken):
            server.directory.credential(first.access_key_id, None, 0.0)
        assert server.directory.credential(second.access_key_id, None, 0.0).secret == second.secret

        assert run("delete", BACKUP).exit_code == 0
        server.store.refresh()
        with pytest.raises(UnknownToken):
            server.directory.credential(second.access_key_id, None, 0.0)
    assert not path.exists()
    assert run("list").output == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("create", "backup"), "no name of a service"),
        (("create", "Backup.example"), "no name of a service"),
        (("create", "../x.y"), "no name of a service"),
        (("create", "kms.example.internal"), "for Bailiwick itself"),
        (("create", "vault.example.internal", "--signing-name", "sts"), "for Bailiwick itself"),
        (("create", "vault.example.internal", "--signing-name", "a/b"), "not what requests can be signed for"),
    ],
)
def test_names_that_are_refused(run: Run, tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, SettingsError)
    assert text in str(result.exception)
    assert list(tmp_path.glob("service-credentials*")) == []


def test_names_that_are_taken_or_unknown(run: Run, tmp_path: Path) -> None:
    run("create", BACKUP)
    kept = (tmp_path / f"service-credentials-{BACKUP}").read_text()
    for arguments in (("create", BACKUP), ("create", "backup.elsewhere.internal")):
        taken = run(*arguments)
        assert isinstance(taken.exception, home.HomeError), taken.output
        assert "already" in str(taken.exception)
    assert (tmp_path / f"service-credentials-{BACKUP}").read_text() == kept
    assert sorted(tmp_path.glob("service-credentials*")) == [tmp_path / f"service-credentials-{BACKUP}"]
    for command in ("rotate-key", "delete"):
        unknown = run(command, "other.example.internal")
        assert "there is no service other.example.internal" in str(unknown.exception)
