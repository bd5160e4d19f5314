"""A backup: the whole database of a data folder in one file, encrypted under a key that the root key gives.

    offset  bytes  field
    0       4      magic "BWBK"
    4       1      version, 1
    5       4      id of the root key
    9       32     salt
    41      4      length of the sealed manifest, big-endian
    45      m      the manifest, JSON: revision, digest, ...
    45+m    ...    the database in chunks of 1 MiB, each with a tag of 16 bytes

The key is derived from the root and the salt, so it is this file's alone. Every part is AES-256-GCM under a nonce
that counts the parts and marks the last one: none can be changed, moved, left out or cut off. The root key itself
is never inside.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import bailiwick
from bailiwick.core.errors import SealError
from bailiwick.core.seal import KeyRing
from bailiwick.store.migrate import REVISIONS

_MAGIC, _VERSION = b"BWBK", 1
_PURPOSE = "backup"
_HEADER, _SALT = 41, slice(9, 41)
_CHUNK, _TAG = 1 << 20, 16
_MAX_MANIFEST = 65536


class BackupError(Exception):
    """A backup that cannot be made, read or trusted; the text says why."""


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    root: str  # the id of the root key that opens it, and what is in it
    account: str
    revision: str  # of the database
    version: str  # of Bailiwick
    created: float  # epoch seconds
    size: int  # bytes of the database
    digest: str  # SHA-256 of the database, hexadecimal


def take(database: Path, target: Path, ring: KeyRing, account: str) -> Manifest:
    """Write a backup of a database that others may be writing, as it is at one moment; read it back; then name it.

    Raises BackupError for a target that exists or has no folder, OSError, sqlite3.Error.
    """
    if not target.parent.is_dir():
        raise BackupError(f"there is no folder {target.parent} to write the backup to")
    if target.exists():
        raise BackupError(f"{target} exists already; a backup replaces nothing")
    copy, part = target.with_name(f".{target.name}.copy"), target.with_name(f".{target.name}.part")
    try:
        _copy(database, copy)
        with copy.open("rb") as plain:
            digest = hashlib.file_digest(plain, "sha256").hexdigest()
        manifest = Manifest(
            root=ring.primary,
            account=account,
            revision=_revision(copy),
            version=bailiwick.__version__,
            created=round(time.time(), 3),
            size=copy.stat().st_size,
            digest=digest,
        )
        with copy.open("rb") as plain, _new(part) as sealed:
            _seal(plain, sealed, ring, manifest)
            sealed.flush()
            os.fsync(sealed.fileno())
        verify(part, ring)
        _name(part, target)
    finally:
        copy.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
    return manifest


def verify(file: Path, ring: KeyRing) -> Manifest:
    """Read a backup from end to end. Raises BackupError unless everything is as it was written, OSError."""
    with file.open("rb") as sealed:
        manifest, parts = _opened(sealed, file, ring)
        _checked(manifest, parts, None)
    return manifest


def unpack(file: Path, target: Path, ring: KeyRing) -> Manifest:
    """Write the database of a backup to `target`, a new file that is whole or not there.

    Raises BackupError for a backup that is damaged, another root's, or of a later version; OSError.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        with file.open("rb") as sealed, _new(part) as plain:
            manifest, parts = _opened(sealed, file, ring)
            if manifest.revision not in REVISIONS:
                raise BackupError(
                    f"{file} was made by Bailiwick {manifest.version}, which is later than this one; install that"
                )
            _checked(manifest, parts, plain)
            plain.flush()
            os.fsync(plain.fileno())
        with closing(sqlite3.connect(part)) as database:
            if (found := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                raise BackupError(f"the database in {file} is damaged: {found}")
        _name(part, target)
    finally:
        for left in (part, part.with_name(f"{part.name}-wal"), part.with_name(f"{part.name}-shm")):
            left.unlink(missing_ok=True)
    return manifest


def root_of(file: Path) -> str:
    """The id of the root key that a backup needs. Raises BackupError, OSError."""
    with file.open("rb") as sealed:
        return _header(sealed, file)[5:9].hex()


def _copy(database: Path, copy: Path) -> None:
    """One state of the database. Writers go on meanwhile: in WAL mode a reader does not stand in their way."""
    _new(copy).close()
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source:
        source.execute("PRAGMA busy_timeout = 10000")
        with closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # so that the file is all there is of it


def _revision(database: Path) -> str:
    with closing(sqlite3.connect(database)) as opened:
        return str(opened.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _new(path: Path) -> BinaryIO:
    """A file that was not there, for our eyes only. What a run that was cut short has left is removed."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _name(part: Path, target: Path) -> None:
    """Give a file that is whole its name. Raises FileExistsError where somebody else was faster."""
    os.link(part, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _seal(plain: BinaryIO, sealed: BinaryIO, ring: KeyRing, manifest: Manifest) -> None:
    salt = os.urandom(32)
    header = _MAGIC + bytes((_VERSION,)) + bytes.fromhex(ring.primary) + salt
    cipher = AESGCM(ring.derive(ring.primary, _PURPOSE, salt))
    first = cipher.encrypt(_nonce(0, last=False), msgspec.json.encode(manifest), header)
    sealed.write(header + len(first).to_bytes(4, "big") + first)
    number, chunk = 1, plain.read(_CHUNK)
    while True:
        following = plain.read(_CHUNK)
        sealed.write(cipher.encrypt(_nonce(number, last=not following), chunk, header))
        if not following:
            return
        number, chunk = number + 1, following


def _header(sealed: BinaryIO, file: Path) -> bytes:
    header = sealed.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise BackupError(f"{file} is not a backup")
    if header[4] != _VERSION:
        raise BackupError(f"{file} has the form {header[4]}, which a later version of Bailiwick reads")
    return header


def _opened(sealed: BinaryIO, file: Path, ring: KeyRing) -> tuple[Manifest, Iterator[bytes]]:
    """The manifest, and the parts of the database, each authentic when it is given out."""
    header = _header(sealed, file)
    try:
        cipher = AESGCM(ring.derive(header[5:9].hex(), _PURPOSE, header[_SALT]))
        length = int.from_bytes(sealed.read(4), "big")
        if length > _MAX_MANIFEST:
            raise BackupError(f"{file} is damaged: its manifest does not open")
        first = cipher.decrypt(_nonce(0, last=False), sealed.read(length), header)
        return msgspec.json.decode(first, type=Manifest), _parts(sealed, file, cipher, header)
    except SealError:
        raise BackupError(f"{file} needs the root key {header[5:9].hex()}; given was {ring.primary}") from None
    except (InvalidTag, ValueError):
        raise BackupError(f"{file} is damaged: its manifest does not open") from None


def _parts(sealed: BinaryIO, file: Path, cipher: AESGCM, header: bytes) -> Iterator[bytes]:
    number, chunk = 1, sealed.read(_CHUNK + _TAG)
    while True:
        following = sealed.read(_CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), chunk, header)
        except (InvalidTag, ValueError):
            raise BackupError(f"{file} is damaged or cut off in part {number}") from None
        if not following:
            return
        number, chunk = number + 1, following


def _checked(manifest: Manifest, parts: Iterator[bytes], plain: BinaryIO | None) -> None:
    digest, size = hashlib.sha256(), 0
    for part in parts:
        digest.update(part)
        size += len(part)
        if plain is not None:
            plain.write(part)
    if size != manifest.size or digest.hexdigest() != manifest.digest:
        raise BackupError("the database in the backup is not the one that its manifest describes")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
