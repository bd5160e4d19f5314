"""What the tests of the policy engine share: a cast of callers, and short ways to write layers."""

from __future__ import annotations

import json
from typing import Any

from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers, decide
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Context, Decision, Principal, PrincipalKind, Question, Rule

HOME, AWAY = "111111111111", "222222222222"

USER_ARN = f"arn:aws:iam::{HOME}:user/team/alice"
ROLE_ARN = f"arn:aws:iam::{HOME}:role/path/deployer"
SESSION_ARN = f"arn:aws:sts::{HOME}:assumed-role/deployer/run1"
FEDERATED_ARN = f"arn:aws:sts::{HOME}:federated-user/guest"
ROOT_ARN = f"arn:aws:iam::{HOME}:root"
PROVIDER_ARN = f"arn:aws:iam::{HOME}:oidc-provider/issuer.example.com"
USER_ID = "AIDA0000000000000ALIC"
ROLE_ID = "AROA0000000000000DEPL"

USER = Principal(PrincipalKind.USER, "aws", HOME, USER_ARN, USER_ARN, USER_ID)
ROLE = Principal(PrincipalKind.ROLE, "aws", HOME, SESSION_ARN, ROLE_ARN, ROLE_ID)
FEDERATED = Principal(PrincipalKind.FEDERATED, "aws", HOME, FEDERATED_ARN, USER_ARN, USER_ID)
ROOT = Principal(PrincipalKind.ROOT, "aws", HOME, ROOT_ARN, ROOT_ARN, HOME)
SERVICE = Principal(
    PrincipalKind.SERVICE, "aws", "", "lambda.amazonaws.com", "lambda.amazonaws.com", "lambda.amazonaws.com"
)
PROVIDER = Principal(PrincipalKind.PROVIDER, "aws", HOME, PROVIDER_ARN, PROVIDER_ARN, "")
ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "aws", "anonymous", "anonymous", "anonymous", "anonymous")
EVERY_PRINCIPAL = (USER, ROLE, FEDERATED, ROOT, SERVICE, PROVIDER, ANONYMOUS)

ACTION = "kms:Decrypt"
KEY = f"arn:aws:kms:us-east-1:{HOME}:key/abc"
QUESTION = Question(USER, ACTION, KEY, HOME, {})


def policy(*statements: dict[str, Any]) -> str:
    """The text of a policy with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement about every action on everything, but for what is given."""
    base: dict[str, Any] = {"Effect": effect}
    if "NotAction" not in elements:
        base["Action"] = "*"
    if "NotResource" not in elements:
        base["Resource"] = "*"
    return {**base, **elements}


ALLOW_ALL = policy(statement())
DENY_ALL = policy(statement("Deny"))


def layer(*texts: str, pins: dict[str, str] | None = None) -> Layer:
    """A layer of these policies, named p0, p1, ..."""
    return Layer(Attached(compile_policy(text, pins or {}), f"p{index}", None) for index, text in enumerate(texts))


def decision(
    principal: Principal = USER,
    action: str = ACTION,
    on: str = KEY,
    account: str = HOME,
    context: Context | None = None,
    rule: Rule = Rule.ORDINARY,
    **layers: Any,
) -> Decision:
    """The decision about a question that is usual but for what is given."""
    return decide(Question(principal, action, on, account, context or {}, rule), Layers(**layers))


def allows(**question: Any) -> bool:
    """Whether the decision is to allow."""
    return decision(**question).allowed
