"""`bailiwick import aws`, `bailiwick export aws` and `bailiwick quota`: an account's identities as a whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bailiwick.api import Transaction
from bailiwick.app.cli_support import AccountId, Config, Data, account_of, deployment, say
from bailiwick.app.operated import OURS, changes
from bailiwick.app.settings import SettingsError
from bailiwick.core import arn
from bailiwick.directory import quotas
from bailiwick.directory.transfer import export_file
from bailiwick.directory.transfer.importing import Importer
from bailiwick.directory.transfer.report import Report
from bailiwick.services.iam import details

imports = typer.Typer(help="Take identities in from elsewhere.", no_args_is_help=True)
exports = typer.Typer(help="Write identities out.", no_args_is_help=True)
quota = typer.Typer(help="How many of what an account may have.", no_args_is_help=True)

_DOCUMENTS = ("PolicyDocument", "Document", "AssumeRolePolicyDocument")
_PAGE = 200


class _Undone(Exception):
    """Raised within a transaction so that nothing of it stays."""


@imports.command("aws")
def import_aws(
    file: Annotated[Path, typer.Argument(help="JSON of `aws iam get-account-authorization-details`; - reads it.")],
    account_id: AccountId = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace what is there already.")] = False,
    rewrite_account: Annotated[
        bool, typer.Option(help="Have documents name this account where they name the export's own.")
    ] = True,
    config: Config = None,
    data: Data = None,
) -> None:
    """Recreate the users, groups, roles and policies of an AWS account here."""
    export = export_file.read(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    report, over = Report(), dict[str, int]()
    with deployment(config, data) as (found, store), _progress() as told:
        try:
            with changes(found, store) as change:
                account = account_of(change.transaction, found, account_id)
                importer = Importer(
                    change.transaction,
                    found.deployment.environment(found.ring),
                    account,
                    rewrites=rewrite_account,
                    replaces=replace,
                    progress=told,
                )
                report = importer.run(export)
                over = quotas.exceeded(change.transaction, account)
                if dry_run:
                    raise _Undone
                counts = {"made": _counted(report.made), "replaced": _counted(report.replaced)}
                root = arn.root(found.deployment.partition, account)
                change.tell("iam", "ImportAccountAuthorizationDetails", root, account, **counts)
        except _Undone:
            say("nothing was changed: this was a dry run")
    _tell(report, over)


@exports.command("aws")
def export_aws(
    file: Annotated[Path, typer.Argument(help="Where to write; - is standard output.")] = Path("-"),
    account_id: AccountId = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write an account as `aws iam get-account-authorization-details` would, for that or for another deployment."""
    with deployment(config, data) as (found, store), store.transaction() as transaction:
        account = account_of(transaction, found, account_id)
        pieces = written(transaction, found.deployment.partition, account)
        if str(file) == "-":
            sys.stdout.writelines(pieces)
        else:
            with file.open("w", encoding="utf-8") as opened:
                opened.writelines(pieces)


def written(transaction: Transaction, partition: str, account: str) -> Iterator[str]:
    """The export as pieces of text: one line for each entity, so that two exports can be compared."""
    lists: tuple[tuple[str, tuple[details.Reader, ...]], ...] = (
        ("UserDetailList", (details.users,)),
        ("GroupDetailList", (details.groups,)),
        ("RoleDetailList", (details.roles,)),
        ("Policies", (details.customers_policies, details.aws_policies_in_use)),
    )
    for place, (name, readers) in enumerate(lists):
        yield f'{"," if place else "{"}\n"{name}": ['
        separator = "\n"
        for read in readers:
            after = ""
            while entries := read(transaction, partition, account, after, _PAGE):
                for _, detail in entries:
                    yield separator + json.dumps(_shown(msgspec.to_builtins(detail)), ensure_ascii=False)
                    separator = ",\n"
                after = entries[-1][0]
        yield "\n]"
    yield "\n}\n"


@quota.command("list")
def quota_list(account_id: AccountId = None, config: Config = None, data: Data = None) -> None:
    """Show the quotas that can be changed, as they are for an account."""
    with deployment(config, data) as (found, store), store.transaction() as transaction:
        for name, value in quotas.every(transaction, account_of(transaction, found, account_id)).items():
            say(f"{name}  {value}")


@quota.command("set")
def quota_set(
    name: Annotated[str, typer.Argument(help="Its name, as `bailiwick quota list` shows it.")],
    value: Annotated[int, typer.Argument(help="How many there may be.", min=0, max=quotas.HIGHEST)],
    account_id: AccountId = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Change a quota, for one account or (without --account-id) for all that have none of their own."""
    if name not in quotas.DEFAULTS:
        raise SettingsError(
            f"`{name}` is not a quota that can be changed; `bailiwick quota list` shows those that are"
        )
    with deployment(config, data) as (found, store), changes(found, store) as change:
        account = account_of(change.transaction, found, account_id) if account_id else None
        quotas.put(change.transaction, name, value, account)
        change.tell(OURS, "SetQuota", account=account, quotaName=name, value=str(value), accountId=account or "*")


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar for each phase, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def told(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done, total=total)

        yield told


def _tell(report: Report, over: dict[str, int]) -> None:
    for title, counts in (("made", report.made), ("replaced", report.replaced)):
        if some := _counted(counts):
            say(f"{title}: {some}")
    for title, lines in (
        ("there already, and as they were (--replace replaces them)", report.present),
        ("not imported", report.left_out),
        ("note", report.notes),
    ):
        if lines:
            say(f"{title}:")
            for line in lines:
                say(f"  {line}")
    for name, present in over.items():
        say(f"there are {present}, more than {name} allows: `bailiwick quota set {name} NUMBER` raises it")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_plural(kind, count)}" for kind, count in sorted(counts.items()) if count)


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return kind
    return kind.removesuffix("y") + "ies" if kind.endswith("y") else kind + "s"


def _shown(value: Any, key: str = "") -> Any:
    """A detail as the AWS CLI shows it: documents as objects, times in ISO 8601."""
    if key in _DOCUMENTS:
        return json.loads(unquote(value))
    if key.endswith("Date"):
        return datetime.fromtimestamp(value, UTC).isoformat()
    if isinstance(value, dict):
        return {name: _shown(each, name) for name, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value
