"""Service principals: the services of an operator, each with a key of its own, and the callers that they are.

A service belongs to no account: where AWS has an account, it has `aws`, as managed policies of AWS do. It has no
policies; what it may do is what resource policies, trust policies and key policies say that name it. Source:
facts/policy.md section 4.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import Caller, Environment, Transaction
from bailiwick.core import ids
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Value
from bailiwick.directory import access_keys, organizations, tables
from bailiwick.directory.entities import record

ACCOUNT = "aws"
PREFIX = "ASVC"
_NO_ACCOUNT = "000000000000"  # what is inside the ids of what belongs to none
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){1,9}", re.ASCII)
_LONGEST = 128
_TABLE, _COLUMNS = tables.service_principal, tables.service_principal.c


class ServicePrincipal(msgspec.Struct, frozen=True):
    """A service that the operator registered.

    `name` is what policies call it (`redshift.amazonaws.com`), `signing_name` what requests to it are signed for
    (`redshift`).
    """

    id: str
    name: str
    signing_name: str
    created: float


def is_name(text: str) -> bool:
    """Whether this can be the name of a service: at least two labels of a domain, in lower case."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def create(
    transaction: Transaction, environment: Environment, name: str, signing_name: str
) -> tuple[ServicePrincipal, tuple[str, str]]:
    """Register a service; returns it with the id and secret of its key.

    Raises store.Duplicate if its name, or its signing name, is taken.
    """
    made = ServicePrincipal(
        ids.unique_id(PREFIX, _NO_ACCOUNT, environment.entropy), name, signing_name, environment.now()
    )
    transaction.run(insert(_TABLE).values(**msgspec.structs.asdict(made)))
    transaction.changed(f"principal:{made.id}")
    return made, new_key(transaction, environment, made)


def new_key(transaction: Transaction, environment: Environment, service: ServicePrincipal) -> tuple[str, str]:
    """Give a service a new key: its id and secret."""
    entropy = environment.entropy
    key_id, secret = ids.access_key_id("AKIA", _NO_ACCOUNT, entropy), ids.secret_access_key(entropy)
    access_keys.adopt(transaction, environment, ACCOUNT, service.id, key_id, secret, environment.now())
    return key_id, secret


def rotate_key(transaction: Transaction, environment: Environment, service: ServicePrincipal) -> tuple[str, str]:
    """Give a service a new key and end every other one that it has."""
    old = keys_of(transaction, service)
    made = new_key(transaction, environment, service)
    access_keys.remove_all(transaction, service.id, old)
    return made


def remove(transaction: Transaction, service: ServicePrincipal) -> None:
    """Forget a service and its keys. Policies that name it stay as they are, and name nobody."""
    access_keys.remove_all(transaction, service.id, keys_of(transaction, service))
    transaction.run(delete(_TABLE).where(_COLUMNS.id == service.id))
    transaction.changed(f"principal:{service.id}")


def keys_of(transaction: Transaction, service: ServicePrincipal) -> list[str]:
    """The ids of a service's keys."""
    columns = tables.access_key.c
    return [row.id for row in transaction.all(select(columns.id).where(columns.owner_id == service.id))]


def find(transaction: Transaction, name: str) -> ServicePrincipal | None:
    """The service with this name."""
    return _one(transaction, _COLUMNS.name == name)


def by_id(transaction: Transaction, unique_id: str) -> ServicePrincipal | None:
    """The service with this unique id (ASVC...)."""
    return _one(transaction, _COLUMNS.id == unique_id)


def every(transaction: Transaction) -> list[ServicePrincipal]:
    """Every service, by name."""
    return [record(ServicePrincipal, row) for row in transaction.all(select(_TABLE).order_by(_COLUMNS.name))]


def _one(transaction: Transaction, condition: object) -> ServicePrincipal | None:
    row = transaction.one(select(_TABLE).where(condition))  # type: ignore[arg-type]  # a column's comparison
    return record(ServicePrincipal, row) if row is not None else None


# -- As callers ---------------------------------------------------------------------------------------------


def caller(partition: str, service: ServicePrincipal) -> Caller:
    """The service as a caller."""
    principal, context = _named(partition, service.name, service.id)
    return Caller(principal, user_id=service.id, name=service.name, context=context)


def _named(partition: str, name: str, unique_id: str) -> tuple[Principal, Context]:
    context: Context = {
        "aws:principaltype": "Service",
        "aws:principalisawsservice": "true",
        "aws:principalservicename": name,
        "aws:principalservicenameslist": (name,),
    }
    return Principal(PrincipalKind.SERVICE, partition, ACCOUNT, name, name, unique_id), context


class HouseService(Caller, frozen=True):
    """A service of this house as a caller (`ec2.amazonaws.com`): it is not registered and has no key.

    `said` are condition keys, in lower case, that go with every session that it begins, as what an identity
    provider says does. `evidence` is what the audit trail tells of whom it begins them for.
    """

    said: dict[str, Value] = msgspec.field(default_factory=dict)
    evidence: dict[str, str] = msgspec.field(default_factory=dict)


def of_house(
    transaction: Transaction,
    partition: str,
    name: str,
    *,
    source_arn: str | None,
    account: str | None,
    said: dict[str, Value] | None = None,
    evidence: dict[str, str] | None = None,
) -> HouseService:
    """The service `name` of this house as it acts for the resource `source_arn` of `account`."""
    principal, context = _named(partition, name, name)
    base = HouseService(
        principal, user_id=name, name=name, context=context, said=said or {}, evidence=evidence or {}
    )
    acting, _ = acting_for(transaction, base, source_arn, account)
    assert isinstance(acting, HouseService), "what it was before"
    return acting


def acting_for(
    transaction: Transaction, base: Caller, source_arn: str | None, account: str | None
) -> tuple[Caller, Iterable[str]]:
    """A service that acts for a resource (an ARN) of an account; and the topics that this rests on."""
    context = dict(base.context)
    topics = [f"principal:{base.principal.unique_id}"]
    if source_arn is not None:
        context["aws:sourcearn"] = source_arn
    if account is not None:
        context["aws:sourceaccount"] = account
        topics.append(f"account:{account}")
        place = organizations.membership(transaction, base.principal.partition, account)
        if place is not None:
            context["aws:sourceorgid"] = place.organization
            context["aws:sourceorgpaths"] = (place.path,)
            topics.append(f"organization:{place.organization}")
    return msgspec.structs.replace(base, context=context), topics
