"""A question and its policies as plain JSON: what `bailiwick policy evaluate` and `policy test` read.

    {"principal": "arn:aws:iam::111122223333:user/alice",
     "action": "s3:GetObject",
     "resource": "arn:aws:s3:::logs/today",
     "resource_account": "111122223333",
     "context": {"aws:SourceIp": "192.0.2.1", "aws:TagKeys": ["team"]},
     "policies": {"identity": [...], "boundary": ..., "session": ..., "resource": ..., "scp": [[...]], "rcp": ...}}

Names of members are read without regard to case, `_` and `-`. What follows from the question itself (the
principal's keys, the resource's account) is filled in where `context` does not say otherwise; nothing else is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bailiwick.core import arn
from bailiwick.core.errors import ArnError, PolicyError
from bailiwick.core.policy import syntax
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Principal, PrincipalKind, Question, Rule, Value

FULL_ACCESS = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
)
"""RCPFullAWSAccess, which is attached at every level and cannot be taken away (facts/policy.md section 4.1)."""

# facts/policy.md section 4.1, "RCP services seen in the current data set"
RCP_SERVICES = frozenset(
    (
        *("aoss", "appconfig", "appstream", "autoscaling", "budgets", "cloudfront"),
        *("codeartifact", "codebuild", "codecommit", "codepipeline", "cognito-identity", "cognito-idp"),
        *("dax", "dsql", "dynamodb", "ecr", "ecr-public", "events"),
        *("firehose", "fis", "kms", "logs", "memorydb", "rolesanywhere"),
        *("s3", "secretsmanager", "servicediscovery", "signin", "sqs", "sts"),
        *("swf", "transfer", "wafv2", "workspaces", "xray"),
    )
)

_MEMBERS = frozenset({"principal", "action", "resource", "resourceaccount", "context", "policies", "rule", "id"})
_LAYERS = {
    "identity": "identity",
    "identitypolicies": "identity",
    "boundary": "boundary",
    "permissionsboundary": "boundary",
    "session": "session",
    "sessionpolicies": "session",
    "resource": "resource",
    "resourcepolicy": "resource",
    "trust": "resource",
    "scp": "scp",
    "scps": "scp",
    "rcp": "rcp",
    "rcps": "rcp",
}
_SERVICE = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazon\.com)", re.IGNORECASE)
_ACCOUNT = re.compile(r"[0-9]{12}")
_TRUST_ACTIONS = ("sts:assumerole", "sts:tagsession", "sts:setsourceidentity", "sts:setcontext")


class AskedWrongly(ValueError):
    """The question cannot be read; the text says what is wrong with it."""


class Asking(NamedTuple):
    """A question and the layers that it is to be asked of."""

    question: Question
    layers: Layers


def read(value: object) -> Asking:
    """Read a question. Raises AskedWrongly."""
    members = _members(value, _MEMBERS, "the question")
    for needed in ("principal", "action", "resource"):
        if needed not in members:
            raise AskedWrongly(f"`{needed}` is missing")
    policies = {_known_layer(name): given for name, given in _object(members.get("policies") or {}).items()}
    principal, keys = principal_of(members["principal"])
    action, resource = _text(members["action"], "action"), _text(members["resource"], "resource")
    account = _text(
        members.get("resourceaccount") or _account_of(resource) or principal.account, "resource_account"
    )
    keys["aws:resourceaccount"] = account
    layers = _layers(policies, principal, action)
    question = Question(
        principal=principal,
        action=action,
        resource=resource,
        account=account,
        context={**keys, **context_of(members.get("context") or {})},
        rule=_rule(members.get("rule"), action, resource, layers),
    )
    return Asking(question, layers)


# --- who


def principal_of(value: object) -> tuple[Principal, dict[str, Value]]:
    """The principal that a text names, or an object with `arn` and, for sessions, `role` or `user` and `id`.

    Texts: the ARN of a user, role, session, root user or identity provider; an account id (its root user);
    the name of a service; `*` or `anonymous`. Returned with its condition keys. Raises AskedWrongly.
    """
    members = (
        {"arn": value}
        if isinstance(value, str)
        else _members(value, frozenset({"arn", "role", "user", "id", "tags"}), "the principal")
    )
    text = _text(members.get("arn"), "principal")
    issuer = members.get("role") or members.get("user")
    principal = _principal(text, _text(issuer, "role") if issuer else None, _text(members.get("id") or "", "id"))
    keys = _principal_keys(principal)
    for name, tag in _object(members.get("tags") or {}).items():
        keys[f"aws:principaltag/{name.lower()}"] = _text(tag, "tags")
    return principal, keys


def _principal(text: str, issuer: str | None, unique_id: str) -> Principal:
    if text in ("*", "anonymous"):
        return Principal(PrincipalKind.ANONYMOUS, "aws", "anonymous", "anonymous", "anonymous", "anonymous")
    if _ACCOUNT.fullmatch(text):
        text = arn.root("aws", text)
    if _SERVICE.fullmatch(text):
        return Principal(PrincipalKind.SERVICE, "aws", "", text, text, text)
    try:
        found = arn.parse(text)
    except ArnError:
        raise AskedWrongly(f"`{text}` names no principal") from None
    kind, _, name = found.resource.partition("/")
    known = _KINDS.get((found.service, kind))
    if known is None or not _ACCOUNT.fullmatch(found.account):
        raise AskedWrongly(f"`{text}` names no principal")
    if known is PrincipalKind.ROLE and kind == "assumed-role":
        issuer = issuer or f"arn:{found.partition}:iam::{found.account}:role/{name.partition('/')[0]}"
    if known is PrincipalKind.ROOT:
        unique_id = found.account
    return Principal(known, found.partition, found.account, text, issuer or text, unique_id or issuer or text)


_KINDS = {
    ("iam", "root"): PrincipalKind.ROOT,
    ("iam", "user"): PrincipalKind.USER,
    ("iam", "role"): PrincipalKind.ROLE,
    ("sts", "assumed-role"): PrincipalKind.ROLE,
    ("sts", "federated-user"): PrincipalKind.FEDERATED,
    ("iam", "saml-provider"): PrincipalKind.PROVIDER,
    ("iam", "oidc-provider"): PrincipalKind.PROVIDER,
    ("iam", "ldap-provider"): PrincipalKind.PROVIDER,
}
_TYPES = {
    PrincipalKind.ROOT: "Account",
    PrincipalKind.USER: "User",
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.FEDERATED: "FederatedUser",
}


def _principal_keys(who: Principal) -> dict[str, Value]:
    """The keys that follow from who asks (facts/policy.md section 3.1)."""
    if who.kind is PrincipalKind.ANONYMOUS:
        return {"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous", "aws:userid": "anonymous"}
    if who.kind is PrincipalKind.SERVICE:
        return {
            "aws:principalisawsservice": "true",
            "aws:principalservicename": who.arn,
            "aws:principalservicenameslist": (who.arn,),
        }
    if who.kind is PrincipalKind.PROVIDER:
        return {"aws:federatedprovider": who.arn}
    federated = who.kind is PrincipalKind.FEDERATED
    keys: dict[str, Value] = {
        "aws:principalarn": who.arn if federated else who.issuer_arn,
        "aws:principalaccount": who.account,
        "aws:principaltype": _TYPES[who.kind],
        "aws:principalisawsservice": "false",
    }
    name = who.arn.rpartition("/")[2]
    if who.kind is PrincipalKind.USER:
        keys["aws:username"] = name
    if federated:
        keys["aws:userid"] = f"{who.account}:{name}"
    elif who.unique_id != who.issuer_arn:
        keys["aws:userid"] = f"{who.unique_id}:{name}" if who.arn != who.issuer_arn else who.unique_id
    return keys


# --- on what, in which context


def _account_of(resource: str) -> str | None:
    try:
        account = arn.parse(resource).account
    except ArnError:
        return None
    return account if _ACCOUNT.fullmatch(account) else None


def _rule(given: object, action: str, resource: str, layers: Layers) -> Rule:
    """How the layers combine. Keys and roles have rules of their own, once their policy is known."""
    if given is not None:
        try:
            return Rule(str(given))
        except ValueError:
            raise AskedWrongly(f"`rule` is one of {', '.join(Rule)}") from None
    if layers.resource is not None and re.match(r"arn:[^:]*:kms:[^:]*:[^:]*:key/", resource):
        return Rule.KEY
    if re.match(r"arn:[^:]*:iam::[^:]*:role/", resource) and action.lower().startswith(_TRUST_ACTIONS):
        return Rule.TRUST if layers.resource is not None else Rule.ORDINARY
    return Rule.ORDINARY


def context_of(value: object) -> dict[str, Value]:
    """Condition keys with their values: a text, number or boolean, or a list of these; null is absent."""
    found: dict[str, Value] = {}
    for key, given in _object(value).items():
        if given is not None:
            found[key.lower()] = tuple(map(_scalar, given)) if isinstance(given, list) else _scalar(given)
    return found


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise AskedWrongly("a value of the context is a text, a number, a boolean, or a list of these")


# --- policies


def _layers(policies: Mapping[str, Any], principal: Principal, action: str) -> Layers:
    linked = ":role/aws-service-role/" in principal.issuer_arn  # control policies do not bind those roles
    scps = () if linked else _levels(policies.get("scp"), "scp")
    rcps = (
        ()
        if linked or action.lower().partition(":")[0] not in RCP_SERVICES
        else _levels(policies.get("rcp"), "rcp")
    )
    full = Attached(compile_policy(FULL_ACCESS), "RCPFullAWSAccess")
    return Layers(
        identity=_layer(policies.get("identity"), "identity") or Layer.EMPTY,
        boundary=_layer(policies.get("boundary"), "boundary"),
        session=_layer(policies.get("session"), "session"),
        resource=_layer(policies.get("resource"), "resource"),
        scps=scps,
        rcps=tuple(Layer((*level.policies, full)) for level in rcps),
    )


def _levels(value: object, name: str) -> tuple[Layer, ...]:
    """A list of lists has a level in each; anything else is one level."""
    if isinstance(value, list) and value and all(isinstance(each, list) for each in value):
        return tuple(_layer(each, f"{name}[{level}]") or Layer.EMPTY for level, each in enumerate(value))
    layer = _layer(value, name)
    return (layer,) if layer else ()


def _layer(value: object, name: str) -> Layer | None:
    """The policies of one kind; None where there are none."""
    given = value if isinstance(value, list) else [value] if value else []
    return Layer(_attached(each, f"{name}[{index}]") for index, each in enumerate(given)) if given else None


def _attached(value: object, name: str) -> Attached:
    """A policy: its document as an object or as text, or {"name": ..., "policy": document}."""
    if isinstance(value, Mapping) and "Statement" not in value:
        members = _members(value, frozenset({"name", "arn", "policy", "document"}), name)
        document = members.get("policy") or members.get("document")
        given = members.get("arn")
        name = str(members.get("name") or given or name)
        return _compiled(document, name, str(given) if given else None)
    return _compiled(value, name, None)


def _compiled(document: object, name: str, policy_arn: str | None) -> Attached:
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    try:
        syntax.parse(text)
    except PolicyError as error:
        raise AskedWrongly(f"{name}: {error}") from None
    compiled = compile_policy(text)
    if not compiled.readable:
        raise AskedWrongly(f"{name}: Effect is `Allow` or `Deny`, in this case of letters")
    return Attached(compiled, name, policy_arn)


# --- reading


def _known_layer(name: str) -> str:
    known = _LAYERS.get(_plain(name))
    if known is None:
        raise AskedWrongly(f"`{name}` is no layer of policies: identity, boundary, session, resource, scp or rcp")
    return known


def _members(value: object, known: Iterable[str], what: str) -> dict[str, Any]:
    members = {_plain(name): given for name, given in _object(value).items()}
    unknown = set(members) - set(known)
    if unknown:
        raise AskedWrongly(f"{what} has no member `{min(unknown)}`")
    return members


def _plain(name: str) -> str:
    return re.sub(r"[_\- ]", "", name).lower()


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AskedWrongly("an object is expected")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise AskedWrongly(f"`{name}` is a text")
    return value
