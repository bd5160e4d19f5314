"""`bailiwick serve` as a process: first and later starts, workers, ephemeral servers, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import selectors
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bailiwick.app.home import RootKey, read_credentials
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4.sign import sign

PATIENCE = 40


class Process:
    """A server process whose standard output is read as it comes."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BAILIWICK_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bailiwick", "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**kept, **variables},
            start_new_session=True,
        )
        self.output = b""

    def until_ready(self) -> str:
        """The endpoint, once the ready line is there."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not (ready := re.search(rb"^Ready: (\S+)", self.output, re.MULTILINE)):
                assert selector.select(PATIENCE), "the server says nothing"
                data = os.read(self.process.stdout.fileno(), 65536)
                assert data, self.process.stderr and self.process.stderr.read().decode()
                self.output += data
        return ready[1].decode()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """The exit status, and what was said on standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors.decode()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def start() -> Iterator[Any]:
    started: list[Process] = []

    def one(*arguments: str, **variables: str) -> Process:
        started.append(Process(*arguments, **variables))
        return started[-1]

    yield one
    for process in started:
        process.kill()


def get(
    endpoint: str, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=PATIENCE)) as connection:
        connection.request(method, path, None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("root.key", "root-credentials", "aws-config")}


def test_a_second_start_finds_everything_as_it_was(start: Any, tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    first = start("--data", str(data), "--port", "0", "--region", "eu-central-1")
    endpoint = first.until_ready()
    assert get(endpoint, "GET", "/healthz") == (200, b"ok\n")
    told = first.output.decode()
    for expected in (endpoint, str(data / "root-credentials"), "aws sts get-caller-identity", "administrator"):
        assert expected in told
    assert f"export AWS_CONFIG_FILE={data}/aws-config AWS_SHARED_CREDENTIALS_FILE={data}/root-credentials" in told
    assert first.stop() == (0, "")
    before = contents(data)
    assert read_credentials(before["root-credentials"].decode(), "x").secret not in told
    assert before["aws-config"].decode() == f"[default]\nregion = eu-central-1\nendpoint_url = {endpoint}\n"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {path.name for path in data.rglob("*") if path.is_file() and path.stat().st_mode & 0o077} == set()

    port = endpoint.rpartition(":")[2]
    second = start("--data", str(data), "--port", port)
    assert second.until_ready() == endpoint
    assert "eu-central-1" in second.output.decode()
    assert second.stop(signal.SIGINT) == (0, "")
    assert contents(data) == before


def test_a_start_that_says_something_else_than_the_first_is_refused(start: Any, tmp_path: Path) -> None:
    process = start("--data", str(tmp_path / "d"), "--port", "0", "--account-id", "123456789012")
    process.until_ready()
    process.stop()
    again = start("--data", str(tmp_path / "d"), "--port", "0", "--account-id", "210987654321")
    out, errors = again.process.communicate(timeout=PATIENCE)
    assert (again.process.returncode, out) == (2, b"")
    assert b"`account_id` is 123456789012" in errors
    assert b"Traceback" not in errors


def test_a_lost_root_key_is_not_replaced_by_a_new_one(start: Any, tmp_path: Path) -> None:
    process = start("--data", str(tmp_path / "d"), "--port", "0")
    process.until_ready()
    process.stop()
    (tmp_path / "d" / "root.key").rename(tmp_path / "kept")
    for variables, told in (
        ({}, b"no root key"),
        ({"BAILIWICK_ROOT_KEY": "A" * 43 + "="}, b"another deployment's"),
    ):
        again = start("--data", str(tmp_path / "d"), "--port", "0", **variables)
        _, errors = again.process.communicate(timeout=PATIENCE)
        assert again.process.returncode == 1
        assert told in errors
    assert not (tmp_path / "d" / "root.key").exists()


def test_a_port_in_use_is_said_so_and_leaves_no_folder(start: Any, tmp_path: Path) -> None:
    first = start("--ephemeral", "--port", "0")
    port = first.until_ready().rpartition(":")[2]
    for more in ((), ("--workers", "2")):
        second = start("--data", str(tmp_path / "d"), "--port", port, *more)
        _, errors = second.process.communicate(timeout=PATIENCE)
        assert second.process.returncode == 1
        assert errors.decode().startswith(
            f"bailiwick: cannot listen on 127.0.0.1 port {port}: Address already in use"
        )
    assert not (tmp_path / "d").exists()


def test_workers_share_a_port_and_a_dead_one_is_replaced(start: Any, tmp_path: Path) -> None:
    server = start("--data", str(tmp_path / "d"), "--port", "0", "--workers", "2")
    endpoint = server.until_ready()
    children = workers_of(server.process.pid)
    assert len(children) == 2
    os.kill(children[0], signal.SIGKILL)
    until(lambda: len(set(workers_of(server.process.pid)) - {children[0]}) == 2)
    for _ in range(20):
        assert get(endpoint, "GET", "/healthz")[0] == 200
    status, errors = server.stop()
    assert status == 0
    assert [json.loads(line)["event"] for line in errors.splitlines()] == ["a worker died and is replaced"]
    until(lambda: not any(map(alive, children)))


def test_workers_end_when_their_parent_is_killed(start: Any, tmp_path: Path) -> None:
    server = start("--data", str(tmp_path / "d"), "--port", "0", "--workers", "2")
    server.until_ready()
    children = workers_of(server.process.pid)
    os.kill(server.process.pid, signal.SIGKILL)
    until(lambda: not any(map(alive, children)))


def test_an_ephemeral_server_hands_out_what_it_was_given(start: Any, tmp_path: Path) -> None:
    key = RootKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    (tmp_path / "root").write_text(
        f"[default]\naws_access_key_id={key.access_key_id}\naws_secret_access_key={key.secret}\n"
    )
    out = tmp_path / "out.json"
    server = start(
        "--ephemeral",
        "--port",
        "0",
        "--credentials-out",
        str(out),
        BAILIWICK_ACCOUNT_ID="111122223333",
        BAILIWICK_REGION="ap-south-2",
        BAILIWICK_ROOT_CREDENTIALS=str(tmp_path / "root"),
        XDG_DATA_HOME=str(tmp_path / "nothing"),
        TMPDIR=str(tmp_path),
    )
    endpoint = server.until_ready()
    assert json.loads(out.read_bytes()) == {
        "account_id": "111122223333",
        "endpoint": endpoint,
        "region": "ap-south-2",
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret,
    }
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert reset(endpoint, key, "ap-south-2") == (200, b"{}")
    status, told = reset(endpoint, RootKey(key.access_key_id, "x" * 40), "ap-south-2")
    assert (status, json.loads(told)["__type"]) == (403, "SignatureMismatch")
    status, told = get(endpoint, "POST", "/_bailiwick/reset")
    assert (status, json.loads(told)["__type"]) == (403, "MissingAuthentication")
    status, errors = server.stop()
    assert (status, [json.loads(line)["event"] for line in errors.splitlines()]) == (0, ["reset refused"] * 2)
    assert not (tmp_path / "nothing").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "root"]


def test_a_server_on_a_folder_cannot_be_reset(start: Any, tmp_path: Path) -> None:
    server = start("--data", str(tmp_path / "d"), "--port", "0")
    endpoint = server.until_ready()
    key = read_credentials((tmp_path / "d" / "root-credentials").read_text(), "x")
    assert reset(endpoint, key, "us-east-1")[0] != 200


def test_tls(start: Any, tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key", "-out", "cert"]
    made = subprocess.run([*command.split(), *files], capture_output=True, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    tls = ("--tls-cert", str(tmp_path / "cert"), "--tls-key", str(tmp_path / "key"))
    trail = tmp_path / "trail"
    server = start("--ephemeral", "--audit", str(trail), "--host", "localhost", "--port", "0", *tls)
    endpoint = server.until_ready()
    assert endpoint.startswith("https://localhost:")
    context = ssl.create_default_context(cafile=tmp_path / "cert")
    host = endpoint.removeprefix("https://")
    with closing(http.client.HTTPSConnection(host, timeout=PATIENCE, context=context)) as connection:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok\n")
        connection.request("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15")
        assert connection.getresponse().status == 403
        version, (suite, *_) = connection.sock.version(), connection.sock.cipher() or ("",)
    assert server.stop()[0] == 0
    (line,) = (
        line for file in trail.glob("*.jsonl") for line in file.read_text().splitlines() if "tlsDetails" in line
    )
    assert json.loads(line)["tlsDetails"] == {
        "tlsVersion": version,
        "cipherSuite": suite,
        "clientProvidedHostHeader": host,
    }
    broken = start(
        "--ephemeral", "--port", "0", "--tls-cert", str(tmp_path / "key"), "--tls-key", str(tmp_path / "cert")
    )
    _, errors = broken.process.communicate(timeout=PATIENCE)
    assert broken.process.returncode == 1
    assert errors.startswith(b"bailiwick: cannot load the certificate or its key: ")
    assert b"in PEM" in errors
    assert str(tmp_path / "cert").encode() in errors
    several = start(
        "--data", str(tmp_path / "d"), "--port", "0", "--workers", "2", *tls[:1], tls[3], tls[2], tls[1]
    )
    _, errors = several.process.communicate(timeout=PATIENCE)
    assert several.process.returncode == 1
    assert b"cannot load the certificate or its key" in errors
    assert errors.splitlines()[-1] == b"bailiwick: a worker could not start; what it logged says why"
    assert b"Traceback" not in errors


def reset(endpoint: str, key: RootKey, region: str) -> tuple[int, bytes]:
    request = sign(
        Request("POST", "/_bailiwick/reset", "", (Header("host", endpoint.removeprefix("http://")),), b""),
        access_key_id=key.access_key_id,
        secret=key.secret,
        token=None,
        region=region,
        service="bailiwick",
        now=time.time(),
    )
    return get(endpoint, "POST", "/_bailiwick/reset", dict(request.headers))


def workers_of(parent: int) -> list[int]:
    """The worker processes of a server, by what the kernel tells (Linux)."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Any) -> None:
    """Wait for another process, which tells nobody."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
