"""Whom an identity provider vouches for, and what she is given, whatever the provider's protocol."""

from __future__ import annotations

import re

import msgspec

from bailiwick.core.errors import LdapError
from bailiwick.core.ldap import names


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


class Grants(msgspec.Struct, frozen=True):
    """What the rules give. `roles` are in the order of the rules, and may have a `*` in them.

    `source_identity` has her name become the source identity of her sessions.
    """

    roles: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    source_identity: bool = False

    @property
    def first(self) -> str | None:
        """The role of someone who asks for none: the first that is one role's ARN."""
        return next((role for role in self.roles if "*" not in role), None)

    def includes(self, role: str) -> bool:
        """Whether this role is given."""
        return any(_pattern(each).fullmatch(role) for each in self.roles)


def common_name(group: str) -> str:
    """What a group is called: the value of the first part of its name."""
    try:
        return names.parse(group)[0][0][1]
    except (LdapError, IndexError):
        return group


def _pattern(role: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, role.split("*"))))
