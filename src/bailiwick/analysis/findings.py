"""What is wrong, risky or odd in a policy, in the codes of Access Analyzer's ValidatePolicy.

Unlike the checks before a policy is stored (core/policy/checks_*.py), which stop at the first error in AWS's own
words, this looks at everything and says where it stands. Source: facts/policy.md section 7.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import places, strict_json
from bailiwick.core.policy.document import check_identity, check_trust
from bailiwick.core.policy.places import Path, Position
from bailiwick.core.policy.strict_json import Number


class PolicyKind(StrEnum):
    """What a policy is attached to, which decides what may be in it."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"
    SCP = "scp"
    RCP = "rcp"

    @property
    def names_principals(self) -> bool:
        """Whether its statements have a Principal element."""
        return self in (PolicyKind.RESOURCE, PolicyKind.TRUST, PolicyKind.RCP)


class FindingType(StrEnum):
    """How grave a finding is, gravest first."""

    ERROR = "ERROR"
    SECURITY_WARNING = "SECURITY_WARNING"
    WARNING = "WARNING"
    SUGGESTION = "SUGGESTION"


class Finding(NamedTuple):
    """A finding, and the way to the element that it is about."""

    type: FindingType
    code: str
    details: str
    path: Path


class Located(NamedTuple):
    """A finding with its place in the text: characters from `start` up to `end`."""

    finding: Finding
    start: int
    end: int
    begins: Position
    ends: Position


class Statement(NamedTuple):
    """A statement as its JSON value, whatever that is worth, and the way to it."""

    value: Mapping[str, Any]
    path: Path
    version: str | None

    def texts(self, *names: str) -> Iterator[tuple[str, Path]]:
        """The texts of these elements, alone or in lists."""
        for name in names:
            yield from each_text(self.value.get(name), (*self.path, name))

    def actions(self) -> list[str]:
        """The patterns of Action."""
        return [text for text, _ in self.texts("Action")]

    @property
    def allows(self) -> bool:
        """Whether its Effect is Allow."""
        return self.value.get("Effect") == "Allow"

    def conditions(self) -> Iterator[Condition]:
        """Every (operator, key) pair that has the right form."""
        block = self.value.get("Condition")
        for operator, keys in block.items() if isinstance(block, Mapping) else ():
            for key, values in keys.items() if isinstance(keys, Mapping) else ():
                yield Condition(operator, key, values, (*self.path, "Condition", operator, key))

    def condition_keys(self) -> set[str]:
        """The names of its condition keys in lower case."""
        return {condition.key.lower() for condition in self.conditions()}


class Condition(NamedTuple):
    """One (operator, key) pair with its values as they are in the JSON."""

    operator: str
    key: str
    values: Any
    path: Path

    def texts(self) -> list[tuple[str, Path]]:
        """Its values as texts, with the way to each."""
        return list(each_text(self.values, self.path))


def each_text(value: object, path: Path) -> Iterator[tuple[str, Path]]:
    """A text, number or boolean, or those in a list, as texts."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from each_text(item, (*path, index))
    elif isinstance(value, bool):
        yield ("true" if value else "false"), path
    elif isinstance(value, Number):
        yield value.text, path
    elif isinstance(value, str):
        yield value, path


def error(code: str, details: str, path: Path) -> Finding:
    """An error: the policy does not work as it is written."""
    return Finding(FindingType.ERROR, code, details, path)


def security_warning(code: str, details: str, path: Path) -> Finding:
    """The policy gives more than it should."""
    return Finding(FindingType.SECURITY_WARNING, code, details, path)


def warning(code: str, details: str, path: Path) -> Finding:
    """The policy does not do what one would think, or not everywhere."""
    return Finding(FindingType.WARNING, code, details, path)


def suggestion(code: str, details: str, path: Path) -> Finding:
    """The policy could be written better."""
    return Finding(FindingType.SUGGESTION, code, details, path)


def check(text: str, kind: PolicyKind) -> list[Located]:
    """Everything that is to be said of a policy, the gravest first, each kind of finding by its place."""
    from bailiwick.analysis import check_access, check_conditions, check_elements, check_names, check_principals

    try:
        value = strict_json.read(text)
    except ValueError as problem:
        offset = problem.pos if isinstance(problem, json.JSONDecodeError) else 0
        said = problem.msg if isinstance(problem, json.JSONDecodeError) else str(problem)
        return [_at(text, error("JSON_SYNTAX_ERROR", f"This is not JSON: {said}.", ()), offset, offset)]
    found = list(check_elements.document(value, text, kind))
    for statement in statements(value):
        for module in (check_elements, check_names, check_conditions, check_principals, check_access):
            found += module.statement(statement, kind)
    return _located(text, found)


def kind_of(text: str) -> PolicyKind:
    """What kind of policy this most likely is, by the elements of its statements; IDENTITY where none tells."""
    try:
        found = list(statements(strict_json.read(text)))
    except ValueError:
        return PolicyKind.IDENTITY
    if not any("Principal" in each.value or "NotPrincipal" in each.value for each in found):
        return PolicyKind.IDENTITY
    is_trust = all("Resource" not in each.value and "NotResource" not in each.value for each in found)
    return PolicyKind.TRUST if is_trust else PolicyKind.RESOURCE


def refused(text: str, kind: PolicyKind) -> str | None:
    """The sentence with which IAM would refuse to store an identity or trust policy; None if it would take it."""
    checks = {PolicyKind.IDENTITY: check_identity, PolicyKind.TRUST: check_trust}
    try:
        if kind in checks:
            checks[kind](text)
    except PolicyError as problem:
        return str(problem)
    return None


def statements(value: object) -> Iterator[Statement]:
    """The statements of a document that are objects."""
    if not isinstance(value, Mapping):
        return
    version = value.get("Version")
    given = value.get("Statement")
    several = isinstance(given, list)
    for index, item in enumerate(given if isinstance(given, list) else [given]):
        if isinstance(item, Mapping):
            path: Path = ("Statement", index) if several else ("Statement",)
            yield Statement(item, path, version if isinstance(version, str) else None)


def _located(text: str, found: Iterable[Finding]) -> list[Located]:
    known = places.places(text)
    located = []
    for finding in dict.fromkeys(found):
        place = known.get(finding.path) or known[()]
        located.append(_at(text, finding, place.start, place.end))
    order = list(FindingType)
    return sorted(located, key=lambda each: (order.index(each.finding.type), each.start))


def _at(text: str, finding: Finding, start: int, end: int) -> Located:
    return Located(finding, start, end, *places.positions(text, start, end))
