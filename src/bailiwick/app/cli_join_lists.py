"""`bailiwick instance authority crl`: lists of revoked certificates of those who let hosts join (docs/hosts.md)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from bailiwick.api import Transaction
from bailiwick.app.cli_support import Config, Data, deployment, say
from bailiwick.app.home import HomeError
from bailiwick.app.operated import changes
from bailiwick.app.settings import SettingsError
from bailiwick.directory import instances, join_lists, joining
from bailiwick.directory.instances import Instance
from bailiwick.directory.join_lists import JoinList, ListRefused
from bailiwick.directory.joining import Authority

crl = typer.Typer(help="Lists of certificates that an authority has revoked.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the authority.")]


@crl.command("add")
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The list (CRL), in PEM or DER.")],
    issuer: Annotated[
        Path | None,
        typer.Option(help="Certificates (PEM) below the authority's, one of which signed it.", show_default=False),
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Take a list of revoked certificates, in place of the one before: nobody joins with one of these.

    A host that goes on with the key of such a certificate is terminated. Others that joined with one are shown.
    """
    with file.open("rb") as opened:
        shown = opened.read(join_lists.MOST_BYTES + 1)
    between = _certificates(issuer) if issuer else []
    with deployment(config, data) as (found, store), changes(found, store) as change:
        transaction = change.transaction
        now = found.deployment.environment(found.ring).now()
        authority = _authority(transaction, name)
        anchors = x509.load_pem_x509_certificates(authority.certificates.encode())
        try:
            made = join_lists.take(transaction, name, shown, anchors, between, now)
        except ListRefused as refused:
            raise HomeError(f"{file}: {refused}") from None
        ended, left = _ended(transaction, made, now)
        change.tell("hosts", "AddJoinList", account=authority.account, authority=name, listId=made.id)
        for each in ended:
            change.tell("ec2", "TerminateInstances", each.arn(found.deployment.partition), each.account)
    say(_told(made))
    for each in ended:
        say(f"{each.id} is terminated: its key is that of a revoked certificate")
    for each in left:
        say(
            f"{each.id} joined with a revoked certificate, and has a key of its own: "
            f"bailiwick instance revoke {each.id}"
        )


@crl.command("list")
def show(name: Name, config: Config = None, data: Data = None) -> None:
    """Show the lists of an authority: their id, number, of when they are, and when the next is due."""
    with deployment(config, data) as (_, store), store.transaction() as transaction:
        _authority(transaction, name)
        for each in join_lists.lists(transaction, name):
            say(_told(each))


@crl.command("remove")
def remove(
    name: Name,
    beginning: Annotated[str, typer.Argument(help="The beginning of the list's id, as `list` shows it.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Look at a list no more: what is on it may join again."""
    if not re.fullmatch("[0-9a-f]{8,64}", beginning):
        raise SettingsError(
            f"give at least 8 digits of the id, as `bailiwick instance authority crl list {name}` shows it"
        )
    with deployment(config, data) as (found, store), changes(found, store) as change:
        account = _authority(change.transaction, name).account
        if not join_lists.remove(change.transaction, name, beginning):
            raise HomeError(f"{name} has no list whose id begins with {beginning}")
        change.tell("hosts", "RemoveJoinList", account=account, authority=name, listId=beginning)
    say("removed")


def _authority(transaction: Transaction, name: str) -> Authority:
    found = next((each for each in joining.authorities(transaction) if each.name == name), None)
    if found is None:
        raise HomeError(f"there is no authority {name}; `bailiwick instance authority list` shows those that are")
    return found


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise SettingsError(f"{path} holds no certificate in PEM") from None


def _ended(transaction: Transaction, made: JoinList, now: float) -> tuple[list[Instance], list[Instance]]:
    """The hosts that are terminated, for their key is a revoked certificate's; and those that stay."""
    ended: list[Instance] = []
    left: list[Instance] = []
    for instance_id, is_key in join_lists.hosts_on(transaction, made).items():
        host = instances.find(transaction, instance_id)
        if host is None or not host.is_running:
            continue
        if is_key:
            instances.terminate(transaction, host, now)
        (ended if is_key else left).append(host)
    return ended, left


def _told(each: JoinList) -> str:
    due = "says no next one" if each.ends is None else f"next due {_time(each.ends)}"
    return f"{each.id[:12]}  number {each.number or '-'}  of {_time(each.begun)}  {due}  {len(each.read)} revoked"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
