"""Findings about the elements of a policy: which may be there, of what form. facts/policy.md sections 1 and 7.1."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.analysis.findings import Finding, PolicyKind, Statement, error, statements, suggestion, warning
from bailiwick.core.policy import syntax
from bailiwick.core.policy.places import Path

_SIZES = {
    PolicyKind.IDENTITY: (6144, "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA"),
    PolicyKind.RESOURCE: (20_480, "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA"),
    PolicyKind.TRUST: (2048, "POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA"),
    PolicyKind.SCP: (10_240, "POLICY_SIZE_EXCEEDS_SCP_QUOTA"),
    PolicyKind.RCP: (5120, "POLICY_SIZE_EXCEEDS_RCP_QUOTA"),
}
_CONTROL = (PolicyKind.SCP, PolicyKind.RCP)
_PAIRS = ("Action", "Resource", "Principal")


def document(value: object, text: str, kind: PolicyKind) -> Iterator[Finding]:
    """Findings about the document as a whole."""
    if not isinstance(value, Mapping):
        yield error("DATA_TYPE_MISMATCH", "A policy is a JSON object.", ())
        return
    yield from _unknown(value, syntax.DOCUMENT_ELEMENTS, ())
    yield from _version(value)
    yield from _statement_element(value)
    yield from _sids(value, kind)
    most, code = _SIZES[kind]
    size = len(text) if kind in _CONTROL else len(re.sub(r"\s", "", text))
    if size > most:
        make = error if kind in _CONTROL else warning
        yield make(code, f"The policy has {size} characters; the quota is {most}.", ())


def statement(found: Statement, kind: PolicyKind) -> Iterator[Finding]:
    """Findings about the elements of one statement."""
    value, path = found.value, found.path
    yield from _unknown(value, syntax.STATEMENT_ELEMENTS, path)
    yield from _effect(value, path)
    for name in _PAIRS:
        if name in value and f"Not{name}" in value:
            yield error("UNSUPPORTED_ELEMENT_COMBINATION", f"{name} and Not{name} exclude each other.", path)
    if "Action" not in value and "NotAction" not in value:
        yield error("MISSING_ACTION", "The statement has neither Action nor NotAction.", path)
    yield from _resource(value, path, kind)
    yield from _principal(value, path, kind)
    if kind is PolicyKind.RCP and "NotAction" in value:
        yield error("UNSUPPORTED_ELEMENT_COMBINATION", "A resource control policy has no NotAction.", path)
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        yield from _list_of_texts(value, name, path)


def _unknown(value: Mapping[str, Any], known: frozenset[str], path: Path) -> Iterator[Finding]:
    by_case = {name.lower(): name for name in known}
    for name in value:
        if name not in known:
            right = by_case.get(name.lower())
            hint = f" Write it `{right}`." if right else f" Known are {', '.join(sorted(known))}."
            yield error("INVALID_POLICY_ELEMENT", f"There is no element `{name}`.{hint}", (*path, name))
    seen: dict[str, str] = {}
    for name in value:
        if name.lower() in seen:
            yield error("DUPLICATE_KEYS_WITH_DIFFERENT_CASE", f"`{name}` is there twice.", (*path, name))
        seen[name.lower()] = name


def _version(value: Mapping[str, Any]) -> Iterator[Finding]:
    version = value.get("Version")
    if version is None:
        yield warning(
            "MISSING_VERSION", 'Without Version, variables are plain text. Add "Version": "2012-10-17".', ()
        )
    elif version not in ("2012-10-17", "2008-10-17"):
        yield error("INVALID_VERSION", "Version is 2012-10-17, or for old policies 2008-10-17.", ("Version",))


def _statement_element(value: Mapping[str, Any]) -> Iterator[Finding]:
    given = value.get("Statement")
    if given is None or given in ([], {}):
        yield error("MISSING_STATEMENT", "The policy has no statement.", ())
    elif not isinstance(given, list | Mapping):
        yield error("DATA_TYPE_MISMATCH", "Statement is an object or a list of objects.", ("Statement",))
    elif isinstance(given, list):
        for index, item in enumerate(given):
            if not isinstance(item, Mapping):
                yield error("DATA_TYPE_MISMATCH", "A statement is an object.", ("Statement", index))


def _sids(value: Mapping[str, Any], kind: PolicyKind) -> Iterator[Finding]:
    seen: set[str] = set()
    for found in statements(value):
        sid, path = found.value.get("Sid"), (*found.path, "Sid")
        if "Sid" not in found.value:
            continue
        if not isinstance(sid, str):
            yield error("DATA_TYPE_MISMATCH", "Sid is a text.", path)
        elif sid == "":
            yield suggestion("EMPTY_SID_VALUE", "Give the statement an id, or leave Sid out.", path)
        else:
            if kind is not PolicyKind.RESOURCE and not re.fullmatch(r"[A-Za-z0-9]*", sid):
                yield error("UNSUPPORTED_SID", "Sid holds letters and digits alone.", path)
            if sid in seen:
                make = warning if kind is PolicyKind.RESOURCE else error
                code = "UNIQUE_SIDS_RECOMMENDED" if kind is PolicyKind.RESOURCE else "UNIQUE_SIDS_REQUIRED"
                yield make(code, f"Two statements have the Sid `{sid}`.", path)
            seen.add(sid)


def _effect(value: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if "Effect" not in value:
        yield error("MISSING_EFFECT", "The statement has no Effect.", path)
    elif value["Effect"] not in ("Allow", "Deny"):
        yield error("INVALID_EFFECT", "Effect is `Allow` or `Deny`, in this case of letters.", (*path, "Effect"))


def _resource(value: Mapping[str, Any], path: Path, kind: PolicyKind) -> Iterator[Finding]:
    has = [name for name in ("Resource", "NotResource") if name in value]
    if kind is PolicyKind.TRUST:
        for name in has:
            details = f"The resource of a trust policy is its role: leave {name} out."
            yield error("ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE", details, (*path, name))
    elif not has:
        yield error("MISSING_RESOURCE", "The statement has neither Resource nor NotResource.", path)


def _principal(value: Mapping[str, Any], path: Path, kind: PolicyKind) -> Iterator[Finding]:
    has = [name for name in ("Principal", "NotPrincipal") if name in value]
    if kind.names_principals and not has:
        yield error("MISSING_PRINCIPAL", "The statement names nobody: add Principal.", path)
    for name in has:
        if kind is PolicyKind.SCP:
            yield error("SCP_SYNTAX_ERROR_PRINCIPAL", f"A service control policy has no {name}.", (*path, name))
        elif not kind.names_principals:
            yield error("UNSUPPORTED_PRINCIPAL", f"A policy of an identity has no {name}.", (*path, name))
        elif kind is PolicyKind.TRUST and name == "NotPrincipal":
            details = "A trust policy has no NotPrincipal."
            yield error("ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL", details, (*path, name))


def _list_of_texts(value: Mapping[str, Any], name: str, path: Path) -> Iterator[Finding]:
    given = value.get(name)
    if name not in value or isinstance(given, str):
        return
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        yield error("DATA_TYPE_MISMATCH", f"{name} is a text or a list of texts.", (*path, name))
    elif not given:
        code = "EMPTY_ARRAY_ACTION" if name.endswith("Action") else "EMPTY_ARRAY_RESOURCE"
        yield suggestion(code, f"{name} is an empty list: the statement does nothing.", (*path, name))
