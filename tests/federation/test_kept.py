"""Connections that serve more than one question: when one is used again, and when not."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bailiwick.federation import kept, names
from bailiwick.federation.fetch import Fetcher, FetchError
from bailiwick.federation.kept import Kept
from still_clock import Clock

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"


class Server:
    """Answers each question of a connection with what `answers` says; None closes it, without a word."""

    def __init__(self) -> None:
        self.answers: Callable[[int], bytes | None] = lambda _: OK
        self.questions: list[list[bytes]] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/there?q"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hang_up(self) -> None:
        """Close every connection, and be sure that the other end knows."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self.over.set()
        self.hang_up()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.questions.append([])
                threading.Thread(target=self._serve, args=(connection, self.questions[-1]), daemon=True).start()

    def _serve(self, connection: socket.socket, questions: list[bytes]) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as incoming:
            while first := incoming.readline():
                length = 0
                while (line := incoming.readline().lower()) not in (b"\r\n", b""):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                questions.append(first + incoming.read(length))
                answer = self.answers(len(questions))
                if answer is None:
                    return
                connection.sendall(answer)


@pytest.fixture
def server() -> Iterator[Server]:
    with contextlib.closing(Server()) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock(now=0.0)


@pytest.fixture
def asker(clock: Clock) -> Iterator[Kept]:
    loopback = [ipaddress.ip_network("127.0.0.0/8")]
    with contextlib.closing(Kept(Fetcher(loopback, seconds=10.0, limit=100), clock)) as made:
        yield made


def ask(asker: Kept, server: Server, body: bytes = b"?") -> tuple[int, bytes]:
    return asker.post(server.url, {"host": "other.example"}, body)


@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\nok"])
def test_one_serves_for_many_questions(server: Server, asker: Kept, answer: bytes) -> None:
    server.answers = lambda _: answer
    assert {ask(asker, server) for _ in range(5)} == {(int(answer[9:12]), b"ok")}
    assert server.questions == [[b"POST /there?q HTTP/1.1\r\n?"] * 5]
    assert asker.opened.value == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsmuggled!",
        CHUNKED + b"x",
    ],
)
def test_one_is_not_used_again_after_such_an_answer(server: Server, asker: Kept, answer: bytes) -> None:
    server.answers = lambda _: answer
    assert [ask(asker, server) for _ in range(3)] == [(200, b"ok")] * 3
    assert asker.opened.value == 3


def test_one_that_the_server_closed_is_not_used(server: Server, asker: Kept) -> None:
    for _ in range(3):
        assert ask(asker, server) == (200, b"ok")
        server.hang_up()
    assert asker.opened.value == 3


def test_one_that_is_closed_instead_of_an_answer_is_replaced_once(server: Server, asker: Kept) -> None:
    server.answers = lambda number: OK if number == 1 else None
    assert [ask(asker, server, body) for body in (b"1", b"2")] == [(200, b"ok")] * 2
    assert [[question[-1:] for question in questions] for questions in server.questions] == [[b"1", b"2"], [b"2"]]
    server.answers = lambda _: None
    with pytest.raises(FetchError, match="RemoteDisconnected"):
        ask(asker, server)
    assert asker.opened.value == 3


def test_one_does_not_wait_for_long_nor_live_for_ever(server: Server, asker: Kept, clock: Clock) -> None:
    ask(asker, server)
    clock.now += kept._IDLE - 1
    ask(asker, server)
    assert asker.opened.value == 1
    clock.now += kept._IDLE
    ask(asker, server)
    assert asker.opened.value == 2
    while clock.now < kept._LIFE + kept._IDLE + 10:
        clock.now += kept._IDLE - 1
        ask(asker, server)
    assert asker.opened.value == 3


def test_only_so_many_wait(asker: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_ALL", 2)
    servers = [Server() for _ in range(3)]
    try:
        for _ in range(2):
            for each in servers:
                assert ask(asker, each) == (200, b"ok")
        assert [len(each.questions) for each in servers] == [1, 1, 2]
    finally:
        for each in servers:
            each.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + b"x" * 200, "more than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", "no HTTP"),
        (b"rubbish\r\n\r\n", "no HTTP"),
    ],
)
def test_answers_that_are_none(server: Server, asker: Kept, answer: bytes, told: str) -> None:
    server.answers = lambda number: answer if number == 1 else None
    with pytest.raises(FetchError, match=told):
        ask(asker, server)
    server.answers = lambda _: OK
    assert ask(asker, server) == (200, b"ok")
    assert asker.opened.value == 2


def test_an_answer_that_ends_too_soon(server: Server, asker: Kept) -> None:
    def half(number: int) -> bytes:
        threading.Timer(0, server.hang_up).start()
        return b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nok"

    server.answers = half
    with pytest.raises(FetchError):
        ask(asker, server)


@pytest.mark.parametrize(
    "begins", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n", CHUNKED[:45]]
)
def test_bytes_that_drip_do_not_stretch_the_deadline(server: Server, begins: bytes) -> None:
    server.answers = lambda _: begins

    def drip() -> None:
        while not server.over.wait(0.02) and server._open:
            with contextlib.suppress(OSError):
                server._open[-1].sendall(b"1")

    loopback = [ipaddress.ip_network("127.0.0.0/8")]
    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with (
            contextlib.closing(Kept(Fetcher(loopback, seconds=0.15, limit=100_000))) as asker,
            pytest.raises(FetchError, match="TimeoutError|no HTTP"),
        ):
            asker.post(server.url, {}, b"?")
    finally:
        server.over.set()
        dripping.join(20)


@pytest.mark.parametrize("begins", [None, b"\x16\x03\x03\x40\x00\x02"], ids=["silent", "drips"])
def test_a_handshake_that_does_not_end_is_within_the_deadline(begins: bytes | None) -> None:
    """A server that takes the connection and says nothing, or says the beginning of something for ever."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError), connection:
            connection.sendall(begins or b"")
            while not over.wait(0.02):
                connection.sendall(b"x" if begins else b"")

    loopback = [ipaddress.ip_network("127.0.0.0/8")]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve, args=(listener,))
        serving.start()
        asker, begun = Kept(Fetcher(loopback, seconds=0.15)), time.monotonic()
        try:
            with pytest.raises(FetchError, match="TimeoutError"):
                asker.post(f"https://127.0.0.1:{listener.getsockname()[1]}/", {}, b"?")
            assert time.monotonic() - begun < 5
        finally:
            over.set()
            serving.join(20)


def test_a_name_that_is_not_looked_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_room", threading.BoundedSemaphore(2))
    over = threading.Event()

    def hangs(*_: object, **__: object) -> list[object]:
        over.wait(20)
        raise socket.gaierror("it is over")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    asker = Kept(Fetcher([], seconds=0.05))
    try:
        for _ in range(4):
            with pytest.raises(FetchError, match="^TimeoutError: "):
                asker.post("https://ekm.example.org/", {}, b"?")
    finally:
        over.set()
    assert names._room.acquire(timeout=20)
    assert names._room.acquire(timeout=20)  # every thread has ended
