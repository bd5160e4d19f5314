"""What names, paths and documents of IAM have in common."""

from __future__ import annotations

from urllib.parse import quote

from sqlalchemy import Column, ColumnElement, func, select

from bailiwick.api import Call, Transaction
from bailiwick.directory import quotas
from bailiwick.directory.entities import User
from bailiwick.services.iam.shapes import InvalidInputException, LimitExceededException


def encoded(document: str) -> str:
    """A policy document as IAM returns it: percent-encoded (RFC 3986), its text as submitted."""
    return quote(document, safe="-_.~")


def seconds(now: float) -> float:
    """A time of creation: whole seconds, for that is what clients are shown."""
    return float(int(now))


def size(document: str) -> int:
    """The size that a quota counts: characters that are not white space."""
    return len("".join(document.split()))


def under(path: Column[str], prefix: str | None) -> ColumnElement[bool]:
    """The condition that a path begins with `prefix`, to the letter (LIKE would not tell letter cases apart)."""
    wanted = prefix or "/"
    return func.substr(path, 1, len(wanted)) == wanted


def count(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    """How many rows meet a condition; the table is the condition's."""
    row = transaction.one(select(func.count().label("rows")).where(condition))
    return 0 if row is None else int(row.rows)


def check_room(call: Call, condition: ColumnElement[bool], quota: str) -> None:
    """Refuse one more row that meets a condition where the quota is used up; no more rows are counted than that."""
    allowed = quotas.allowed(call.transaction, call.account, quota)
    first = select(1).where(condition).limit(allowed).subquery()
    row = call.transaction.one(select(func.count().label("rows")).select_from(first))
    check_quota(0 if row is None else int(row.rows), allowed, quota)


def check_quota(present: int, allowed: int, name: str) -> None:
    """Refuse one more where the quota called `name` is used up."""
    if present >= allowed:
        raise LimitExceededException(f"Cannot exceed quota for {name}: {allowed}")


def account_arn(call: Call, kind: str, path: str, name: str) -> str:
    """The ARN that an entity of the caller's account has, or would have."""
    return f"arn:{call.partition}:iam::{call.account}:{kind}{path}{name}"


def owner_id(call: Call, user: User | None) -> str:
    """Under what id the credentials of a user, or of the root user, are kept."""
    return user.id if user else call.account


def owner_name(user: User | None) -> str:
    """What the owner of a credential is called."""
    return user.name if user else "root"


def check_settable(status: str) -> None:
    """Refuse the status that only time gives. Raises InvalidInput."""
    if status == "Expired":
        raise InvalidInputException("The status can be set to Active or Inactive.")
