"""Findings about conditions: operators, keys, the types of values. facts/policy.md sections 2 and 7.1."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.analysis import actions
from bailiwick.analysis.actions import ConditionKey
from bailiwick.analysis.check_names import variables
from bailiwick.analysis.findings import (
    Condition,
    Finding,
    PolicyKind,
    Statement,
    error,
    security_warning,
    suggestion,
    warning,
)
from bailiwick.core.policy import conditions, values
from bailiwick.core.policy.conditions import Written
from bailiwick.core.policy.places import Path

_LITERAL = ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase")
# facts/policy.md section 3.2: keys whose values never hold a wildcard
_IDS = re.compile(r"aws:(?:(?:Principal|Resource|Source|Vpce)(?:Account|OrgID)|SourceVpce?)", re.IGNORECASE)


def statement(found: Statement, kind: PolicyKind) -> Iterator[Finding]:
    """Findings about the conditions of one statement."""
    if "Condition" in found.value:
        yield from _block(found.value["Condition"], (*found.path, "Condition"))
    for condition in found.conditions():
        name = conditions.written(condition.operator)
        if name is None:
            yield _unknown_operator(condition)
            continue
        yield from _values(condition, name)
        yield from _key(condition, name, found)
        for text, path in condition.texts():
            yield from _variable(text, path, name, found.version)


def _block(block: Any, path: Path) -> Iterator[Finding]:
    if not isinstance(block, Mapping):
        yield error("DATA_TYPE_MISMATCH", "Condition is an object of operators.", path)
        return
    if not block:
        yield suggestion("EMPTY_OBJECT_CONDITION", "An empty Condition asks for nothing: leave it out.", path)
    for operator, keys in block.items():
        if not isinstance(keys, Mapping):
            yield error("DATA_TYPE_MISMATCH", "An operator has an object of condition keys.", (*path, operator))
        elif not keys:
            yield suggestion("EMPTY_OBJECT_CONDITION", f"{operator} asks for nothing.", (*path, operator))


def _unknown_operator(condition: Condition) -> Finding:
    path = condition.path[:-1]
    base = condition.operator.lower().rpartition(":")[2]
    if base == "nullifexists":
        return error("NULL_WITH_IF_EXISTS", "Null asks whether a key is there: IfExists makes no sense.", path)
    return error("INVALID_CONDITION_OPERATOR", f"There is no operator `{condition.operator}`.", path)


def _values(condition: Condition, name: Written) -> Iterator[Finding]:
    texts, path, operator = condition.texts(), condition.path, name.operator.name
    if isinstance(condition.values, Mapping) or condition.values is None:
        yield error(
            "INVALID_CONDITION_DATA_TYPE", "A value is a text, number or boolean, or a list of these.", path
        )
        return
    if not texts:
        code = "EMPTY_ARRAY_CONDITION"
        if name.quantifier:
            code += "_FORALLVALUES" if name.quantifier == "forallvalues" else "_FORANYVALUE"
        elif name.if_exists:
            code += "_IFEXISTS"
        yield suggestion(code, "Without a value the condition never matches.", path)
    if operator == "Null" and name.quantifier:
        yield suggestion("NULL_WITH_QUALIFIER", "Null needs no set operator: its answer would be fixed.", path)
    if operator == "Bool" and len(texts) > 1:
        yield error("INVALID_CONDITION_MULTIPLE_BOOLEAN", "A boolean has one value.", path)
    for text, where in texts:
        if "${" not in text:
            yield from _typed(text, where, operator)
            if operator in _LITERAL and re.search(r"[*?]", text):
                details = f"{operator} takes `{text}` as it is; for wildcards use StringLike."
                yield warning("WILDCARD_WITHOUT_LIKE_OPERATOR", details, where)


def _typed(text: str, path: Path, operator: str) -> Iterator[Finding]:
    if operator.startswith("Numeric") and values.number(text) is None:
        yield warning("TYPE_MISMATCH_NUMBER", f"`{text}` is no number: it never matches.", path)
    elif operator.startswith("Date") and values.instant(text) is None:
        yield warning("TYPE_MISMATCH_DATE", f"`{text}` is no date: it never matches.", path)
    elif operator in ("Bool", "Null") and values.truth(text) is None:
        yield warning("TYPE_MISMATCH_BOOLEAN", f"`{text}` is neither true nor false: it never matches.", path)
    elif operator in ("IpAddress", "NotIpAddress"):
        yield from _address(text, path, negated=operator == "NotIpAddress")
    elif operator == "BinaryEquals" and values.binary(text) is None:
        yield warning("TYPE_MISMATCH_STRING", f"`{text}` is not base64: it never matches.", path)
    elif operator.startswith("Arn") and not text.startswith("arn:") and "*" not in text:
        yield warning("TYPE_MISMATCH", f"`{text}` is no ARN: it never matches.", path)


def _address(text: str, path: Path, *, negated: bool) -> Iterator[Finding]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        yield warning("TYPE_MISMATCH_IP_RANGE", f"`{text}` is no range of addresses: it never matches.", path)
        return
    if "/" in text and str(network.network_address) != text.partition("/")[0].lower():
        yield suggestion("IMPROVE_IP_RANGE", f"The range is {network}: write it so.", path)
    if network.is_private and not network.is_loopback and network.version == 4:
        code = "PRIVATE_NOTIPADDRESS_SUBSET" if negated else "PRIVATE_IP_ADDRESS_SUBSET"
        yield suggestion(code, "Private addresses are seen only by a server in the same network.", path)


def _key(condition: Condition, name: Written, found: Statement) -> Iterator[Finding]:
    key, path = condition.key, condition.path
    prefix, colon, rest = key.partition(":")
    if not colon or not rest:
        if key.lower().endswith("tag/"):
            yield error("MISSING_TAG_KEY_IN_CONDITION", "Name the tag after the slash.", path)
        else:
            yield error("INVALID_CONDITION_KEY_FORMAT", f"`{key}` is not of the form prefix:key.", path)
        return
    if rest.endswith("Tag/"):
        yield error("MISSING_TAG_KEY_IN_CONDITION", "Name the tag after the slash.", path)
        return
    data = actions.load()
    known = data.condition_key(key)
    if key.lower() == "aws:arn":
        yield warning("DEPRECATED_GLOBAL_CONDITION_KEY", "aws:ARN was replaced by aws:PrincipalArn.", path)
    elif known is None and prefix.lower() == "aws":
        yield error("INVALID_GLOBAL_CONDITION_KEY", f"There is no global key `{key}`.", path)
    elif known is None and data.service(prefix) is not None:
        yield error("INVALID_SERVICE_CONDITION_KEY", f"The service {prefix} has no key `{key}`.", path)
    if known is not None:
        yield from _fits(condition, name, known, found)


def _fits(condition: Condition, name: Written, known: ConditionKey, found: Statement) -> Iterator[Finding]:
    """Whether operator and key go together: several values, and their type."""
    path, operator = condition.path, name.operator.name
    if operator == "Null":
        return
    if known.multi_valued and not name.quantifier:
        details = f"{condition.key} has several values: use ForAnyValue: or ForAllValues:."
        yield error("MISSING_QUALIFIER", details, path)
    if name.quantifier == "forallvalues" and not known.multi_valued and found.allows:
        details = f"{condition.key} has one value: ForAllValues also allows requests that do not have it."
        yield security_warning("FORALLVALUES_WITH_SINGLE_VALUED_KEY", details, path)
    family = _family(operator)
    if family is not None and family not in _ACCEPTED.get(known.value_type, (family,)):
        yield warning(
            "TYPE_MISMATCH", f"{condition.key} is of type {known.value_type}; {operator} is not for it.", path
        )
    if _IDS.fullmatch(condition.key):
        for text, where in condition.texts():
            if "*" in text and operator.endswith("Like"):
                yield warning("WILDCARD_WITHOUT_LIKE_OPERATOR", "Ids have no parts: write them out.", where)


_ACCEPTED = {
    "String": ("String",),
    "ARN": ("Arn", "String"),
    "Bool": ("Bool",),
    "Numeric": ("Numeric",),
    "Date": ("Date", "Numeric"),
    "IPAddress": ("IpAddress", "NotIpAddress"),
}


def _family(operator: str) -> str | None:
    families = ("String", "Numeric", "Date", "Bool", "Arn", "IpAddress", "NotIpAddress")
    return next((family for family in families if operator.startswith(family)), None)


def _variable(text: str, path: Path, name: Written, version: str | None) -> Iterator[Finding]:
    if "${" in text and not name.operator.variables:
        yield error("INVALID_VARIABLE_FOR_OPERATOR", f"{name.operator.name} takes no variables.", path)
        return
    yield from variables(text, path, version)
