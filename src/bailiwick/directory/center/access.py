"""Permission sets, and the roles that they become in accounts: AWSReservedSSO_NAME_0123456789abcdef."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Environment, Transaction
from bailiwick.core import arn, ids
from bailiwick.directory import entities
from bailiwick.directory import tables as directory
from bailiwick.directory.center import people, tables
from bailiwick.directory.center.people import Instance, StoreUser
from bailiwick.directory.entities import record

SERVICE = "sso.amazonaws.com"
_HOUR = 3600
_DURATION = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,3})M)?(?:(\d{1,5})S)?", re.ASCII)


class Reference(msgspec.Struct, frozen=True):
    """A managed policy of each account's own, by name and path."""

    name: str
    path: str = "/"


class Given(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a permission set gives. `seconds` is how long a session lasts; `boundary` is an ARN or a Reference."""

    description: str | None = None
    duration: str | None = None
    relay: str | None = None
    managed: tuple[str, ...] = ()
    own: tuple[Reference, ...] = ()
    inline: str | None = None
    boundary: str | Reference | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class PermissionSet(msgspec.Struct, frozen=True):
    """A permission set. `body` is JSON of Given."""

    id: str
    instance: str
    name: str
    created: float
    changed: float
    body: str

    def arn(self, partition: str) -> str:
        """Its ARN."""
        return f"arn:{partition}:sso:::permissionSet/{self.instance}/{self.id}"

    @property
    def given(self) -> Given:
        """What it gives."""
        return msgspec.json.decode(self.body, type=Given)


class Provisioned(msgspec.Struct, frozen=True):
    """That a permission set is a role in an account, as it was at the time `done`."""

    permission_set: str
    account: str
    role_id: str
    role_arn: str
    done: float


class Unprovisionable(Exception):
    """A permission set that cannot be made into a role; `str(error)` says why."""


def permission_set(transaction: Transaction, instance_id: str, set_id: str) -> PermissionSet | None:
    """The permission set of an instance with this id."""
    columns = tables.permission_set.c
    where = columns.instance == instance_id, columns.id == set_id
    row = transaction.one(select(tables.permission_set).where(*where))
    return None if row is None else record(PermissionSet, row)


def provisioned(transaction: Transaction, set_id: str, account: str) -> Provisioned | None:
    """The role that a permission set is in an account."""
    columns = tables.provisioned.c
    where = columns.permission_set == set_id, columns.account == account
    row = transaction.one(select(tables.provisioned).where(*where))
    return None if row is None else record(Provisioned, row)


def assigned(transaction: Transaction, user: StoreUser) -> list[tuple[str, PermissionSet]]:
    """What a person may choose from: accounts and permission sets, assigned to her or to a group that she is in."""
    principals = [user.id, *people.groups_of(transaction, user.id)]
    columns, sets = tables.assignment.c, tables.permission_set
    rows = transaction.all(
        select(columns.account, sets)
        .join(sets, sets.c.id == columns.permission_set)
        .where(columns.principal.in_(principals))
        .order_by(columns.account, sets.c.name)
        .distinct()
    )
    return [(str(row.account), record(PermissionSet, row)) for row in rows]


# -- Provisioning -----------------------------------------------------------------------------------------


def provision(
    transaction: Transaction,
    environment: Environment,
    instance: Instance,
    found: PermissionSet,
    account: str,
    now: float,
) -> Provisioned:
    """Make the role of a permission set in an account, or make it as the permission set now is.

    Raises Unprovisionable for a managed policy that is not there.
    """
    given = found.given
    policies = [_policy(transaction, each) for each in given.managed]
    policies += [_policy(transaction, _own(environment, account, each)) for each in given.own]
    boundary = given.boundary
    if boundary is not None:
        name = boundary if isinstance(boundary, str) else _own(environment, account, boundary)
        boundary = _policy(transaction, name)
    known = provisioned(transaction, found.id, account)
    role = entities.role_by_id(transaction, known.role_id) if known else None
    values: dict[str, object] = {
        "boundary": boundary,
        "max_session": seconds(given.duration),
        "description": given.description,
    }
    if role is None:
        known = _new_role(transaction, environment, instance, found, account, now, values)
    else:
        transaction.run(update(directory.role).where(directory.role.c.id == role.id).values(**values))
    assert known is not None, "it was just made"
    _attach(transaction, known, policies, given.inline, now)
    done = msgspec.structs.replace(known, done=now)
    columns = tables.provisioned.c
    transaction.run(
        delete(tables.provisioned).where(columns.permission_set == found.id, columns.account == account)
    )
    transaction.run(insert(tables.provisioned).values(**msgspec.structs.asdict(done)))
    transaction.changed(f"principal:{done.role_id}", f"role-arn:{done.role_arn}")
    return done


def withdraw(transaction: Transaction, known: Provisioned) -> None:
    """Delete the role of a permission set in an account; sessions of it end at once."""
    for table in (directory.inline_policy, directory.attachment, directory.tag):
        transaction.run(delete(table).where(table.c.owner_id == known.role_id))
    transaction.run(delete(directory.role).where(directory.role.c.id == known.role_id))
    columns = tables.provisioned.c
    where = columns.permission_set == known.permission_set, columns.account == known.account
    transaction.run(delete(tables.provisioned).where(*where))
    transaction.changed(f"principal:{known.role_id}", f"role-arn:{known.role_arn}")


def seconds(duration: str | None) -> int:
    """How long sessions last, of ISO 8601's PT1H to PT12H; an hour if nothing is said. Raises ValueError."""
    if duration is None:
        return _HOUR
    matched = _DURATION.fullmatch(duration)
    hours, minutes, rest = (int(part or 0) for part in matched.groups()) if matched else (0, 0, 0)
    total = hours * _HOUR + minutes * 60 + rest
    if not _HOUR <= total <= 12 * _HOUR:
        raise ValueError(duration)
    return total


def _own(environment: Environment, account: str, reference: Reference) -> str:
    return arn.iam(environment.partition, account, "policy", reference.path, reference.name)


def _policy(transaction: Transaction, policy_arn: str) -> str:
    if entities.policy(transaction, policy_arn) is None:
        raise Unprovisionable(f"The policy {policy_arn} does not exist.")
    return policy_arn


def _new_role(
    transaction: Transaction,
    environment: Environment,
    instance: Instance,
    found: PermissionSet,
    account: str,
    now: float,
    values: dict[str, object],
) -> Provisioned:
    partition = environment.partition
    region = "" if instance.region == "us-east-1" else f"{instance.region}/"
    path = f"/aws-reserved/sso.amazonaws.com/{region}"
    name = f"AWSReservedSSO_{found.name}_{environment.noise(8).hex()}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": SERVICE},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {"ArnEquals": {"aws:SourceArn": instance.arn(partition)}},
            }
        ],
    }
    role_id = ids.unique_id("AROA", account, environment.entropy)
    transaction.run(
        insert(directory.role).values(
            id=role_id,
            account=account,
            name=name,
            folded=name.lower(),
            path=path,
            created=float(int(now)),
            trust=json.dumps(trust),
            pins="{}",
            **values,
        )
    )
    return Provisioned(found.id, account, role_id, arn.iam(partition, account, "role", path, name), now)


def _attach(
    transaction: Transaction, known: Provisioned, policies: Iterable[str], inline: str | None, now: float
) -> None:
    """Give the role exactly these policies."""
    for table in (directory.inline_policy, directory.attachment):
        transaction.run(delete(table).where(table.c.owner_id == known.role_id))
    for policy_arn in dict.fromkeys(policies):
        values = {"owner_id": known.role_id, "policy_arn": policy_arn, "account": known.account, "attached": now}
        transaction.run(insert(directory.attachment).values(**values))
    if inline is not None:
        values = {"owner_id": known.role_id, "name": "AwsSSOInlinePolicy", "document": inline}
        transaction.run(insert(directory.inline_policy).values(**values))
