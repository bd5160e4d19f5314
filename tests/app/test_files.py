"""Files that hold secrets: what is written is whole and private, what is read is neither shared nor foreign."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from bailiwick.app import keyring
from bailiwick.app.files import UnsafeFile, private_folder, read_private, write_private
from bailiwick.app.keyring import RootKeyError
from bailiwick.core.seal import KeyRing
from bailiwick.store import Store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_private_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (read_private(path), mode(path)) == (b"new", 0o600)
    assert os.listdir(tmp_path) == ["secret"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    write_private(path, b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["secret"])


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to("elsewhere")
    write_private(tmp_path / "link", b"ours")
    assert ((tmp_path / "elsewhere").read_bytes(), (tmp_path / "link").is_symlink()) == (b"theirs", False)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "secret"
    write_private(path, b"x")
    path.chmod(bits)
    with pytest.raises(UnsafeFile, match="chmod 600"):
        read_private(path)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", b"x")
    (tmp_path / "link").symlink_to("secret")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    write_private(tmp_path / "large", b"x" * 65537)
    for name, told in (
        ("link", "symbolic link"),
        ("pipe", "not a file"),
        ("folder", "not a file"),
        ("large", "large"),
    ):
        with pytest.raises(UnsafeFile, match=told):
            read_private(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "nothing")


def test_a_folder_is_made_private_and_refused_when_others_may_write(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
    (tmp_path / "a").chmod(0o770)
    with pytest.raises(UnsafeFile, match="chmod 700"):
        private_folder(tmp_path / "a")


KEY = bytes(range(32))
TEXT = base64.b64encode(KEY)


@pytest.mark.parametrize("data", [KEY, TEXT, TEXT + b"\n"])
def test_a_root_key_is_found_in_its_file(tmp_path: Path, data: bytes) -> None:
    write_private(tmp_path / "root.key", data)
    found = keyring.find(tmp_path, {})
    assert found is not None
    assert found.primary == KeyRing(KEY).primary


@pytest.mark.parametrize(
    "data",
    [
        b"",
        KEY[:31],
        KEY + b"x",
        TEXT + b"\n\n",
        TEXT[:-4],
        TEXT.replace(b"A", b"*"),
        b" " + TEXT,
        KEY.hex().encode(),
    ],
)
def test_what_is_not_exactly_a_root_key_is_refused_and_not_shown(tmp_path: Path, data: bytes) -> None:
    write_private(tmp_path / "root.key", data)
    with pytest.raises(RootKeyError, match="does not hold a root key") as caught:
        keyring.find(tmp_path, {})
    assert len(data) < 4 or data.decode("latin-1") not in str(caught.value)


def test_the_environment_wins_and_is_cleaned_then_the_service_manager(tmp_path: Path) -> None:
    write_private(tmp_path / "root.key", bytes(32))
    (tmp_path / "credentials").mkdir()
    write_private(tmp_path / "credentials" / "bailiwick-root-key", b"\x01" * 32)
    (tmp_path / "credentials" / "bailiwick-root-key").chmod(0o440)
    environment = {"BAILIWICK_ROOT_KEY": TEXT.decode(), "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    rings = []
    for _ in range(2):
        ring = keyring.find(tmp_path, environment)
        assert ring is not None
        rings.append(ring.primary)
    assert rings == [KeyRing(KEY).primary, KeyRing(b"\x01" * 32).primary]
    assert "BAILIWICK_ROOT_KEY" not in environment
    assert keyring.find(tmp_path / "credentials", {}) is None


def test_a_new_root_key_is_the_one_that_is_found(tmp_path: Path) -> None:
    made = keyring.create(tmp_path, os.urandom)
    found = keyring.find(tmp_path, {})
    assert found is not None
    assert (made.primary, mode(tmp_path / "root.key")) == (found.primary, 0o600)


def test_a_wrong_root_key_is_told_apart_from_a_damaged_database() -> None:
    store, right, wrong = Store.in_memory(), KeyRing(KEY), KeyRing(bytes(32))
    with store.transaction(write=True) as transaction:
        with pytest.raises(RootKeyError, match="damaged"):
            keyring.check(transaction, right)
        keyring.imprint(transaction, right, os.urandom)
        keyring.check(transaction, right)
        with pytest.raises(RootKeyError, match=f"needs {right.primary}, given was {wrong.primary}"):
            keyring.check(transaction, wrong)
        found = keyring.facts.get(transaction, "key-ring.check")
        assert found is not None
        keyring.facts.put(transaction, "key-ring.check", found[:-8] + "AAAAAAA=")
        with pytest.raises(RootKeyError, match="it is damaged"):
            keyring.check(transaction, right)
    store.close()
