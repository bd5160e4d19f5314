"""A layer: the policies of one kind that apply together, pooled, and which of their statements to ask.

Of all statements only those are asked that speak of the service, then of the action, and, where many do, that
can cover the resource, found by what its ARN begins with. What is found for an action is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from bailiwick.core.bounded import Bounded
from bailiwick.core.policy.compile import BYTES_PER_LETTER, CompiledPolicy, CompiledStatement
from bailiwick.core.policy.patterns import ResourceName
from bailiwick.core.policy.question import Match

_ACTIONS_REMEMBERED = 256
_FEW = 8  # so many statements are asked in less time than the right ones are found


class Attached(NamedTuple):
    """A policy as part of a layer: under its name, and its ARN if it is a managed one."""

    policy: CompiledPolicy
    name: str
    arn: str | None = None


class Entry(NamedTuple):
    """A statement in a layer, and what a decision that rests on it says of it."""

    statement: CompiledStatement
    match: Match


class Candidates(NamedTuple):
    """The statements of a layer that speak of one action, and may cover one resource."""

    denies: tuple[Entry, ...]
    allows: tuple[Entry, ...]


class Layer:
    """The policies of one kind that apply together. Immutable but for its memory of actions."""

    EMPTY: ClassVar[Layer]
    """A layer without policies: it denies nothing and grants nothing."""

    __slots__ = ("__weakref__", "_by_service", "_of_any", "_remembered", "policies", "weight")

    def __init__(self, policies: Iterable[Attached]) -> None:
        self.policies = tuple(policies)
        self.weight = 1_000 + BYTES_PER_LETTER * sum(len(policy.text) for policy, _, _ in self.policies)
        """About how many bytes it holds."""
        self._by_service: dict[str, list[tuple[int, Entry]]] = {}
        self._of_any: list[tuple[int, Entry]] = []
        self._remembered: Bounded[str, Candidates | _ByResource] = Bounded(_ACTIONS_REMEMBERED)
        for place, entry in enumerate(self.entries()):
            services = entry.statement.services
            if services is None:
                self._of_any.append((place, entry))
            for service in services or ():
                self._by_service.setdefault(service, []).append((place, entry))

    def entries(self) -> Iterable[Entry]:
        """Every statement, in the order of the policies."""
        for policy, name, arn in self.policies:
            for statement in policy.statements:
                written = statement.written
                yield Entry(statement, Match(name, arn, written.index, written.sid))

    def candidates(self, action: str, resource: ResourceName) -> Candidates:
        """The statements that speak of `action`, given in lower case, and may cover `resource`."""
        found = self._remembered.get(action)
        if found is None:
            found = self._find(action)
        return found.about(resource) if isinstance(found, _ByResource) else found

    def _find(self, action: str) -> Candidates | _ByResource:
        service = action.partition(":")[0]
        placed = sorted(self._of_any + self._by_service.get(service, []), key=lambda each: each[0])
        entries = [entry for _, entry in placed if entry.statement.acts(action)]
        found = _ByResource(entries) if len(entries) > _FEW else _candidates(entries)
        self._remembered.put(action, found)
        return found


class _ByResource:
    """Statements by what the resources that they cover begin with, the longest beginnings first."""

    __slots__ = ("_by_prefix", "_entries", "_lengths")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._by_prefix: dict[str, list[int]] = {}
        for place, entry in enumerate(entries):
            for prefix in entry.statement.prefixes:
                self._by_prefix.setdefault(prefix, []).append(place)
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix}, reverse=True)

    def about(self, resource: ResourceName) -> Candidates:
        key, by_prefix, places = resource.key, self._by_prefix, set[int]()
        for length in self._lengths:
            found = by_prefix.get(key[:length])
            if found is not None:
                places.update(found)
        return _candidates([self._entries[place] for place in sorted(places)])


def _candidates(entries: Iterable[Entry]) -> Candidates:
    by_effect: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in entries:
        by_effect[entry.statement.allows].append(entry)
    return Candidates(*map(tuple, by_effect))


Layer.EMPTY = Layer(())
