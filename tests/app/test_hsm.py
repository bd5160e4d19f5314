"""PKCS#11 tokens, with SoftHSM's module; and the file that names them."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import softhsm
from bailiwick.app import cryptoki, hsm
from bailiwick.app.hsm import HsmError, Pkcs11Token
from bailiwick.core.errors import HsmUnavailable, SealError

NAME = "cluster-frankfurthsm"


def token(label: str = "first", pin: str = softhsm.PIN) -> Pkcs11Token:
    softhsm.folder()
    return Pkcs11Token(NAME, str(softhsm.MODULE), label, pin)


@softhsm.needed
def test_a_key_works_in_the_token_and_does_not_leave_it() -> None:
    import pkcs11

    mine, key = token(), os.urandom(32)
    assert not mine.holds(key)
    mine.make(key, "bailiwick test")
    assert mine.holds(key)
    sealed = mine.seal(key, b"text", b"bound")
    assert len(sealed) == 12 + 4 + 16
    assert mine.open(key, sealed, b"bound") == b"text"
    for altered in (sealed[:-1] + bytes((sealed[-1] ^ 1,)), sealed[:20], b""):
        with pytest.raises(SealError):
            mine.open(key, altered, b"bound")
    with pytest.raises(SealError):
        mine.open(key, sealed, b"bound otherwise")
    held = mine._key(mine.session(), key)
    with pytest.raises(pkcs11.AttributeSensitive):
        held[pkcs11.Attribute.VALUE]
    with pytest.raises(pkcs11.AttributeReadOnly):
        held[pkcs11.Attribute.EXTRACTABLE] = True
    mine.destroy(key)
    mine.destroy(key)
    assert not mine.holds(key)
    with pytest.raises(HsmUnavailable):
        mine.seal(key, b"text", b"bound")


@softhsm.needed
def test_a_key_that_somebody_else_destroyed_is_gone() -> None:
    mine, theirs, key = token(), token(), os.urandom(32)
    mine.make(key, "bailiwick test")
    for each in (mine, theirs):
        assert each.open(key, each.seal(key, b"text", b"bound"), b"bound") == b"text"
    theirs.destroy(key)
    mine.destroy(key)
    assert not mine.holds(key)


@softhsm.needed
def test_a_session_that_is_gone_is_opened_again() -> None:
    mine, key = token(), os.urandom(32)
    mine.make(key, "bailiwick test")
    sealed = mine.seal(key, b"text", b"bound")
    mine._session.close()
    assert mine.open(key, sealed, b"bound") == b"text"
    mine.destroy(key)


@softhsm.needed
def test_a_wrong_pin_is_tried_once() -> None:
    token("second").close()
    wrong = token("second", "not-the-pin")
    for _ in range(5):
        with pytest.raises(HsmUnavailable):
            wrong.check()
    token("second").check()  # SoftHSM, too, would have locked it
    with pytest.raises(HsmUnavailable, match="NoSuchToken"):
        token("nowhere").check()
    with pytest.raises(HsmUnavailable):
        Pkcs11Token(NAME, "/nowhere.so", "first", softhsm.PIN).check()


@softhsm.needed
def test_threads_take_turns() -> None:
    mine, key = token(), os.urandom(32)
    mine.make(key, "bailiwick test")

    def work(number: int) -> bool:
        text = b"%d" % number
        return mine.open(key, mine.seal(key, text, b"bound"), b"bound") == text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))
    mine.destroy(key)


def test_nobody_waits_for_long_behind_a_call_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cryptoki, "PATIENCE", 0.05)
    mine = Pkcs11Token(NAME, "/nowhere.so", "first", softhsm.PIN)
    monkeypatch.setattr(mine, "session", object)
    inside, over = threading.Event(), threading.Event()

    def hangs(session: object) -> None:
        inside.set()
        assert over.wait(20)

    thread = threading.Thread(target=mine.do, args=(hangs,))
    thread.start()
    assert inside.wait(20)
    for _ in range(3):
        with pytest.raises(HsmUnavailable, match="does not come back"):
            mine.do(str)
    with pytest.raises(HsmUnavailable, match="does not"):
        mine.destroy(b"key")
    over.set()
    thread.join(20)
    assert mine.do(lambda session: mine.do(lambda _: "in turn")) == "in turn"


def _file(folder: Path, text: str) -> Path:
    path = folder / "hsm.toml"
    path.write_text(text)
    return path


def test_a_server_without_pkcs11_does_not_start_with_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(HsmError, match=r"pip install 'bailiwick\[hsm\]'"):
        hsm.opened(_file(tmp_path, ""), {})


def test_the_file_of_tokens(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("1234567\n")
    pin.chmod(0o600)
    place = f'module = "/m.so"\ntoken = "t"\npin_file = "{pin}"\n'
    found = hsm.opened(_file(tmp_path, f"[tokens.{NAME}]\n{place}"), {})
    assert list(found) == [NAME]
    assert found[NAME].admits("1234567")
    assert not found[NAME].admits("1234568")
    assert "1234567" not in repr(found)
    pin.chmod(0o644)
    with pytest.raises(HsmError, match="open to other users"):
        hsm.opened(_file(tmp_path, f"[tokens.{NAME}]\n{place}"), {})
    pin.chmod(0o640)
    by_credential = place.replace(f'pin_file = "{pin}"', 'pin_credential = "pin"')
    path = _file(tmp_path, f"[tokens.{NAME}]\n{by_credential}")
    assert hsm.opened(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})[NAME].admits("1234567")
    with pytest.raises(HsmError, match="no service manager"):
        hsm.opened(path, {})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tokens.main]\nmodule = '/m'\ntoken = 't'\npin_file = 'p'\n", "matching regex"),
        (f"[tokens.{NAME}]\nmodule = '/m'\ntoken = 't'\n", "needs either"),
        (f"[tokens.{NAME}]\nmodule = '/m'\ntoken = 't'\npin = '1'\n", "unknown field `pin`"),
        (f"root = '{NAME}'\n[tokens.{NAME}]\nmodule = '/m'\ntoken = 't'\npin_file = 'p'\n", "field `root`"),
        ("[tokens", "hsm.toml"),
    ],
)
def test_a_file_of_no_use(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(HsmError, match=why):
        hsm.read(_file(tmp_path, text))
    with pytest.raises(HsmError, match="cannot read"):
        hsm.read(tmp_path / "none")
