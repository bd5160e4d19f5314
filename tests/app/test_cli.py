"""The command line but for `serve`: what it makes, what it prints, and how it refuses."""

from __future__ import annotations

import base64
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from command_support import run
from sqlalchemy import insert, select
from typer.testing import CliRunner

from bailiwick import __version__
from bailiwick.app import cli, home
from bailiwick.app.home import read_credentials
from bailiwick.app.settings import SettingsError
from bailiwick.core.seal import KeyRing
from bailiwick.directory import (
    access_keys,
    accounts,
    entities,
    membership,
    mfa,
    organization_tables,
    passwords,
    tables,
)
from bailiwick.directory.entities import AccessKey, record
from bailiwick.directory.organizations import Node, Organization
from bailiwick.services.kms import tables as kms_tables
from bailiwick.store import Store

Command = Callable[..., tuple[int, str, str]]

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
FILE = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"


@pytest.fixture
def run_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path / "data"))
    return lambda *arguments, text="": run(monkeypatch, capsys, *arguments, text=text)


def root_keys(data: Path, account: str) -> dict[str, str]:
    """The access keys of an account's root user, opened with the folder's root key."""
    ring = KeyRing(base64.b64decode((data / "root.key").read_bytes()))
    store = Store(data)
    with store.transaction() as transaction:
        rows = transaction.all(select(tables.access_key).where(tables.access_key.c.owner_id == account))
    store.close()
    keys = [record(AccessKey, row) for row in rows]
    return {key.id: access_keys.open_secret(ring, key) for key in keys}


def test_version(run_it: Command) -> None:
    assert run_it("version") == (0, f"{__version__}\n", "")


def test_help_and_wrong_use(run_it: Command) -> None:
    status, told, _ = run_it("--help")
    assert status == 0
    assert all(command in told for command in ("serve", "init", "doctor", "account", "root", "version"))
    assert run_it("dance")[0] == 2
    assert run_it("account", "create")[0] == 2


def test_init_makes_a_home_once(run_it: Command, tmp_path: Path) -> None:
    chosen = ("--account-id", "111122223333", "--region", "cn-north-1", "--partition", "aws-cn")
    status, told, errors = run_it("init", *chosen)
    assert (status, errors) == (0, "")
    assert told.splitlines()[0] == "account 111122223333 (aws-cn, cn-north-1)"
    key = read_credentials((tmp_path / "data" / "root-credentials").read_text(), "x")
    assert root_keys(tmp_path / "data", "111122223333") == {key.access_key_id: key.secret}
    assert key.secret not in told
    status, _, errors = run_it("init")
    assert (status, errors) == (1, f"bailiwick: {tmp_path}/data is set up already: account 111122223333\n")


@pytest.mark.parametrize("how", ["standard input", "a file", "a variable"])
def test_init_adopts_a_root_key(run_it: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    (tmp_path / "key").write_text(FILE)
    match how:
        case "standard input":
            done = run_it("init", "--root-credentials", "-", text=FILE)
        case "a file":
            done = run_it("init", "--root-credentials", str(tmp_path / "key"))
        case _:
            monkeypatch.setenv("BAILIWICK_ROOT_CREDENTIALS", str(tmp_path / "key"))
            done = run_it("init")
    assert done[0] == 0
    account = done[1].split()[1]
    assert root_keys(tmp_path / "data", account) == {KEY: SECRET}
    assert SECRET not in done[1] + done[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[default]\n",
        FILE.replace(SECRET, "short"),
        FILE.replace(KEY, "AKIA-NOT-ALLOWED-HERE"),
        FILE.replace("[default]", "[a]") + FILE.replace("[default]", "[b]"),
        FILE + "x" * 70_000,
    ],
)
def test_what_is_no_credentials_file_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_credentials(text, "there")
    assert "there" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_only_profile_may_have_any_name() -> None:
    key = read_credentials(FILE.replace("[default]", "[work]"), "there")
    assert (key.access_key_id, key.secret) == (KEY, SECRET)
    assert SECRET not in repr(key)


def test_accounts(run_it: Command, tmp_path: Path) -> None:
    run_it("init", "--account-id", "111122223333")
    status, told, _ = run_it("account", "create", "Team Blue", "--account-id", "222233334444")
    path = tmp_path / "data" / "root-credentials-222233334444"
    assert (status, told) == (0, f"account 222233334444: its root access key is in {path}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_credentials(path.read_text(), "x")
    assert root_keys(tmp_path / "data", "222233334444") == {key.access_key_id: key.secret}
    before = path.read_bytes()
    status, _, errors = run_it("account", "create", "Again", "--account-id", "222233334444")
    assert (status, errors.startswith("bailiwick: account 222233334444 exists already")) == (1, True)
    assert path.read_bytes() == before
    assert run_it("account", "create", "Third")[0] == 0
    lines = run_it("account", "list")[1].splitlines()
    assert lines[:2] == ["111122223333  main", "222233334444  Team Blue"]
    assert lines[2].endswith("  Third")


def test_an_account_in_an_organization(run_it: Command, tmp_path: Path) -> None:
    run_it("init", "--account-id", "111122223333")
    with closing(Store(tmp_path / "data")) as store, store.transaction(write=True) as transaction:
        made = Organization("o-abcdefghij", "111122223333", "r-abcd", "ALL", "", "", 1.0)
        transaction.run(insert(organization_tables.organization).values(**msgspec.structs.asdict(made)))
        membership.add_node(transaction, made, Node("r-abcd", made.id, "ROOT", "", "Root", "", "", 1.0))
        membership.join(transaction, made, "111122223333", "INVITED", 1.0)
    joined = "--account-id", "222233334444", "--organization", "o-abcdefghij"
    assert run_it("account", "create", "Blue", *joined)[0] == 0
    status, _, errors = run_it("account", "create", "Red", "--organization", "o-nowhere")
    assert (status, errors.startswith("bailiwick: there is no organization o-nowhere")) == (1, True)
    assert run_it("account", "list")[1].splitlines() == [
        "111122223333  main  o-abcdefghij (management)",
        "222233334444  Blue  o-abcdefghij",
    ]
    with closing(Store(tmp_path / "data")) as store, store.transaction() as transaction:
        assert entities.role(transaction, "222233334444", "OrganizationAccountAccessRole") is not None


@pytest.mark.parametrize(
    "wrong", [("x" * 129,), ("",), ("a\nb",), ("ok", "--account-id", "12"), ("ok", "--account-id", "../../x")]
)
def test_a_wrong_account_is_refused(run_it: Command, tmp_path: Path, wrong: tuple[str, ...]) -> None:
    run_it("init")
    status, _, errors = run_it("account", "create", *wrong)
    assert status == 2
    assert "Traceback" not in errors
    assert len(run_it("account", "list")[1].splitlines()) == 1


def test_rotation_ends_the_old_key_and_prints_no_secret(run_it: Command, tmp_path: Path) -> None:
    run_it("init", "--account-id", "111122223333")
    data = tmp_path / "data"
    old = read_credentials((data / "root-credentials").read_text(), "x")
    status, told, _ = run_it("root", "rotate-key")
    new = read_credentials((data / "root-credentials").read_text(), "x")
    assert (status, told) == (0, f"the new root access key is in {data}/root-credentials\n")
    assert root_keys(data, "111122223333") == {new.access_key_id: new.secret}
    assert old.access_key_id != new.access_key_id
    assert not list(data.glob("*.new"))
    assert run_it("root", "rotate-key", "--account-id", "999999999999")[0] == 1


@pytest.mark.parametrize("command", [("account", "list"), ("account", "create", "x"), ("root", "rotate-key")])
def test_commands_on_a_deployment_want_one(run_it: Command, tmp_path: Path, command: tuple[str, ...]) -> None:
    status, _, errors = run_it(*command)
    assert (status, errors.startswith("bailiwick: there is no deployment in")) == (1, True)
    assert not (tmp_path / "data").exists()


# -- doctor -------------------------------------------------------------------------------------------------


@pytest.fixture
def data(run_it: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BAILIWICK_PORT", "1")  # where nothing listens
    run_it("init", "--account-id", "111122223333")
    return tmp_path / "data"


def test_doctor_finds_a_healthy_deployment_healthy_and_changes_nothing(run_it: Command, data: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in data.iterdir() if "db-" not in path.name)
    status, told, errors = run_it("doctor")
    assert (status, errors) == (0, "")
    subjects = ("data folder", "disk", "clock", "database", "migrations", "key ring", "deployment", "port")
    assert [line.strip().startswith("ok") for line in told.splitlines()] == [True] * len(subjects)
    assert all(subject in told for subject in subjects)
    assert before == sorted(
        (path.name, path.stat().st_mtime_ns) for path in data.iterdir() if "db-" not in path.name
    )


def _unreadable(data: Path) -> None:
    (data / "root.key").chmod(0o644)


def _foreign(data: Path) -> None:
    home.keyring.create(data, os.urandom)


def _lost(data: Path) -> None:
    (data / "root.key").unlink()


def _open(data: Path) -> None:
    data.chmod(0o777)


def _leaky(data: Path) -> None:
    (data / "root-credentials").chmod(0o640)


def _damaged(data: Path) -> None:
    (data / "bailiwick.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)


def _newer(data: Path) -> None:
    with sqlite3.connect(data / "bailiwick.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _future(data: Path) -> None:
    os.utime(data / "bailiwick.db", (4e9, 4e9))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_unreadable, "chmod 600"),
        (_foreign, "another deployment's root key"),
        (_lost, "put root.key back"),
        (_open, "chmod 700"),
        (_leaky, "chmod 600"),
        (_damaged, "bailiwick.db"),
        (_newer, "Install the version that made it"),
        (_future, "set the clock"),
    ],
)
def test_doctor_says_what_is_broken_and_how_to_mend_it(
    run_it: Command, data: Path, harm: Callable[[Path], None], told: str
) -> None:
    harm(data)
    status, out, errors = run_it("doctor")
    assert (status, errors) == (1, "")
    assert any(line.strip().startswith("broken") and told in line for line in out.splitlines()), out


def test_doctor_reminds_who_keeps_using_root(run_it: Command, data: Path) -> None:
    store = Store(data)
    with store.transaction(write=True) as transaction:
        transaction.run(tables.access_key.update().values(last_used=time.time()))
        assert accounts.find(transaction, "111122223333") is not None
    store.close()
    status, out, _ = run_it("doctor")
    assert status == 0
    assert any(line.strip().startswith("care") and "administrator user" in line for line in out.splitlines())


def test_doctor_tells_of_what_is_the_matter_outside(run_it: Command, data: Path) -> None:
    key = {"arn": "arn", "account": "111122223333", "region": "us-east-1", "store": "cks-2", "cluster": "cluster-x"}
    place = {"account": "111122223333", "region": "us-east-1", "kind": "EXTERNAL_KEY_STORE", "secret": b""}
    with closing(Store(data)) as store, store.transaction(write=True) as transaction:
        for number, failed in enumerate((True, True, False)):
            values = {"id": str(number), "state": "DELETED", "failed": failed, "since": 0}
            transaction.run(kms_tables.left.insert().values(**key, **values))
        for name, state, error in (("a", "FAILED", "XKS_PROXY_NOT_REACHABLE"), ("b", "CONNECTED", None)):
            values = {"id": f"cks-{name}", "name": name, "state": state, "error": error, "created": 0}
            transaction.run(kms_tables.store.insert().values(**place, **values))
    status, out, _ = run_it("doctor")
    assert status == 0
    first, second = (line.split(None, 1)[1] for line in out.splitlines() if line.strip().startswith("care"))
    assert "cks-a (a) has FAILED: XKS_PROXY_NOT_REACHABLE" in first
    assert "2 keys are left in cluster-x" in second


def test_doctor_without_a_deployment(run_it: Command, tmp_path: Path) -> None:
    status, out, _ = run_it("doctor")
    assert status == 1
    assert "`bailiwick init` makes one" in out
    assert not (tmp_path / "data").exists()


def test_typer_takes_the_flags_of_the_table() -> None:
    told = CliRunner().invoke(cli.app, ["serve", "--port", "x", "--no-ephemeral"])
    assert isinstance(told.exception, SettingsError)


def test_root_gets_an_address_and_a_password(run_it: Command, tmp_path: Path) -> None:
    run_it("init", "--account-id", "123456789012")
    status, out, _ = run_it("root", "reset-password", "--password-file", "-", text="Correct-Horse-1\n")
    assert (status, "set-email" in out) == (0, True)
    assert run_it("root", "set-email", "root@example.org")[0] == 0
    with closing(Store(tmp_path / "data")) as store, store.transaction() as transaction:
        found = accounts.find(transaction, "123456789012")
        assert found is not None
        assert found.email == "root@example.org"
        assert passwords.verify(transaction, found.id, "Correct-Horse-1", time.time()) is passwords.Outcome.OK
    assert run_it("root", "reset-password", "--password-file", "-", text="Another-Horse-2\n")[0] == 0
    with closing(Store(tmp_path / "data")) as store, store.transaction() as transaction:
        assert passwords.verify(transaction, "123456789012", "Another-Horse-2", time.time()) is passwords.Outcome.OK


@pytest.mark.parametrize(
    ("arguments", "text", "told"),
    [
        (("reset-password", "--password-file", "-"), "short\n", "minimum length"),
        (("reset-password", "--password-file", "-"), "\n", "empty"),
        (("set-email", "nobody"), "", "no e-mail address"),
        (("set-email", "a@b.example", "--account-id", "999999999999"), "", "no account 999999999999"),
        (("deactivate-mfa",), "", "no such device"),
    ],
)
def test_what_root_is_refused(run_it: Command, arguments: tuple[str, ...], text: str, told: str) -> None:
    run_it("init", "--account-id", "123456789012")
    status, _, error = run_it("root", *arguments, text=text)
    assert status in (1, 2)
    assert told in error


def test_an_address_is_of_one_root_user(run_it: Command) -> None:
    run_it("init", "--account-id", "123456789012")
    run_it("account", "create", "other", "--account-id", "210987654321")
    assert run_it("root", "set-email", "root@example.org")[0] == 0
    status, _, error = run_it("root", "set-email", "Root@Example.org", "--account-id", "210987654321")
    assert (status, "another account" in error) == (1, True)


def test_lost_devices_are_taken_away(run_it: Command, tmp_path: Path) -> None:
    run_it("init", "--account-id", "123456789012")
    serial = "arn:aws:iam::123456789012:u2f/root/key-ABC"
    with closing(Store(tmp_path / "data")) as store, store.transaction(write=True) as transaction:
        mfa.enrol_fido(
            transaction, mfa.Device(serial, "123456789012", mfa.FIDO, 1.0, "123456789012", 1.0, credential_id=b"a")
        )
    assert serial in run_it("root", "deactivate-mfa")[1]
    with closing(Store(tmp_path / "data")) as store, store.transaction() as transaction:
        assert mfa.devices_of(transaction, "123456789012") == []
