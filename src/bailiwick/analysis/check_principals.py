"""Findings about whom a policy names. facts/policy.md sections 1.3 and 7.1."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bailiwick.analysis.findings import (
    Finding,
    PolicyKind,
    Statement,
    each_text,
    error,
    security_warning,
    suggestion,
    warning,
)
from bailiwick.core.policy.places import Path
from bailiwick.core.policy.syntax import PRINCIPAL_KEYS

_ARN = re.compile(
    r"arn:[a-z-]+:(?:iam::[0-9]{12}:(?:root|(?:user|role)/.+)"
    r"|sts::[0-9]{12}:(?:assumed-role/[^/]+/[^/]+|federated-user/.+))"
)
_ID = re.compile(r"[0-9]{12}|A(?:IDA|ROA)[A-Z0-9]{12,}")
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|amazon\.com)")
_FEDERATED = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:(?:saml|oidc|ldap)-provider/.+|[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_GITHUB = "token.actions.githubusercontent.com"
_SOURCE_KEYS = {"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "sts:externalid"}
_ACTIONS_OF = {
    "SAML": "sts:assumerolewithsaml",
    "LDAP": "sts:assumerolewithldapidentity",
    "OIDC": "sts:assumerolewithwebidentity",
}


def statement(found: Statement, kind: PolicyKind) -> Iterator[Finding]:
    """Findings about Principal and NotPrincipal of one statement."""
    if not kind.names_principals:
        return
    if found.allows and "NotPrincipal" in found.value:
        details = "This allows everyone but those listed, strangers included."
        yield security_warning("ALLOW_WITH_NOTPRINCIPAL", details, (*found.path, "NotPrincipal"))
    for name in ("Principal", "NotPrincipal"):
        if name in found.value:
            yield from _element(found, found.value[name], (*found.path, name), kind)


def _element(found: Statement, value: object, path: Path, kind: PolicyKind) -> Iterator[Finding]:
    if value == "*":
        if kind is PolicyKind.TRUST and path[-1] == "Principal":
            details = 'A trust policy takes {"AWS": "*"} for everyone.'
            yield error("ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL", details, path)
        return
    if not isinstance(value, Mapping):
        yield error("INVALID_PRINCIPAL_FORMAT", "Principal is `*` or an object: AWS, Service, Federated.", path)
        return
    if not value:
        yield suggestion("EMPTY_OBJECT_PRINCIPAL", "It names nobody.", path)
    if kind is PolicyKind.RCP:
        yield error("INVALID_PRINCIPAL_FORMAT", "The Principal of a resource control policy is `*`.", path)
    for key, values in value.items():
        where = (*path, key)
        if key not in PRINCIPAL_KEYS:
            yield error("INVALID_PRINCIPAL_KEY", f"There is no kind of principal `{key}`.", where)
            continue
        if values == []:
            yield suggestion("EMPTY_ARRAY_PRINCIPAL", "It names nobody.", where)
        for text, place in each_text(values, where):
            yield from _named(found, key, text, place, kind)


def _named(found: Statement, key: str, text: str, path: Path, kind: PolicyKind) -> Iterator[Finding]:
    if key == "AWS":
        yield from _aws(text, path)
    elif key == "Service":
        yield from _service(found, text, path)
    elif key == "Federated":
        yield from _federated(found, text, path, kind)


def _aws(text: str, path: Path) -> Iterator[Finding]:
    if text == "*" or _ID.fullmatch(text):
        return
    if "*" in text or "?" in text:
        details = "A principal is `*` or written out; for a pattern use a condition on aws:PrincipalArn."
        yield error("UNSUPPORTED_WILDCARD_IN_PRINCIPAL", details, path)
    elif re.match(r"arn:[a-z-]+:iam::[0-9]{12}:(?:group|instance-profile)/", text):
        yield error("INVALID_PRINCIPAL_FORMAT", "Groups and instance profiles are no principals.", path)
    elif not _ARN.fullmatch(text):
        if re.match(r"arn:[a-z-]+:iam::[0-9]{12}:", text):
            yield warning("INVALID_USER_REFERENCE", f"`{text}` is no user, role or root.", path)
        yield error("INVALID_PRINCIPAL_FORMAT", f"`{text}` names no principal.", path)


def _service(found: Statement, text: str, path: Path) -> Iterator[Finding]:
    if not _SERVICE.fullmatch(text):
        yield error("INVALID_SERVICE_PRINCIPAL_FORMAT", f"`{text}` is no service: such as sns.amazonaws.com.", path)
        return
    assuming = any(action.lower().startswith("sts:") for action in found.actions())
    if found.allows and not assuming and not found.condition_keys() & _SOURCE_KEYS:
        details = "The service may be used by anybody: add a condition on aws:SourceArn or aws:SourceAccount."
        yield security_warning("RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", details, path)


def _federated(found: Statement, text: str, path: Path, kind: PolicyKind) -> Iterator[Finding]:
    if kind is not PolicyKind.TRUST:
        yield error("FEDERATED_PRINCIPAL_NOT_SUPPORTED", "Federated belongs in a trust policy.", path)
        return
    if not _FEDERATED.fullmatch(text):
        details = f"`{text}` is neither the ARN of a provider nor a domain."
        yield error("INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY", details, path)
        return
    protocol = next((each for each in ("SAML", "LDAP") if f":{each.lower()}-provider/" in text), "OIDC")
    wanted, named = _ACTIONS_OF[protocol], [action.lower() for action in found.actions()]
    if named and not any(action in (wanted, "sts:*", "*") or "*" in action for action in named):
        details = f"Someone of this provider calls {wanted}, which the statement is not about."
        yield error("MISMATCHED_ACTION_FOR_PRINCIPAL", details, path)
    if found.allows and protocol == "OIDC":
        yield from _claims(found, text, path)


def _claims(found: Statement, text: str, path: Path) -> Iterator[Finding]:
    """A provider of tokens serves many: the policy must say whose are meant."""
    host = text.partition(":oidc-provider/")[2] or text
    keys = found.condition_keys()
    if host == _GITHUB and not keys & {f"{_GITHUB}:sub", f"{_GITHUB}:job_workflow_ref"}:
        details = f"Every repository of GitHub could take the role: add a condition on {_GITHUB}:sub."
        yield security_warning("MISSING_GITHUB_REPO_CONDITION_KEY", details, path)
    elif not any(key.startswith(f"{host.lower()}:") for key in keys):
        details = f"Everyone with a token of {host} could take the role: add a condition on {host}:sub or :aud."
        yield security_warning("MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL", details, path)
