"""Questions with their policies, drawn so that statements are often hit: small alphabets, everything mixed.

A question is a plain dictionary:

    principal  kind, partition, account, arn, issuer_arn, unique_id
    action, resource, account (of the resource), rule (ordinary, key, trust)
    context    condition keys in lower case, each a text or a list of texts
    policies   identity, boundary, session, resource: lists of documents, or None for no such layer;
               scp, rcp: a list of such lists, one for each level
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

HERE, THERE = "111111111111", "222222222222"
ACTIONS = ("s3:GetObject", "s3:PutObject", "kms:Decrypt", "sts:AssumeRole")
ACTION_PATTERNS = (
    "*", "*", "s3:*", "S3:Get*", "s3:?etObject", "s3:GetObject", "s3:getobject", "s3:PutObject", "kms:*", "KMS:decrypt",
    "kms:Dec*pt", "sts:*", "sts:AssumeRole", "s3:", "s3:Get Object", "s3:a:b", "nocolon", "s?:GetObject", "*:GetObject",
)  # fmt: skip
RESOURCES = (
    "*",
    "arn:aws:s3:::bucket/alice/red",
    "arn:aws:s3:::bucket/Alice/red",
    "arn:aws:s3:::bucket/blue:x/*",
    f"arn:aws:kms:us-east-1:{HERE}:key/one",
    f"arn:aws:kms:us-east-1:{THERE}:key/one",
    f"arn:aws:iam::{HERE}:role/path/app",
)
RESOURCE_PATTERNS = (
    "*", "*", "*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/alice/red", "arn:AWS:S3:::bucket/alice/???",
    "arn:aws:s3:::bucket/${aws:username}/*", "arn:aws:s3:::bucket/*/${aws:PrincipalTag/team}", "arn:aws:s3",
    "arn:aws:s3:::bucket/${aws:PrincipalTag/none, 'alice'}/red", "arn:aws:s3:::bucket/blue:x/${*}", "arn:aws:s3:*",
    "arn:aws:s3:::bucket/${app:list}/red", "arn:aws:s3:::bucket/${missing}/red", "arn:aws:s3:::bucket/${bad key}/red",
    "arn:aws:s3:::bucket/${open", "arn:aws:kms:*:*:key/*", f"arn:aws:kms:us-east-?:{HERE}:key/one", "arn:*:*:*:*:*",
    "arn:aws:kms:us-east-1:${aws:username}:key/one", "arn:aws:iam::*:role/path/*", f"arn:aws:iam::{HERE}:role/app",
    "plain", "arn:aws:s3:::bucket/*l*c*/?e*", "arn:aws:s3:::*red", "arn:aws:s3:::bucket/${app:star}/red",
)  # fmt: skip

USER = f"arn:aws:iam::{HERE}:user/team/alice"
ROLE = f"arn:aws:iam::{HERE}:role/path/app"
SESSION = f"arn:aws:sts::{HERE}:assumed-role/app/run"
GUEST = f"arn:aws:sts::{HERE}:federated-user/guest"
ROOT = f"arn:aws:iam::{HERE}:root"
PROVIDER = f"arn:aws:iam::{HERE}:oidc-provider/issuer.example.com"


def who(kind: str, arn: str, issuer: str, unique_id: str, account: str = HERE) -> dict[str, str]:
    """A principal."""
    return {
        "kind": kind, "partition": "aws", "account": account, "arn": arn, "issuer_arn": issuer, "unique_id": unique_id,
    }  # fmt: skip


PRINCIPALS = (
    *(who("user", USER, USER, "AIDAALICE"),) * 4,
    *(who("role", SESSION, ROLE, "AROAAPP"),) * 4,
    who("federated", GUEST, USER, "AIDAALICE"),
    who("federated", GUEST, ROOT, HERE),
    who("root", ROOT, ROOT, HERE),
    who("service", "sns.amazonaws.com", "sns.amazonaws.com", "sns.amazonaws.com", ""),
    who("provider", PROVIDER, PROVIDER, ""),
    who("anonymous", "anonymous", "anonymous", "anonymous", "anonymous"),
)
AWS_VALUES = (
    "*", HERE, HERE, ROOT, USER, USER, ROLE, ROLE, SESSION, GUEST, "AIDAALICE", "AROAAPP", "AROAOTHER", THERE,
    f"arn:aws:iam::{THERE}:user/bob", f"arn:aws:iam::{HERE}:user/alice",
)  # fmt: skip

TEXTS = ("red", "Red", "alice", "", "a*", "${aws:username}", "${missing}", "${missing, 'red'}", "r?d", "*", "${*}")
NUMBERS = ("5", "5.0", "-3", "10", "007", "1.50", "x", ".5")
DATES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01",
    "1767225600",
    "2026-01-01T02:00:00+02:00",
    "2025-12-31t23:59:59.5z",
    "2026",
)
BOOLS = ("true", "false", "TRUE", "no", "${app:flag}")
ADDRESSES = ("192.0.2.7", "192.0.2.0/24", "192.0.2.9/24", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1", "x")
BYTES = ("QmluYXJ5", "cmVk", "!!")
ARNS = (
    USER, "arn:aws:iam::*:user/team/*", "arn:aws:*:*:user/*", "arn:aws:iam::111111111111:user/team/${aws:username}",
    "${aws:PrincipalArn}", "arn:aws:iam::*", "arn:*:*:*:*:*", "notarn", "arn:aws:iam::111111111111:user/*/AL?CE",
)  # fmt: skip

# An operator family: what policies write, what requests hold, and the operators of it.
FAMILIES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        TEXTS,
        ("red", "Red", "alice", "", "a*", "axe"),
        ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"),
    ),
    (
        NUMBERS,
        ("5", "-3", "10.0", "x", "1.5"),
        (
            "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ),
    ),
    (
        DATES,
        ("2026-01-01T00:00:00Z", "1767225601", "2025-06-01", "x"),
        ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    ),
    (BOOLS, ("true", "false", "False", "x"), ("Bool",)),
    (BYTES, ("QmluYXJ5", "cmVk", "!"), ("BinaryEquals",)),
    (ADDRESSES, ("192.0.2.7", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.7", "x"), ("IpAddress", "NotIpAddress")),
    (ARNS, (USER, f"arn:aws:iam::{THERE}:user/team/alice", "x"), ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")),
)  # fmt: skip
KEYS = tuple(f"app:Key{index}" for index in range(len(FAMILIES)))


class Aim(NamedTuple):
    """What the question is about, so that many statements can be about it as well."""

    action: str
    resource: str
    principal: dict[str, str]


def question(draw: random.Random) -> dict[str, Any]:
    """A question. The same state of `draw` gives the same one."""
    rule = draw.choices(("ordinary", "key", "trust"), (6, 2, 2))[0]
    resource = {"key": RESOURCES[4], "trust": ROLE}.get(rule) or draw.choice(RESOURCES)
    action = {"key": "kms:Decrypt", "trust": "sts:AssumeRole"}.get(rule) or draw.choice(ACTIONS)
    aim = Aim(action, resource, draw.choice(PRINCIPALS))
    return {
        "principal": aim.principal,
        "action": action,
        "resource": resource,
        "account": draw.choice((HERE, HERE, HERE, THERE)),
        "context": _context(draw),
        "rule": rule,
        "policies": {
            "identity": _documents(draw, aim, "identity", 0.05),
            "boundary": _documents(draw, aim, "identity", 0.8),
            "session": _documents(draw, aim, "identity", 0.8),
            "resource": _documents(draw, aim, rule if rule == "trust" else "resource", 0.2),
            "scp": [_level(draw, aim, "identity") for _ in range(draw.choice((0, 0, 0, 0, 1, 2)))],
            "rcp": [_level(draw, aim, "resource") for _ in range(draw.choice((0, 0, 0, 0, 0, 1)))],
        },
    }


def _context(draw: random.Random) -> dict[str, Any]:
    context: dict[str, Any] = {"aws:username": "alice", "aws:principalarn": USER, "app:list": ["alice", "bob"]}
    if draw.random() < 0.5:
        context["aws:principaltag/team"] = draw.choice(("red", "*", "blue"))
    if draw.random() < 0.3:
        context["app:star"] = "*"
    context["app:flag"] = draw.choice(("true", "false"))
    for key, (_, values, _) in zip(KEYS, FAMILIES, strict=True):
        shape = draw.random()
        if shape < 0.6:
            context[key.lower()] = draw.choice(values)
        elif shape < 0.8:
            context[key.lower()] = [draw.choice(values) for _ in range(draw.choice((0, 1, 1, 2, 3)))]
    return context


def _documents(draw: random.Random, aim: Aim, kind: str, absent: float) -> list[dict[str, Any]] | None:
    if draw.random() < absent:
        return None
    return [document(draw, aim, kind) for _ in range(draw.choice((1, 1, 2, 2, 0)))]


def _level(draw: random.Random, aim: Aim, kind: str) -> list[dict[str, Any]]:
    full = {"Effect": "Allow", "Action": "*", "Resource": "*"} | ({"Principal": "*"} if kind == "resource" else {})
    everything: list[dict[str, Any]] = [{"Version": "2012-10-17", "Statement": full}]
    return (everything if draw.random() < 0.7 else []) + (_documents(draw, aim, kind, 0.4) or [])


def document(draw: random.Random, aim: Aim, kind: str) -> dict[str, Any]:
    """A policy document of a kind: identity, resource or trust."""
    statements = [_statement(draw, aim, kind) for _ in range(draw.choice((1, 1, 2, 3)))]
    written: dict[str, Any] = {"Statement": statements[0] if len(statements) == 1 else statements}
    version = draw.choices(("2012-10-17", "2008-10-17", None), (8, 1, 1))[0]
    return {"Version": version, **written} if version else written


def _statement(draw: random.Random, aim: Aim, kind: str) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": draw.choices(("Allow", "Deny"), (7, 2))[0]}
    if (kind != "identity" or draw.random() < 0.02) and draw.random() < 0.97:
        name = "NotPrincipal" if draw.random() < 0.12 else "Principal"
        aimed = name == "Principal" and draw.random() < 0.7
        statement[name] = _aimed_principal(draw, aim.principal) if aimed else _principal(draw)
    if draw.random() < 0.1:
        statement["NotAction"] = _some(draw, ACTION_PATTERNS[2:])
    elif draw.random() < 0.7:
        statement["Action"] = draw.choice(
            ("*", aim.action, aim.action.upper(), aim.action.partition(":")[0] + ":*")
        )
    else:
        statement["Action"] = _some(draw, ACTION_PATTERNS)
    if kind != "trust" and draw.random() < 0.97:
        if draw.random() < 0.12:
            statement["NotResource"] = _some(draw, RESOURCE_PATTERNS[3:])
        elif draw.random() < 0.5:
            statement["Resource"] = draw.choice(
                ("*", aim.resource, aim.resource[:-3] + "*", [aim.resource[:-1] + "?"])
            )
        else:
            statement["Resource"] = _some(draw, RESOURCE_PATTERNS)
    if draw.random() < 0.35:
        statement["Condition"] = _conditions(draw)
    return statement


def _aimed_principal(draw: random.Random, principal: dict[str, str]) -> Any:
    match principal["kind"]:
        case "service":
            return {"Service": principal["arn"]}
        case "provider":
            return {"Federated": principal["arn"]}
        case "anonymous":
            return "*"
    forms = ("arn", "issuer_arn", "unique_id", "account", "account")
    return {"AWS": principal[draw.choice(forms)]}


def _some(draw: random.Random, values: tuple[str, ...]) -> Any:
    count = draw.choice((1, 1, 1, 2, 3))
    return draw.choice(values) if draw.random() < 0.5 else [draw.choice(values) for _ in range(count)]


def _principal(draw: random.Random) -> Any:
    if draw.random() < 0.1:
        return "*"
    named: dict[str, Any] = {}
    if draw.random() < 0.9:
        named["AWS"] = _some(draw, AWS_VALUES)
    if draw.random() < 0.15:
        named["Service"] = draw.choice(("sns.amazonaws.com", ["sqs.amazonaws.com", "sns.amazonaws.com"]))
    if draw.random() < 0.15:
        named["Federated"] = draw.choice((PROVIDER, "accounts.google.com"))
    return named


def _conditions(draw: random.Random) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for _ in range(draw.choice((1, 1, 2))):
        place = draw.randrange(len(FAMILIES))
        key = draw.choice((KEYS[place], KEYS[place].upper(), "app:Missing" if draw.random() < 0.3 else KEYS[place]))
        if draw.random() < 0.08:
            operator, values = (
                draw.choice(("Null", "Null", "ForAllValues:Null", "ForAnyValue:Null")),
                ("true", "false", "x"),
            )
        else:
            values, _, operators = FAMILIES[place]
            operator = draw.choice(operators)
            operator = draw.choices(("", "ForAllValues:", "ForAnyValue:"), (7, 2, 2))[0] + operator
            operator += "IfExists" if draw.random() < 0.2 else ""
        if draw.random() < 0.05:
            operator = operator.lower()
        given: Any = [] if draw.random() < 0.03 else _some(draw, values)
        if operator.lower().endswith("bool") and draw.random() < 0.2:
            given = draw.random() < 0.5
        block.setdefault(operator, {})[key] = given
    return block
