"""The file of peers: what it must be, and what is refused with a reason."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bailiwick.app.cli_peer import peer
from bailiwick.app.home import HomeError
from bailiwick.app.peering import PeeringError, read

GOOD = {
    "url": '"https://kms.example.org/"',
    "regions": '["eu-west-1", "eu-central-1"]',
    "accounts": '["123456789012"]',
    "secret_file": '"secret"',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert CliRunner().invoke(peer, ["key", str(tmp_path / "secret")]).exit_code == 0
    (tmp_path / "open").write_bytes(b"x" * 32)
    (tmp_path / "open").chmod(0o644)  # whatever the umask is
    (tmp_path / "short").write_bytes(b"x")
    (tmp_path / "short").chmod(0o600)
    return tmp_path


def written(folder: Path, **changes: str) -> Path:
    lines = [f"{name} = {value}" for name, value in {**GOOD, **changes}.items() if value]
    path = folder / "peers.toml"
    path.write_text("[peers.dublin]\n" + "\n".join(lines) + "\n")
    return path


def test_a_file_of_peers_is_read(folder: Path) -> None:
    woken = threading.Event()
    found = read(written(folder), "us-east-1", woken)
    (dublin,) = found.all
    assert (dublin.name, dublin.url) == ("dublin", "https://kms.example.org")
    assert found.of_region("eu-central-1") is dublin
    assert found.of_region("us-east-1") is None
    assert found.of_id(dublin.id) is dublin
    assert repr(dublin) == "Peer(dublin)"
    found.wake()
    assert woken.is_set()


def test_a_secret_is_made_once(folder: Path) -> None:
    secret = folder / "secret"
    assert (secret.stat().st_mode & 0o777, secret.stat().st_size) == (0o600, 32)
    before = secret.read_bytes()
    assert isinstance(CliRunner().invoke(peer, ["key", str(secret)]).exception, HomeError)
    assert secret.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": '"http://kms.example.org"'}, "without TLS"),
        ({"url": '"ftp://kms.example.org"'}, "regex"),
        ({"url": '"https://user@kms.example.org"'}, "regex"),
        ({"regions": "[]"}, "length"),
        ({"regions": '["mars"]'}, "regex"),
        ({"regions": '["us-east-1"]'}, "us-east-1 is the region of this deployment"),
        ({"accounts": '["1"]'}, "regex"),
        ({"accounts": ""}, "missing required field"),
        ({"secret": '"x"'}, "unknown field"),
        ({"secret_file": '"open"'}, "is open to other users"),
        ({"secret_file": '"short"'}, "is no secret of 32 bytes"),
        ({"secret_file": '"none"'}, "No such file"),
        ({"ca_file": '"none"'}, "No such file"),
    ],
)
def test_what_cannot_be_used_is_refused(folder: Path, changes: dict[str, str], reason: str) -> None:
    with pytest.raises(PeeringError, match=reason):
        read(written(folder, **changes), "us-east-1", threading.Event())


def test_this_machine_needs_no_tls(folder: Path) -> None:
    assert read(written(folder, url='"http://127.0.0.1:4578"'), "us-east-1", threading.Event()).all


def test_what_is_no_file_is_refused(folder: Path) -> None:
    with pytest.raises(PeeringError, match="cannot read"):
        read(folder / "none", "us-east-1", threading.Event())
    (folder / "x").write_text("[")
    with pytest.raises(PeeringError, match="x: "):
        read(folder / "x", "us-east-1", threading.Event())
