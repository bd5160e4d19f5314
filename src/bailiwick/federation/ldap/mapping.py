"""What a person is given for the groups that she is in: roles, tags of her sessions."""

from __future__ import annotations

import re

from bailiwick.core.errors import LdapError
from bailiwick.core.identity import Grants, Identity
from bailiwick.core.ldap import names
from bailiwick.core.ldap.names import Name
from bailiwick.federation.ldap.configuration import Configuration, Rule

_NOT_IN_TAGS = re.compile(r"[^\w .:/=+@-]")
_LONGEST_TAG = 256
_MOST_TAGS = 50


def granted(configuration: Configuration, identity: Identity) -> Grants:
    """What the rules of a mapping file give a person.

    A tag of a rule comes before one from an attribute, an earlier rule before a later one.
    """
    groups = [_normal(group) for group in identity.groups]
    rules = [rule for rule in configuration.rules if _applies(rule, groups)]
    tags: dict[str, str] = {}
    for rule in rules:
        tags = {**rule.tags, **tags}
    for key, attribute in configuration.tags.items():
        values = identity.attributes.get(attribute.lower(), ())
        if values and key not in tags:
            tags[key] = _NOT_IN_TAGS.sub("_", values[0])[:_LONGEST_TAG]
    roles = dict.fromkeys(role for rule in rules for role in rule.roles)
    return Grants(tuple(roles), dict(list(tags.items())[:_MOST_TAGS]), configuration.source_identity)


def _applies(rule: Rule, groups: list[Name]) -> bool:
    """Whether a person in `groups` is meant. A rule's group is a whole name, or only what the group is called."""
    if not rule.group:
        return True
    if "=" in rule.group:
        return names.normal(rule.group) in groups
    called = " ".join(rule.group.split()).lower()
    return any(group and any(value == called for _, value in group[0]) for group in groups)


def _normal(group: str) -> Name:
    try:
        return names.normal(group)
    except LdapError:
        return ()
