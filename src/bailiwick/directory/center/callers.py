"""People of an identity store as callers."""

from __future__ import annotations

from bailiwick.api import Caller
from bailiwick.core.policy.question import Context, Principal, PrincipalKind
from bailiwick.directory.center.people import Instance, StoreUser


def of_person(partition: str, instance: Instance, user: StoreUser) -> Caller:
    """A person of an identity store: vouched for by its instance, in no account until she takes a role."""
    arn = instance.arn(partition)
    context: Context = {
        "aws:principaltype": "IdentityCenterUser",
        "aws:userid": user.id,
        "identitystore:userid": user.id,
        "identitystore:identitystorearn": instance.store_arn(partition),
    }
    principal = Principal(PrincipalKind.PROVIDER, partition, instance.account, arn, arn, user.id)
    return Caller(principal, user_id=user.id, name=user.name, context=context)
