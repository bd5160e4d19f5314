"""The services, one folder each, all built of the same few files. NAMES is the only list of them.

A service is imported when it is first asked for: a third of a start went into services that nobody had called yet.
"""

from __future__ import annotations

from importlib import import_module

from sqlalchemy import literal, select, table

from bailiwick.api import Chore, Later, Service, Transaction

NAMES = (
    *("accessanalyzer", "cloudtrail", "ec2", "eks", "eks-auth", "hosts", "iam", "identitystore", "kms"),
    *("organizations", "rolesanywhere", "scim", "signin", "sso", "sso-admin", "sso-oidc", "sts"),
)


def load(name: str) -> Service:
    """The service of this name, with every operation registered."""
    room = name.replace("-", "_")
    service: Service = getattr(import_module(f"{__name__}.{room}"), room)
    return service


_SWEPT = {
    "ec2": ("ec2_instance",),
    "hosts": ("ec2_host_nonce", "ec2_join_token"),
    "kms": ("kms_key", "kms_family", "kms_left"),
    "signin": ("signin_login",),
    "sso-admin": ("sso_task",),
    "sso-oidc": ("sso_device", "sso_spent", "sso_sign_in"),
    "sts": ("sts_redeemed",),
}
"""The services that have chores, and the tables in which those find work: a service without any is not loaded."""


def chores(transaction: Transaction) -> tuple[Chore, ...]:
    """The chores of all services that may have something to do."""
    return tuple(chore for service in _busy(transaction) for chore in service.chores)


def errands(transaction: Transaction) -> tuple[Chore, ...]:
    """Their chores that ask somebody else's server."""
    return tuple(errand for service in _busy(transaction) for errand in service.errands)


def _busy(transaction: Transaction) -> list[Service]:
    return [
        load(name)
        for name, names in _SWEPT.items()
        if any(transaction.one(select(literal(1)).select_from(table(each)).limit(1)) for each in names)
    ]


LATER = tuple(Later(name, load) for name in NAMES)
"""Every service, to be loaded when it is needed."""


def __getattr__(name: str) -> tuple[Service, ...]:
    """ALL: every service, loaded."""
    if name != "ALL":
        raise AttributeError(name)
    return tuple(map(load, NAMES))
