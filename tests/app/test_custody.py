"""The root key under a passphrase and in shares: changed from one kind to another, typed wrongly, and never told."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import softhsm
from bailiwick.app import custody, home, keyring, sealed
from bailiwick.app.cli import app
from bailiwick.app.custody import CustodyError, Gathering
from bailiwick.app.home import HomeError
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.sealed import Brought, Desk, Seal
from bailiwick.app.settings import Settings
from bailiwick.core import shamir
from bailiwick.core.errors import ShareError

NAME = "cluster-frankfurthsm"
PHRASE = "correct horse battery staple"
Run = Callable[..., Result]


def typed(*lines: str) -> str:
    """The number of a descriptor through which these lines come."""
    ours, theirs = os.pipe()
    os.write(theirs, "".join(f"{line}\n" for line in lines).encode())
    os.close(theirs)
    return str(ours)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    home.open_home(tmp_path, Settings(data=tmp_path), {})
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str, lines: tuple[str, ...] = ()) -> Result:
        variables = {"BAILIWICK_UNSEAL_FD": typed(*lines)} if lines else {}
        return CliRunner().invoke(app, list(arguments), env=variables)

    return invoke


def opened(folder: Path, *lines: str) -> home.Home:
    return home.open_home(folder, Settings(data=folder), {"BAILIWICK_UNSEAL_FD": typed(*lines)} if lines else {})


def shares_in(folder: Path) -> list[str]:
    return [path.read_text().strip() for path in sorted(folder.iterdir())]


def test_from_file_to_passphrase_to_shares_and_back(run: Run, tmp_path: Path) -> None:
    root = (tmp_path / keyring.FILE).read_bytes()
    account = opened(tmp_path).deployment.account_id
    assert run("root-key", "passphrase", lines=(PHRASE,)).exit_code == 0
    assert not (tmp_path / keyring.FILE).exists()
    assert (tmp_path / custody.FILE).stat().st_mode & 0o777 == 0o600
    assert opened(tmp_path, PHRASE).deployment.account_id == account
    with pytest.raises(RootKeyError, match="passphrase is wrong"):
        opened(tmp_path, PHRASE + "!")
    with pytest.raises(RootKeyError, match="no terminal"):
        opened(tmp_path)

    split = run(
        "root-key", "split", "--shares", "3", "--threshold", "2", "--to", str(tmp_path / "s"), lines=(PHRASE,)
    )
    assert split.exit_code == 0, split.exception
    one, two, three = shares_in(tmp_path / "s")
    assert one not in split.output
    for pair in ((one, two), (three, one), (two, three, one)):
        assert opened(tmp_path, *pair).deployment.account_id == account
    with pytest.raises(RootKeyError, match="not enough"):
        opened(tmp_path, one)
    assert "the root key opens" in run("root-key", "combine", lines=(one, three)).output
    written = tmp_path / "written"
    assert run("root-key", "combine", "--write", str(written), lines=(one, three)).exit_code == 0
    assert written.read_bytes() == root
    assert run("root-key", "file", lines=(two, three)).exit_code == 0
    assert (tmp_path / keyring.FILE).read_bytes() == root
    assert not (tmp_path / custody.FILE).exists()
    assert opened(tmp_path).deployment.account_id == account


def test_shares_are_shown_once_and_a_short_passphrase_is_refused(run: Run, tmp_path: Path) -> None:
    assert "12 characters" in str(run("root-key", "passphrase", lines=("short",)).exception)
    assert isinstance(run("root-key", "split", "--shares", "3", "--threshold", "4").exception, HomeError)
    assert (tmp_path / keyring.FILE).exists()
    told = run("root-key", "split", "--shares", "3", "--threshold", "2").output.splitlines()
    shares = [line.partition(": ")[2] for line in told[:3]]
    assert opened(tmp_path, *shares[1:]).held.opened is not None


def test_a_rotation_of_locked_root_keys(run: Run, tmp_path: Path) -> None:
    assert run("root-key", "split", "--shares", "3", "--threshold", "2", "--to", str(tmp_path / "s")).exit_code == 0
    two = tuple(shares_in(tmp_path / "s")[:2])
    before = opened(tmp_path, *two).ring.primary
    for step in ("add", "rotate", "drop"):
        done = run("root-key", step, lines=two)
        assert done.exit_code == 0, done.exception
    after = opened(tmp_path, *two).ring
    assert after.roots == (after.primary,)
    assert after.primary != before


def test_a_changed_file_does_not_open(run: Run, tmp_path: Path) -> None:
    assert run("root-key", "passphrase", lines=(PHRASE,)).exit_code == 0
    path = tmp_path / custody.FILE
    whole = path.read_text()
    content = json.loads(whole)
    for changed in (
        {**content, "version": 2},
        {**content, "opener": {**content["opener"], "iterations": 4}},
        {**content, "opener": {**content["opener"], "memory_kib": 1 << 40}},
        {**content, "sealed": "AAAA"},
        {**content, "more": 1},
    ):
        path.write_text(json.dumps(changed))
        with pytest.raises(RootKeyError):
            opened(tmp_path, PHRASE)
    path.chmod(0o644)
    with pytest.raises(RootKeyError, match="open to other users"):
        opened(tmp_path, PHRASE)


@pytest.fixture
def locked() -> tuple[custody.Locked, list[str]]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    found, shares = custody.by_shares([bytes(32)], 5, 3, os.urandom)
    nonce = bytes(12)
    sealed_keys = nonce + AESGCM(found.key).encrypt(nonce, bytes(32), custody._bound(found.opener))
    return custody.Locked(1, found.opener, sealed_keys), [shamir.text(share) for share in shares]


def test_a_wrong_share_is_told_and_the_others_stay(locked: tuple[custody.Locked, list[str]]) -> None:
    lock, shares = locked
    gathering = Gathering(lock)
    assert gathering.add(shares[4]) == 5
    forged = shamir.read(shares[0])
    forged = shamir.Share(forged.set, forged.threshold, forged.number, bytes(32))
    foreign = shamir.text(shamir.split(bytes(32), 5, 3, os.urandom)[0])
    for wrong, told in (
        (shamir.text(forged), "share 1 is wrong"),
        (foreign, "of the set"),
        (shares[0][:-3], "checksum|no share"),
        ("", "not typed|no share"),
    ):
        with pytest.raises(CustodyError, match=told) as refused:
            gathering.add(wrong)
        assert not wrong or wrong not in str(refused.value)
    assert gathering.add(shares[4]) == 5, "the same once more is no progress"
    assert (gathering.numbers, gathering.complete) == ([5], False)
    with pytest.raises(CustodyError):
        gathering.open()
    for share in shares[1:3]:
        gathering.add(share)
    assert gathering.complete
    assert gathering.open().keys == (bytes(32),)


def test_nothing_secret_is_in_a_repr(locked: tuple[custody.Locked, list[str]]) -> None:
    lock, shares = locked
    found = custody.by_passphrase([b"k" * 32], PHRASE, os.urandom)
    held = keyring.Held(keyring.KeyRing(b"k" * 32), in_folder=True, opened=found)
    for shown in (
        repr(found),
        repr(held),
        repr(Brought(share=shares[0], passphrase=PHRASE)),
        repr(Gathering(lock)),
    ):
        for secret in (PHRASE, shares[0], "kkkk", found.key.hex(), repr(found.key)[2:-1]):
            assert secret not in shown
    with pytest.raises(ShareError):
        custody.by_shares([b"k" * 32], 2, 3, os.urandom)


def test_operators_bring_shares_to_the_desk(locked: tuple[custody.Locked, list[str]], tmp_path: Path) -> None:
    lock, shares = locked
    folder = tmp_path / ("long" * 30)  # the path of a socket may have 107 bytes
    folder.mkdir()
    done = threading.Event()
    seal = Seal(lock)
    desk = Desk(folder, seal, done.set)
    try:
        assert (folder / sealed.SOCKET).stat().st_mode & 0o777 == 0o600
        assert sealed.speak(folder, Brought()).needs == "3 of 5 shares"
        first = sealed.speak(folder, Brought(share=shares[0]))
        assert (first.taken, first.have, first.threshold, first.open) == (1, (1,), 3, False)
        assert "checksum" in sealed.speak(folder, Brought(share=shares[1][:-4] + "aaaa")).error
        assert sealed.speak(folder, Brought(passphrase=PHRASE)).have == (1,)
        assert sealed.speak(folder, Brought(reset=True)).have == ()
        for share in shares[:2]:
            sealed.speak(folder, Brought(share=share))
        assert not done.is_set()
        assert sealed.speak(folder, Brought(share=shares[2])).open
        assert done.wait(10)
    finally:
        desk.close()
    assert seal.opened is not None
    assert seal.opened.keys == (bytes(32),)
    with pytest.raises(FileNotFoundError):
        sealed.speak(folder, Brought())


@softhsm.needed
def test_a_token_opens_the_root_key(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, account = (tmp_path / keyring.FILE).read_bytes(), opened(tmp_path).deployment.account_id
    softhsm.folder()
    (tmp_path / "pin").write_text(softhsm.PIN)
    (tmp_path / "pin").chmod(0o600)
    places = tmp_path / "hsm.toml"
    text = f'[tokens.{NAME}]\nmodule = "{softhsm.MODULE}"\ntoken = "second"\npin_file = "{tmp_path}/pin"\n'
    places.write_text(text)
    assert "setting `hsm`" in str(run("root-key", "token", NAME).exception)
    monkeypatch.setenv("BAILIWICK_HSM", str(places))
    assert "names no token" in str(run("root-key", "token", "cluster-munichmunich").exception)
    done = run("root-key", "token", NAME)
    assert done.exit_code == 0, done.exception
    assert not (tmp_path / keyring.FILE).exists()

    with_hsm = Settings(data=tmp_path, hsm=places)
    assert home.open_home(tmp_path, with_hsm, {}).deployment.account_id == account
    assert "the root key opens" in run("root-key", "combine").output
    assert re.search("ok +key ring +root key [0-9a-f]+ opens the database", run("doctor").output)
    with pytest.raises(RootKeyError, match="setting `hsm`"):
        opened(tmp_path)
    places.write_text(text.replace('"second"', '"nowhere"'))
    with pytest.raises(RootKeyError, match="does not answer"):
        home.open_home(tmp_path, with_hsm, {})
    examined = run("doctor")
    assert re.search("broken +key ring +the token .* does not answer", examined.output)
    assert examined.exit_code == 1
    places.write_text(text.replace('"second"', '"third"'))
    with pytest.raises(RootKeyError, match="does not"):
        home.open_home(tmp_path, with_hsm, {})
    places.write_text(text)

    assert run("root-key", "add").exit_code == 0
    assert len(home.open_home(tmp_path, with_hsm, {}).ring.roots) == 2
    assert run("root-key", "rotate").exit_code == 0
    assert run("root-key", "drop").exit_code == 0
    assert run("root-key", "passphrase", lines=(PHRASE,)).exit_code == 0
    assert opened(tmp_path, PHRASE).deployment.account_id == account
    assert run("root-key", "token", NAME, lines=(PHRASE,)).exit_code == 0
    assert run("root-key", "file").exit_code == 0
    assert opened(tmp_path).deployment.account_id == account
    assert (tmp_path / keyring.FILE).read_bytes() != root
