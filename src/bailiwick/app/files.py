"""Files that hold secrets: written whole or not at all, for our eyes only, and read with suspicion."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

_MAX_BYTES = 65536


class UnsafeFile(Exception):
    """A file that must not be trusted with a secret as it is; the text says how to mend it."""


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by `data` with mode 0600: whoever looks sees the old content or the new, never a part.

    Raises OSError.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: Path, forbidden: int = 0o077, most: int = _MAX_BYTES) -> bytes:
    """The content of a file that nobody else can have written or, unless allowed by `forbidden`, read.

    `forbidden` is a mask of permission bits. Raises FileNotFoundError, OSError, and UnsafeFile for a symbolic
    link, another kind of file, a foreign owner, a permission too many, or more than `most` bytes.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise UnsafeFile(f"{path} is a symbolic link; put the file itself there") from None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeFile(f"{path} is not a file")
        if status.st_uid not in (os.geteuid(), 0):
            raise UnsafeFile(f"{path} belongs to another user; `chown {os.geteuid()} {path}`, if you trust it")
        if status.st_mode & forbidden:
            raise UnsafeFile(f"{path} is open to other users; `chmod 600 {path}`")
        data = os.read(handle, most + 1)
    finally:
        os.close(handle)
    if len(data) > most:
        raise UnsafeFile(f"{path} is too large to be what it should be")
    return data


def private_folder(path: Path) -> None:
    """Make `path` with mode 0700 where it is missing. Raises OSError, and UnsafeFile where others may write."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise UnsafeFile(f"{path} belongs to another user; choose another folder with --data")
    if status.st_mode & 0o022:
        raise UnsafeFile(f"{path} can be changed by other users; `chmod 700 {path}`")
