"""`bailiwick backup` and `bailiwick restore`: the database of a running server, and a server from that."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.app import backup as backups
from bailiwick.app import custody, home, keyring, logs, opening
from bailiwick.app.backup import BackupError, Manifest
from bailiwick.app.cli_support import Config, Data, deployment, say
from bailiwick.app.files import UnsafeFile, private_folder, write_private
from bailiwick.app.home import HomeError
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.operated import OURS, changes_in
from bailiwick.app.settings import Settings, data_folder, load
from bailiwick.core.seal import KeyRing
from bailiwick.store import Store

RootKeyFile = Annotated[Path | None, typer.Option("--root-key", help="File with the root key.", show_default=False)]
_LEFT_ALONE = frozenset((keyring.FILE, custody.FILE, ".starting", ".migrating"))


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the database, as it is at one moment, to an encrypted file. A server may be running.

    The root key is not in it, and neither is an audit trail that is kept in files.
    """
    with deployment(config, data) as (found, _), told():
        if not isinstance(found.database, Path):
            raise HomeError(
                "this deployment is on PostgreSQL: back it up with pg_dump, and the root key apart from it"
            )
        manifest = backups.take(found.database / home.DATABASE, file, found.ring, found.deployment.account_id)
    say(f"wrote and verified {file}: {_shown(manifest)}")
    say(f"it opens with the root key {manifest.root} only; keep that apart from it")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `bailiwick backup` wrote.")],
    verify: Annotated[bool, typer.Option("--verify", help="Only read it from end to end.")] = False,
    root_key: RootKeyFile = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Make a data folder of a backup. The folder has nothing in it but, perhaps, the root key."""
    settings = load({"data": data}, os.environ, config)
    logs.configure(settings.log_level)
    folder = data_folder(settings, os.environ)
    with told():
        ring = root_for(file, root_key, folder, settings)
        if verify:
            say(f"{file} is whole: {_shown(backups.verify(file, ring))}")
            return
        if settings.database:
            raise HomeError("a backup is restored to a data folder; leave `database` out")
        try:
            private_folder(folder)
        except UnsafeFile as error:
            raise HomeError(str(error)) from None
        if held := sorted({path.name for path in folder.iterdir()} - _LEFT_ALONE):
            raise HomeError(f"{folder} is not empty ({held[0]}); choose another folder with --data")
        manifest = backups.unpack(file, folder / home.DATABASE, ring)
        if root_key is not None and not (folder / keyring.FILE).exists():
            write_private(folder / keyring.FILE, root_key.read_bytes())
        with closing(Store(folder)) as store, store.transaction(write=True) as transaction:
            keyring.check(transaction, ring)
            if (found := home.deployment_in(transaction)) is not None:
                with changes_in(transaction, found) as change:
                    change.tell(OURS, "RestoreBackup", backupTime=_time(manifest), rootKeyId=manifest.root)
    say(f"restored {_shown(manifest)} to {folder}")
    say(f"start it with `bailiwick serve --data {folder}`; the access keys are those of then")


def root_for(file: Path, root_key: Path | None, folder: Path, settings: Settings) -> KeyRing:
    """The root key for a backup: from the file that was named, or from where a server would find it."""
    if root_key is not None:
        return keyring.of_file(root_key)
    ring = keyring.find(folder, os.environ, opening.opener(settings, os.environ))
    if ring is None:
        raise RootKeyError(
            f"{file} needs the root key {backups.root_of(file)}; {folder} has none: name one with --root-key"
        )
    return ring


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong with a backup, as what goes wrong with a data folder."""
    try:
        yield
    except BackupError as error:
        raise HomeError(str(error)) from None
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise HomeError("there is no room: beside the file, a backup needs that of two more copies") from None
        raise HomeError(f"the database cannot be read: {error}") from None


def _time(manifest: Manifest) -> str:
    return datetime.fromtimestamp(int(manifest.created), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _shown(manifest: Manifest) -> str:
    return (
        f"account {manifest.account}, of {_time(manifest)}, {manifest.size} bytes, revision {manifest.revision}, "
        f"Bailiwick {manifest.version}"
    )
