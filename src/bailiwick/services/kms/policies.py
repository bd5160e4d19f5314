"""Key policies: every key has one; nobody uses a key that its policy does not open (facts/kms.md section 11)."""

from __future__ import annotations

import json

import msgspec
from sqlalchemy import update

from bailiwick.api import Call, Target, Transaction, ValidationError
from bailiwick.core import arn
from bailiwick.core.errors import ArnError, PolicyError
from bailiwick.core.policy.decide import Layers, decide
from bailiwick.core.policy.document import check_key
from bailiwick.core.policy.question import Question, Rule, Value
from bailiwick.core.policy.render import render
from bailiwick.directory import accounts, entities
from bailiwick.services.kms import records, shapes, tables
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    LimitExceededException,
    MalformedPolicyDocumentException,
    NotFoundException,
)
from bailiwick.services.kms.targets import key_named

DEFAULT_NAME = "default"
_SHARED_NAME = "AWS_RAM"
MAX_BYTES = 32768
_STRANGERS = "Policy contains a statement with one or more invalid principals."
_LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."


def default(call: Call) -> str:
    """The policy of a key that is made without one: the account's identity policies decide."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": arn.root(call.partition, call.account)},
        "Action": "kms:*",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return json.dumps(document, indent=2, separators=(",", " : "))


def checked(call: Call, text: str, key_arn: str, *, bypass: bool) -> dict[str, str]:
    """Check a key policy; returns its pins: what each user and role that it names is now.

    Raises MalformedPolicyDocumentException for what is no policy, names somebody who does not exist, or would lock
    the caller out (unless `bypass`), and LimitExceededException for more than 32,768 bytes.
    """
    try:
        document = check_key(text)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from None
    if len(text.encode()) > MAX_BYTES:
        raise LimitExceededException(f"The policy is larger than {MAX_BYTES} bytes.")
    named = document.principals().get("AWS", ())
    pins = entities.pins(call.transaction, call.partition, named)
    for principal in named:
        if principal not in pins and not exists(call.transaction, call.partition, principal):
            raise MalformedPolicyDocumentException(_STRANGERS)
    if not bypass and not _may_put_policy(call, text, pins, key_arn):
        raise MalformedPolicyDocumentException(_LOCKED_OUT)
    return pins


def of_new(
    call: Call, request: shapes.CreateKeyRequest | shapes.ReplicateKeyRequest, key_arn: str
) -> tuple[str, dict[str, str]]:
    """The policy of a key that is made, and its pins. Raises as `checked` does.

    The default policy locks nobody out: who may make keys need not be allowed to change their policies (the model's
    documentation of CreateKey: "If you provide a key policy, it must meet the following criteria").
    """
    bypass = bool(request.BypassPolicyLockoutSafetyCheck) or request.Policy is None
    policy = default(call) if request.Policy is None else request.Policy
    return policy, checked(call, policy, key_arn, bypass=bypass)


def key_and_policy(call: Call, request: shapes.GetKeyPolicyRequest | shapes.PutKeyPolicyRequest) -> Target:
    """The key, with the name of its policy as a condition key."""
    target = key_named(call, request)
    context: dict[str, Value] = {**target.context, "kms:policyname": request.PolicyName or DEFAULT_NAME}
    if isinstance(request, shapes.PutKeyPolicyRequest):
        bypass = "true" if request.BypassPolicyLockoutSafetyCheck else "false"
        context["kms:bypasspolicylockoutsafetycheck"] = bypass
    return msgspec.structs.replace(target, context=context)


@kms.operation("GetKeyPolicy", on=key_and_policy)
def get_key_policy(call: Call, request: shapes.GetKeyPolicyRequest, key: Key) -> shapes.GetKeyPolicyResponse:
    _check_name(request.PolicyName)
    text = render(key.policy, key.pins, lambda pin: entities.current_arn(call.transaction, call.partition, pin))
    return shapes.GetKeyPolicyResponse(Policy=text, PolicyName=DEFAULT_NAME)


@kms.operation("PutKeyPolicy", on=key_and_policy, writes=True)
def put_key_policy(call: Call, request: shapes.PutKeyPolicyRequest, key: Key) -> None:
    if request.PolicyName == _SHARED_NAME:
        raise ValidationError("The AWS_RAM policy can only be managed by the RAM service")
    _check_name(request.PolicyName)
    pins = checked(call, request.Policy, key.arn, bypass=bool(request.BypassPolicyLockoutSafetyCheck))
    call.transaction.run(
        update(tables.key).where(tables.key.c.arn == key.arn).values(policy=request.Policy, pins=json.dumps(pins))
    )
    call.transaction.changed(records.topic(key.arn))


@kms.operation("ListKeyPolicies", on=key_named)
def list_key_policies(
    call: Call, request: shapes.ListKeyPoliciesRequest, key: Key
) -> shapes.ListKeyPoliciesResponse:
    return shapes.ListKeyPoliciesResponse(PolicyNames=[DEFAULT_NAME], Truncated=False)


def _check_name(name: str | None) -> None:
    if name not in (None, DEFAULT_NAME):
        raise NotFoundException("No such policy exists")


def exists(transaction: Transaction, partition: str, principal: str) -> bool:
    """Whether a principal that is no user's or role's ARN is somebody: everyone, or of an account here."""
    if principal == "*":
        return True
    if principal.isdigit():
        return accounts.find(transaction, principal) is not None
    try:
        parsed = arn.parse(principal)
    except ArnError:
        return entities.current_arn(transaction, partition, principal) is not None
    if parsed.resource.startswith(("user/", "role/")):
        return False  # it would have been found by its ARN
    return parsed.partition == partition and accounts.find(transaction, parsed.account) is not None


def _may_put_policy(call: Call, text: str, pins: dict[str, str], key_arn: str) -> bool:
    """Whether the caller could change the policy again if it were this one."""
    caller = call.caller
    context: dict[str, Value] = {
        **caller.context,
        "kms:policyname": DEFAULT_NAME,
        "kms:calleraccount": call.account,
        "kms:bypasspolicylockoutsafetycheck": "false",
    }
    question = Question(
        caller.principal, "kms:PutKeyPolicy", key_arn, arn.parse(key_arn).account, context, Rule.KEY
    )
    layers = Layers(
        identity=caller.identity,
        boundary=caller.boundary,
        session=caller.session_policy,
        resource=records.compiled(text, pins),
    )
    return decide(question, layers).allowed
