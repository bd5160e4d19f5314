"""The key of a host in a PKCS#11 token, with SoftHSM's module: joining, signing, a token that goes, a PIN that is wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import softhsm
from bailiwick.app.agent import client, command, token_key
from bailiwick.app.agent.client import Client, KeyAway
from bailiwick.app.agent.keeper import Keeper
from bailiwick.app.agent.state import Folder, Joined, new_key
from bailiwick.app.agent.token_key import InToken, TokenKey
from bailiwick.core import host_proof
from bailiwick.core.errors import HsmUnavailable
from bailiwick.core.message import Header, Request
from hosts_support import role_in_profile, token
from world import World

ENDPOINT = "https://bailiwick.test"


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    softhsm.folder()
    path = tmp_path / "pin"
    path.write_text(softhsm.PIN)
    path.chmod(0o600)
    return path


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A server without a socket, which every client of an agent reaches."""
    made = World(time.time)
    role_in_profile(made)

    def post(self: Client, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, dict[str, Any]]:
        request = Request("POST", path, "", tuple(Header(*each) for each in headers.items()), body, "10.0.0.7")
        response = made.pipeline.handle(request)
        return response.status, "", json.loads(response.body)

    monkeypatch.setattr(Client, "_post", post)
    return made


def named(pin: Path, label: str = "third") -> list[str]:
    return ["--pkcs11-module", str(softhsm.MODULE), "--pkcs11-token", label, "--pkcs11-pin-file", str(pin)]


def where(pin: Path, label: str = "third") -> InToken:
    return InToken(module=str(softhsm.MODULE), token=label, key=os.urandom(16).hex(), pin_file=str(pin))


def join(world: World, state: Path, *more: str) -> None:
    shown = state.parent / "join-token"
    shown.write_text(token(world, profile="web"))
    shown.chmod(0o600)
    command.main(["join", "--state", str(state), "--endpoint", ENDPOINT, "--token-file", str(shown), *more])


def keeper(state: Path, now: Any = time.time) -> Keeper:
    folder = Folder(state)
    joined = folder.joined()
    return Keeper(folder, Client(joined.endpoint, folder.key(), joined.instance_id), now=now)


def held(pin: Path, label: str = "third") -> set[bytes]:
    """The ids of the keys of hosts in a token."""
    import pkcs11
    from pkcs11 import Attribute, ObjectClass

    reader = TokenKey(where(pin, label), pin.parent)
    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: "bailiwick agent"}
    found = reader.do(lambda session: {bytes(each[pkcs11.Attribute.ID]) for each in session.get_objects(wanted)})
    reader.close()
    return found


@softhsm.needed
def test_a_host_joins_and_asks_with_a_key_in_a_token(tmp_path: Path, pin: Path, world: World) -> None:
    state, before = tmp_path / "agent", held(pin)
    join(world, state, *named(pin))
    found = Folder(state).joined().pkcs11
    assert found is not None
    assert held(pin) - before == {bytes.fromhex(found.key)}
    assert softhsm.PIN not in (state / "host.json").read_text()
    assert not (state / "host.key").exists()
    mine = keeper(state)
    asyncio.run(mine.refresh())
    assert mine.profile(None) is not None
    assert asyncio.run(mine.credentials(None, "2.0")).role_name == "web"
    secret = Folder(state).secret("imds-tokens")
    assert secret == Folder(state).secret("imds-tokens") != Folder(state).secret("another")
    # Another instance: a new key, and the one before is destroyed. Then one with a key in a file.
    join(world, state, *named(pin), "--again")
    again = Folder(state).joined().pkcs11
    assert again is not None
    assert held(pin) - before == {bytes.fromhex(again.key)} != {bytes.fromhex(found.key)}
    join(world, state, "--again")
    assert held(pin) == before
    assert (state / "host.key").exists()
    asyncio.run(keeper(state).credentials(None, "2.0"))
    join(world, state, *named(pin), "--again")
    assert not (state / "host.key").exists()
    assert token_key.forget(Folder(state).joined().pkcs11, state) is None


@softhsm.needed
def test_a_host_that_is_refused_leaves_no_key(tmp_path: Path, pin: Path, world: World) -> None:
    shown, before = tmp_path / "join-token", held(pin)
    shown.write_text("bwj1_unknown")
    shown.chmod(0o600)
    with pytest.raises(SystemExit):
        command.main(
            [
                *("join", "--state", str(tmp_path / "agent"), "--endpoint", ENDPOINT),
                *("--token-file", str(shown), *named(pin)),
            ]
        )
    assert held(pin) == before


@softhsm.needed
def test_the_key_stays_in_the_token(tmp_path: Path, pin: Path) -> None:
    import pkcs11
    from pkcs11 import Attribute, ObjectClass

    key = TokenKey(where(pin), tmp_path)
    public = host_proof.public_key(key.make())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    proof = base64.b64decode(key.prove(b"text").removeprefix("1:"))
    host_proof.verify(public, proof, b"text")
    private = key.session().get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key.where.key))
    for attribute, value in (
        (Attribute.EXTRACTABLE, False),
        (Attribute.NEVER_EXTRACTABLE, True),
        (Attribute.SENSITIVE, True),
        (Attribute.PRIVATE, True),
        (Attribute.DERIVE, False),
        (Attribute.UNWRAP, False),
    ):
        assert private[attribute] is value
    with pytest.raises(pkcs11.AttributeSensitive):
        private[Attribute.VALUE]
    assert softhsm.PIN not in repr(key)
    key.destroy()
    with pytest.raises(HsmUnavailable, match="holds no key of this host"):
        key.prove(b"text")


@softhsm.needed
def test_a_token_that_goes_and_comes_back(tmp_path: Path, pin: Path, world: World) -> None:
    state, now = tmp_path / "agent", [time.time()]
    join(world, state, *named(pin))
    mine = keeper(state, lambda: now[0])
    asyncio.run(mine.refresh())
    assert "web" in mine.status
    tokens = softhsm.folder() / "tokens"
    tokens.rename(tokens.with_name("away"))
    tokens.mkdir()
    key: Any = mine._client.key
    key.close()
    try:
        with pytest.raises(KeyAway, match="there is no token third"):
            mine._client.ask("GetInstance", {})
        asyncio.run(mine.refresh())
        assert "the token with this host's key is away" in mine.status
        assert asyncio.run(mine.credentials(None, "2.0")).role_name == "web"  # what is there serves on
    finally:
        tokens.rmdir()
        tokens.with_name("away").rename(tokens)
    now[0] += 400
    asyncio.run(mine.refresh())
    assert "away" not in mine.status
    assert token_key.forget(key.where, state) is None


@softhsm.needed
def test_a_pin_is_tried_once_though_the_agent_is_started_again(tmp_path: Path, pin: Path) -> None:
    key = TokenKey(where(pin), tmp_path)
    key.make()
    key.close()
    pin.write_text("not-the-pin")
    for _ in range(6):  # SoftHSM, too, would have locked it
        with pytest.raises(HsmUnavailable, match="PIN"):
            TokenKey(key.where, tmp_path).prove(b"text")
    kept = (tmp_path / "pin-refused").read_bytes()
    assert b"not-the-pin" not in kept
    assert (tmp_path / "pin-refused").stat().st_mode & 0o777 == 0o600
    pin.write_text(softhsm.PIN)
    assert key.prove(b"text").startswith("1:")  # the same process, the right PIN
    pin.chmod(0o644)
    key.close()
    with pytest.raises(HsmUnavailable, match="open to other users"):
        key.prove(b"text")
    pin.chmod(0o600)
    key.destroy()


@softhsm.needed
def test_a_process_of_its_own_opens_the_token_anew(tmp_path: Path, pin: Path) -> None:
    key = TokenKey(where(pin), tmp_path)
    public = host_proof.public_key(key.make())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of the parent's session is of use here
        try:
            os.write(writing, key.prove(b"text").encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        host_proof.verify(public, base64.b64decode(told.read().removeprefix("1:")), b"text")
    host_proof.verify(public, base64.b64decode(key.prove(b"more").removeprefix("1:")), b"more")
    key.destroy()


def test_which_pins_are_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    path.write_text("1234\n")
    path.chmod(0o600)
    place = InToken(module="/nowhere.so", token="t", key="00", pin_file=str(path))
    key, kept = TokenKey(place, tmp_path), tmp_path / "pin-refused"
    key.refused("1234", "PinLocked")  # which says nothing of this PIN
    assert key.pin() == "1234"
    key.refused("1234", "PinIncorrect")
    with pytest.raises(HsmUnavailable, match="is not tried again"):
        TokenKey(place, tmp_path).pin()
    path.write_text("12345")
    assert key.pin() == "12345"
    kept.chmod(0o644)
    with pytest.raises(HsmUnavailable, match="chmod 600 .*pin-refused"):
        key.pin()
    kept.unlink()
    kept.mkdir()
    with pytest.raises(HsmUnavailable, match="pin-refused is not a file"):
        key.pin()
    kept.rmdir()
    unwritable = TokenKey(place, tmp_path / "none")
    unwritable.refused("12345", "PinIncorrect")
    with pytest.raises(HsmUnavailable, match="is not tried again"):
        unwritable.pin()


def test_a_module_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the joiner's words: there is no such module; and one that hangs keeps nobody waiting for ever."""
    path = tmp_path / "pin"
    path.write_text("1234")
    path.chmod(0o600)
    key = TokenKey(InToken(module="/nowhere.so", token="t", key="00", pin_file=str(path)), tmp_path)
    mine = Client(ENDPOINT, key)
    with pytest.raises(client.Unreachable, match="/nowhere.so"):
        mine.ask("GetInstance", {})
    monkeypatch.setattr(token_key, "_PATIENCE", 0.05)
    monkeypatch.setattr(key, "do", lambda work: time.sleep(0.5))
    with pytest.raises(KeyAway, match="does not answer"):
        mine.ask("GetInstance", {})


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--pkcs11-token", "t"], "--pkcs11-module and --pkcs11-token"),
        (["--pkcs11-module", "/m.so"], "--pkcs11-module and --pkcs11-token"),
        (["--pkcs11-pin-file", "pin"], "a PIN opens a token"),
        (["--pkcs11-module", "/m.so", "--pkcs11-token", "t"], "either --pkcs11-pin-file or"),
        (["--pkcs11-module", "/m.so", "--pkcs11-token", "t", "--pkcs11-pin-credential", "p"], "no service manager"),
        (
            [
                *("--pkcs11-module", "/m.so", "--pkcs11-token", "t"),
                *("--pkcs11-pin-credential", "p", "--key-type", "ed25519"),
            ],
            "leave --key-type out",
        ),
    ],
)
def test_tokens_that_cannot_be_joined_with(
    tmp_path: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "token").write_text("bwj1_x")
    (tmp_path / "token").chmod(0o600)
    with pytest.raises(SystemExit):
        command.main(
            [
                *("join", "--state", str(tmp_path / "agent"), "--endpoint", ENDPOINT),
                *("--token-file", str(tmp_path / "token"), *more),
            ]
        )
    assert told in capsys.readouterr().err


def test_a_state_of_before_has_its_key_in_a_file(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.join(new_key("p256"), Joined("https://example.org", "i-1"))
    (tmp_path / "host.json").write_text('{"endpoint":"https://example.org","instance_id":"i-1","ca_file":null}')
    assert isinstance(folder.key(), ec.EllipticCurvePrivateKey)
    assert folder.joined().pkcs11 is None
