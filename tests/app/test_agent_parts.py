"""The parts of an agent: tokens, waiting, its folder, the mapping file, what systemd is told, its command line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.app.agent import command, programs, state
from bailiwick.app.agent.client import Client
from bailiwick.app.agent.front import Connection, Front, _is_ours
from bailiwick.app.agent.keeper import Backoff
from bailiwick.app.agent.notify import Notifier
from bailiwick.app.agent.programs import Mapping, Peer, Program, profile_for
from bailiwick.app.agent.state import AgentError, Folder, Joined, new_key, public_key, secret_of
from bailiwick.app.agent.tokens import LONGEST, Tokens, seconds_of
from bailiwick.app.agent.web import Answer, Question
from bailiwick.core import host_proof
from bailiwick.core.errors import HostUnproven
from bailiwick.core.message import Header, Request

TOKENS = Tokens(b"s" * 32, "i-0123456789abcdef0")


@given(st.integers(1, LONGEST), st.integers(0, LONGEST + 10), st.integers(0, 2**33))
def test_a_token_is_good_for_its_seconds(seconds: int, later: int, now: int) -> None:
    token = TOKENS.make(seconds, now)
    left = TOKENS.remaining(token, now + later)
    assert left == (seconds - later if later < seconds else None)
    assert TOKENS.remaining(token, now - LONGEST - 1) is None  # from a clock that was set back


@given(st.integers(0, 55), st.characters(codec="ascii"))
def test_a_token_that_was_changed_is_none(place: int, letter: str) -> None:
    token = TOKENS.make(60, 0)
    changed = token[:place] + letter + token[place + 1 :]
    assert (TOKENS.remaining(changed, 0) is not None) == (changed == token)


@pytest.mark.parametrize("text", ["", "0", "21601", "-5", "1e3", " 5", "5 ", "٣", "9999999", None])
def test_seconds_that_are_none(text: str | None) -> None:
    assert seconds_of(text) is None


@given(st.integers(0, 60), st.floats(0, 1))
def test_waits_double_up_to_five_minutes(failures: int, chance: float) -> None:
    backoff = Backoff(lambda: 0.0, lambda: chance)
    for _ in range(failures):
        backoff.failed()
    longest = min(300.0, 2.0 ** (failures - 1)) if failures else 0.0
    assert longest / 2 <= backoff.wait <= longest
    backoff.succeeded()
    assert backoff.wait == 0.0


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_what_a_host_signs_is_proven_by_its_key_alone(tmp_path: Path, kind: str) -> None:
    folder, key = Folder(tmp_path / "state"), new_key(kind)
    folder.join(key, Joined("https://example.org", "i-1"))
    again = folder.key()
    assert secret_of(again, "x") == secret_of(key, "x") != secret_of(key, "y")
    assert folder.joined() == Joined("https://example.org", "i-1")
    proof = host_proof.sign(again, b"text").removeprefix("1:")
    import base64

    public = host_proof.public_key(public_key(key))
    host_proof.verify(public, base64.b64decode(proof), b"text")
    with pytest.raises(HostUnproven):
        host_proof.verify(public, base64.b64decode(proof), b"other")
    for name in ("host.key", "host.json"):
        assert (folder.path / name).stat().st_mode & 0o777 == 0o600
    (folder.path / "host.key").chmod(0o644)
    with pytest.raises(AgentError, match="chmod 600"):
        folder.key()


def test_what_is_kept_and_damaged_is_asked_for_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(AgentError, match="has not joined yet"):
        folder.joined()
    (tmp_path / "credentials.json").write_text("{")
    (tmp_path / "credentials.json").chmod(0o600)
    assert folder.kept() is None
    folder.keep(None)
    assert not (tmp_path / "credentials.json").exists()


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("169.254.169.254", True),
        ("[fd00:ec2::254]:80", True),
        ("127.0.0.1:1", True),
        ("10.1.2.3", True),
        ("10.1.2.4", False),
        ("localhost.", False),
        ("localhost:x", False),
        ("a b", False),
    ],
)
def test_hosts_that_are_ours(host: str, ours: bool) -> None:
    assert _is_ours(host, "10.1.2.3") is ours


# -- Programs -----------------------------------------------------------------------------------------------


def test_a_connection_of_this_process_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as there:
        here, _ = server.accept()
        with here:
            peer = Peer(*there.getsockname(), *there.getpeername())
            me, own = os.geteuid(), _own_cgroup()
            assert profile_for(Mapping(program=(Program("a", me),)), peer) == "a"
            assert profile_for(Mapping(program=(Program("a", me + 1),)), peer) == "main"
            assert profile_for(Mapping(program=(Program("a", cgroup=own),)), peer) == "a"
            assert profile_for(Mapping(program=(Program("a", me, "/elsewhere"),), default="b"), peer) == "b"
            gone = peer._replace(port=1)
            assert profile_for(Mapping(program=(Program("a", me),)), gone) == "none"
            assert profile_for(Mapping(), gone) == "main"


def _own_cgroup() -> str:
    return programs._cgroup(Path("/proc/self"))


def test_addresses_as_the_kernel_writes_them() -> None:
    written = b"0100007F" if sys.byteorder == "little" else b"7F000001"
    assert programs._written("127.0.0.1", 80) == written + b":0050"
    assert len(programs._written("fd00:ec2::254", 80)) == 37


@pytest.mark.parametrize(("path", "below"), [("/a", True), ("/a/b", True), ("/ab", False), ("/", False)])
def test_cgroups_below_another(path: str, below: bool) -> None:
    assert programs._is_below(path, "/a") is below


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default = 1", "default"),
        ("[[program]]\nprofile = 'x'", "a user, a cgroup, or both"),
        ("[[program]]\nuser = 'no-such-user-here'\nprofile = 'x'", "no user `no-such-user-here`"),
        ("[[container]]\npath = 'x'\ntoken_file = 'y'", "path"),
        ("[[program]]\nuser = 1\nprofile = 'x'\nrole = 'y'", "role"),
        ("x = ", "Invalid value"),
    ],
)
def test_mapping_files_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(AgentError, match=told):
        programs.read(file)


# -- systemd ------------------------------------------------------------------------------------------------


def test_what_systemd_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())})
        notifier.tell("READY=1")
        notifier.status("well")
        notifier.status("well")
        notifier.tell("WATCHDOG=1")
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"STATUS=well", b"WATCHDOG=1"]
    assert notifier.watchdog == 5.0
    assert Notifier({"WATCHDOG_USEC": "10", "WATCHDOG_PID": "1"}).watchdog is None
    Notifier({}).tell("READY=1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")


# -- The command --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "has not joined yet"),
        (["run", "--listen", "0.0.0.0:80"], "is for others to reach"),
        (["run", "--listen", "127.0.0.1"], "is not ADDRESS:PORT"),
        (["run", "--allow", "x"], "--allow"),
        (["join", "--endpoint", "https://example.org"], "give --token-file"),
        (["join", "--endpoint", "http://iam.example.org", "--token-file", "-"], "in plain text"),
        (["join", "--endpoint", "ftp://x", "--token-file", "-"], "is not the address of a server"),
        (["join", "--endpoint", "https://127.0.0.1:1", "--token-file", "no-such-file"], "no-such-file"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([arguments[0], "--state", str(tmp_path / "agent"), *arguments[1:]])
    assert ended.value.code == 1
    assert told in capsys.readouterr().err


def test_a_host_joins_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Folder(tmp_path).join(new_key("ed25519"), Joined("https://example.org", "i-1"))
    with pytest.raises(SystemExit):
        command.main(["join", "--state", str(tmp_path), "--endpoint", "https://example.org", "--token-file", "-"])
    assert "joined already, as i-1" in capsys.readouterr().err


def test_an_address_that_is_not_at_hand(tmp_path: Path) -> None:
    Folder(tmp_path).join(new_key("ed25519"), Joined("https://127.0.0.1:1", "i-1"))

    async def start() -> None:
        await command.serve(Folder(tmp_path), [("169.254.99.99", 80)], Mapping(), [], 60.0)

    with pytest.raises(AgentError, match="ip address add 169.254.99.99"):
        asyncio.run(start())


def test_the_agent_imports_none_of_the_server() -> None:
    code = (
        "import sys; import bailiwick.app.agent.command; "
        "heavy = ('sqlalchemy', 'typer', 'uvicorn', 'structlog', 'bailiwick.api', 'bailiwick.store'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_client_wants_no_secret_in_plain_text() -> None:
    key: Any = new_key("ed25519")
    for endpoint in ("http://10.0.0.1", "https://user@example.org", "https://example.org:x", "example.org"):
        with pytest.raises(AgentError):
            Client(endpoint, key)
    Client("http://127.0.0.1:4577", key)
    assert "secret" not in repr(state.Credentials("", "", "", "ASIA", "secret", "", 0, 0))


# -- What comes over the wire -------------------------------------------------------------------------------


class Pretended(asyncio.Transport):
    """A connection of a program that writes whatever it likes."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


_LINES = st.sampled_from(
    [
        *(
            "GET /latest/meta-data/ HTTP/1.1",
            "PUT /latest/api/token HTTP/1.1",
            "GET /%ff%00/../ HTTP/1.0",
            "HEAD * X",
        ),
        *(
            "Host: localhost",
            "Host: \xff",
            "Content-Length: 5",
            "Content-Length: 99999",
            "Transfer-Encoding: chunked",
        ),
        *(
            "X-aws-ec2-metadata-token: \xe9",
            "X-aws-ec2-metadata-token-ttl-seconds: 60",
            "Upgrade: h2c",
            "",
            "5",
            "0",
        ),
        *("Connection: Upgrade, HTTP2-Settings", "Authorization: \x80", "Expect: 100-continue"),
    ]
)


@given(
    st.lists(st.one_of(_LINES, st.text(st.characters(max_codepoint=255), max_size=20)), max_size=20), st.booleans()
)
def test_whatever_is_sent_is_answered_or_hung_up_on(lines: list[str], whole: bool) -> None:
    async def answered(asked: Question, own: str) -> Answer:
        raise ValueError(asked.path)  # the worst that may happen behind it

    async def run() -> Pretended:
        front: Any = Front(*((None,) * 3))  # type: ignore[arg-type]  # nothing of it is reached
        front.answer = answered
        connection, transport = Connection(front), Pretended()
        connection.connection_made(transport)
        sent = "\r\n".join([*lines, "", ""]).encode("latin-1")
        for part in [sent] if whole else [sent[place : place + 7] for place in range(0, len(sent), 7)]:
            if not transport.closed:
                connection.data_received(part)
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        return transport

    written = asyncio.run(run()).written
    assert written == b"" or written.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 503 "))


@given(st.dictionaries(st.sampled_from(host_proof.HEADERS), st.text(max_size=80)), st.binary(max_size=20))
def test_whatever_a_stranger_sends_proves_nothing(headers: dict[str, str], body: bytes) -> None:
    request = Request("POST", "/", "", tuple(Header(*each) for each in headers.items()), body)
    with contextlib.suppress(HostUnproven):
        signed = host_proof.read(request, 1_800_000_000.0)
        host_proof.verify(host_proof.public_key(public_key(new_key("ed25519"))), signed.proof, signed.text)
        raise AssertionError("this was proven")
