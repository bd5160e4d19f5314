"""`bailiwick backup`, `restore` and `kms decrypt-offline`: what comes back, and what is refused."""

from __future__ import annotations

import base64
import io
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_support import exit_status
from sqlalchemy import create_engine, insert, text

from bailiwick.app import backup, home, keyring
from bailiwick.app.backup import BackupError
from bailiwick.app.home import Deployment
from bailiwick.core.seal import KeyRing
from bailiwick.services.kms import records, tables
from bailiwick.services.kms.ciphertext import Origin, Sealing
from bailiwick.store import Store, migrate

Command = Callable[..., tuple[int, bytes, str]]
ROOT = bytes(range(32))


@pytest.fixture
def run_it(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Command:
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path / "data"))

    def run(*arguments: str | Path, text: bytes = b"") -> tuple[int, bytes, str]:
        stdin = SimpleNamespace(buffer=io.BytesIO(text))
        status = exit_status(monkeypatch, tuple(map(str, arguments)), stdin)
        told = capfdbinary.readouterr()
        return status, told.out, told.err.decode()

    return run


@pytest.fixture
def data(run_it: Command, tmp_path: Path) -> Path:
    assert run_it("init")[0] == 0
    return tmp_path / "data"


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_CHUNK", 4096)


def database_of(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / home.DATABASE)) as database:
        return database.execute("SELECT name, value FROM setting ORDER BY name").fetchall()


@pytest.mark.usefixtures("small_chunks")
def test_a_folder_is_made_of_a_backup(run_it: Command, data: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "b", tmp_path / "other"
    with closing(Store(data)) as store, store.transaction() as transaction:
        transaction.one(tables.key.select())  # somebody reads meanwhile
        assert run_it("backup", file)[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "data"]
    root = (data / keyring.FILE).read_bytes()
    assert root.strip() not in file.read_bytes()
    assert b"SQLite format" not in file.read_bytes()
    status, out, _ = run_it("restore", file, "--verify")
    assert (status, b"is whole" in out) == (0, True)
    assert run_it("restore", file, "--data", other, "--root-key", data / keyring.FILE)[0] == 0
    assert database_of(other) == database_of(data)
    assert (other / keyring.FILE).read_bytes() == root
    assert run_it("account", "list", "--data", other)[1] == run_it("account", "list")[1]


def test_what_is_refused(run_it: Command, data: Path, tmp_path: Path) -> None:
    file, wrong = tmp_path / "b", tmp_path / "wrong.key"
    assert run_it("backup", file)[0] == 0
    assert "exists already" in run_it("backup", file)[2]
    assert f"there is no folder {file.parent / 'nowhere'}" in run_it("backup", file.parent / "nowhere" / "one")[2]
    assert "is not empty" in run_it("restore", file)[2]
    assert "name one with --root-key" in run_it("restore", file, "--data", tmp_path / "new")[2]
    wrong.write_bytes(ROOT)
    wrong.chmod(0o600)
    refused = run_it("restore", file, "--data", tmp_path / "new", "--root-key", wrong)
    assert refused[0] == 1
    assert f"given was {KeyRing(ROOT).primary}" in refused[2]
    (tmp_path / "text").write_text("x" * 100)
    assert "is not a backup" in run_it("restore", tmp_path / "text", "--verify")[2]
    assert not (tmp_path / "new" / home.DATABASE).exists()


def test_where_there_is_no_room(
    run_it: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("PRAGMA max_page_count = 1")
            database.execute("CREATE TABLE t (c)")

    monkeypatch.setattr(backup, "take", full)
    assert "there is no room" in run_it("backup", tmp_path / "b")[2]


def test_a_folder_without_a_database_is_told_what_it_may_lack(run_it: Command, data: Path) -> None:
    (data / home.DATABASE).unlink()
    assert "name it (BAILIWICK_DATABASE, or --config)" in run_it("backup", data / "b")[2]
    (data / keyring.FILE).unlink()
    assert "`bailiwick init` makes one" in run_it("backup", data / "b")[2]


@pytest.mark.usefixtures("data")
def test_nobody_to_ask_for_a_new_passphrase(run_it: Command) -> None:
    status, _, told = run_it("root-key", "passphrase")
    assert (status, told) == (
        1,
        "bailiwick: there is no terminal to ask at (New passphrase of the root key): give the number of a file "
        "descriptor from which it comes in BAILIWICK_UNSEAL_FD\n",
    )


@pytest.mark.usefixtures("small_chunks")
def test_a_damaged_backup_is_never_taken(run_it: Command, data: Path, tmp_path: Path) -> None:
    file, damaged, ring = tmp_path / "b", tmp_path / "damaged", keyring.of_file(data / keyring.FILE)
    assert run_it("backup", file)[0] == 0
    whole = file.read_bytes()
    manifest_end = 45 + int.from_bytes(whole[41:45], "big")
    part = 4096 + 16
    first, second = (whole[manifest_end + i * part :][:part] for i in (0, 1))
    for text_ in (
        *(
            whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :]
            for place in (5, 20, 44, 50, manifest_end)
        ),
        whole[:-1] + bytes((whole[-1] ^ 1,)),
        whole[:-1],
        whole[: manifest_end + 3 * part],  # cut off between two parts
        whole[:manifest_end],
        whole + b"\0",
        whole[:manifest_end] + second + first + whole[manifest_end + 2 * part :],
        whole[:30],
    ):
        damaged.write_bytes(text_)
        with pytest.raises(BackupError):
            backup.verify(damaged, ring)
        with pytest.raises(BackupError):
            backup.unpack(damaged, tmp_path / "x", ring)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "damaged", "data"]


def test_a_backup_of_an_earlier_version_is_brought_forward(run_it: Command, tmp_path: Path) -> None:
    old, ring = tmp_path / "old", KeyRing(ROOT)
    old.mkdir()
    (tmp_path / "key").write_bytes(ROOT)
    (tmp_path / "key").chmod(0o600)
    engine = create_engine(f"sqlite:///{old / home.DATABASE}")
    with engine.begin() as connection:
        migrate.upgrade(connection, "0010")
        sealed = ring.seal("deployment-check", b"this is the root key of this deployment", os.urandom)
        value = f"{ring.primary}:{base64.b64encode(sealed).decode()}"
        connection.execute(text("INSERT INTO setting VALUES ('key-ring.check', :value)"), {"value": value})
    engine.dispose()
    assert backup.take(old / home.DATABASE, tmp_path / "b", ring, "1").revision == "0010"
    status = run_it("restore", tmp_path / "b", "--data", tmp_path / "new", "--root-key", tmp_path / "key")
    assert status[0] == 0, status
    with closing(sqlite3.connect(tmp_path / "new" / home.DATABASE)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.REVISIONS[-1],)


def test_a_backup_of_a_later_version_is_refused(
    run_it: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_it("backup", tmp_path / "b")[0] == 0
    monkeypatch.setattr(backup, "REVISIONS", ("0001",))
    refused = run_it("restore", tmp_path / "b", "--data", tmp_path / "n", "--root-key", data / keyring.FILE)
    assert "which is later than this one" in refused[2]


def test_a_ciphertext_is_opened_without_a_server(run_it: Command, data: Path, tmp_path: Path) -> None:
    ring = keyring.of_file(data / keyring.FILE)
    with closing(Store(data)) as store:
        blob = _encrypted(store, ring)
    (tmp_path / "c").write_bytes(blob)
    pair = ("--context", "a=b=c")
    status, out, err = run_it("kms", "decrypt-offline", tmp_path / "c", *pair)
    assert (status, out) == (0, b"secret")
    assert "opened with arn:aws:kms:" in err
    assert run_it("kms", "decrypt-offline", tmp_path / "c")[0] == 1
    assert run_it("kms", "decrypt-offline", tmp_path / "c", "--context", "nonsense")[0] == 2
    printed = base64.b64encode(blob) + b"\n"
    assert run_it("kms", "decrypt-offline", "-", *pair, text=printed)[1] == b"secret"
    assert run_it("backup", tmp_path / "b")[0] == 0
    away = ("--data", tmp_path / "away", "--root-key", data / keyring.FILE)
    assert (
        run_it("kms", "decrypt-offline", tmp_path / "c", *pair, "--backup", tmp_path / "b", *away)[1] == b"secret"
    )
    assert "there is no deployment" in run_it("kms", "decrypt-offline", tmp_path / "c", *away)[2]
    (tmp_path / "c").write_bytes(blob[:5] + b"\2" + blob[6:])
    assert "its key is in a token, or behind" in run_it("kms", "decrypt-offline", tmp_path / "c", *pair)[2]


def _encrypted(store: Store, ring: KeyRing) -> bytes:
    """A ciphertext of a key that has been disabled since."""
    key_id, material_id, account = "1234abcd-12ab-34cd-56ef-1234567890ab", "ab" * 32, "123456789012"
    arn, material = f"arn:aws:kms:us-east-1:{account}:key/{key_id}", bytes(32)
    environment = Deployment(account, "us-east-1", "aws").environment(ring)
    empty = {"description": "", "policy": "{}", "pins": "{}", "created": 0.0}
    kind = {"state": "Disabled", "spec": "SYMMETRIC_DEFAULT", "usage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS"}
    names = {"arn": arn, "account": account, "region": "us-east-1", "id": key_id, "material": material_id}
    with store.transaction(write=True) as transaction:
        transaction.run(insert(tables.key).values(**names, **kind, **empty))
        sealed = records.seal_material(environment, arn, material_id, material)
        transaction.run(insert(tables.material).values(key_arn=arn, id=material_id, sealed=sealed, created=0.0))
    return Sealing(material, Origin(account, key_id, material_id)).seal(b"secret", {"a": "b=c"}, os.urandom)
