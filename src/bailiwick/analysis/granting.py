"""What identity policies let a principal do somewhere: the services and the actions that they allow at all.

Access advisor and ListPoliciesGrantingServiceAccess ask this. As with AWS, only permissions policies count; which
resource and which condition is not asked. A Deny takes away what it denies always and everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from bailiwick.analysis.actions import ActionData
from bailiwick.core.policy import patterns, syntax
from bailiwick.core.policy.syntax import Statement


class Granted:
    """What a set of policies, given by their texts, allows."""

    def __init__(self, texts: Iterable[str], data: ActionData) -> None:
        self._data = data
        statements = [statement for text in texts for statement in syntax.parse(text).statements]
        self._allows = [each for each in statements if each.effect == "Allow"]
        self._denies = [each for each in statements if each.effect == "Deny" and _always(each)]

    def services(self) -> list[str]:
        """The prefixes of the services of which something is allowed, sorted."""
        found: set[str] = set()
        for statement in self._allows:
            found |= self._reached(statement)
        for statement in self._denies:
            found -= self._swallowed(statement)
        return sorted(found)

    def actions(self, service: str) -> list[str]:
        """The names of a service's actions that are allowed, sorted; none for a service that is not known."""
        known = self._data.service(service)
        if known is None:
            return []
        names = {action.full_name.lower(): action.name for action in known.actions.values()}
        allowed = {name for statement in self._allows for name in _covered(statement, names)}
        denied = {name for statement in self._denies for name in _covered(statement, names)}
        return sorted(names[name] for name in allowed - denied)

    def _reached(self, statement: Statement) -> set[str]:
        """The services of which a statement names an action."""
        if statement.not_action is not None:
            return set(self._data.services) - _whole(statement.not_action, self._data)
        return _named(statement.action or (), self._data)

    def _swallowed(self, statement: Statement) -> set[str]:
        """The services of which a statement names every action."""
        if statement.not_action is not None:
            return set(self._data.services) - _named(statement.not_action, self._data)
        return _whole(statement.action or (), self._data)


def _always(statement: Statement) -> bool:
    return not statement.conditions and "*" in (statement.resource or ())


def _named(entries: Iterable[str], data: ActionData) -> set[str]:
    found: set[str] = set()
    for entry in entries:
        if entry == "*":
            return set(data.services)
        found.add(entry.partition(":")[0].lower())
    return found & data.services


def _whole(entries: Iterable[str], data: ActionData) -> set[str]:
    return _named((entry for entry in entries if entry == "*" or entry.endswith(":*")), data)


def _covered(statement: Statement, names: Iterable[str]) -> set[str]:
    matches = patterns.actions(statement.actions)
    if statement.not_action is not None:
        return {name for name in names if not matches(name)}
    return {name for name in names if matches(name)}
