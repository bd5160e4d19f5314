"""Instances: hosts that joined this deployment, and the instance profiles that they have.

An instance is what EC2 would have as one. What a session of its role rests on is here as well: an instance that was
terminated, or whose credentials were revoked, is known to be so at the next request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick.api import Transaction
from bailiwick.core.errors import ExpiredToken, UnknownToken
from bailiwick.core.formats import Session
from bailiwick.core.ids import Entropy
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities, tables, tagging
from bailiwick.directory.entities import record
from bailiwick.directory.instance_profiles import InstanceProfile
from bailiwick.directory.instance_tables import association, host_certificate, instance
from bailiwick.directory.role_tables import instance_profile

RUNNING, TERMINATED = "running", "terminated"
SOURCE_INSTANCE = "ec2:sourceinstancearn"
"""The condition key that tells a session of an instance from others."""
SHOWN_AFTERWARDS = 3600.0
"""Seconds for which a terminated instance is still shown, as in EC2."""

_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_columns, _of = instance.c, association.c


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A host. `public_key` and `user_data` are base64; times are epoch seconds."""

    id: str
    account: str
    region: str
    zone: str
    state: str = RUNNING
    launched: float
    seen: float
    ended: float | None = None
    refused_until: int = 0
    public_key: str
    certificate: str | None = None
    address: str = ""
    hostname: str = ""
    architecture: str = "x86_64"
    type: str = "host.metal"
    image: str = "ami-00000000000000000"
    vpc: str = ""
    user_data: str = ""
    http_tokens: str = "required"
    http_endpoint: str = "enabled"
    http_ipv6: str = "disabled"
    hop_limit: int = 1
    metadata_tags: str = "disabled"

    def arn(self, partition: str) -> str:
        """Its ARN."""
        return arn_of(partition, self.region, self.account, self.id)

    @property
    def reservation(self) -> str:
        """The id of its reservation: there is one for each instance."""
        return "r-" + self.id[2:]

    @property
    def is_running(self) -> bool:
        """Whether it gets anything."""
        return self.state == RUNNING

    def __repr__(self) -> str:
        return f"Instance({self.id}, {self.state})"


class Association(msgspec.Struct, frozen=True):
    """An instance profile that an instance has. One of an instance is `is_main`."""

    id: str
    instance_id: str
    account: str
    profile_id: str
    profile_arn: str
    is_main: bool
    created: float


def arn_of(partition: str, region: str, account: str, instance_id: str) -> str:
    """The ARN of an instance."""
    return f"arn:{partition}:ec2:{region}:{account}:instance/{instance_id}"


def new_id(prefix: str, entropy: Entropy) -> str:
    """An id as EC2 has them: `i-` and 17 hexadecimal digits."""
    return f"{prefix}-{entropy(9).hex()[:17]}"


def topic(instance_id: str) -> str:
    """What is told to have changed when an instance, its tags or its associations did."""
    return f"instance:{instance_id}"


# -- Instances ----------------------------------------------------------------------------------------------


def find(transaction: Transaction, instance_id: str) -> Instance | None:
    """The instance with this id."""
    row = transaction.one(select(instance).where(_columns.id == instance_id))
    return None if row is None else record(Instance, row)


def by_certificate(transaction: Transaction, digest: str) -> Instance | None:
    """The instance that joined with the certificate of this SHA-256."""
    row = transaction.one(select(instance).where(_columns.certificate == digest))
    return None if row is None else record(Instance, row)


def remembered(transaction: Transaction, instance_id: str) -> Instance | None:
    """The instance with this id, from memory while nothing about it changed.

    That there is none is not remembered: strangers must not fill the memory.
    """

    def load(reading: Transaction) -> tuple[Instance, Iterable[str]]:
        found = find(reading, instance_id)
        if found is None:
            raise KeyError(instance_id)
        return found, (topic(instance_id),)

    try:
        return transaction.remember("instance", instance_id, load)
    except KeyError:
        return None


def page(transaction: Transaction, account: str, region: str | None, after: str, limit: int) -> list[Instance]:
    """Instances of an account in a region (in all of them for None), by id; those that come after an id."""
    statement = select(instance).where(_columns.account == account, _columns.id > after)
    if region is not None:
        statement = statement.where(_columns.region == region)
    return [record(Instance, row) for row in transaction.all(statement.order_by(_columns.id).limit(limit))]


def some(transaction: Transaction, account: str, region: str, wanted: Sequence[str]) -> list[Instance]:
    """Those of the wanted instances that there are in a region of an account, by id."""
    here = (_columns.account == account, _columns.region == region, _columns.id.in_(wanted))
    return [record(Instance, row) for row in transaction.all(select(instance).where(*here).order_by(_columns.id))]


def create(transaction: Transaction, made: Instance, tags: dict[str, str]) -> None:
    """Write down a new instance."""
    transaction.run(insert(instance).values(**msgspec.structs.asdict(made)))
    set_tags(transaction, made.id, tags)


def change(transaction: Transaction, instance_id: str, **values: object) -> None:
    """Change columns of an instance."""
    transaction.run(update(instance).where(_columns.id == instance_id).values(**values))
    transaction.changed(topic(instance_id))


def saw(transaction: Transaction, instance_id: str, now: float) -> None:
    """Write down that a host asked; nobody's memory of it changes by that."""
    transaction.run(update(instance).where(_columns.id == instance_id).values(seen=now))


def revoke_credentials(transaction: Transaction, instance_id: str, now: float) -> None:
    """Refuse the sessions that an instance has had so far, those of this second among them."""
    change(transaction, instance_id, refused_until=int(now))


def terminate(transaction: Transaction, found: Instance, now: float) -> None:
    """End an instance: it gets nothing any more, and what it got is refused at once. Its certificate is free."""
    transaction.run(delete(association).where(_of.instance_id == found.id))
    change(transaction, found.id, state=TERMINATED, ended=now, refused_until=int(now), certificate=None)


def forget_terminated(transaction: Transaction, now: float, most: int = 100) -> None:
    """Remove instances that were terminated long enough ago, a few at once."""
    old = _columns.ended <= now - SHOWN_AFTERWARDS
    gone = [row.id for row in transaction.all(select(_columns.id).where(old).limit(most))]
    if gone:
        transaction.run(delete(tables.tag).where(tables.tag.c.owner_id.in_(gone)))
        transaction.run(delete(host_certificate).where(host_certificate.c.instance_id.in_(gone)))
        transaction.run(delete(instance).where(_columns.id.in_(gone)))
        transaction.changed(*map(topic, gone))


def check_alive(transaction: Transaction, session: Session) -> list[str]:
    """The topics on which a session of an instance's role rests; none for other sessions.

    Raises UnknownToken if the instance is no more, ExpiredToken for credentials that were revoked.
    """
    source = session.said.get(SOURCE_INSTANCE)
    if not isinstance(source, str):
        return []
    instance_id = source.rpartition("/")[2]
    found = remembered(transaction, instance_id)
    if found is None or not found.is_running:
        raise UnknownToken(_INVALID)
    if session.issued <= found.refused_until:
        raise ExpiredToken(_EXPIRED)
    return [topic(instance_id)]


# -- Associations -------------------------------------------------------------------------------------------


def associations(transaction: Transaction, *instance_ids: str) -> list[Association]:
    """The associations of instances, the main ones first."""
    rows = transaction.all(
        select(association).where(_of.instance_id.in_(instance_ids)).order_by(_of.is_main.desc(), _of.id)
    )
    return [record(Association, row) for row in rows]


def association_named(transaction: Transaction, association_id: str) -> Association | None:
    """The association with this id."""
    row = transaction.one(select(association).where(_of.id == association_id))
    return None if row is None else record(Association, row)


def associate(transaction: Transaction, made: Association) -> None:
    """Write down an association. Raises store.Duplicate if the instance has the profile already."""
    transaction.run(insert(association).values(**msgspec.structs.asdict(made)))
    transaction.changed(topic(made.instance_id))


def disassociate(transaction: Transaction, gone: Association) -> None:
    """Take a profile from an instance. What it got by that lives on until it expires or is revoked."""
    transaction.run(delete(association).where(_of.id == gone.id))
    transaction.changed(topic(gone.instance_id))


def profiles(transaction: Transaction, profile_ids: Iterable[str]) -> dict[str, InstanceProfile]:
    """Instance profiles by their unique ids; those that are gone are left out."""
    column = instance_profile.c
    rows = transaction.all(select(instance_profile).where(column.id.in_(list(profile_ids))))
    return {row.id: record(InstanceProfile, row) for row in rows}


# -- Tags ---------------------------------------------------------------------------------------------------


def set_tags(transaction: Transaction, instance_id: str, tags: dict[str, str]) -> None:
    """Set tags of an instance; those with the same key are replaced where they stand."""
    if not tags:
        return
    tagging.put(transaction, instance_id, tags)
    transaction.changed(topic(instance_id))


def remove_tags(transaction: Transaction, instance_id: str, keys: Iterable[str]) -> None:
    """Remove tags by key; one that is not there is no error."""
    tagging.remove(transaction, instance_id, keys)
    transaction.changed(topic(instance_id))


def tags_of(transaction: Transaction, instance_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of instances, by their ids."""
    column, found = tables.tag.c, {each: dict[str, str]() for each in instance_ids}
    rows = transaction.all(
        select(tables.tag).where(column.owner_id.in_(list(instance_ids))).order_by(column.position)
    )
    for row in rows:
        found[row.owner_id][row.key] = row.value
    return found


def keys_of_tags(tags: dict[str, str]) -> dict[str, Value]:
    """The condition keys of an instance's tags."""
    return {
        f"{prefix}/{key.lower()}": value
        for key, value in tags.items()
        for prefix in ("aws:resourcetag", "ec2:resourcetag")
    }


def role_of(transaction: Transaction, profile: InstanceProfile) -> entities.Role | None:
    """The role in a profile, if there is one."""
    return entities.role_by_id(transaction, profile.role_id) if profile.role_id else None
