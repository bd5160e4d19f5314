"""What operators change with commands, on its way into the audit trail: who did what, on what, and when.

It is kept with the change, in its transaction; a server tells it to the trail (happenings.py).
"""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from bailiwick.api import Transaction
from bailiwick.app import happenings
from bailiwick.core.happened import Happened, Operator
from bailiwick.store import Store

if TYPE_CHECKING:
    from bailiwick.app.home import Deployment, Home

OURS = "bailiwick"
"""The source of what no service of AWS has: `bailiwick.amazonaws.com`."""

COMMAND: ContextVar[str] = ContextVar("command", default="bailiwick")
"""The command that is being carried out, without its arguments."""

_LOGIN = Path("/proc/self/loginuid")
_UNSET = 2**32 - 1


class Change:
    """A change that a command makes in `transaction`. What it was, `tell` is told."""

    def __init__(self, deployment: Deployment, transaction: Transaction) -> None:
        self.transaction = transaction
        self.told: list[Happened] = []
        self._deployment = deployment

    def tell(self, service: str, name: str, arn: str = "", account: str | None = None, **details: str) -> None:
        """What was done: in AWS's words, where it has any; to a resource of `account`, or of the first account."""
        of = account or self._deployment.account_id
        self.told.append(Happened(service, name, of, self._deployment.region, arn, details, by=operator()))


@contextmanager
def changes(found: Home, store: Store) -> Iterator[Change]:
    """A transaction of a command that changes something, for the audit trail to have."""
    with store.transaction(write=True) as transaction, changes_in(transaction, found.deployment) as change:
        yield change


@contextmanager
def changes_in(transaction: Transaction, deployment: Deployment) -> Iterator[Change]:
    """The same in a transaction that there is."""
    change = Change(deployment, transaction)
    yield change
    assert change.told, "whoever changes something says what"
    happenings.keep(transaction, change.told, time.time())


def operator() -> Operator:
    """Who gives this command. Who had signed in to the machine the kernel tells, or else sudo."""
    uid = os.getuid()
    login = _signed_in()
    return Operator(
        user=_name(uid),
        uid=uid,
        login="" if login is None or login == uid else _name(login),
        host=socket.gethostname(),
        command=COMMAND.get(),
    )


def _signed_in() -> int | None:
    try:
        uid = int(_LOGIN.read_text("ascii"))
    except (OSError, ValueError):
        uid = _UNSET
    if uid != _UNSET:
        return uid
    said = os.environ.get("SUDO_UID", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
