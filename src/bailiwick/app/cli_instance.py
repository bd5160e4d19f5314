"""`bailiwick instance`: hosts that joined, by what others may join, and their profiles (docs/hosts.md)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from cryptography import x509

from bailiwick.api import Transaction
from bailiwick.app.cli_join_lists import crl
from bailiwick.app.cli_support import AccountId, Config, Data, account_of, deployment, say
from bailiwick.app.home import Home, HomeError
from bailiwick.app.operated import changes
from bailiwick.app.settings import SettingsError
from bailiwick.directory import document_keys, instance_profiles, instances, joining
from bailiwick.directory.instances import Association, Instance
from bailiwick.directory.joining import Authority, Grants
from bailiwick.store import Duplicate

instance = typer.Typer(help="Hosts that get the credentials of a role.", no_args_is_help=True)
join_token = typer.Typer(help="Tokens with which hosts join, each good once.", no_args_is_help=True)
authority = typer.Typer(help="Authorities whose certificates let hosts join.", no_args_is_help=True)
instance.add_typer(join_token, name="join-token")
instance.add_typer(authority, name="authority")
authority.add_typer(crl, name="crl")

_MOST_USER_DATA = 16384
_SHOWN = 12  # digits of the hash of a token
_TAG = re.compile(r"([^=]{1,127})=(.{0,256})", re.DOTALL)
_SPAN = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

InstanceId = Annotated[str, typer.Argument(help="i-...")]
Profile = Annotated[str | None, typer.Option(help="Name of the instance profile that it gets.", show_default=False)]
Further = Annotated[
    list[str] | None,
    typer.Option(help="Name of a profile for some of its programs; may be repeated.", show_default=False),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="KEY=VALUE; may be repeated.", show_default=False)]
Region = Annotated[
    str | None, typer.Option(help="Region; that of the deployment if not given.", show_default=False)
]
Zone = Annotated[
    str | None, typer.Option(help="Availability zone; the region's `a` if not given.", show_default=False)
]
Vpc = Annotated[str, typer.Option(help="What aws:Ec2InstanceSourceVpc says.", show_default=False)]
UserData = Annotated[Path | None, typer.Option(help="File that it may read as user data.", show_default=False)]


@join_token.command("create")
def create_token(
    expires: Annotated[str, typer.Option(help="For how long it is good: 30m, 2h, 7d at most.")] = "1h",
    account_id: AccountId = None,
    profile: Profile = None,
    further: Further = None,
    tag: Tags = None,
    region: Region = None,
    zone: Zone = None,
    vpc: Vpc = "",
    user_data: UserData = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Make a token and print it: it is shown once. `bailiwick agent join --token-file` takes it."""
    seconds = _span(expires)
    with deployment(config, data) as (found, store), changes(found, store) as change:
        transaction = change.transaction
        account = account_of(transaction, found, account_id)
        grants = _grants(transaction, found, account, profile, further, tag, region, zone, vpc, user_data)
        environment = found.deployment.environment(found.ring)
        made = joining.new_token(transaction, environment, account, grants, seconds)
        told = {"tokenId": joining.hash_of(made)[:_SHOWN], "instanceProfile": profile or "", "expires": expires}
        change.tell("hosts", "CreateJoinToken", account=account, **told)
    typer.echo(made)


@join_token.command("list")
def list_tokens(config: Config = None, data: Data = None) -> None:
    """Show the tokens that are good: the beginning of their hash, their account, until when, the profile."""
    with deployment(config, data) as (found, store), store.transaction() as transaction:
        for each in joining.tokens(transaction, found.deployment.environment(found.ring).now()):
            grants = msgspec.json.decode(each.grants, type=Grants)
            say(f"{each.hash[:_SHOWN]}  {each.account}  until {_time(each.expires)}  {grants.profile or '-'}")


@join_token.command("revoke")
def revoke_token(
    beginning: Annotated[str, typer.Argument(help="The beginning of its hash, as `list` shows it.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Let nobody join by a token any more."""
    if not re.fullmatch("[0-9a-f]{8,64}", beginning):
        raise SettingsError("give at least 8 digits of the hash, as `bailiwick instance join-token list` shows it")
    with deployment(config, data) as (found, store), changes(found, store) as change:
        gone = joining.forget_tokens(change.transaction, beginning)
        if not gone:
            raise HomeError(f"there is no token whose hash begins with {beginning}")
        for each in gone:
            change.tell("hosts", "RevokeJoinToken", account=each.account, tokenId=each.hash[:_SHOWN])
    say("revoked")


@authority.command("add")
def add_authority(
    name: Annotated[str, typer.Argument(help="A name for it.")],
    file: Annotated[Path, typer.Argument(help="Its certificates (PEM).")],
    account_id: AccountId = None,
    profile: Profile = None,
    further: Further = None,
    tag: Tags = None,
    region: Region = None,
    zone: Zone = None,
    vpc: Vpc = "",
    user_data: UserData = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Let every host join, once, whose certificate an authority stands behind."""
    if not re.fullmatch(r"[\w.-]{1,64}", name, re.ASCII):
        raise SettingsError(f"`{name}` is no name of an authority: letters, digits, dots, dashes")
    pem = file.read_text("utf-8", "replace")
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise SettingsError(f"{file} holds no certificate in PEM") from None
    with deployment(config, data) as (found, store):
        try:
            with changes(found, store) as change:
                transaction = change.transaction
                account = account_of(transaction, found, account_id)
                grants = _grants(transaction, found, account, profile, further, tag, region, zone, vpc, user_data)
                now = found.deployment.environment(found.ring).now()
                made = Authority(name, account, now, pem, msgspec.json.encode(grants).decode())
                joining.add_authority(transaction, made)
                told = {"authority": name, "instanceProfile": profile or ""}
                change.tell("hosts", "AddJoinAuthority", account=account, **told)
        except Duplicate:
            raise HomeError(f"there is an authority {name} already") from None
    say(f"hosts with a certificate of {name} may join account {account}")


@authority.command("list")
def list_authorities(config: Config = None, data: Data = None) -> None:
    """Show the authorities, and the accounts that they let hosts into."""
    with deployment(config, data) as (_, store), store.transaction() as transaction:
        for each in joining.authorities(transaction):
            grants = msgspec.json.decode(each.grants, type=Grants)
            say(f"{each.name}  {each.account}  {grants.profile or '-'}  {_time(each.created)}")


@authority.command("remove")
def remove_authority(name: str, config: Config = None, data: Data = None) -> None:
    """Let nobody join by an authority any more. Hosts that have joined stay."""
    with deployment(config, data) as (found, store), changes(found, store) as change:
        known = next((each for each in joining.authorities(change.transaction) if each.name == name), None)
        if known is None:
            raise HomeError(f"there is no authority {name}")
        joining.remove_authority(change.transaction, name)
        change.tell("hosts", "RemoveJoinAuthority", account=known.account, authority=name)
    say("removed")


@instance.command("list")
def list_instances(account_id: AccountId = None, config: Config = None, data: Data = None) -> None:
    """Show the hosts of an account: id, state, region, address, name, profile, when it last asked."""
    with deployment(config, data) as (found, store), store.transaction() as transaction:
        after, account = "", account_of(transaction, found, account_id)
        while some := instances.page(transaction, account, None, after, 500):
            has = instances.associations(transaction, *(each.id for each in some))
            main = {each.instance_id: each.profile_arn.rpartition("/")[2] for each in has if each.is_main}
            for each in some:
                say(
                    f"{each.id}  {each.state}  {each.region}  {each.address}  {each.hostname or '-'}  "
                    f"{main.get(each.id, '-')}  {_time(each.seen)}"
                )
            after = some[-1].id


@instance.command("associate")
def associate(
    instance_id: InstanceId,
    profile: Annotated[str, typer.Argument(help="Name of the instance profile.")],
    further: Annotated[
        bool, typer.Option("--further", help="For some of its programs, beside the one that it has.")
    ] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Give a host an instance profile, in place of the one that it has unless it is a further one."""

    def work(transaction: Transaction, found: Home, host: Instance) -> dict[str, str]:
        known = instance_profiles.find(transaction, host.account, profile)
        if known is None:
            raise HomeError(f"there is no instance profile {profile} in account {host.account}")
        environment = found.deployment.environment(found.ring)
        for each in instances.associations(transaction, host.id):
            if each.profile_id == known.id or (each.is_main and not further):
                instances.disassociate(transaction, each)
        made = Association(
            id=instances.new_id("iip-assoc", environment.entropy),
            instance_id=host.id,
            account=host.account,
            profile_id=known.id,
            profile_arn=known.arn(environment.partition),
            is_main=not further,
            created=environment.now(),
        )
        instances.associate(transaction, made)
        return {"iamInstanceProfile": made.profile_arn, "associationId": made.id}

    _on_host(instance_id, "AssociateIamInstanceProfile", work, config, data)
    say(f"{instance_id} has {profile}")


@instance.command("disassociate")
def disassociate(
    instance_id: InstanceId,
    profile: Annotated[
        str | None, typer.Argument(help="Name of the profile; the main one if not given.", show_default=False)
    ] = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Refuse what it was given so far at once, of its other roles as well.")
    ] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Take an instance profile from a host. Without --revoke what it was given lives until it expires."""

    def work(transaction: Transaction, found: Home, host: Instance) -> dict[str, str]:
        gone = [
            each
            for each in instances.associations(transaction, host.id)
            if (each.is_main if profile is None else each.profile_arn.rpartition("/")[2] == profile)
        ]
        if not gone:
            raise HomeError(f"{host.id} has no such profile")
        instances.disassociate(transaction, gone[0])
        if revoke:
            now = found.deployment.environment(found.ring).now()
            instances.revoke_credentials(transaction, host.id, now)
        profile_arn, revoked = gone[0].profile_arn, "true" if revoke else "false"
        return {"iamInstanceProfile": profile_arn, "associationId": gone[0].id, "credentialsRevoked": revoked}

    _on_host(instance_id, "DisassociateIamInstanceProfile", work, config, data)
    say("disassociated")


@instance.command("revoke-credentials")
def revoke_credentials(instance_id: InstanceId, config: Config = None, data: Data = None) -> None:
    """Refuse at once what a host was given so far. It gets new credentials when it next asks."""

    def work(transaction: Transaction, found: Home, host: Instance) -> dict[str, str]:
        instances.revoke_credentials(transaction, host.id, found.deployment.environment(found.ring).now())
        return {}

    _on_host(instance_id, "RevokeInstanceCredentials", work, config, data)
    say("revoked")


@instance.command("revoke")
def revoke(instance_id: InstanceId, config: Config = None, data: Data = None) -> None:
    """End a host: it gets nothing any more, and what it was given is refused at once."""

    def work(transaction: Transaction, found: Home, host: Instance) -> dict[str, str]:
        instances.terminate(transaction, host, found.deployment.environment(found.ring).now())
        return {}

    _on_host(instance_id, "TerminateInstances", work, config, data)
    say(f"{instance_id} is terminated")


@instance.command("certificate")
def certificate(config: Config = None, data: Data = None) -> None:
    """Print the certificate (PEM) that verifies instance identity documents of this deployment."""
    with deployment(config, data) as (found, store), store.transaction(write=True) as transaction:
        typer.echo(document_keys.published(transaction, found.deployment.environment(found.ring)), nl=False)


def agent(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Join a host, and serve credentials to its programs: `bailiwick agent --help`."""
    from bailiwick.app.agent import command  # which the installed command calls without coming by here

    command.main(arguments or [])


def _on_host(
    instance_id: str,
    name: str,
    work: Callable[[Transaction, Home, Instance], dict[str, str]],
    config: Path | None,
    data: Path | None,
) -> None:
    """Do something to a host. `name` is what the audit trail calls it; the work returns what that tells of it."""
    with deployment(config, data) as (found, store), changes(found, store) as change:
        host = instances.find(change.transaction, instance_id)
        if host is None or not host.is_running:
            raise HomeError(f"there is no host {instance_id}; `bailiwick instance list` shows those that are")
        told = work(change.transaction, found, host)
        change.tell("ec2", name, host.arn(found.deployment.partition), host.account, **told)


def _grants(
    transaction: Transaction,
    found: Home,
    account: str,
    profile: str | None,
    further: list[str] | None,
    tag: list[str] | None,
    region: str | None,
    zone: str | None,
    vpc: str,
    user_data: Path | None,
) -> Grants:
    for name in (*([profile] if profile else ()), *(further or ())):
        if instance_profiles.find(transaction, account, name) is None:
            raise HomeError(f"there is no instance profile {name} in account {account}")
    where = region or found.deployment.region
    if not re.fullmatch(r"[a-z0-9-]{1,64}", where) or not re.fullmatch(r"[a-z0-9-]{0,64}", zone or ""):
        raise SettingsError("regions and zones have small letters, digits and dashes")
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,64}", vpc):
        raise SettingsError("--vpc has letters, digits, dots and dashes")
    given = user_data.read_bytes() if user_data else b""
    if len(given) > _MOST_USER_DATA:
        raise SettingsError(f"{user_data} is too large: user data has at most {_MOST_USER_DATA} bytes")
    return Grants(
        region=where,
        zone=zone or f"{where}a",
        profile=profile,
        further=tuple(further or ()),
        tags=dict(_tag(each) for each in tag or ()),
        vpc=vpc,
        user_data=base64.b64encode(given).decode("ascii"),
    )


def _tag(text: str) -> tuple[str, str]:
    found = _TAG.fullmatch(text)
    if found is None or text.lower().startswith("aws:"):
        raise SettingsError(f"`{text}` is no tag: KEY=VALUE, and no key begins with aws:")
    return found[1], found[2]


def _span(text: str) -> int:
    found = _SPAN.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 60 <= seconds <= joining.LONGEST_SECONDS:
        raise SettingsError(f"`{text}` is not for how long a token may be good: 60s to 7d")
    return seconds


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
