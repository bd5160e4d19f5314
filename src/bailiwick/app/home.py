"""The data folder: made at the first start, found as it was at every later one.

    bailiwick.db       the database (store)
    root.key           the root key that everything secret is sealed under (keyring.py)
    root.sealed        instead of it: the same, locked (custody.py)
    root-credentials   the root user's access key, in AWS shared-credentials format
    aws-config         region and endpoint, in AWS config format
    audit/             the audit trail (audit.py)

What the deployment is (its first account, region, partition) is in the database and does not change.
"""

from __future__ import annotations

import configparser
import fcntl
import os
import secrets
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import select

from bailiwick.api import Environment, Transaction
from bailiwick.app import custody, keyring, opening
from bailiwick.app.files import UnsafeFile, private_folder, write_private
from bailiwick.app.keyring import Ask, Held
from bailiwick.app.noise import noise
from bailiwick.app.operated import changes_in
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.core import arn, ids
from bailiwick.core.seal import KeyRing
from bailiwick.directory import access_keys, accounts, membership, organizations, tables
from bailiwick.store import Store
from bailiwick.store import settings as facts

DATABASE, ROOT_CREDENTIALS, AWS_CONFIG, AUDIT = "bailiwick.db", "root-credentials", "aws-config", "audit"
FIRST_NAME = "main"
"""The name of the first account."""
_DEFAULT_REGION, _DEFAULT_PARTITION = "us-east-1", "aws"
_MAX_CREDENTIALS = 65536


class HomeError(Exception):
    """The data folder cannot be used as it is; the text says how to mend it."""


def nothing_in(folder: Path) -> str:
    """What is told of a data folder in which there is no deployment, and no PostgreSQL is named."""
    if any((folder / name).exists() for name in (keyring.FILE, custody.FILE)):
        how = "there is a root key: if the database is PostgreSQL, name it (BAILIWICK_DATABASE, or --config)"
    else:
        how = "`bailiwick serve` or `bailiwick init` makes one; --data or BAILIWICK_DATA names another folder"
    return f"there is no deployment in {folder}; {how}"


class RootKey(msgspec.Struct, frozen=True):
    """A root user's access key."""

    access_key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"RootKey({self.access_key_id})"


class Deployment(msgspec.Struct, frozen=True):
    """What this deployment is, from its first start on."""

    account_id: str
    region: str
    partition: str

    def environment(self, ring: KeyRing) -> Environment:
        """The world as handlers see it: this deployment, the real clock and the system's randomness."""
        return Environment(self.partition, self.region, ring, time.time, os.urandom, noise)


class Home(msgspec.Struct, frozen=True):
    """An open data folder: the deployment in it and its key ring. `database` is what a Store opens."""

    folder: Path
    database: Path | str
    ring: KeyRing
    deployment: Deployment
    is_new: bool
    held: Held


def open_home(
    folder: Path, settings: Settings, environment: MutableMapping[str, str], ask: Ask | None = None
) -> Home:
    """Open the data folder, and make of it what it has to be if this is the first start.

    `environment` is the process's; the root key is taken out of it. `ask` opens root keys that are locked.
    Raises HomeError, RootKeyError, SettingsError and store.StoreError.
    """
    try:
        private_folder(folder)
        ask = opening.opener(settings, environment, ask)
        held = keyring.take(folder, environment, ask)  # operators may take hours: before anybody is kept waiting
        with _alone(folder):
            held = held or keyring.take(folder, environment, ask)
            store = Store(settings.database or folder)
            try:
                return _found(folder, store, held, settings) or _begun(folder, store, held, settings)
            finally:
                store.close()
    except UnsafeFile as error:
        raise HomeError(str(error)) from None
    except OSError as error:
        raise HomeError(f"cannot use the data folder {folder}: {error.strerror}") from None


def begin(
    transaction: Transaction, settings: Settings, ring: KeyRing, adopted: RootKey | None
) -> tuple[Deployment, RootKey]:
    """Make the deployment in an empty database: its facts, its first account, that account's root key."""
    deployment = Deployment(
        account_id=settings.account_id or _account_of(adopted) or new_account_id(),
        region=settings.region or _DEFAULT_REGION,
        partition=settings.partition or _DEFAULT_PARTITION,
    )
    keyring.imprint(transaction, ring, os.urandom)
    for name, value in msgspec.structs.asdict(deployment).items():
        facts.put(transaction, f"deployment.{name}", value)
    return deployment, new_account(
        transaction, deployment.environment(ring), deployment.account_id, FIRST_NAME, adopted
    )


def new_account(
    transaction: Transaction, environment: Environment, account_id: str, name: str, adopted: RootKey | None = None
) -> RootKey:
    """Make an account and its root user's access key. Raises store.Duplicate for a taken id."""
    now = environment.now()
    accounts.create(transaction, account_id, name, now)
    if adopted is None:
        return RootKey(*access_keys.create(transaction, environment, account_id, account_id, now))
    access_keys.adopt(transaction, environment, account_id, account_id, adopted.access_key_id, adopted.secret, now)
    return adopted


def join_organization(
    transaction: Transaction, environment: Environment, organization_id: str, account_id: str
) -> None:
    """Make a new account a member of an organization, as CreateAccount does. Raises HomeError if there is none."""
    found = organizations.find(transaction, organization_id)
    if found is None:
        raise HomeError(
            f"there is no organization {organization_id}; `bailiwick account list` shows those that are"
        )
    now = environment.now()
    role = membership.ACCESS_ROLE
    membership.add_access_role(transaction, environment, found, account_id, role, now)
    membership.join(transaction, found, account_id, "CREATED", now)


def rotate_root_key(
    transaction: Transaction, environment: Environment, account_id: str
) -> tuple[RootKey, list[str]]:
    """Give the root user of an account a new access key; returns it, and the ids of the others, which are gone."""
    columns = tables.access_key.c
    old = [row.id for row in transaction.all(select(columns.id).where(columns.owner_id == account_id))]
    key = RootKey(*access_keys.create(transaction, environment, account_id, account_id, environment.now()))
    if old:
        access_keys.remove_all(transaction, account_id, old)
    return key, old


def new_account_id() -> str:
    """A random account id: 12 digits, the first of which is not 0, because spreadsheets eat it."""
    return str(10**11 + secrets.randbelow(9 * 10**11))


def write_credentials(path: Path, key: RootKey, account_id: str) -> None:
    """The key as an AWS shared-credentials file, mode 0600. Raises OSError."""
    text = (
        f"# The root user of account {account_id}. Make an administrator user with it, then put it away.\n"
        f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret}\n"
    )
    write_private(path, text.encode())


def write_config(path: Path, region: str, endpoint: str) -> None:
    """An AWS config file that leads clients here, unless it is there already. Raises OSError."""
    text = f"[default]\nregion = {region}\nendpoint_url = {endpoint}\n".encode()
    if not path.exists() or path.read_bytes() != text:
        write_private(path, text)


def read_credentials(text: str, where: str) -> RootKey:
    """The access key in AWS credentials format: of the profile `default`, or of the only one.

    Raises SettingsError, which never shows what was read.
    """
    parser = configparser.RawConfigParser()
    try:
        if len(text) > _MAX_CREDENTIALS:
            raise configparser.Error
        parser.read_string(text)
        names = parser.sections()
        section = parser["default" if "default" in names else names[0] if len(names) == 1 else ""]
        key = RootKey(section["aws_access_key_id"], section["aws_secret_access_key"])
    except (configparser.Error, KeyError):
        raise SettingsError(
            f"{where} is not in AWS credentials format: it needs a section [default] with "
            "aws_access_key_id and aws_secret_access_key"
        ) from None
    # The model of IAM bounds an access key id to 16 to 128 word characters.
    if not (16 <= len(key.access_key_id) <= 128 and key.access_key_id.isascii() and key.access_key_id.isalnum()):
        raise SettingsError(f"the access key id in {where} is not one: 16 to 128 letters and digits")
    if not (32 <= len(key.secret) <= 128 and key.secret.isascii() and key.secret.isprintable()):
        raise SettingsError(f"the secret access key in {where} is not one: 32 to 128 printable characters")
    return key


def adopted_key(settings: Settings) -> RootKey | None:
    """The root key in the file that the settings name (`-` is standard input), if any. Raises SettingsError."""
    file = settings.root_credentials
    if file is None:
        return None
    try:
        if str(file) == "-":
            return read_credentials(sys.stdin.read(_MAX_CREDENTIALS + 1), "standard input")
        with file.open(encoding="utf-8") as opened:
            return read_credentials(opened.read(_MAX_CREDENTIALS + 1), str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"cannot read the root credentials {file}: {reason}") from None


def deployment_in(transaction: Transaction) -> Deployment | None:
    """What the database says of its deployment, or None in an empty one."""
    found = {name: facts.get(transaction, f"deployment.{name}") for name in Deployment.__struct_fields__}
    return msgspec.convert(found, Deployment) if found["account_id"] else None


def _found(folder: Path, store: Store, held: Held | None, settings: Settings) -> Home | None:
    """The home of a later start, or None if the database is empty."""
    with store.transaction() as transaction:
        deployment = deployment_in(transaction)
        if deployment is None:
            return None
        if held is None:
            raise keyring.RootKeyError(
                f"there is a deployment in the database and no root key in {folder}; put {keyring.FILE} there, "
                "from the backup or from another node"
            )
        keyring.check(transaction, held.ring)
    for name in Deployment.__struct_fields__:
        wanted, is_so = getattr(settings, name), getattr(deployment, name)
        if wanted is not None and wanted != is_so:
            raise SettingsError(
                f"`{name}` is {is_so} in {folder} since its first start and cannot become {wanted}; "
                "leave the setting out, or choose another folder with --data"
            )
    return Home(folder, settings.database or folder, held.ring, deployment, is_new=False, held=held)


def _begun(folder: Path, store: Store, held: Held | None, settings: Settings) -> Home:
    """The home of a first start. What a start that was cut short left behind is written anew."""
    adopted = adopted_key(settings)
    held = held or Held(keyring.create(folder, os.urandom), in_folder=True)
    with store.transaction(write=True) as transaction:
        if deployment_in(transaction) is not None:
            raise HomeError("another node has just begun this deployment; give this one its root key")
        deployment, key = begin(transaction, settings, held.ring, adopted)
        with changes_in(transaction, deployment) as change:
            number, told = deployment.account_id, {"accountName": FIRST_NAME, "accessKeyId": key.access_key_id}
            change.tell("organizations", "CreateAccount", arn.root(deployment.partition, number), number, **told)
        # Before the commit: a key that the database knows is always one that somebody can read.
        write_credentials(folder / ROOT_CREDENTIALS, key, deployment.account_id)
    return Home(folder, settings.database or folder, held.ring, deployment, is_new=True, held=held)


def _account_of(adopted: RootKey | None) -> str | None:
    return ids.account_of(adopted.access_key_id) if adopted else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two processes that start at once do not both begin."""
    with (folder / ".starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
