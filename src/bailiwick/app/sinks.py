"""Where the audit trail can be exported to without HTTP: files in another folder, and syslog."""

from __future__ import annotations

import errno
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

_TIMEOUT = 10.0
_FACILITY = 13  # log audit
_INFORMATIONAL, _WARNING = 6, 4
_LONGEST_DATAGRAM = 60_000
_SYSLOG_PORT = 514


class FileSink:
    """Records as JSON lines, in files that rotate by size and day."""

    name = "files"

    def __init__(self, folder: Path, rotate_bytes: int) -> None:
        """Write to `folder`, made with mode 0700 if need be. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._descriptor: int | None = None
        self._day, self._size = "", 0

    def send(self, records: list[bytes], batch: str) -> None:
        descriptor = self._file()
        data = b"".join(record + b"\n" for record in records)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._size)
            os.lseek(descriptor, self._size, os.SEEK_SET)
            raise
        self._size += len(data)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _file(self) -> int:
        now = datetime.now(UTC)
        day = f"{now:%Y%m%d}"
        if self._size >= self._rotate_bytes or self._day != day:
            self.close()
        if self._descriptor is None:
            path = self._folder / f"audit-{now:%Y%m%dT%H%M%S.%fZ}-{os.getpid()}.jsonl"
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._day, self._size = day, 0
        return self._descriptor


class SyslogSink:
    """Messages of RFC 5424, facility 13 (log audit); over TCP each with its length before it (RFC 6587)."""

    name = "syslog"

    def __init__(self, url: str) -> None:
        """Take `udp://HOST[:PORT]`, `tcp://HOST[:PORT]` or `unix:///PATH`. Raises ValueError."""
        parts = urlsplit(url)
        self._kind = parts.scheme
        self._place: Any = parts.path if parts.scheme == "unix" else (parts.hostname, parts.port or _SYSLOG_PORT)
        self._socket: socket.socket | None = None
        self._is_stream = False

    def send(self, records: list[bytes], batch: str) -> None:
        try:
            opened = self._open()
            for record in records:
                message = syslog_message(record, None if self._is_stream else _LONGEST_DATAGRAM)
                opened.sendall(b"%d %b" % (len(message), message) if self._is_stream else message)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        if self._kind == "tcp":
            self._socket, self._is_stream = socket.create_connection(self._place, _TIMEOUT), True
        elif self._kind == "udp":
            host, port = self._place
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = _connected(family, socket.SOCK_DGRAM, address)
        else:
            try:
                self._socket, self._is_stream = _connected(socket.AF_UNIX, socket.SOCK_DGRAM, self._place), False
            except OSError as error:
                if (
                    not isinstance(error, ConnectionRefusedError) and error.errno != errno.EPROTOTYPE
                ):  # it is a stream
                    raise
                self._socket, self._is_stream = _connected(socket.AF_UNIX, socket.SOCK_STREAM, self._place), True
        return self._socket


class _Told(msgspec.Struct, rename="camel"):
    event_time: str = "-"
    event_name: str = "-"
    error_code: str = ""
    request_id: str = msgspec.field(name="requestID", default="")
    event_id: str = msgspec.field(name="eventID", default="")


def syslog_message(record: bytes, longest: int | None = None) -> bytes:
    """A record as a message of RFC 5424. One that is longer than `longest` bytes says so and where to find it."""
    told = msgspec.json.decode(record, type=_Told)
    priority = _FACILITY * 8 + (_WARNING if told.error_code else _INFORMATIONAL)
    name = "".join(c for c in told.event_name if "!" <= c <= "~")[:32] or "-"
    head = f"<{priority}>1 {told.event_time} {_host()} bailiwick {os.getpid()} {name} - ".encode()
    if longest is not None and len(head) + len(record) > longest:
        short = {"eventID": told.event_id, "requestID": told.request_id, "tooLongForSyslog": len(record)}
        record = msgspec.json.encode(short)
    return head + record


def _host() -> str:
    name = "".join(c for c in socket.gethostname() if "!" <= c <= "~")
    return name[:255] or "-"


def _connected(family: int, kind: int, address: Any) -> socket.socket:
    made = socket.socket(family, kind)
    try:
        made.settimeout(_TIMEOUT)
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
