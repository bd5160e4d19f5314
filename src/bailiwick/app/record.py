"""An event of the pipeline as a CloudTrail record: who, what, on what, why it was decided so.

Source: AWS CloudTrail User Guide, "CloudTrail record contents" (event version 1.11) and "CloudTrail userIdentity
element"; facts/kms.md section 18. `bailiwick` is our own member: the decision, and of a refusal the explanation.
No secret gets in: inputs and outputs pass through loggable.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from bailiwick.api import Caller, Target
from bailiwick.app.loggable import loggable
from bailiwick.core import arn, errors, ids
from bailiwick.core.formats import Session
from bailiwick.core.policy.decide import Ruling
from bailiwick.core.policy.explain import explain
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.pipeline import Event
from bailiwick.wire.refusal import form_of

_MAX_TEXT = 1024  # of what a client says about itself, and of a message

_RESOURCE_TYPES = {
    ("kms", "key"): "AWS::KMS::Key",
    ("kms", "alias"): "AWS::KMS::Alias",
    ("iam", "user"): "AWS::IAM::User",
    ("iam", "group"): "AWS::IAM::Group",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "policy"): "AWS::IAM::Policy",
}


def record_of(event: Event, entropy: ids.Entropy) -> dict[str, Any]:
    """The record of `event`, ready to be written as JSON; `entropy` makes its event id."""
    route = event.route
    changes = route is not None and route.operation.writes
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity_of(event.caller, event.access_key_id),
        "eventTime": _time(event.time),
        "eventSource": f"{route.service.signing_name}.amazonaws.com" if route else "bailiwick.amazonaws.com",
        "eventName": route.operation.name if route else "UnknownOperation",
        "awsRegion": event.region,
        "sourceIPAddress": event.source,
        "userAgent": event.user_agent[:_MAX_TEXT],
    }
    if event.error is not None:
        spoken = route.service.protocol if route else "query"
        record["errorCode"] = form_of(event.error, spoken)[0]
        record["errorMessage"] = _first_line(event.error.message)
    record |= {
        "requestParameters": loggable(route.service, route.model.input, event.request) if route else None,
        # CloudTrail leaves the answer of a read and of a cryptographic operation out.
        "responseElements": (
            loggable(route.service, route.model.output, event.response) if route and changes else None
        ),
        "requestID": event.request_id,
        "eventID": ids.request_id(entropy),
        "readOnly": not changes,
        "resources": [_resource(target) for target in event.targets if target.arn != "*"],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": event.caller.account if event.caller else None,
        "eventCategory": "Management",
        "bailiwick": _ours(event.ruling),
    }
    return record


def identity_of(caller: Caller | None, access_key_id: str | None) -> dict[str, Any]:
    """The userIdentity element. Of a caller who proved nothing it says no more than the key that was named."""
    if caller is None or caller.kind is PrincipalKind.ANONYMOUS:
        unknown = {"type": "Unknown", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}
        if access_key_id is not None and ids.account_of(access_key_id) is not None:
            unknown["accessKeyId"] = access_key_id
        return unknown
    if caller.kind is PrincipalKind.SERVICE:
        return {"type": "AWSService", "invokedBy": caller.arn}
    identity: dict[str, Any] = {
        "type": _TYPES[caller.kind],
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
    }
    if caller.access_key_id:
        identity["accessKeyId"] = caller.access_key_id
    if caller.name and caller.kind is PrincipalKind.USER:
        identity["userName"] = caller.name
    if caller.session is not None:
        identity["sessionContext"] = _session_context(caller, caller.session)
    return identity


_TYPES = {
    PrincipalKind.ROOT: "Root",
    PrincipalKind.USER: "IAMUser",
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.FEDERATED: "FederatedUser",
}


def _session_context(caller: Caller, session: Session) -> dict[str, Any]:
    context: dict[str, Any] = {
        "attributes": {
            "creationDate": _time(session.issued),
            "mfaAuthenticated": "true" if session.mfa is not None else "false",
        }
    }
    if caller.kind in (PrincipalKind.ROLE, PrincipalKind.FEDERATED):
        issuer = arn.parse(caller.principal.issuer_arn)
        kind, _, name = issuer.resource.partition("/")
        context["sessionIssuer"] = {
            "type": {"role": "Role", "user": "IAMUser"}.get(kind, "Root"),
            "principalId": caller.principal.unique_id,
            "arn": caller.principal.issuer_arn,
            "accountId": issuer.account,
            "userName": name.rpartition("/")[2],
        }
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    return context


def _resource(target: Target) -> dict[str, str]:
    resource = {"ARN": target.arn, "accountId": target.account}
    try:
        parsed = arn.parse(target.arn)
    except errors.ArnError:
        return resource
    kind = _RESOURCE_TYPES.get((parsed.service, parsed.resource.partition("/")[0]))
    return {**resource, "type": kind} if kind else resource


def _ours(ruling: Ruling | None) -> dict[str, Any]:
    """The decision in short; of a refusal all that `bailiwick explain` tells."""
    if ruling is None:
        return {"decision": None}
    decision = ruling.decision
    match = decision.match
    said: dict[str, Any] = {
        "decision": {
            "allowed": decision.allowed,
            "layer": decision.layer.value if decision.layer else None,
            "explicit": decision.explicit,
            "policy": (match.policy_arn or match.policy) if match else None,
            "statement": (match.sid or match.index) if match else None,
        }
    }
    if not decision.allowed:
        said["explanation"] = explain(ruling.question, ruling.layers, decision)
    return said


def _first_line(text: str) -> str:
    # What follows in the message of a wrong signature is the canonical request: headers, and the token in them.
    return text.partition("\n")[0][:_MAX_TEXT]


def _time(seconds: float) -> str:
    return _second(int(seconds))


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
