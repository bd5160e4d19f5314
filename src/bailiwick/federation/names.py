"""The addresses of a host, in time: the resolver of the system has no deadline, and may take half a minute."""

from __future__ import annotations

import ipaddress
import socket
import threading
from concurrent.futures import Future

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_AT_ONCE = 16
_room = threading.BoundedSemaphore(_AT_ONCE)


def addresses(host: str, port: int, seconds: float) -> list[Address]:
    """The addresses of a host. Raises OSError, UnicodeError; TimeoutError where they are not there in time.

    Whoever waits goes on; the lookup holds a thread until it ends, so only so many are made at once.
    """
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass  # it is a name
    if not _room.acquire(timeout=seconds):
        raise TimeoutError("too many names are looked up")
    found: Future[list[Address]] = Future()
    threading.Thread(target=_look_up, args=(host, port, found), name="name", daemon=True).start()
    try:
        return found.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"{host} is not looked up in time") from None


def _look_up(host: str, port: int, found: Future[list[Address]]) -> None:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.set_result([ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries])
    except BaseException as error:
        found.set_exception(error)
    finally:
        _room.release()
