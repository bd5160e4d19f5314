"""The services, one folder each, all built of the same few files. NAMES is the only list of them.

A service is imported when it is first asked for: a third of a start went into services that nobody had called yet.
"""

from __future__ import annotations

from importlib import import_module

from bailiwick.api import Later, Service

NAMES = (
    *("accessanalyzer", "cloudtrail", "ec2", "eks", "eks-auth", "hosts", "iam", "identitystore", "kms"),
    *("organizations", "rolesanywhere", "scim", "signin", "sso", "sso-admin", "sso-oidc", "sts"),
)


def load(name: str) -> Service:
    """The service of this name, with every operation registered."""
    room = name.replace("-", "_")
    service: Service = getattr(import_module(f"{__name__}.{room}"), room)
    return service


LATER = tuple(Later(name, load) for name in NAMES)
"""Every service, to be loaded when it is needed."""


def __getattr__(name: str) -> tuple[Service, ...]:
    """ALL: every service, loaded."""
    if name != "ALL":
        raise AttributeError(name)
    return tuple(map(load, NAMES))
