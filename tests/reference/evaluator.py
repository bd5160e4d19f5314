"""A second evaluator of policies, written from facts/policy.md as literally as could be, and slow.

It shares no code with core/policy and takes plain dictionaries; the tests ask both the same questions. The
question's form is in generator.py.
"""

from __future__ import annotations

from typing import Any

from reference.conditions import expand, letters, pair, wildcard

ALLOWED, EXPLICIT, IMPLICIT = "allowed", "explicitDeny", "implicitDeny"


def many(value: Any) -> list[Any]:
    """Section 1.1: a one-element array equals the bare value."""
    return list(value) if isinstance(value, list) else [value]


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# --- one statement


def action_listed(patterns: list[str], action: str) -> bool:
    """Section 1.4, Action."""
    for pattern in patterns:
        if pattern == "*":
            return True
        prefix, colon, name = pattern.partition(":")
        if not colon or not name or ":" in name or any(letter.isspace() for letter in name):
            continue
        literal = [(letter, True) for letter in (prefix + ":").lower()]
        if wildcard(literal + letters(name.lower()), action.lower()):
            return True
    return False


def resource_listed(pattern: str, q: dict[str, Any], active: bool, whole: bool) -> bool | None:
    """Section 1.4, Resource: True, False, or None where a variable leaves it open."""
    if pattern == "*":
        return True
    fields = pattern.split(":", 5)
    if len(fields) == 1 or (len(fields) < 6 and whole and "*" not in pattern):
        return False
    fields += ["*"] * (6 - len(fields))
    asked = q["resource"].split(":", 5)
    if len(asked) < 6 or asked[0] != "arn":
        return False
    for want, have in zip(fields[:5], asked[:5], strict=True):
        if not wildcard(letters(want.lower()), have.lower()):
            return False
    tail = expand(fields[5], q["context"], active)
    return None if tail is None else wildcard(tail, asked[5])


def about(statement: dict[str, Any], q: dict[str, Any], active: bool) -> bool:
    """Whether a statement is about the action, on the resource, in the context."""
    if "Action" in statement:
        if not action_listed(many(statement["Action"]), q["action"]):
            return False
    elif action_listed(many(statement["NotAction"]), q["action"]):
        return False
    deny = statement["Effect"] == "Deny"
    whole = "Principal" in statement or "NotPrincipal" in statement
    if "Resource" in statement:
        if not any(resource_listed(each, q, active, whole) for each in many(statement["Resource"])):
            return False
    elif "NotResource" in statement:
        found = [resource_listed(each, q, active, whole) for each in many(statement["NotResource"])]
        if True in found or (None in found and not deny):
            return False
    elif q["rule"] != "trust":
        return False
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            texts = [as_text(value) for value in many(values)]
            if not pair(operator, key, texts, q["context"], active, deny):
                return False
    return True


# --- principals: sections 1.3, 4.2, 4.3 and 4.8


def listed(element: Any) -> dict[str, list[str]]:
    return {"AWS": ["*"]} if element == "*" else {key: many(values) for key, values in element.items()}


def account_listed(values: list[str], who: dict[str, Any]) -> bool:
    return who["account"] in values or f"arn:{who['partition']}:iam::{who['account']}:root" in values


def grant(element: Any, who: dict[str, Any]) -> str:
    """How Principal names the caller: direct, role, user, account or none."""
    named = listed(element)
    aws, kind = named.get("AWS", []), who["kind"]
    if kind == "provider":
        return "direct" if who["arn"] in named.get("Federated", []) else "none"
    if "*" in aws:
        return "direct"
    if kind == "anonymous":
        return "none"
    if kind == "service":
        return "direct" if who["arn"] in named.get("Service", []) else "none"
    issuer = who["issuer_arn"] in aws or who["unique_id"] in aws
    if kind in ("role", "federated") and who["arn"] in aws:
        return "direct"
    if kind == "user" and issuer:
        return "direct"
    if kind == "role" and issuer:
        return "role"
    if kind == "federated" and issuer and who["unique_id"] != who["account"]:  # section 4.6: `:root` is the account
        return "user"
    return "account" if account_listed(aws, who) else "none"


def named_at_all(element: Any, who: dict[str, Any]) -> bool:
    """Whether the caller is named in any form; `*` is everyone, one whom a provider vouches for included."""
    return "*" in listed(element).get("AWS", []) or grant(element, who) != "none"


def exempt(element: Any, who: dict[str, Any]) -> bool:
    """Section 4.8: whom Deny with NotPrincipal leaves alone."""
    named = listed(element)
    aws, kind = named.get("AWS", []), who["kind"]
    if "*" in aws:
        return True
    if kind == "provider":
        return who["arn"] in named.get("Federated", [])
    if kind == "service":
        return who["arn"] in named.get("Service", [])
    if kind == "anonymous" or not account_listed(aws, who):
        return False
    issuer = who["issuer_arn"] in aws or who["unique_id"] in aws
    if kind == "root":
        return True
    if kind == "user":
        return issuer
    return who["arn"] in aws and issuer


# --- layers


STRENGTH = ("none", "account", "user", "role", "direct")


def of_caller(documents: list[dict[str, Any]] | None, q: dict[str, Any]) -> tuple[bool, bool]:
    """(denies, allows) of policies that name no principal."""
    denies = allows = False
    for document in documents or []:
        active = document.get("Version") == "2012-10-17"
        for statement in many(document["Statement"]):
            if about(statement, q, active):
                if statement["Effect"] == "Deny":
                    denies = True
                elif "Principal" not in statement and "NotPrincipal" not in statement:
                    allows = True
    return denies, allows


def of_resource(
    documents: list[dict[str, Any]] | None, q: dict[str, Any], control: bool = False
) -> tuple[bool, str]:
    """(denies, how the best Allow names the caller) of policies that name principals.

    A resource control policy (`control`) grants nothing: that its Principal is `*` is enough, for anyone.
    """
    who, denies, best = q["principal"], False, "none"
    bounded = q["policies"].get("boundary") is not None
    for document in documents or []:
        active = document.get("Version") == "2012-10-17"
        for statement in many(document["Statement"]):
            if not about(statement, q, active):
                continue
            if statement["Effect"] == "Deny":
                if "Principal" in statement:
                    denies = denies or named_at_all(statement["Principal"], who)
                elif "NotPrincipal" in statement:
                    denies = denies or bounded or not exempt(statement["NotPrincipal"], who)
                continue
            found = "none"
            if "Principal" in statement:
                found = grant(statement["Principal"], who)
                if control and named_at_all(statement["Principal"], who):
                    found = "direct"
            elif "NotPrincipal" in statement:
                found = "none" if named_at_all(statement["NotPrincipal"], who) else "direct"
            if STRENGTH.index(found) > STRENGTH.index(best):
                best = found
    return denies, best


def evaluate(q: dict[str, Any]) -> tuple[str, str | None]:
    """Section 4.2: the decision, and the layer that made it."""
    who, policies = q["principal"], q["policies"]
    kind = who["kind"]
    alone = kind in ("anonymous", "service", "provider")

    scps = [] if alone else [of_caller(level, q) for level in policies["scp"]]
    rcps = [of_resource(level, q, control=True) for level in policies["rcp"]]
    session_policies = policies.get("session")
    if session_policies is None and kind == "federated":
        session_policies = []
    session = None if session_policies is None else of_caller(session_policies, q)
    boundary = None if policies.get("boundary") is None else of_caller(policies["boundary"], q)
    identity = of_caller(policies.get("identity"), q)
    resource_denies, res = of_resource(policies.get("resource"), q)

    for layer, denied in (
        ("scp", any(denies for denies, _ in scps)),
        ("rcp", any(denies for denies, _ in rcps)),
        ("session", session is not None and session[0]),
        ("boundary", boundary is not None and boundary[0]),
        ("identity", identity[0]),
        ("resource", resource_denies),
    ):
        if denied:
            return EXPLICIT, layer

    if not all(allows for _, allows in scps):
        return IMPLICIT, "scp"
    if any(best == "none" for _, best in rcps):
        return IMPLICIT, "rcp"

    if alone:
        return (ALLOWED, "resource") if res == "direct" else (IMPLICIT, "resource")

    def caller_side() -> str | None:
        """The layer of the caller's side that lacks an Allow."""
        if session is not None and not session[1]:
            return "session"
        if boundary is not None and not boundary[1]:
            return "boundary"
        if kind != "root" and not identity[1]:
            return "identity"
        return None

    if who["account"] == q["account"]:
        if res == "direct":
            return ALLOWED, "resource"
        lacking = caller_side()
        if res in ("role", "user"):
            return (IMPLICIT, lacking) if lacking in ("session", "boundary") else (ALLOWED, "resource")
        if lacking:
            return IMPLICIT, lacking
        if q["rule"] in ("key", "trust") and res == "none":
            return IMPLICIT, "resource"
    else:
        if res == "none":
            return IMPLICIT, "resource"
        lacking = caller_side()
        if lacking:
            return IMPLICIT, lacking
    if identity[1]:
        return ALLOWED, "identity"
    return ALLOWED, "resource" if res != "none" else None
