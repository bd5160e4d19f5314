"""`bailiwick doctor`: looks at a deployment without changing it, and says how to mend what is wrong."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path

import msgspec
from sqlalchemy import create_engine, func, make_url, select
from sqlalchemy.exc import DBAPIError

from bailiwick.api import Transaction
from bailiwick.app import custody, home, keyring, opening
from bailiwick.app.settings import ROOT_KEY_VARIABLE, UNSEAL_VARIABLE, Settings, data_folder
from bailiwick.app.welcome import reminder
from bailiwick.core.seal import KeyRing
from bailiwick.store import Store, StoreError, reasons
from bailiwick.store.migrate import REVISIONS, revision

_FIRST_SANE_TIME = 1_767_225_600.0  # 2026-01-01: this program is younger than that
_ROOM = (32 << 20, 512 << 20)  # bytes: with less than these the next writes fail, or soon ones may
_SLOW = 0.5  # seconds
_SECRETS = (keyring.FILE, home.ROOT_CREDENTIALS, home.DATABASE)


class State(Enum):
    """How bad a finding is. Only what is broken makes the command fail."""

    GOOD = "ok"
    CARE = "care"
    BROKEN = "broken"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    state: State
    subject: str
    text: str


def examine(settings: Settings, variables: Mapping[str, str]) -> list[Finding]:
    """Every finding, in the order in which things depend on each other."""
    folder = data_folder(settings, variables)
    if not (folder.is_dir() if settings.database else (folder / home.DATABASE).is_file()):
        missing = home.nothing_in(folder)
        return [Finding(State.BROKEN, "data folder", missing), *_clock(folder), *_port(settings)]
    return [
        *_folder(folder),
        *_disk(folder),
        *_clock(folder),
        *_database(folder, settings, dict(variables)),
        *_port(settings),
    ]


def _folder(folder: Path) -> Iterator[Finding]:
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        yield Finding(State.BROKEN, "data folder", f"{folder} belongs to another user; run as that user")
    elif status.st_mode & 0o022:
        yield Finding(State.BROKEN, "data folder", f"others may change {folder}; `chmod 700 {folder}`")
    elif status.st_mode & 0o077:
        yield Finding(State.CARE, "data folder", f"others may look into {folder}; `chmod 700 {folder}`")
    elif os.statvfs(folder).f_flag & os.ST_RDONLY:
        how = "its file system is mounted read-only; mend that, or copy the whole folder to another disk"
        yield Finding(State.BROKEN, "data folder", f"{folder} cannot be written: {how}")
    elif not os.access(folder, os.W_OK):
        yield Finding(State.BROKEN, "data folder", f"{folder} cannot be written; `chmod u+w {folder}`")
    else:
        yield Finding(State.GOOD, "data folder", str(folder))
    for name in _SECRETS:
        path = folder / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(State.BROKEN, "permissions", f"others may read {path}; `chmod 600 {path}`")


def _disk(folder: Path) -> Iterator[Finding]:
    """Whether there is room, and how long a write call waits for the disk."""
    free = shutil.disk_usage(folder).free
    room = f"{free >> 20} MB are free"
    if free < _ROOM[1]:
        state = State.BROKEN if free < _ROOM[0] else State.CARE
        yield Finding(state, "disk", f"only {room} for {folder}; make room there")
        return
    try:
        seconds = min(_seconds_to_store(folder) for _ in range(3))
    except OSError:
        return  # a folder that cannot be written has been told of
    waited = f"a write waits {seconds * 1000:.1f} ms for it"
    if seconds > _SLOW:
        yield Finding(State.CARE, "disk", f"{waited}; look for what else uses it, or move the data folder")
    else:
        yield Finding(State.GOOD, "disk", f"{room}; {waited}")


def _seconds_to_store(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        begun = time.perf_counter()
        file.write(bytes(4096))
        os.fsync(file.fileno())
        return time.perf_counter() - begun


def _clock(folder: Path) -> Iterator[Finding]:
    now = time.time()
    database = folder / home.DATABASE
    newest = database.stat().st_mtime if database.exists() else 0.0
    if now < _FIRST_SANE_TIME:
        yield Finding(State.BROKEN, "clock", "the clock is years behind; signatures will be refused; set it")
    elif newest > now + 300:
        yield Finding(State.BROKEN, "clock", "the database was written in the future; set the clock (NTP)")
    else:
        yield Finding(State.GOOD, "clock", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)))


def _database(folder: Path, settings: Settings, variables: dict[str, str]) -> Iterator[Finding]:
    url = settings.database
    try:
        locked = (
            None if (folder / keyring.FILE).exists() or ROOT_KEY_VARIABLE in variables else custody.read(folder)
        )
        asks_nobody = locked is None or isinstance(locked.opener, custody.InToken)
        tried = asks_nobody or UNSEAL_VARIABLE in variables
        ring = keyring.find(folder, variables, opening.opener(settings, variables)) if tried else None
    except custody.CustodyError as error:
        yield Finding(State.BROKEN, "key ring", str(error))
        return
    except keyring.RootKeyError as error:
        yield Finding(State.BROKEN, "key ring", str(error))
        return
    path = folder / home.DATABASE
    if url is not None:
        place = make_url(url)
        engine = create_engine(place.set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 3})
        shown = place.render_as_string(hide_password=True)
    else:
        engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{path}?mode=ro", uri=True))
        shown = str(path)
    try:
        with engine.connect() as connection:
            damage = "ok" if url else connection.exec_driver_sql("PRAGMA quick_check").scalar()
            present = revision(connection)
    except (DBAPIError, StoreError) as error:
        reason = reasons.told(error.orig) if isinstance(error, DBAPIError) else str(error)
        yield Finding(State.BROKEN, "database", f"{shown}: {reason}")
        return
    finally:
        engine.dispose()
    if damage != "ok":
        yield Finding(State.BROKEN, "database", f"{shown} is damaged ({damage}); restore a backup")
        return
    yield Finding(State.GOOD, "database", shown)
    if present != REVISIONS[-1]:
        yield Finding(
            State.CARE,
            "migrations",
            f"at {present or 'none'}; the next `bailiwick serve` brings it to {REVISIONS[-1]}",
        )
        return
    yield Finding(State.GOOD, "migrations", present)
    if locked is not None and not tried:
        yield Finding(State.GOOD, "key ring", f"locked: {locked.needs} open it, which was not tried")
        return
    yield from _deployment(url or folder, ring)


def _deployment(place: Path | str, ring: KeyRing | None) -> Iterator[Finding]:
    try:
        store = Store(place)
        with closing(store), store.transaction() as transaction:
            deployment = home.deployment_in(transaction)
            if deployment is None:
                yield Finding(State.BROKEN, "deployment", "the database is empty; `bailiwick serve` fills it")
                return
            if ring is None:
                missing = f"there is no root key; put {keyring.FILE} back from the backup"
                yield Finding(State.BROKEN, "key ring", missing)
                return
            keyring.check(transaction, ring)
            yield Finding(State.GOOD, "key ring", f"root key {ring.primary} opens the database")
            yield Finding(State.GOOD, "deployment", f"account {deployment.account_id} in {deployment.region}")
            told = reminder(transaction, deployment.account_id, is_new=False)
            if told:
                yield Finding(State.CARE, "root user", told.replace("\n", " "))
            yield from _key_stores(transaction)
    except keyring.RootKeyError as error:
        yield Finding(State.BROKEN, "key ring", str(error))
    except StoreError as error:
        yield Finding(State.BROKEN, "database", str(error))


def _key_stores(transaction: Transaction) -> Iterator[Finding]:
    """Custom key stores that could not be connected, and keys that tokens did not destroy."""
    from bailiwick.services.kms import tables  # all of KMS comes with it

    failed = select(tables.store).where(tables.store.c.state == "FAILED").order_by(tables.store.c.id)
    for row in transaction.all(failed):
        mend = "mend it, then disconnect and connect the store"
        yield Finding(State.CARE, "custom key store", f"{row.id} ({row.name}) has FAILED: {row.error}; {mend}")
    column = tables.left.c
    left = select(column.cluster, func.count().label("keys")).where(column.failed).group_by(column.cluster)
    for row in transaction.all(left.order_by(column.cluster)):
        text = f"{row.keys} keys are left in {row.cluster}, which did not destroy them; the server's log says why"
        yield Finding(State.CARE, "HSM", text)


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host} port {settings.port}"
    try:
        with socket.create_connection((settings.host, settings.port), timeout=2) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: doctor\r\nconnection: close\r\n\r\n")
            answer = connection.recv(4096).lower()
    except OSError:
        yield Finding(State.GOOD, "port", f"{where} is free; no server runs there")
        return
    if b"server: bailiwick" in answer:
        yield Finding(State.GOOD, "port", f"a Bailiwick answers at {where}")
    else:
        yield Finding(State.BROKEN, "port", f"another program answers at {where}; stop it or choose another --port")
