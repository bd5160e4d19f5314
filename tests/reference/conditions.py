"""Condition operators, read off facts/policy.md sections 2.1 to 2.4 line by line. Slow and plain on purpose."""

from __future__ import annotations

import base64
import ipaddress
import re
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

UNKNOWN = "unknown"  # the comparison makes no sense: one side is not of the type


def wildcard(pattern: list[tuple[str, bool]], text: str) -> bool:
    """Whether the pattern, letters of which each is literal or a wildcard, describes the whole text."""
    reachable = {0}
    for letter, literal in pattern:
        after: set[int] = set()
        for at in reachable:
            if not literal and letter == "*":
                after.update(range(at, len(text) + 1))
            elif at < len(text) and ((not literal and letter == "?") or letter == text[at]):
                after.add(at + 1)
        reachable = after
    return len(text) in reachable


def letters(text: str) -> list[tuple[str, bool]]:
    """A pattern without variables: `*` and `?` are wildcards."""
    return [(letter, letter not in "*?") for letter in text]


def expand(text: str, context: dict[str, Any], active: bool) -> list[tuple[str, bool]] | None:
    """Section 1.5: the text with its variables replaced; None if one has no value."""
    out: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        end = text.find("}", at)
        if not (active and text.startswith("${", at) and end > 0):
            out.append((text[at], text[at] not in "*?"))
            at += 1
            continue
        body = text[at + 2 : end]
        at = end + 1
        if body in ("*", "?", "$"):
            out.append((body, True))
            continue
        key, comma, rest = body.partition(", ")
        bad_key = not key or any(letter.isspace() or letter in ",'{}$*?" for letter in key)
        quoted = len(rest) >= 2 and rest[0] == rest[-1] == "'" and "'" not in rest[1:-1]
        if bad_key or (comma and not quoted):
            return None
        value = context.get(key.lower())
        if value is None and comma:
            value = rest[1:-1]
        if not isinstance(value, str):
            return None
        out.extend((letter, True) for letter in value)
    return out


def number(text: str) -> Any:
    if len(text) > 128 or not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        return UNKNOWN
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("+-").partition(".")
    return sign * Fraction(int((whole + fraction) or "0"), 10 ** len(fraction))


def date(text: str) -> Any:
    """Only what the generator writes and Python's calendar knows: years 1 to 9999."""
    if re.fullmatch(r"[+-]?[0-9]{1,19}", text) and not re.fullmatch(r"[0-9]{4}", text):
        return Fraction(int(text))
    form = re.fullmatch(
        r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:[Tt](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?([Zz]|[+-]\d\d(?::?\d\d)?)?",
        text,
    )
    if not form:
        return UNKNOWN
    year, month, day, hour, minute, second, fraction, zone = form.groups()
    try:
        found = datetime(
            *(
                int(part or least)
                for part, least in ((year, 1), (month, 1), (day, 1), (hour, 0), (minute, 0), (second, 0))
            ),
            tzinfo=UTC,
        )  # type: ignore[arg-type]
    except ValueError:
        return UNKNOWN
    seconds = Fraction(round((found - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)))
    if zone and zone not in "Zz":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timezone(timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
        shift = Fraction(round(offset.utcoffset(None).total_seconds()))
        seconds += shift if zone[0] == "-" else -shift
    return seconds + (Fraction(int(fraction), 10 ** len(fraction)) if fraction else 0)


def boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), UNKNOWN)


def octets(text: str) -> Any:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return UNKNOWN


def in_network(asked: str, policy: str) -> Any:
    try:
        network = ipaddress.ip_network(policy, strict=False)
        address = ipaddress.ip_address(asked)
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.version == network.version and address in network


def is_arn(text: str) -> bool:
    return text.startswith("arn:") and text.count(":") >= 5


def arn_match(asked: str, policy: str, context: dict[str, Any], active: bool) -> Any:
    if (
        active
        and policy.startswith("${")
        and policy.find("}") == len(policy) - 1
        and policy[2:-1] not in ("*", "?", "$")
    ):
        value = expand(policy, context, active)
        if not is_arn(asked):
            return UNKNOWN
        return value is not None and "".join(letter for letter, _ in value) == asked
    fields, field, at = [], "", 0
    while at < len(policy):  # cut at the colons of the text, not at those inside a variable
        end = policy.find("}", at)
        if active and policy.startswith("${", at) and end > 0:
            field += policy[at : end + 1]
            at = end + 1
        elif policy[at] == ":" and len(fields) < 5:
            fields.append(field)
            field, at = "", at + 1
        else:
            field += policy[at]
            at += 1
    fields.append(field)
    if len(fields) < 6 or fields[0] != "arn" or not is_arn(asked):
        return UNKNOWN
    for pattern, value in zip(fields, asked.split(":", 5), strict=True):
        expanded = expand(pattern, context, active)
        if expanded is None:
            return False
        if not wildcard(expanded, value):
            return False
    return True


TYPED = {"numeric": number, "date": date, "bool": boolean, "binary": octets}


def compare(name: str, asked: str, policy: str, context: dict[str, Any], active: bool) -> Any:
    """Section 2.2: one value of the request with one of the policy, as the positive operator would."""
    if name.startswith("arn"):
        return arn_match(asked, policy, context, active)
    if name.startswith("ipaddress"):
        return in_network(asked, policy)
    family = next((family for family in TYPED if name.startswith(family)), None)
    if family == "bool" or family is None:
        expanded = expand(policy, context, active)
        if expanded is None:
            return False
        text = "".join(letter for letter, _ in expanded)
        if name == "stringlike":
            return wildcard(expanded, asked)
        if name == "stringequals":
            return asked == text
        if name == "stringequalsignorecase":
            return asked.lower() == text.lower()
        policy = text
    assert family is not None
    left, right = TYPED[family](asked), TYPED[family](policy)
    if left is UNKNOWN or right is UNKNOWN or left == UNKNOWN or right == UNKNOWN:
        return UNKNOWN
    relation = name.removeprefix(family)
    return {
        "equals": left == right,
        "": left == right,
        "lessthan": relation == "lessthan" and left < right,
        "lessthanequals": relation == "lessthanequals" and left <= right,
        "greaterthan": relation == "greaterthan" and left > right,
        "greaterthanequals": relation == "greaterthanequals" and left >= right,
    }[relation]


POSITIVE = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def one_value(
    name: str, asked: str, policies: list[str], context: dict[str, Any], active: bool, deny: bool
) -> bool:
    """Section 2.1: several policy values are OR, or NOR for a negated operator."""
    results = [compare(POSITIVE.get(name, name), asked, policy, context, active) for policy in policies]
    if name not in POSITIVE:
        return any(result is True for result in results)
    if any(result is True for result in results):
        return False
    return deny if any(result is UNKNOWN or result == UNKNOWN for result in results) else True


def pair(written: str, key: str, policies: list[str], context: dict[str, Any], active: bool, deny: bool) -> bool:
    """Section 2.3: one (operator, key) pair, with all that can be missing or several."""
    name = written.lower()
    prefix = ""
    for candidate in ("forallvalues:", "foranyvalue:"):
        if name.startswith(candidate):
            prefix, name = candidate, name.removeprefix(candidate)
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    value = context.get(key.lower())
    values = None if value is None else [value] if isinstance(value, str) else list(value)
    empty = values is not None and not isinstance(value, str) and not any(values)
    if name == "null":
        if prefix:
            return prefix == "forallvalues:"
        gone = values is None or empty
        return any(boolean(policy) is gone for policy in policies)
    if prefix == "forallvalues:":
        return (
            values is None
            or empty
            or all(one_value(name, each, policies, context, active, deny) for each in values)
        )
    if prefix == "foranyvalue:":
        if values is None:
            return if_exists
        return not empty and any(one_value(name, each, policies, context, active, deny) for each in values)
    negated = name in POSITIVE
    if values is None:
        return negated or if_exists
    if empty:
        return negated
    if len(values) > 1:
        return negated and deny
    return one_value(name, values[0], policies, context, active, deny)
