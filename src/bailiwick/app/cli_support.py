"""What the commands of `bailiwick` share: the deployment they work on, and how they speak."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bailiwick.api import Transaction
from bailiwick.app import home, keyring, logs
from bailiwick.app.home import Home, HomeError
from bailiwick.app.settings import SettingsError, data_folder, load
from bailiwick.directory import accounts
from bailiwick.directory.accounts import Account
from bailiwick.store import Store

Config = Annotated[
    Path | None, typer.Option(help=r"Settings file in TOML. \[env: BAILIWICK_CONFIG]", show_default=False)
]
Data = Annotated[Path | None, typer.Option(help=r"Data folder. \[env: BAILIWICK_DATA]", show_default=False)]
AccountId = Annotated[str | None, typer.Option(help="Account id, 12 digits.", show_default=False)]


@contextmanager
def deployment(
    config: Path | None, data: Path | None, ask: keyring.Ask | None = None
) -> Iterator[tuple[Home, Store]]:
    """The deployment in a data folder that exists. Raises HomeError where there is none.

    `ask` opens a root key that is locked; without it the operator is asked.
    """
    settings = load({"data": data}, os.environ, config)
    logs.configure(settings.log_level)
    folder = data_folder(settings, os.environ)
    if not (settings.database or (folder / home.DATABASE).exists()):
        raise HomeError(home.nothing_in(folder))
    found = home.open_home(folder, settings, os.environ, ask)
    store = Store(found.database)
    with closing(store):
        yield found, store


@contextmanager
def directory(config: Path | None, data: Path | None) -> Iterator[Transaction | None]:
    """A transaction that reads the directory of the deployment; None where there is only a copied trail."""
    settings = load({"data": data}, os.environ, config)
    folder = data_folder(settings, os.environ)
    if not (settings.database or (folder / home.DATABASE).exists()):
        yield None
        return
    with (
        readable(settings.database or folder) as place,
        closing(Store(place)) as store,
        store.transaction() as transaction,
    ):
        yield transaction


@contextmanager
def readable(place: Path | str) -> Iterator[Path | str]:
    """The database; of one that cannot be written, as on a disk that is failing, a copy: SQLite writes to read."""
    if isinstance(place, str) or os.access(place, os.W_OK):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="bailiwick-") as copied:
        for name in (home.DATABASE, f"{home.DATABASE}-wal"):
            if (place / name).exists():
                shutil.copy(place / name, copied)
        yield Path(copied)


def number(account_id: str) -> str:
    """The account id, if it is one. Raises SettingsError."""
    if not (len(account_id) == 12 and account_id.isascii() and account_id.isdigit()):
        raise SettingsError(f"`{account_id}` is not an account id: 12 digits")
    return account_id


def known_account(transaction: Transaction, account_id: str) -> Account:
    """The account with this id. Raises HomeError where there is none."""
    found = accounts.find(transaction, account_id)
    if found is None:
        raise HomeError(f"there is no account {account_id}; `bailiwick account list` shows those that are")
    return found


def account_of(transaction: Transaction, found: Home, account_id: str | None) -> str:
    """The id of the account that is meant: the deployment's first one where none is named.

    Raises SettingsError for what is no account id, HomeError for an account that is not there.
    """
    return known_account(transaction, number(account_id) if account_id else found.deployment.account_id).id


def say(text: str) -> None:
    """Print a line."""
    Console(highlight=False, soft_wrap=True, markup=False).print(text)
