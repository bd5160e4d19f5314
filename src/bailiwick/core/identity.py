"""Whom an identity provider vouches for: what every connector makes of its own protocol's answer."""

from __future__ import annotations

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """A person, as the provider called `provider` knows her.

    `subject` is what the provider knows her by (a distinguished name, a subject claim), `name` her user name.
    `groups` are as the provider names them. `attributes` are what else was asked for.
    """

    provider: str
    subject: str
    name: str
    mail: str = ""
    groups: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = {}
