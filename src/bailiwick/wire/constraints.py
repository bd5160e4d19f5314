"""The bounds of the service model, worded as AWS words them.

`N validation errors detected: Value 'x' at 'userName' failed to satisfy constraint: ...; ...` (facts/iam.md 5.5,
facts/kms.md 12). STS and KMS echo the value; IAM does not, and nobody echoes what the model calls sensitive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from bailiwick.api import ValidationError
from bailiwick.wire.models import Reference, ServiceModel, Shape
from bailiwick.wire.patterns import python_pattern

_SILENT = {"iam"}

_PATH = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
_PREFIX = "It must begin with the / character and contain only alphanumeric characters and/or / characters."
_NAME = "It must contain only alphanumeric characters and/or the following: +=,.@_-"

# Where IAM words a pattern in a sentence of its own.
_SENTENCES = {
    "path": _PATH,
    "newPath": _PATH,
    "pathPrefix": _PREFIX,
    **dict.fromkeys(
        (
            "userName",
            "groupName",
            "roleName",
            "policyName",
            "newUserName",
            "newGroupName",
            "instanceProfileName",
        ),
        _NAME,
    ),
}


def check(service: ServiceModel, shape: str, values: dict[str, Any]) -> None:
    """Check an operation's input, as plain values, against the model. Raises ValidationError."""
    members = service.shape(shape)
    found = list(_structure(service, members, values, ""))
    if not found:
        return
    if service.name in _SILENT:
        found.sort(key=lambda broken: _bucket(broken[0].partition(".")[0], len(members.members)))
        for path, _, constraint in found:
            sentence = _SENTENCES.get(path)
            if sentence and constraint.startswith("Member must satisfy regular expression"):
                raise ValidationError(f"The specified value for {path} is invalid. {sentence}")
    if service.name in _REASONED:
        raise _reasoned(found[0][2])
    items = [
        f"Value{_echo(service, value)} at '{path}' failed to satisfy constraint: {_worded(service, constraint)}"
        for path, value, constraint in found
    ]
    plural = "" if len(items) == 1 else "s"
    raise ValidationError(f"{len(items)} validation error{plural} detected: {'; '.join(items)}")


def _bucket(name: str, members: int) -> int:
    """Where a hash table of Java's keeps a member: in that order IAM tells of several (recorded 2026).

    Source: java.util.HashMap; from String.hashCode, in 16 buckets, or as many as members fill to three quarters.
    """
    code, buckets = 0, 16
    for character in name:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    while members > buckets * 3 // 4:
        buckets *= 2
    return (code ^ code >> 16) & (buckets - 1)


# Organizations tells no value and no bound: a sentence, and a reason for programs.
_REASONED = {"organizations"}
_REASONS = (
    ("enum value set", "You specified an invalid value.", "INVALID_ENUM"),
    ("regular expression", "You provided a value that does not match the required pattern.", "INVALID_PATTERN"),
    ("length less", "You provided a value that is too long.", "MAX_LENGTH_EXCEEDED"),
    ("length greater", "You provided a value that is too short.", "MIN_LENGTH_EXCEEDED"),
    ("value less", "You provided a value that is too large.", "MAX_VALUE_EXCEEDED"),
    ("value greater", "You provided a value that is too small.", "MIN_VALUE_EXCEEDED"),
    ("not be null", "You must provide a value for every required parameter.", "INPUT_REQUIRED"),
)


def _reasoned(constraint: str) -> ValidationError:
    told, reason = next(
        ((text, reason) for words, text, reason in _REASONS if words in constraint),
        ("Invalid input.", "INVALID_ENUM"),
    )
    return ValidationError(told, Message=told, Reason=reason)


_ENUM = "Member must satisfy enum value set"
_HIDDEN = object()  # stands for a value that the model calls sensitive
Violation = tuple[str, Any, str]


def _structure(service: ServiceModel, shape: Shape, values: dict[str, Any], path: str) -> Iterator[Violation]:
    for name, reference in shape.members.items():
        where = path + _camel(name)
        value = values.get(name)
        if value is not None:
            yield from _value(service, reference, value, where)
        elif name in shape.required:
            yield where, None, "Member must not be null"


def _value(service: ServiceModel, reference: Reference, value: Any, path: str) -> Iterator[Violation]:
    shape = service.shape(reference)
    shown = _HIDDEN if shape.sensitive or reference.sensitive else value
    if shape.kind == "structure":
        yield from _structure(service, shape, value, path + ".")
        return
    for constraint in _broken(shape, value):
        yield path, shown, constraint
    if shape.kind == "list" and shape.member:
        yield from _list(service, shape.member, value, path)
    elif shape.kind == "map" and shape.key and shape.value:
        for part, member, values in (("key", shape.key, value), ("value", shape.value, value.values())):
            inner = service.shape(member)
            if any(next(_broken(inner, each), None) for each in values):
                yield path, shown, f"Map {part} must satisfy constraint: [{_all(inner)}]"


def _list(service: ServiceModel, member: Reference, values: list[Any], path: str) -> Iterator[Violation]:
    inner = service.shape(member)
    if inner.kind in ("structure", "list", "map"):
        for number, each in enumerate(values, 1):
            yield from _value(service, member, each, f"{path}.{number}.member")
    elif any(next(_broken(inner, each), None) for each in values):
        shown = _HIDDEN if inner.sensitive or member.sensitive else values
        yield path, shown, f"Member must satisfy constraint: [{_all(inner)}]"


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """The constraints of a shape that a value does not satisfy."""
    if shape.kind in ("integer", "long", "float", "double"):
        size, words = value, "have value"
    elif shape.kind in ("string", "blob", "list", "map"):
        size, words = len(value), "have length"
    else:
        return
    if shape.maximum is not None and size > shape.maximum:
        yield f"Member must {words} less than or equal to {int(shape.maximum)}"
    if shape.minimum is not None and size < shape.minimum:
        yield f"Member must {words} greater than or equal to {int(shape.minimum)}"
    if shape.pattern and not _compiled(shape.pattern).search(value):
        yield f"Member must satisfy regular expression pattern: {shape.pattern}"
    if shape.enum and value not in shape.enum:
        yield enumeration(shape.enum)


def enumeration(values: Sequence[str]) -> str:
    """The constraint that a value must be one of these, in the order in which AWS tells them.

    That is the order of a hash table with 32 places: by Java's hash of the text, and of one place the last first.
    So it was recorded of 14 enumerations with 2 to 42 values: KMS's KeySpec and MacAlgorithm, and those of six
    services more.
    """
    last_first = values[::-1]
    return f"{_ENUM}: [{', '.join(sorted(last_first, key=_place))}]"


def _place(text: str) -> int:
    place = 0
    for letter in text:
        place = (31 * place + ord(letter)) % 32
    return place


def _all(shape: Shape) -> str:
    """Every constraint of a list's member, as AWS lists them when one is broken.

    That it must not be null was recorded of members with a pattern (`tagKeys`), and not of those without
    (`clientIDList`, `thumbprintList`).
    """
    found = []
    if shape.maximum is not None:
        found.append(f"Member must have length less than or equal to {int(shape.maximum)}")
    if shape.minimum is not None:
        found.append(f"Member must have length greater than or equal to {int(shape.minimum)}")
    if shape.pattern:
        found.append(f"Member must satisfy regular expression pattern: {shape.pattern}")
    if shape.enum:
        found.append(enumeration(shape.enum))
    if shape.pattern or not found:
        found.append("Member must not be null")
    return ", ".join(found)


def _worded(service: ServiceModel, constraint: str) -> str:
    """A constraint in the service's words: IAM does not tell the values of an enumeration (facts/iam.md 5.5)."""
    if service.name in _SILENT and constraint.startswith(_ENUM):
        return _ENUM
    return constraint


def _echo(service: ServiceModel, value: Any) -> str:
    if service.name in _SILENT or value is _HIDDEN or isinstance(value, (bytes, dict)):
        return ""
    if value is None:
        return " null"
    if isinstance(value, list):
        return f" '[{', '.join(map(str, value))}]'" if all(isinstance(each, str) for each in value) else ""
    return f" '{value}'"


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(python_pattern(pattern))
