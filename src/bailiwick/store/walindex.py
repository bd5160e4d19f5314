"""Has anyone committed? Told from 48 bytes of memory that SQLite shares between the processes of a database.

In WAL mode every commit rewrites the header of the WAL index, which lies in a file that each connection maps into
its memory (https://www.sqlite.org/walformat.html, "The WAL-Index File Format"). Bytes that are the same as before
mean that nothing was committed in between; bytes that differ, even half-written ones, mean "look".

INVARIANT: the descriptor of that file stays open as long as any store of this process uses it. Closing one would
release every POSIX lock that the process holds on the file, SQLite's own among them
(https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path
from threading import Lock

_HEADER = 48
_VERSION = 3007000
_SUFFIX = "-shm"

_lock = Lock()
_open: dict[tuple[int, int], tuple[mmap.mmap, int, int]] = {}  # (device, inode) -> map, descriptor, users


class WalIndex:
    """The header of a database's WAL index."""

    def __init__(self, database: Path) -> None:
        """Map it. A connection to the database must be open. Raises OSError where there is no such file or form."""
        path = f"{database}{_SUFFIX}"
        with _lock:
            status = os.stat(path)
            self._file = status.st_dev, status.st_ino
            shared, descriptor, users = _open.get(self._file) or (*_mapped(path), 0)
            _open[self._file] = shared, descriptor, users + 1
        self._map = shared

    def header(self) -> bytes:
        """The header as it is now."""
        return self._map[:_HEADER]

    def close(self) -> None:
        """Let go of it; every connection of this store must be closed."""
        with _lock:
            shared, descriptor, users = _open.pop(self._file)
            if users > 1:
                _open[self._file] = shared, descriptor, users - 1
            else:
                shared.close()
                os.close(descriptor)


def _mapped(path: str) -> tuple[mmap.mmap, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    # From here on the descriptor is only closed by `close`, or where nothing can be done with the file at all.
    shared = mmap.mmap(descriptor, _HEADER, prot=mmap.PROT_READ)
    version = int.from_bytes(shared[:4], sys.byteorder)
    if version != _VERSION:
        raise OSError(f"{path} has a form that is not known here: {version}")
    return shared, descriptor
