"""`bailiwick root`: the root user of an account, and how whoever runs the server lets her in again.

There is no recovery by e-mail: who may read the data folder may set the password, and take a lost device away.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import func, select, update

from bailiwick.app import home
from bailiwick.app.cli_support import AccountId, Config, Data, deployment, known_account, say
from bailiwick.app.cli_support import number as number_of
from bailiwick.app.home import Home, HomeError
from bailiwick.app.login import password_of
from bailiwick.app.operated import Change, changes
from bailiwick.app.settings import SettingsError
from bailiwick.core import arn
from bailiwick.directory import mfa, password_policy, passwords, tables, web_sessions

root = typer.Typer(
    help="The root user of an account.", pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False
)

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,63}", re.ASCII)


@root.command("rotate-key")
def rotate_key(account_id: AccountId = None, config: Config = None, data: Data = None) -> None:
    """Give a root user a new access key. The old ones end at once; the new one is written to a file."""
    with deployment(config, data) as (found, store):
        number = account_id or found.deployment.account_id
        first = number == found.deployment.account_id
        path = found.folder / (home.ROOT_CREDENTIALS if first else f"{home.ROOT_CREDENTIALS}-{number_of(number)}")
        written = path.with_name(f"{path.name}.new")
        with changes(found, store) as change:
            known_account(change.transaction, number)
            environment = found.deployment.environment(found.ring)
            key, ended = home.rotate_root_key(change.transaction, environment, number)
            _tell(change, found, number, "iam", "CreateAccessKey", accessKeyId=key.access_key_id)
            for each in ended:
                _tell(change, found, number, "iam", "DeleteAccessKey", accessKeyId=each)
            # Both keys are in a file until the commit has decided which one is right.
            home.write_credentials(written, key, number)
        os.replace(written, path)
    say(f"the new root access key is in {path}")


@root.command("set-email")
def set_email(
    email: Annotated[str, typer.Argument(help="The e-mail address with which the root user signs in.")],
    account_id: AccountId = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Set the e-mail address with which a root user signs in. It is nobody else's in this deployment."""
    if _EMAIL.fullmatch(email) is None:
        raise SettingsError(f"`{email}` is no e-mail address")
    with deployment(config, data) as (found, store):
        number = account_id or found.deployment.account_id
        columns = tables.account.c
        with changes(found, store) as change:
            transaction = change.transaction
            known_account(transaction, number)
            others = select(columns.id).where(func.lower(columns.email) == email.lower(), columns.id != number)
            if transaction.one(others) is not None:
                raise HomeError(f"{email} is the address of another account's root user")
            transaction.run(update(tables.account).where(columns.id == number).values(email=email))
            transaction.changed(f"account:{number}")
            _tell(change, found, number, "signin", "EmailUpdated")
    say(f"the root user of account {number} signs in as {email}")


@root.command("reset-password")
def reset_password(
    password_file: Annotated[
        Path | None,
        typer.Option(help="Private file with the new password; `-` for standard input.", show_default=False),
    ] = None,
    account_id: AccountId = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Set the password of a root user, who may have forgotten it. All her sessions in the console end."""
    with deployment(config, data) as (found, store):
        number = account_id or found.deployment.account_id
        with store.transaction() as reading:
            email = known_account(reading, number).email
        password = password_of(password_file, f"the root user of {number}")
        now = time.time()
        with changes(found, store) as change:
            transaction = change.transaction
            broken = password_policy.broken(transaction, number, None, password)
            if broken:
                raise HomeError("; ".join(broken))
            profile = passwords.find(transaction, number)
            if profile is None:
                environment = found.deployment.environment(found.ring)
                passwords.create(transaction, environment, number, number, password, now)
            else:
                passwords.change(transaction, profile, password, now)
            web_sessions.end_all(transaction, number)
            _tell(change, found, number, "signin", "PasswordUpdated")
    say(f"the root user of account {number} has a new password, and her sessions have ended")
    if not email:
        say("she signs in with an e-mail address, and has none yet: bailiwick root set-email ADDRESS")


@root.command("deactivate-mfa")
def deactivate_mfa(
    serial: Annotated[
        str | None, typer.Option(help="Serial number of one device; default: all.", show_default=False)
    ] = None,
    account_id: AccountId = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Take the MFA devices of a root user away, who may have lost them."""
    with deployment(config, data) as (found, store):
        number = account_id or found.deployment.account_id
        with changes(found, store) as change:
            known_account(change.transaction, number)
            owned = mfa.devices_of(change.transaction, number)
            devices = [each for each in owned if serial is None or each.serial == serial]
            if not devices:
                raise HomeError(f"the root user of account {number} has no such device")
            for each in devices:
                mfa.deactivate(change.transaction, each)
                _tell(change, found, number, "iam", "DeactivateMFADevice", serialNumber=each.serial)
    say("\n".join(f"{each.serial} is hers no more" for each in devices))


def _tell(change: Change, found: Home, number: str, service: str, name: str, **details: str) -> None:
    """What was done to a root user."""
    change.tell(service, name, arn.root(found.deployment.partition, number), number, **details)
