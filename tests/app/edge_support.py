"""A real server on loopback around a stand-in for the pipeline, and raw sockets to be rude to it with."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from bailiwick.app.edge import Edge
from bailiwick.app.server import Server, listen, server
from bailiwick.app.settings import Settings
from bailiwick.core.message import Request, Response

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


class Seen(msgspec.Struct, frozen=True):
    """What the stand-in makes of a request."""

    request: Request
    quick: bool
    refused: Exception | None = None


class Echo:
    """A pipeline that answers with what it was asked; a path that begins with `/slow` waits for `gate`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.gate = threading.Event()
        self.threads: set[str] = set()

    def receive(self, request: Request) -> Seen:
        if request.path == "/broken":
            raise RuntimeError("planted")
        return Seen(request, quick=request.path.startswith("/quick"))

    def answer(self, received: Seen) -> Response:
        request = received.request
        self.requests.append(request)
        self.threads.add(threading.current_thread().name)
        if received.refused is not None:
            return Response(413, (("x-amzn-requestid", REQUEST_ID),), str(received.refused).encode())
        if request.path.startswith("/slow"):
            assert self.gate.wait(20)
        text = f"{request.method} {request.path} {request.query} {len(request.body)}"
        return Response(200, (("x-amzn-requestid", REQUEST_ID),), text.encode())


class Running:
    """The server, in a thread of its own."""

    def __init__(self, settings: Settings, pipeline: Any, *, direct: bool = True) -> None:
        self.pipeline = pipeline
        self.edge = Edge(pipeline, max_body=settings.max_body)
        self.listener = listen("127.0.0.1", 0)
        self.address = self.listener.getsockname()
        ready = threading.Event()
        self.server: Server = server(self.edge, settings, ready.set, direct=direct)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()
        assert ready.wait(20)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.edge.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    def ask(self, data: bytes) -> bytes:
        """Send `data` as it is and return everything that comes until the server closes the connection."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):  # the server may have had enough of it
                connection.sendall(data)
            return everything(connection)


def everything(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def answers(stream: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """The responses in a stream: status, headers, body."""
    found = []
    while stream:
        head, _, stream = stream.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
        status = int(lines[0].split()[1])
        length = int(headers.get("content-length", "0")) if status >= 200 else 0
        found.append((status, headers, stream[:length]))
        stream = stream[length:]
    return found


@contextlib.contextmanager
def running(pipeline: Any = None, *, direct: bool = True, **settings: Any) -> Iterator[Running]:
    made = Running(Settings(**settings), pipeline or Echo(), direct=direct)
    try:
        yield made
    finally:
        if isinstance(made.pipeline, Echo):
            made.pipeline.gate.set()
        made.stop()
