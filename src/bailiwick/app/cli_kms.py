"""`bailiwick kms`: what operators do to keys, by the database alone."""

from __future__ import annotations

import base64
import binascii
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bailiwick.api import Environment
from bailiwick.app import backup as backups
from bailiwick.app import home, keyring, logs, opening, outward
from bailiwick.app.cli_backup import RootKeyFile, root_for, told
from bailiwick.app.cli_support import Config, Data, deployment, readable, say
from bailiwick.app.home import HomeError
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.operated import Change, changes
from bailiwick.app.settings import SettingsError, data_folder, load
from bailiwick.core import arn
from bailiwick.core.errors import SealError
from bailiwick.core.seal import KeyRing
from bailiwick.services.kms import offline, regions
from bailiwick.services.kms.ciphertext import BadCiphertext
from bailiwick.store import Store

kms = typer.Typer(help="Keys, by the database alone.", no_args_is_help=True, pretty_exceptions_enable=False)
_MAX_BYTES = 1 << 20


@kms.callback()
def _only_commands() -> None:
    """Keys, by the database alone."""


@kms.command("decrypt-offline")
def decrypt_offline(
    ciphertext: Annotated[Path, typer.Argument(help="File with a CiphertextBlob, raw or in base64; - reads it.")],
    context: Annotated[
        list[str] | None, typer.Option(help="A pair of the encryption context: KEY=VALUE.", show_default=False)
    ] = None,
    backup: Annotated[Path | None, typer.Option(help="Take the keys from this backup.", show_default=False)] = None,
    root_key: RootKeyFile = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Open a ciphertext of a symmetric key with the database and the root key alone; the plaintext goes to stdout.

    Nobody's policies are asked and nothing is audited: whoever has both can read everything anyway.
    """
    settings = load({"data": data}, os.environ, config)
    logs.configure(settings.log_level)
    folder = data_folder(settings, os.environ)
    blob, pairs = _read(ciphertext), _pairs(context or [])
    if backup is not None:
        ring = root_for(backup, root_key, folder, settings)
        with told(), tempfile.TemporaryDirectory(prefix="bailiwick-") as unpacked:
            backups.unpack(backup, Path(unpacked) / home.DATABASE, ring)
            arn, plaintext = _opened(Path(unpacked), ring, blob, pairs)
    else:
        place = settings.database or folder
        if isinstance(place, Path) and not (place / home.DATABASE).exists():
            raise HomeError(home.nothing_in(folder))
        found = (
            keyring.of_file(root_key)
            if root_key is not None
            else keyring.find(folder, os.environ, opening.opener(settings, os.environ))
        )
        if found is None:
            raise RootKeyError(f"there is no root key in {folder}; name it with --root-key")
        with readable(place) as where:
            arn, plaintext = _opened(where, found, blob, pairs)
    sys.stderr.write(f"opened with {arn}\n")
    sys.stdout.buffer.write(plaintext)
    sys.stdout.buffer.flush()


KeyArn = Annotated[str, typer.Argument(help="The ARN of the key.")]


@kms.command("promote")
def promote(key: KeyArn, config: Config = None, data: Data = None) -> None:
    """Make a replica that is here the primary, without asking the deployment that has the primary, which is lost.

    If that one should come back, its key becomes a replica of this one.
    """
    with _shared(config, data) as (change, environment):
        regions.take_over(change.transaction, environment, key)
        _tell(change, "UpdatePrimaryRegion", key, "primaryRegion")
    say(f"{key} is the primary now")


@kms.command("forget-replica")
def forget_replica(
    key: Annotated[str, typer.Argument(help="The ARN of a replica that was at a peer.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Take a replica at a peer that is lost for gone, so that its primary can be deleted."""
    with _shared(config, data) as (change, environment):
        regions.forget(change.transaction, environment, key)
        _tell(change, "ForgetReplica", key, "replicaRegion")
    say(f"{key} is taken for gone")


@contextmanager
def _shared(config: Path | None, data: Path | None) -> Iterator[tuple[Change, Environment]]:
    """A transaction that changes keys that are shared, and what it needs. Raises HomeError for what is refused."""
    with deployment(config, data) as (found, store), changes(found, store) as change:
        settings = load({"data": data}, os.environ, config)
        peers = outward.peers(settings, found.deployment.region, threading.Event())
        environment = msgspec.structs.replace(found.deployment.environment(found.ring), peers=peers)
        try:
            yield change, environment
        except regions.Impossible as error:
            raise HomeError(str(error)) from None


def _tell(change: Change, name: str, key_arn: str, member: str) -> None:
    """What was done to a key; the member says in which region it is."""
    parsed = arn.parse(key_arn)
    told = {"keyId": parsed.resource.removeprefix("key/"), member: parsed.region}
    change.tell("kms", name, key_arn, parsed.account, **told)


def _opened(place: Path | str, ring: KeyRing, blob: bytes, context: dict[str, str]) -> tuple[str, bytes]:
    with closing(Store(place)) as store, store.transaction() as transaction:
        keyring.check(transaction, ring)
        try:
            return offline.decrypt(transaction, ring, blob, context)
        except offline.Elsewhere:
            raise HomeError(
                "it does not open here: its key is in a token, or behind the proxy of an external key store"
            ) from None
        except (BadCiphertext, SealError):
            raise HomeError(
                "it does not open: it is no ciphertext of a symmetric key of this deployment, or its material is "
                "gone, or the encryption context is another"
            ) from None


def _read(path: Path) -> bytes:
    """The ciphertext, whether it comes raw or, as the AWS CLI prints it, in base64."""
    if str(path) == "-":
        data = sys.stdin.buffer.read(_MAX_BYTES)
    else:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    if data.startswith(b"BWKC"):
        return data
    try:
        return base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        return data


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given]
    if any(not key or not equals for key, equals, _ in pairs):
        raise SettingsError("a pair of the encryption context is written KEY=VALUE")
    return {key: value for key, _, value in pairs}
