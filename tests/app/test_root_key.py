"""Another root key for a deployment: everything opens at every step, and nothing is left under the old one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, insert, select
from typer.testing import CliRunner, Result

from bailiwick.app import home, keyring, rekey
from bailiwick.app.cli import app
from bailiwick.app.home import HomeError
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.place import signer_of
from bailiwick.app.settings import Settings
from bailiwick.core.seal import KeyRing
from bailiwick.directory import access_keys, tables
from bailiwick.services.kms import tables as kms
from bailiwick.store import Store
from bailiwick.store.schema import metadata

# Bytes that are no secret sealed under the root: hashes, public keys, pictures, the trail, what is keyed and pinned.
_OTHERS = {
    *("iam_mfa_device.credential_id", "iam_mfa_device.public_key", "iam_credential_report.content"),
    *("kms_material.digest", "iam_service_credential.digest", "ec2_join_list.data"),
}
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    home.open_home(tmp_path, Settings(data=tmp_path), {})
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["root-key", *arguments])


def found(folder: Path) -> home.Home:
    return home.open_home(folder, Settings(data=folder), {})


def secrets(folder: Path) -> list[str]:
    """What the access keys open to."""
    ring = found(folder).ring
    with closing(Store(folder)) as store, store.transaction() as transaction:
        rows = transaction.all(select(tables.access_key.c.id, tables.access_key.c.secret))
        return sorted(ring.open("access-key", row.secret, row.id.encode()).decode() for row in rows)


def fill(folder: Path, keys: int) -> None:
    opened = found(folder)
    environment = opened.deployment.environment(opened.ring)
    with closing(Store(folder)) as store, store.transaction(write=True) as transaction:
        account = opened.deployment.account_id
        for _ in range(keys):
            access_keys.create(transaction, environment, account, account, 0.0)
        for arn in ("a", "b"):
            for number in range(3):
                sealed = opened.ring.seal("kms-material", b"m", os.urandom, f"{arn}|{number}".encode())
                values = {"key_arn": arn, "id": str(number), "sealed": sealed, "created": 0.0}
                transaction.run(insert(kms.material).values(**values))


def test_the_three_steps(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekey, "_AT_ONCE", 2)
    fill(tmp_path, 5)
    before, first = secrets(tmp_path), found(tmp_path).ring
    token = first.seal("session-token", b"s", os.urandom)
    for step in ("rotate", "drop"):
        assert isinstance(run(step).exception, HomeError | RootKeyError)
    assert run("add").exit_code == 0
    assert isinstance(run("add").exception, HomeError)
    assert isinstance(run("drop").exception, HomeError)
    between = found(tmp_path).ring  # of a server that has started since
    assert between.primary == first.primary
    new = between.roots[1]
    for _ in range(2):  # the second finds nothing to do
        assert run("rotate").exit_code == 0
        assert secrets(tmp_path) == before
        assert found(tmp_path).ring.roots == (new, first.primary)
    assert "is done: 12 values" in run("show").output
    fresh = between.seal("kms-material", b"m", os.urandom, b"c|0")
    with closing(Store(tmp_path)) as store:
        assert (rekey.count(store, first.primary), rekey.count(store, new)) == (0, 12)
        with store.transaction(write=True) as transaction:  # by the server that has not started since
            transaction.run(insert(kms.material).values(key_arn="c", id="0", sealed=fresh, created=0.0))
    assert found(tmp_path).ring.open("session-token", token) == b"s"
    assert run("show").output.split("\n")[:2] == [f"{new}  12 values  seals", f"{first.primary}  1 values"]
    assert isinstance(run("drop").exception, HomeError)
    assert run("rotate").exit_code == 0
    assert run("drop").exit_code == 0
    last = found(tmp_path).ring
    assert last.roots == (new,)
    assert secrets(tmp_path) == before
    assert last.mac("kms-imported-material", b"x") == first.mac("kms-imported-material", b"x")
    assert signer_of(last).public == signer_of(first).public
    assert last.mac("marker", b"x") != first.mac("marker", b"x")


def test_a_second_rotation(run: Run, tmp_path: Path) -> None:
    before, first = secrets(tmp_path), found(tmp_path).ring
    seen = {first.primary}
    for _ in range(2):
        for step in ("add", "rotate", "drop"):
            assert run(step).exit_code == 0, step
        seen.add(found(tmp_path).ring.primary)
    assert len(seen) == 3
    assert secrets(tmp_path) == before
    assert found(tmp_path).ring.mac("audit-digests", b"") == first.mac("audit-digests", b"")


def test_what_was_cut_short_is_taken_up(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 5)
    before, old = secrets(tmp_path), found(tmp_path).ring.primary
    assert run("add").exit_code == 0
    for place in ("rotation.keyring.change", "rotation.rekey.rewrap"):
        with monkeypatch.context() as broken:
            broken.setattr(f"bailiwick.app.{place}", lambda *_: 1 / 0)
            assert isinstance(run("rotate").exception, ZeroDivisionError)
        assert secrets(tmp_path) == before
    monkeypatch.setattr(rekey, "_AT_ONCE", 2)
    with closing(Store(tmp_path)) as store:
        next(rekey.rewrap(store, found(tmp_path).ring, old, os.urandom))
        assert rekey.count(store, old) == 10
    assert secrets(tmp_path) == before
    assert run("rotate").exit_code == 0
    assert run("drop").exit_code == 0
    assert secrets(tmp_path) == before


def test_what_does_not_open_keeps_the_old_root(run: Run, tmp_path: Path) -> None:
    ring = found(tmp_path).ring
    broken = ring.seal("kms-material", b"m", os.urandom, b"somewhere else")
    with closing(Store(tmp_path)) as store, store.transaction(write=True) as transaction:
        transaction.run(insert(kms.material).values(key_arn="a", id="0", sealed=broken, created=0.0))
    assert run("add").exit_code == 0
    assert "but for 1 values" in run("rotate").output
    assert "does not open" in str(run("drop").exception)
    assert len(found(tmp_path).ring.roots) == 2


def test_only_the_file_is_rotated(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILIWICK_ROOT_KEY", (tmp_path / keyring.FILE).read_text().strip())
    (tmp_path / keyring.FILE).unlink()
    assert "only there can this be done" in str(run("add").exception)


def test_every_column_of_bytes_is_accounted_for() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and not table.name.startswith("audit")
    }
    sealed = {f"{each.table.name}.{each.column.name}" for each in rekey.registry()}
    assert columns - sealed - _OTHERS == set()
    assert sealed <= columns


def test_the_first_of_several_seals() -> None:
    one, two = bytes(32), bytes(range(32))
    ring = KeyRing(two, one)
    assert KeyRing(one).open("p", KeyRing(one).seal("p", b"x", os.urandom)) == b"x"
    assert ring.open("p", KeyRing(one).seal("p", b"x", os.urandom)) == b"x"
    assert ring.roots == (KeyRing(two).primary, KeyRing(one).primary)
