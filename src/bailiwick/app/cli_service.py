"""`bailiwick service`: service principals, which sign with a key of their own (docs/services-acting.md)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.api import Transaction
from bailiwick.app.cli_support import Config, Data, deployment, say
from bailiwick.app.files import write_private
from bailiwick.app.home import HomeError
from bailiwick.app.operated import OURS, changes
from bailiwick.app.settings import SettingsError
from bailiwick.directory import service_principals
from bailiwick.directory.service_principals import ServicePrincipal
from bailiwick.store import Duplicate
from bailiwick.wire import models

service = typer.Typer(
    help="Services that act here in their own name, or for the people who call them.", no_args_is_help=True
)

Name = Annotated[
    str, typer.Argument(help="What policies call it: redshift.amazonaws.com, backup.example.internal.")
]
CREDENTIALS = "service-credentials"


@service.command("create")
def create(
    name: Name,
    signing_name: Annotated[
        str | None,
        typer.Option(
            help="What requests to it are signed for; default: the first part of its name.", show_default=False
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Register a service. Its access key is written to a file in the data folder.

    It may do what resource, trust and key policies that name it say, and nothing else.
    """
    if not service_principals.is_name(name):
        raise SettingsError(f"`{name}` is no name of a service: such as backup.example.internal, in lower case")
    signed_for = signing_name or name.partition(".")[0]
    if not service_principals.is_name(f"{signed_for}.x"):
        raise SettingsError(f"`{signed_for}` is not what requests can be signed for: such as backup")
    if signed_for in models.here().by_signing_name:
        raise SettingsError(f"requests signed for `{signed_for}` are for Bailiwick itself; give a --signing-name")
    with deployment(config, data) as (found, store):
        path = _file(found.folder, name)
        try:
            with changes(found, store) as change:
                environment = found.deployment.environment(found.ring)
                _, key = service_principals.create(change.transaction, environment, name, signed_for)
                told = {"serviceName": name, "signingName": signed_for, "accessKeyId": key[0]}
                change.tell(OURS, "CreateServicePrincipal", **told)
                _write(path, name, key)
        except Duplicate:
            raise HomeError(
                f"there is a service {name}, or one whose requests are signed for `{signed_for}`, already"
            ) from None
    say(f"service {name}: its access key is in {path}")


@service.command("list")
def show(config: Config = None, data: Data = None) -> None:
    """Show every service: its name, what requests to it are signed for, its key, since when."""
    with deployment(config, data) as (_, store), store.transaction() as transaction:
        for each in service_principals.every(transaction):
            keys = ", ".join(service_principals.keys_of(transaction, each))
            since = datetime.fromtimestamp(each.created, UTC).strftime("%Y-%m-%d")
            say(f"{each.name}  {each.signing_name}  {keys}  {since}")


@service.command("rotate-key")
def rotate_key(name: Name, config: Config = None, data: Data = None) -> None:
    """Give a service a new access key. The old one ends at once; the new one is written to a file."""
    with deployment(config, data) as (found, store):
        path = _file(found.folder, name)
        written = path.with_name(f"{path.name}.new")
        with changes(found, store) as change:
            known = _known(change.transaction, name)
            environment = found.deployment.environment(found.ring)
            key = service_principals.rotate_key(change.transaction, environment, known)
            change.tell(OURS, "RotateServicePrincipalKey", serviceName=name, accessKeyId=key[0])
            # Both keys are in a file until the commit has decided which one is right.
            _write(written, name, key)
        os.replace(written, path)
    say(f"service {name}: its new access key is in {path}")


@service.command("delete")
def delete(name: Name, config: Config = None, data: Data = None) -> None:
    """Forget a service. Its key, and what it got to act for others, end at once."""
    with deployment(config, data) as (found, store):
        with changes(found, store) as change:
            service_principals.remove(change.transaction, _known(change.transaction, name))
            change.tell(OURS, "DeleteServicePrincipal", serviceName=name)
        _file(found.folder, name).unlink(missing_ok=True)
    say(f"service {name} is no more; policies that name it now name nobody")


def _known(transaction: Transaction, name: str) -> ServicePrincipal:
    found = service_principals.find(transaction, name)
    if found is None:
        raise HomeError(f"there is no service {name}; `bailiwick service list` shows those that are")
    return found


def _file(folder: Path, name: str) -> Path:
    return folder / f"{CREDENTIALS}-{name}"


def _write(path: Path, name: str, key: tuple[str, str]) -> None:
    """The key as an AWS shared-credentials file, mode 0600. Raises OSError."""
    key_id, secret = key
    text = (
        f"# The service {name}. Whoever has this may act as the service.\n"
        f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
    )
    write_private(path, text.encode())
