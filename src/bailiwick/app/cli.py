"""The command line `bailiwick`. What goes wrong is one sentence on standard error that says what to do.

Exit status: 0 done; 1 it could not be done; 2 it was asked for wrongly.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

import bailiwick
from bailiwick.app import doctor as health
from bailiwick.app import home, lineage, logs, start, story
from bailiwick.app.cli_audit import audit as audit_commands
from bailiwick.app.cli_audit import indexing, trail_of
from bailiwick.app.cli_backup import backup, restore
from bailiwick.app.cli_certificate import credential_process
from bailiwick.app.cli_instance import agent, instance
from bailiwick.app.cli_kms import kms
from bailiwick.app.cli_ldap import ldap
from bailiwick.app.cli_login import login
from bailiwick.app.cli_peer import peer
from bailiwick.app.cli_policy import policy
from bailiwick.app.cli_root import root
from bailiwick.app.cli_root_key import root_key
from bailiwick.app.cli_service import service
from bailiwick.app.cli_support import AccountId, Config, Data, deployment, directory, say
from bailiwick.app.cli_support import number as number_of
from bailiwick.app.cli_transfer import exports, imports, quota
from bailiwick.app.cli_unseal import unseal
from bailiwick.app.home import HomeError
from bailiwick.app.operated import COMMAND, changes
from bailiwick.app.settings import TABLE, SettingsError, data_folder, load
from bailiwick.app.start import fail, failing
from bailiwick.app.welcome import endpoint
from bailiwick.core import arn
from bailiwick.directory import accounts, organizations
from bailiwick.directory.transfer.export_file import ExportError
from bailiwick.store import Duplicate

# Tracebacks with local variables would print secrets.
_PLAIN: dict[str, Any] = {"pretty_exceptions_enable": False, "no_args_is_help": True, "add_completion": False}

app = typer.Typer(help="IAM, STS and KMS on your own machines, on AWS's own wire protocols.", **_PLAIN)
account = typer.Typer(help="The accounts of this deployment.", **_PLAIN)
app.add_typer(account, name="account")
app.add_typer(root, name="root")
app.add_typer(policy, name="policy")
app.add_typer(kms, name="kms")
app.add_typer(peer, name="peer")
app.add_typer(instance, name="instance")
app.add_typer(root_key, name="root-key")
app.command()(backup)
app.command()(restore)
app.command()(unseal)
app.add_typer(audit_commands, name="audit")
app.add_typer(service, name="service")
app.add_typer(imports, name="import")
app.add_typer(exports, name="export")
app.add_typer(quota, name="quota")
app.add_typer(ldap, name="ldap")
app.command()(login)
app.command("agent", context_settings={"ignore_unknown_options": True}, add_help_option=False)(agent)
app.command()(credential_process)


def main() -> None:
    """The whole command line."""
    COMMAND.set(_named(sys.argv[1:]))
    with failing():
        try:
            app(prog_name="bailiwick")  # also where it runs as `python -m bailiwick`
        except ExportError as error:
            fail(str(error), 1)


def _named(arguments: list[str]) -> str:
    """The command among the arguments, with the groups that it is in."""
    words, group = ["bailiwick"], app
    for word in arguments:
        inner = next((each.typer_instance for each in group.registered_groups if each.name == word), None)
        if inner is None:
            known = any(
                word in (each.name, getattr(each.callback, "__name__", None)) for each in group.registered_commands
            )
            return " ".join([*words, word] if known else words)
        words, group = [*words, word], inner
    return " ".join(words)


def _with_flags(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of these settings (of all, if none is named), as the table declares them."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = list(inspect.signature(command).parameters.values())[:-1]  # the last one is **flags
        for setting in TABLE:
            if names and setting.name not in names:
                continue
            shown = f" [default: {setting.shown_default}]" if setting.shown_default else ""
            text = f"{setting.help[0].upper()}{setting.help[1:]}.{shown} [env: {setting.variable}]"
            truth = setting.annotation is bool
            kind: Any = bool if truth else str
            flag = f"{setting.flag}/--no{setting.flag[1:]}" if truth else setting.flag
            option = typer.Option(
                flag, help=text.replace("[", r"\["), show_default=False, metavar=None if truth else "VALUE"
            )
            parameters.append(
                inspect.Parameter(
                    setting.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=None,
                    annotation=Annotated[kind | None, option],
                )
            )
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # which typer reads
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return decorate


@app.command()
@_with_flags()
def serve(config: Config = None, **flags: Any) -> None:
    """Serve until Ctrl-C. The first start makes the data folder, an account and its root access key."""
    start.serve({**flags, "config": config})


@app.command()
@_with_flags("data", "database", "account_id", "region", "partition", "root_credentials")
def init(config: Config = None, **flags: Any) -> None:
    """Make a data folder without serving. `--root-credentials -` reads the key to adopt from standard input."""
    settings = load(flags, os.environ, config)
    logs.configure(settings.log_level)
    folder = data_folder(settings, os.environ)
    found = home.open_home(folder, settings, os.environ)
    if not found.is_new:
        raise HomeError(f"{folder} is set up already: account {found.deployment.account_id}")
    home.write_config(folder / home.AWS_CONFIG, found.deployment.region, endpoint(settings, settings.port))
    say = Console(highlight=False, soft_wrap=True, markup=False).print
    say(f"account {found.deployment.account_id} ({found.deployment.partition}, {found.deployment.region})")
    say(f"its root access key is in {folder / home.ROOT_CREDENTIALS}")
    say(f"back up {folder / 'root.key'} apart from the rest: without it nothing can be opened")


@app.command()
def doctor(config: Config = None, data: Data = None) -> None:
    """Look whether everything is as it should be, and say how to mend what is not."""
    settings = load({"data": data}, os.environ, config)
    table = Table(show_header=False, box=None, padding=(0, 1))
    findings = health.examine(settings, os.environ)
    for finding in findings:
        table.add_row(finding.state.value, finding.subject, finding.text)
    Console(highlight=False, markup=False).print(table)
    if any(finding.state is health.State.BROKEN for finding in findings):
        raise typer.Exit(1)


@account.command("create")
def account_create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    account_id: AccountId = None,
    organization: Annotated[
        str | None, typer.Option(help="Make it a member of this organization: o-...", show_default=False)
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Make an account. Its root access key is written to a file in the data folder.

    In an organization it gets the role OrganizationAccountAccessRole, which the management account may assume.
    """
    if not 1 <= len(name) <= 128 or not name.isprintable():
        raise SettingsError("the name of an account has 1 to 128 printable characters")
    number = account_id or home.new_account_id()
    with deployment(config, data) as (found, store):
        path = found.folder / f"{home.ROOT_CREDENTIALS}-{number_of(number)}"
        try:
            with changes(found, store) as change:
                environment = found.deployment.environment(found.ring)
                key = home.new_account(change.transaction, environment, number, name)
                if organization is not None:
                    home.join_organization(change.transaction, environment, organization, number)
                root_arn = arn.root(environment.partition, number)
                into = {"organizationId": organization} if organization else {}
                told = {"accountName": name, "accessKeyId": key.access_key_id, **into}
                change.tell("organizations", "CreateAccount", root_arn, number, **told)
                home.write_credentials(path, key, number)
        except Duplicate:
            raise HomeError(f"account {number} exists already; leave --account-id out to get another") from None
    say(f"account {number}: its root access key is in {path}")


@account.command("list")
def account_list(config: Config = None, data: Data = None) -> None:
    """Show every account, and the organization that it is in."""
    with deployment(config, data) as (_, store), store.transaction() as transaction:
        for each in accounts.every(transaction):
            place = organizations.of_account(transaction, each.id)
            role = "" if place is None else f"  {place.id}{' (management)' * (place.management == each.id)}"
            say(f"{each.id}  {each.name}{role}")


@app.command()
def explain(
    request_id: Annotated[
        str | None, typer.Argument(help="The request id that the refusal carried; default: the last refusal.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit record as JSON.")] = False,
    config: Config = None,
    data: Data = None,
    audit: Annotated[Path | None, typer.Option(help="Folder of the audit trail.", show_default=False)] = None,
) -> None:
    """Tell why a past request was answered as it was: every layer, the statement that decided, what would help."""
    with trail_of(config, data, audit) as (shelf, _), indexing() as progress:
        record = story.find(shelf, request_id, progress) if request_id else story.last_refusal(shelf, progress)
        if record is None:
            named = f"request {request_id}" if request_id else "refusal"
            raise HomeError(f"no {named} in {shelf}; the trail may lie elsewhere: --data or --audit")
    if as_json:
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        story.tell(record, Console(highlight=False))


@app.command()
def trace(
    access_key_id: Annotated[str, typer.Argument(help="A temporary key (ASIA...), or a long-term one (AKIA...).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the lineage as JSON.")] = False,
    config: Config = None,
    data: Data = None,
    audit: Annotated[Path | None, typer.Option(help="Folder of the audit trail.", show_default=False)] = None,
) -> None:
    """Tell where an access key comes from: who got it, and by what it was asked for, up to its origin."""
    with trail_of(config, data, audit) as (shelf, _), indexing() as progress, directory(config, data) as reading:
        found = lineage.trace(shelf, access_key_id, time.time(), reading, progress)
        if found is None:
            raise HomeError(f"nothing is known of {access_key_id} in {shelf}; the trail may lie elsewhere: --audit")
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        lineage.tell(found, Console(highlight=False, markup=False))


@app.command()
def version() -> None:
    """Show the version."""
    say(bailiwick.__version__)
