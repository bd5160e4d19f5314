"""The grammar of a policy document: from JSON to a Document, or a refusal.

This is what every kind of policy has in common. What AWS asks beyond it of each kind is in checks_*.py.
Source: IAM User Guide, "Grammar of the IAM JSON policy language"; facts/policy.md section 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import conditions, strict_json, variables
from bailiwick.core.policy.strict_json import Number

SYNTAX_ERROR = "Syntax errors in policy."

Texts = tuple[str, ...]

DOCUMENT_ELEMENTS = frozenset({"Version", "Id", "Statement"})
STATEMENT_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
PRINCIPAL_KEYS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


class Condition(msgspec.Struct, frozen=True):
    """One (operator, key) pair of a condition block, as written."""

    operator: str
    key: str
    values: Texts


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement; an element that it does not have is None. `"Principal": "*"` is read as {"AWS": "*"}."""

    index: int
    effect: str  # as written: a check refuses the wrong case
    sid: str | None = None
    principal: dict[str, Texts] | None = None
    not_principal: dict[str, Texts] | None = None
    action: Texts | None = None
    not_action: Texts | None = None
    resource: Texts | None = None
    not_resource: Texts | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def actions(self) -> Texts:
        """The patterns of Action or NotAction, whichever there is."""
        return (self.action or ()) + (self.not_action or ())

    @property
    def resources(self) -> Texts:
        """The patterns of Resource or NotResource, whichever there is."""
        return (self.resource or ()) + (self.not_resource or ())

    def condition_keys(self, *, has_variables: bool) -> Iterator[str]:
        """The condition keys that its conditions name, and its variables if it may have any."""
        for text in self.resources if has_variables else ():
            yield from variables.keys(text)
        for condition in self.conditions:
            yield condition.key
            for text in condition.values if has_variables else ():
                yield from variables.keys(text)


class Document(msgspec.Struct, frozen=True):
    """A policy document. `version` is None where the document has none, which means 2008-10-17."""

    version: str | None
    id: str | None
    statements: tuple[Statement, ...]

    @property
    def has_variables(self) -> bool:
        """Whether `${...}` means a variable; before 2012-10-17 it is text."""
        return self.version == "2012-10-17"

    def principals(self) -> dict[str, Texts]:
        """Everyone whom Principal and NotPrincipal elements name, by key (`AWS`, `Service`, `Federated`).

        Each value once, in order of appearance.
        """
        named: dict[str, dict[str, None]] = {}
        for statement in self.statements:
            for element in (statement.principal, statement.not_principal):
                for key, values in (element or {}).items():
                    named.setdefault(key, {}).update(dict.fromkeys(values))
        return {key: tuple(values) for key, values in named.items()}

    def condition_keys(self) -> Texts:
        """The condition keys that conditions and variables use, each once without regard to case."""
        found: dict[str, str] = {}
        for statement in self.statements:
            for key in statement.condition_keys(has_variables=self.has_variables):
                found.setdefault(key.lower(), key)
        return tuple(found.values())


def parse(text: str) -> Document:
    """Read a policy document. Raises PolicyError for text that is not one."""
    try:
        return document(strict_json.read(text))
    except ValueError:
        raise PolicyError(SYNTAX_ERROR) from None


def document(value: object) -> Document:
    """Read a policy document from its JSON value. Raises PolicyError for a value that is not one."""
    elements = _object(value, DOCUMENT_ELEMENTS)
    version = _optional_text(elements, "Version")
    if version not in (None, "2008-10-17", "2012-10-17"):
        raise PolicyError(SYNTAX_ERROR)
    statements = elements.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError(SYNTAX_ERROR)
    return Document(
        version,
        _optional_text(elements, "Id"),
        tuple(_statement(index, statement) for index, statement in enumerate(statements)),
    )


def _statement(index: int, value: object) -> Statement:
    elements = _object(value, STATEMENT_ELEMENTS)
    for one in ("Principal", "Action", "Resource"):
        if one in elements and f"Not{one}" in elements:
            raise PolicyError(SYNTAX_ERROR)
    effect = elements.get("Effect")
    if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
        raise PolicyError(SYNTAX_ERROR)
    return Statement(
        index=index,
        effect=effect,
        sid=_optional_text(elements, "Sid"),
        principal=_principal(elements, "Principal"),
        not_principal=_principal(elements, "NotPrincipal"),
        action=_optional_texts(elements, "Action"),
        not_action=_optional_texts(elements, "NotAction"),
        resource=_optional_texts(elements, "Resource"),
        not_resource=_optional_texts(elements, "NotResource"),
        conditions=_conditions(elements),
    )


def _principal(elements: dict[str, object], name: str) -> dict[str, Texts] | None:
    if name not in elements:
        return None
    if elements[name] == "*":
        return {"AWS": ("*",)}
    return {key: _texts(value) for key, value in _object(elements[name], PRINCIPAL_KEYS).items()}


def _conditions(elements: dict[str, object]) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for operator, keys in _object(elements.get("Condition", {})).items():
        known = conditions.written(operator) is not None
        for key, values in _object(keys).items():
            if not known:  # an operator without any key is accepted, whatever its name
                raise PolicyError(SYNTAX_ERROR)
            found.append(Condition(operator, key, _condition_values(values)))
    return tuple(found)


def _condition_values(value: object) -> Texts:
    return tuple(_condition_value(item) for item in (value if isinstance(value, list) else [value]))


def _condition_value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    raise PolicyError(SYNTAX_ERROR)


def _object(value: object, known: frozenset[str] | None = None) -> dict[str, object]:
    if not isinstance(value, dict) or (known is not None and not value.keys() <= known):
        raise PolicyError(SYNTAX_ERROR)
    return value


def _optional_text(elements: dict[str, object], name: str) -> str | None:
    value = elements.get(name)
    if name in elements and not isinstance(value, str):
        raise PolicyError(SYNTAX_ERROR)
    return value if isinstance(value, str) else None


def _optional_texts(elements: dict[str, object], name: str) -> Texts | None:
    return _texts(elements[name]) if name in elements else None


def _texts(value: object) -> Texts:
    """A text or a list of texts. A null in the list is refused: in NotAction it would mean everything."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise PolicyError(SYNTAX_ERROR)
    for item in value:
        if not isinstance(item, str):
            raise PolicyError(SYNTAX_ERROR)
    return tuple(value)
