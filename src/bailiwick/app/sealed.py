"""A server that is sealed: it is up, says so, and serves nothing until operators have opened its root key.

Operators speak to it through the Unix socket `unseal.sock` in the data folder, mode 0600, which only the server's
own user and root may open: one line of JSON asks, one answers. What is brought is neither logged nor told again.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, MutableMapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import structlog

from bailiwick.app import asking
from bailiwick.app.custody import Argon2id, CustodyError, Gathering, Locked, Opened, Stopped, with_passphrase
from bailiwick.app.edge import Edge, Receive, Scope, Send
from bailiwick.app.probes import Ready, plain
from bailiwick.app.server import listen, server
from bailiwick.app.settings import UNSEAL_VARIABLE, Settings
from bailiwick.core.message import Response

log = structlog.get_logger()

SOCKET = "unseal.sock"
_MOST_BYTES, _PATIENCE = 8192, 10.0
_TEXT = "The service is sealed: operators must open its root key first."


class Brought(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator says. Its repr does not show it."""

    share: str | None = None
    passphrase: str | None = None
    reset: bool = False

    def __repr__(self) -> str:
        return "Brought()"


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the server answers: what it needs, which shares it has, and what was wrong with what came."""

    needs: str
    shares: bool
    threshold: int = 0
    have: tuple[int, ...] = ()
    taken: int = 0
    error: str = ""
    open: bool = False


class Seal:
    """What operators have brought so far."""

    def __init__(self, locked: Locked) -> None:
        self._locked = locked
        self._gathering = None if isinstance(locked.opener, Argon2id) else Gathering(locked)
        self.opened: Opened | None = None

    def hear(self, brought: Brought) -> Progress:
        """Take what an operator says."""
        taken, error = 0, ""
        try:
            taken = self._take(brought)
        except CustodyError as wrong:
            error = str(wrong)
            log.warning("what was brought to unseal is refused", reason=error)
        needs = self._locked.needs
        if self._gathering is None:
            return Progress(needs, shares=False, error=error, open=self.opened is not None)
        have = tuple(self._gathering.numbers)
        return Progress(needs, True, self._gathering.threshold, have, taken, error, self.opened is not None)

    def _take(self, brought: Brought) -> int:
        if self._gathering is None:
            if brought.passphrase is not None:
                self.opened = with_passphrase(self._locked, brought.passphrase)
            return 0
        if brought.reset:
            self._gathering.forget()
            log.info("the shares that were brought are forgotten")
        if brought.share is None:
            return 0
        number = self._gathering.add(brought.share)
        log.info("a share was brought", share=number, have=len(self._gathering.numbers), needs=self._locked.needs)
        if self._gathering.complete:
            self.opened = self._gathering.open()
        return number


class Desk:
    """The Unix socket at which operators are heard, in a thread of its own, one after the other."""

    def __init__(self, folder: Path, seal: Seal, done: Callable[[], None]) -> None:
        """Open it. `done` is called once the root key is open. Raises OSError."""
        self._seal, self._done = seal, done
        # The path of a socket is short: a long one is reached through the folder that is open.
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path = folder / SOCKET
        with suppress(FileNotFoundError):
            self._path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(address(self._path, self._folder))
        finally:
            os.umask(before)
        self._socket.listen(4)
        self._thread = threading.Thread(target=self._serve, name="unseal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the socket away."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(_PATIENCE)
        os.close(self._folder)

    def _serve(self) -> None:
        while self._seal.opened is None:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            with closing(line):
                line.settimeout(_PATIENCE)
                with suppress(OSError, msgspec.MsgspecError):
                    brought = msgspec.json.decode(_heard(line), type=Brought)
                    line.sendall(msgspec.json.encode(self._seal.hear(brought)) + b"\n")
        self._done()


class _Sealed:
    """The ASGI application of a sealed server, which has what server.py wants of an edge."""

    def __init__(self) -> None:
        self.ready = Ready({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _answer(scope["path"], dict(scope["headers"]))
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def opener(
    settings: Settings, folder: Path, listener: socket.socket, variables: MutableMapping[str, str]
) -> Callable[[Locked], Opened]:
    """Who opens a server's root key: a descriptor; for a passphrase the terminal; else operators at the desk."""

    def ask(locked: Locked) -> Opened:
        typed = isinstance(locked.opener, Argon2id) and asking.has_terminal()
        if UNSEAL_VARIABLE in variables or typed:
            return asking.operator(variables)(locked)
        return _wait(settings, folder, listener, locked)

    return ask


def speak(folder: Path, brought: Brought) -> Progress:
    """Bring something to the server of a data folder. Raises OSError where none waits, and CustodyError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(6 * _PATIENCE)
            line.connect(address(folder / SOCKET, handle))
            line.sendall(msgspec.json.encode(brought) + b"\n")
            return msgspec.json.decode(_heard(line), type=Progress)
    except msgspec.MsgspecError:
        raise CustodyError("the server did not answer") from None
    finally:
        os.close(handle)


def address(path: Path, folder: int) -> str:
    """The path of a socket, or a short one to the same."""
    return str(path) if len(os.fsencode(path)) < 100 else f"/proc/self/fd/{folder}/{path.name}"


def _wait(settings: Settings, folder: Path, listener: socket.socket, locked: Locked) -> Opened:
    """Be sealed, until the root key is open. Raises Stopped."""
    seal, edge = Seal(locked), _Sealed()
    several = settings.workers > 1  # then the listener only keeps the port
    port = listener.getsockname()[1]
    ours = listen(settings.host, port, shared=True) if several else listener.dup()
    listening = partial(log.warning, "sealed", needs=locked.needs, how="bailiwick unseal")
    serving = server(cast(Edge, edge), settings, listening, direct=False)

    def done() -> None:
        serving.should_exit = True

    with closing(ours), closing(Desk(folder, seal, done)):
        serving.run([ours])
    edge.ready.close()
    if seal.opened is None:
        raise Stopped
    log.warning("unsealed")
    return seal.opened


def _answer(path: str, headers: dict[bytes, bytes]) -> Response:
    if path == "/healthz":
        return plain(200, "ok\n")
    if path == "/readyz":
        return plain(503, "sealed\n")
    if headers.get(b"content-type", b"").startswith((b"application/x-amz-json", b"application/json")):
        kind, text = "application/x-amz-json-1.1", f'{{"__type":"ServiceUnavailableException","message":"{_TEXT}"}}'
    elif b"text/html" in headers.get(b"accept", b""):
        kind, text = "text/plain; charset=utf-8", f"{_TEXT}\n"  # somebody with a browser
    else:
        kind = "text/xml"
        error = f"<Error><Type>Receiver</Type><Code>ServiceUnavailable</Code><Message>{_TEXT}</Message></Error>"
        text = f"<ErrorResponse>{error}</ErrorResponse>"
    answer = plain(503, text)
    return Response(503, (answer.headers[0], ("content-type", kind), ("retry-after", "5")), answer.body)


def _heard(line: socket.socket) -> bytes:
    heard = b""
    while not heard.endswith(b"\n") and len(heard) < _MOST_BYTES:
        more = line.recv(_MOST_BYTES)
        if not more:
            break
        heard += more
    return heard
