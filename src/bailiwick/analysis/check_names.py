"""Findings about what Action and Resource name. facts/policy.md sections 1.4, 1.5 and 7.1."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bailiwick.analysis import actions
from bailiwick.analysis.findings import Finding, PolicyKind, Statement, error, suggestion
from bailiwick.core.policy.checks_identity import PARTITIONS
from bailiwick.core.policy.patterns import glob, pieces
from bailiwick.core.policy.places import Path

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_TRUST_PREFIXES = ("sts", "*")


def statement(found: Statement, kind: PolicyKind) -> Iterator[Finding]:
    """Findings about the actions and resources of one statement."""
    for text, path in found.texts("Action", "NotAction"):
        yield from _action(text, path, kind)
    for text, path in found.texts("Resource", "NotResource"):
        yield from _resource(text, path)
        yield from variables(text, path, found.version)
    for name in ("Action", "Resource"):
        yield from _redundant(list(found.texts(name)), name)


def _action(text: str, path: Path, kind: PolicyKind) -> Iterator[Finding]:
    if "${" in text:
        yield error("VARIABLE_UNSUPPORTED_IN_ELEMENT", "Action takes no variables.", path)
        return
    if text == "*":
        return
    prefix, colon, name = text.partition(":")
    if not colon or not name or ":" in name:
        yield error("INVALID_ACTION", f"`{text}` is not of the form service:Action.", path)
        return
    if "*" in prefix or "?" in prefix:
        yield suggestion(
            "WILDCARD_IN_SERVICE_NAME", f"No service matches `{prefix}`: wildcards belong in the name.", path
        )
        return
    data = actions.load()
    if data.service(prefix) is None:
        yield error("INVALID_SERVICE_IN_ACTION", f"There is no service `{prefix}`.", path)
    elif not data.expand(text):
        yield error("INVALID_ACTION", f"The service {prefix} has no action `{name}`.", path)
    elif kind is PolicyKind.TRUST and prefix.lower() not in _TRUST_PREFIXES:
        yield error("UNSUPPORTED_ACTION_IN_POLICY", "A trust policy is about actions of sts.", path)
    elif kind is PolicyKind.RCP and prefix.lower() not in data.rcp_services:
        yield error("UNSUPPORTED_ACTION_IN_POLICY", f"Resource control policies do not apply to {prefix}.", path)


def _resource(text: str, path: Path) -> Iterator[Finding]:
    if text == "*":
        return
    fields = _VARIABLE.sub("*", text).split(":", 5)
    if fields[0] != "arn":
        yield error("INVALID_ARN_PREFIX", f"`{text}` is neither `*` nor an ARN.", path)
    elif len(fields) < 6:
        yield error("MISSING_ARN_FIELD", "An ARN is arn:partition:service:region:account:resource.", path)
    else:
        yield from _fields(fields, path)


def _fields(fields: list[str], path: Path) -> Iterator[Finding]:
    _, partition, service, region, account, resource = fields
    if not _wild(partition) and partition not in PARTITIONS:
        yield error("INVALID_PARTITION", f"There is no partition `{partition}`.", path)
    if not _wild(service):
        if service != service.lower():
            yield error(
                "INVALID_ARN_SERVICE_CASE", f"The service of an ARN is in lower case: `{service.lower()}`.", path
            )
        elif not service or (actions.load().service(service) is None and service not in _UNLISTED):
            yield error("INVALID_SERVICE", f"There is no service `{service}`.", path)
    if not _wild(region) and region and not re.fullmatch(r"[a-z]{2}(?:-[a-z]+)+-[0-9]", region):
        yield error("INVALID_ARN_REGION", f"`{region}` is no region.", path)
    if not _wild(account) and account not in ("", "aws") and not re.fullmatch(r"[0-9]{12}", account):
        yield error("INVALID_ARN_ACCOUNT", f"`{account}` is no account id: 12 digits.", path)
    if service == "iam" and region:
        yield error("ARN_REGION_NOT_ALLOWED", "IAM's ARNs have no region.", path)
    if service == "s3" and not resource.startswith(("accesspoint", "job", "storage-lens")):
        if region:
            yield error("ARN_REGION_NOT_ALLOWED", "The ARN of a bucket or object has no region.", path)
        if account:
            yield error("ARN_ACCOUNT_NOT_ALLOWED", "The ARN of a bucket or object has no account.", path)
    if not resource:
        yield error("INVALID_ARN_RESOURCE", "The ARN names no resource.", path)


_UNLISTED = frozenset({"elasticloadbalancing", "aws-marketplace", "oam"})


def _wild(text: str) -> bool:
    return "*" in text or "?" in text


def variables(text: str, path: Path, version: str | None) -> Iterator[Finding]:
    """Findings about the variables in a text, where variables may be."""
    if "${" not in text:
        return
    if version != "2012-10-17":
        details = 'This is plain text: variables need "Version": "2012-10-17".'
        yield error("VARIABLE_UNSUPPORTED_IN_VERSION", details, path)
        return
    if text.count("${") > len(_VARIABLE.findall(text)):
        yield error("MISSING_BRACE_IN_VARIABLE", "A variable is not closed with `}`.", path)
    for body in _VARIABLE.findall(text):
        key, comma, default = body.partition(",")
        if not body.strip():
            yield error("EMPTY_VARIABLE", "`${}` names no key.", path)
        elif comma and not re.fullmatch(r" '[^']*'", default):
            yield error("MISSING_QUOTE_IN_VARIABLE", "A default is written ${key, 'text'}.", path)
        elif any(letter.isspace() for letter in key):
            yield error("UNSUPPORTED_SPACE_IN_VARIABLE", f"`{key}` holds a space.", path)


def _redundant(texts: list[tuple[str, Path]], name: str) -> Iterator[Finding]:
    """Entries that another entry of the same list covers."""
    matchers = [(text, glob(pieces(text.lower() if name == "Action" else text))) for text, _ in texts]
    for index, (text, path) in enumerate(texts):
        folded = text.lower() if name == "Action" else text
        for other, (wider, matches) in enumerate(matchers):
            same = wider == text
            if other != index and "${" not in text + wider and matches(folded) and (not same or other < index):
                yield suggestion(f"REDUNDANT_{name.upper()}", f"`{wider}` covers `{text}`.", path)
                break
