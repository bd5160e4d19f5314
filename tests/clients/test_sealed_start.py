"""A server whose root key is in shares starts sealed, is opened by operators, and keeps its workers open."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from clients_support import ServerProcess, clean_environment

from bailiwick.app import custody, home, keyring, sealed
from bailiwick.app.sealed import Brought
from bailiwick.app.settings import Settings
from bailiwick.core import shamir

pytestmark = pytest.mark.clients


def bailiwick(*arguments: str, lines: tuple[str, ...] = (), data: Path) -> str:
    """What a command says. `lines` come through a descriptor of its own."""
    ours, theirs = os.pipe()
    os.write(theirs, "".join(f"{line}\n" for line in lines).encode())
    os.close(theirs)
    variables = clean_environment(COLUMNS="300", **({"BAILIWICK_UNSEAL_FD": str(ours)} if lines else {}))
    command = [sys.executable, "-m", "bailiwick", *arguments, "--data", str(data)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=variables, pass_fds=(ours,), stdin=subprocess.DEVNULL
    )
    os.close(ours)
    return done.stdout + done.stderr


def asked(server: ServerProcess, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{server.endpoint}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def until_ready(server: ServerProcess) -> None:
    deadline = time.monotonic() + 30
    while asked(server, "/readyz")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # for another process


@pytest.fixture
def split(tmp_path: Path) -> Iterator[tuple[ServerProcess, list[str]]]:
    server = ServerProcess(tmp_path / "data", workers=2)
    home.open_home(server.data, Settings(data=server.data), {})
    root = server.data / keyring.FILE
    opened, shares = custody.by_shares(keyring.parsed(root.read_bytes(), ""), 3, 2, os.urandom)
    keyring.store_keys(server.data, opened, opened.keys, os.urandom)
    root.unlink()
    yield server, [shamir.text(share) for share in shares]
    if server.process is not None and server.process.poll() is None:
        server.kill()


def test_a_sealed_start(split: tuple[ServerProcess, list[str]]) -> None:
    server, shares = split
    server.start()
    assert asked(server, "/healthz") == (200, "ok\n")
    assert asked(server, "/readyz") == (503, "sealed\n")
    for service, call in (("sts", "get_caller_identity"), ("kms", "list_keys")):
        with pytest.raises(ClientError) as refused:
            getattr(server.client(service), call)()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert refused.value.response["Error"]["Code"].startswith("ServiceUnavailable")
    browser = urllib.request.Request(f"{server.endpoint}/console", headers={"Accept": "text/html,*/*"})
    with pytest.raises(urllib.error.HTTPError) as page:
        urllib.request.urlopen(browser, timeout=5)
    assert (page.value.code, page.value.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert page.value.read().startswith(b"The service is sealed")
    told = bailiwick("unseal", lines=(shares[2],), data=server.data)
    assert told == "share 3 is right; there are 1 of 2 (numbers: 3)\n"
    assert "checksum" in sealed.speak(server.data, Brought(share=shares[0][:-4] + "aaaa")).error
    assert sealed.speak(server.data, Brought()).have == (3,)
    assert "the server starts" in bailiwick("unseal", lines=(f"1: {shares[0]}",), data=server.data)
    until_ready(server)
    assert server.client("sts").get_caller_identity()["Arn"].endswith(":root")
    assert not (server.data / sealed.SOCKET).exists()
    assert server.stop() == 0
    log = (server.data.parent / "server.log").read_text()
    assert "unsealed" in log
    written = [log, *(path.read_bytes().decode("latin-1") for path in server.data.rglob("*") if path.is_file())]
    for share in shares:
        for form in (share, share.replace("-", ""), share.replace("-", "").upper()):
            assert all(form not in text for text in written)


def test_a_sealed_server_can_be_told_to_end(split: tuple[ServerProcess, list[str]]) -> None:
    server, _ = split
    server.start()
    assert asked(server, "/readyz") == (503, "sealed\n")
    assert server.stop() == 0
    assert not (server.data / "unseal.sock").exists()
