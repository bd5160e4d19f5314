"""A listening socket, and uvicorn's server on it with our protocol and our manners at start and end."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import Server as UvicornServer

from bailiwick.app.direct import DirectProtocol, Outbox
from bailiwick.app.edge import Edge
from bailiwick.app.protocol import GuardedProtocol, Limits
from bailiwick.app.settings import Settings

_BACKLOG = 2048
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


# Seconds after which a thread that waits for the interpreter's lock asks for it. The event loop lets go of the lock
# around every callback and takes it back before a thread that was woken by that can, so each callback wakes in vain
# until this has passed (docs/decisions/0020): it has to be shorter than a callback.
_SWITCH_INTERVAL = 50e-6


# Garbage in cycles is rare on a request's path, so the collector may look seldom (but then what administration
# leaves behind adds up: 20,000 objects of it were 5 MB); what was there when serving began
# (a hundred thousand objects of modules and models) it need not look at again, which kept some answers for 50 ms.
_COLLECT_AFTER = (4_000, 20, 20)


def serves_only() -> None:
    """Set up a process that does nothing but serve."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    _return_memory()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def _return_memory() -> None:
    """Give back what starting has needed and serving does not, where the C library can (glibc): more than 1 MB."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class ServerError(Exception):
    """The server cannot be started as asked; the text says what to do."""


class Server(UvicornServer):
    """uvicorn's server that says when it accepts, and that ends with success when told to end."""

    def __init__(self, config: Config, ready: Callable[[], None], edge: Edge, drain_delay: float) -> None:
        super().__init__(config)
        self._ready = ready
        self._edge = edge
        self._drain_delay = drain_delay
        self._ends: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then call `ready`."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say that no more requests should come; end at once, or when those who send them had time to hear it."""
        self.drain()

    def drain(self) -> None:
        """End, after the delay; asked again, now."""
        if self._ends is not None or not self._drain_delay:
            self.should_exit = True
        self._edge.ready.draining = True
        self._ends = time.monotonic() + self._drain_delay

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to end."""
        if self._ends is not None and time.monotonic() >= self._ends:
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain at SIGINT and SIGTERM. uvicorn would raise them again afterwards; being asked is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening TCP socket; other processes of this user may listen there too if all of them say `shared`.

    Raises ServerError where the address cannot be had.
    """
    return _bound(host, port, shared=shared, accepts=True)


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps the address for those that listen there `shared`, and takes no connection itself.

    Raises ServerError where another program listens already, even a `shared` one.
    """
    with contextlib.closing(listen(host, port)) as probe:
        port = probe.getsockname()[1]
    return _bound(host, port, shared=True, accepts=False)


def _bound(host: str, port: int, *, shared: bool, accepts: bool) -> socket.socket:
    listener = None
    try:
        name = host.encode() if host.isascii() else host  # of text, Python would first make an IDNA name
        family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        if accepts:
            listener.listen(_BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ServerError(
            f"cannot listen on {host} port {port}: {error.strerror}; "
            "stop what uses it, or choose another with --port (0 takes a free one)"
        ) from None
    listener.setblocking(False)
    return listener


def server(edge: Edge, settings: Settings, ready: Callable[[], None], *, direct: bool = True) -> Server:
    """A server of `edge` with the limits in `settings`; not `direct` means through ASGI.

    Raises ServerError for a certificate that does not load.
    """
    limits = Limits(
        max_url=settings.max_url,
        max_headers=settings.max_headers,
        max_header_bytes=settings.max_header_bytes,
        header_timeout=settings.header_timeout,
        body_timeout=settings.body_timeout,
    )
    protocol = (
        partial(DirectProtocol, limits=limits, edge=edge, outbox=Outbox())
        if direct
        else partial(GuardedProtocol, limits=limits)
    )
    config = Config(
        cast(Any, edge),
        http=cast(Any, protocol),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("server", "bailiwick")],
        backlog=_BACKLOG,
        timeout_keep_alive=cast(int, settings.idle_timeout),
        timeout_graceful_shutdown=cast(int, settings.drain_timeout),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ServerError(f"cannot load the certificate or its key: {_why_not(settings, error)}") from None
    return Server(config, ready, edge, settings.drain_delay)


def _why_not(settings: Settings, error: OSError) -> str:
    """What is wrong with the certificate or its key; OpenSSL names neither the file nor what it looked for."""
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{settings.tls_key} is not the key of the certificate in {settings.tls_cert}"
        return f"{settings.tls_cert} has to have a certificate, and {settings.tls_key} its private key, both in PEM"
    unreadable = [path for path in (settings.tls_cert, settings.tls_key) if path and not os.access(path, os.R_OK)]
    return f"{unreadable[0] if unreadable else settings.tls_cert}: {error.strerror}"
