"""An event of the pipeline as a CloudTrail record: who, what, on what, why it was decided so.

Source: AWS CloudTrail User Guide, "CloudTrail record contents" (event version 1.11) and "CloudTrail userIdentity
element"; facts/kms.md section 18. `bailiwick` is our own member: the decision, and of a refusal the explanation.
No secret gets in: inputs and outputs pass through loggable.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from weakref import ref

import msgspec
from msgspec import UNSET, UnsetType

from bailiwick.api import AccessDenied, ApiError, Caller
from bailiwick.app.loggable import loggable
from bailiwick.app.record_identity import INTERNAL as _INTERNAL
from bailiwick.app.record_identity import identity_of, of_nobody, of_service, time_of
from bailiwick.core import arn, errors, ids
from bailiwick.core.bounded import Bounded
from bailiwick.core.happened import Happened
from bailiwick.core.message import Tls
from bailiwick.core.policy.explain import explain
from bailiwick.core.policy.question import Decision, PrincipalKind
from bailiwick.pipeline import Event
from bailiwick.web.events import SERVICE_EVENT, DoorEvent
from bailiwick.wire.refusal import form_of

_GLOBAL_STS = "sts.amazonaws.com"
_MAX_TEXT = 1024  # of what a client says about itself, and of a message

_RESOURCE_TYPES = {
    ("kms", "key"): "AWS::KMS::Key",
    ("kms", "alias"): "AWS::KMS::Alias",
    ("iam", "user"): "AWS::IAM::User",
    ("iam", "group"): "AWS::IAM::Group",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "policy"): "AWS::IAM::Policy",
    ("ec2", "instance"): "AWS::EC2::Instance",
}


class ServiceEvent(Event, frozen=True, kw_only=True):
    """What a service did by itself, or an operator with a command."""

    happened: Happened


class Record(msgspec.Struct, rename="camel", kw_only=True):
    """The members of a record, in CloudTrail's order. What is the same for many calls is JSON already."""

    event_version: str = "1.11"
    user_identity: msgspec.Raw
    event_time: str
    event_source: str
    event_name: str
    aws_region: str
    source_ip_address: str = msgspec.field(name="sourceIPAddress")
    user_agent: str
    error_code: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET
    request_parameters: dict[str, Any] | None
    response_elements: dict[str, Any] | None
    additional_event_data: Mapping[str, Any] | msgspec.Raw | UnsetType = UNSET
    request_id: str | UnsetType = msgspec.field(name="requestID", default=UNSET)
    event_id: str = msgspec.field(name="eventID")
    read_only: bool
    resources: list[msgspec.Raw]
    event_type: str = "AwsApiCall"
    management_event: bool = True
    recipient_account_id: str | None
    shared_event_id: str | UnsetType = msgspec.field(name="sharedEventID", default=UNSET)
    service_event_details: Mapping[str, str] | UnsetType = UNSET
    event_category: str = "Management"
    tls_details: dict[str, str] | UnsetType = UNSET
    bailiwick: dict[str, Any] | msgspec.Raw


_encoder = msgspec.json.Encoder()


# Reads whose answer is told all the same: without it nobody could say whose a temporary key is.
_TOLD = frozenset(
    (
        *("AssumeRole", "AssumeRoleWithLDAPIdentity", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"),
        *("AssumeRoot", "GetInstanceCredentials"),
        *("GetFederationToken", "GetForwardAccessSession", "GetSessionToken"),
    )
)


# Reads that write no more than that they happened.
_BOOKKEEPING = frozenset(("GetInstance", "GetInstanceCredentials", "GetInstanceDocument"))

_PROVIDER, _ANONYMOUS, _SERVICE = PrincipalKind.PROVIDER, PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE
_OF_NO_ACCOUNT = (_PROVIDER, _ANONYMOUS, _SERVICE)


def owners_of(event: Event) -> tuple[str, ...]:
    """The other accounts whose resources a call was allowed to act on: each has a record of it as well.

    A call that was refused is its caller's alone (facts/kms.md section 18).
    """
    targets, caller = event.targets, event.caller
    if not targets or caller is None:
        return ()
    own = caller.principal.account if caller.kind is not _SERVICE else targets[0].account
    if len(targets) == 1 and targets[0].account == own:
        return ()
    if caller.kind is _PROVIDER or caller.kind is _ANONYMOUS:
        return ()
    if event.decision is None or not event.decision.allowed or event.error is not None:
        return ()
    return tuple(
        dict.fromkeys(
            target.account
            for target in targets
            if target.account != own and target.account.isdigit() and target.arn != "*"
        )
    )


def record_of(event: Event, noise: ids.Entropy, shared: str | None = None, owner: str | None = None) -> bytes:
    """The record of `event` as JSON; `noise` makes its event id.

    `shared` is the id of an event of which several accounts have a record; `owner` is the account this one is for,
    if it is not the caller's: it learns of its own resources, and of the caller no more than whose she is.
    """
    if isinstance(event, DoorEvent):
        return _at_the_door(event, noise)
    if isinstance(event, ServiceEvent):
        return _by_itself(event.happened, event.time, noise)
    route, caller, error = event.route, event.caller, event.error
    changes = route is not None and route.operation.writes and route.operation.name not in _BOOKKEEPING
    if owner is not None or caller is None:
        recipient = owner
    else:
        kind = caller.principal.kind
        recipient = _taken(event) if kind in _OF_NO_ACCOUNT else caller.principal.account
    via = caller.session.via[-1] if caller is not None and caller.session is not None and caller.session.via else ""
    record = Record(
        user_identity=_identity(caller, event.access_key_id) if owner is None else _stranger(caller),
        event_time=time_of(event.time),
        event_source=_source(route.service.signing_name) if route else "bailiwick.amazonaws.com",
        event_name=route.operation.name if route else "UnknownOperation",
        aws_region=event.region,
        source_ip_address=via or event.source,
        user_agent=via or event.user_agent[:_MAX_TEXT],
        request_parameters=_parameters(event),
        # CloudTrail leaves the answer of a read and of a cryptographic operation out.
        response_elements=(
            loggable(route.service, route.model.output, event.response)
            if route and (changes or route.operation.name in _TOLD)
            else None
        ),
        request_id=event.request_id,
        event_id=ids.request_id(noise),
        read_only=not changes,
        resources=[
            _resource(target.arn, target.account)
            for target in event.targets
            if target.arn != "*" and (owner is None or target.account == owner)
        ],
        recipient_account_id=recipient,
        bailiwick=_ours(event if owner is None else None, _for_whom(event, caller)),
    )
    if changes and event.response is not None and route is not None and route.operation.name == "CreateKey":
        # A key has no ARN before there is one; CloudTrail names it all the same.
        record.resources.append(_resource(event.response.KeyMetadata.Arn, event.response.KeyMetadata.AWSAccountId))
    if event.additional or (route is not None and route.service.name == "sts"):
        record.additional_event_data = _additional(event)
    if shared is not None:
        record.shared_event_id = shared
    if event.tls is not None and not via:
        record.tls_details = _tls_details(*event.tls)
    if error is not None:
        spoken = route.service.protocol if route else "query"
        record.error_code = form_of(error, spoken)[0]
        record.error_message = _first_line(error.message)
    return _encoder.encode(record)


def _at_the_door(event: DoorEvent, noise: ids.Entropy) -> bytes:
    """The record of what is no call of the API: that somebody signed in, or did not."""
    identity = identity_of(event.caller, None) if event.caller else event.identity
    record = Record(
        user_identity=msgspec.Raw(_encoder.encode(identity)),
        event_time=time_of(event.time),
        event_source="signin.amazonaws.com",
        event_name=event.name,
        aws_region=event.region,
        source_ip_address=event.source,
        user_agent=event.user_agent[:_MAX_TEXT],
        request_parameters=None,
        response_elements=None if event.kind == SERVICE_EVENT else event.answer,
        additional_event_data=event.additional or UNSET,
        request_id=event.request_id,
        event_id=ids.request_id(noise),
        read_only=False,
        resources=[],
        event_type=event.kind,
        recipient_account_id=event.account,
        service_event_details=event.answer if event.kind == SERVICE_EVENT else UNSET,
        bailiwick={"decision": None},
    )
    if event.failure and event.kind != SERVICE_EVENT:
        record.error_message = event.failure[:_MAX_TEXT]
    return _encoder.encode(record)


def _by_itself(happened: Happened, time: float, noise: ids.Entropy) -> bytes:
    """The record of what nobody called for: a service did it by itself, or an operator with a command."""
    by = happened.by
    record = Record(
        user_identity=msgspec.Raw(_encoder.encode(of_nobody(happened))),
        event_time=time_of(time),
        event_source=_source(happened.service),
        event_name=happened.name,
        aws_region=happened.region,
        source_ip_address=by.host if by else _INTERNAL,
        user_agent=by.command[:_MAX_TEXT] if by else _INTERNAL,
        request_parameters=None,
        response_elements=None,
        additional_event_data=happened.additional or UNSET,
        event_id=ids.request_id(noise),
        read_only=False,
        resources=[_resource(happened.arn, happened.account)] if happened.arn else [],
        event_type="AwsServiceEvent",
        recipient_account_id=happened.account,
        service_event_details=happened.details,
        bailiwick={"decision": None, "operator": by._asdict()} if by else {"decision": None},
    )
    return _encoder.encode(record)


def _parameters(event: Event) -> dict[str, Any] | None:
    """What was asked for; and of an assertion, which is no parameter to tell, what it said."""
    if event.route is None:
        return None
    found = loggable(event.route.service, event.route.model.input, event.request)
    # What an assertion proves is told by its caller (in services/sts), whose class is not imported for this.
    evidence = getattr(event.caller, "evidence", None)
    return {**(found or {}), **evidence} if evidence else found


def _additional(event: Event) -> dict[str, Any] | msgspec.Raw:
    """What a handler tells beside input and output; and of a call of STS, where it was served."""
    told = event.additional or {}
    if event.route is None or event.route.service.name != "sts":
        return told
    is_global = event.tls is not None and event.tls[1].partition(":")[0] == _GLOBAL_STS
    served = _served(event.region, is_global)
    return served if not told else {**told, **msgspec.json.decode(served)}


@lru_cache(maxsize=256)
def _served(region: str, is_global: bool) -> msgspec.Raw:
    details = {"awsServingRegion": region, "endpointType": "global" if is_global else "regional"}
    return msgspec.Raw(_encoder.encode({"RequestDetails": details}))


def _tls_details(tls: Tls, host: str) -> dict[str, str]:
    """How the client came, which AWS leaves out where a service called for her."""
    told = {"tlsVersion": tls.version, "cipherSuite": tls.suite}
    return {**told, "clientProvidedHostHeader": host[:_MAX_TEXT]} if host else told


def _taken(event: Event) -> str | None:
    """The account on whose resource someone of no account acts, or whose role she takes: the record is its own."""
    account = event.targets[0].account if event.targets else ""
    return account if account.isdigit() else None


def _stranger(caller: Caller | None) -> msgspec.Raw:
    """Who acted on a resource of another account, as that account's record has it."""
    if caller is not None and caller.kind is _SERVICE:
        return msgspec.Raw(_encoder.encode(of_service(caller)))
    identity = {"type": "AWSAccount", "principalId": caller.user_id, "accountId": caller.account} if caller else {}
    return msgspec.Raw(_encoder.encode(identity))


@lru_cache(maxsize=256)
def _source(signing_name: str) -> str:
    return f"{signing_name}.amazonaws.com"


# A Caller is kept in memory as long as nothing about it changes, so its identity is written once, not per call.
identities: Bounded[int, tuple[ref[Caller], msgspec.Raw]] = Bounded(2048)


def _identity(caller: Caller | None, access_key_id: str | None) -> msgspec.Raw:
    if caller is None or caller.kind is PrincipalKind.ANONYMOUS:
        return msgspec.Raw(_encoder.encode(identity_of(caller, access_key_id)))
    known = identities.get(id(caller))
    if known is not None and known[0]() is caller:
        return known[1]
    made = msgspec.Raw(_encoder.encode(identity_of(caller, access_key_id)))
    identities.put(id(caller), (ref(caller), made))
    return made


@lru_cache(maxsize=4096)
def _resource(target_arn: str, account: str) -> msgspec.Raw:
    resource = {"ARN": target_arn, "accountId": account}
    with contextlib.suppress(errors.ArnError):
        parsed = arn.parse(target_arn)
        if kind := _RESOURCE_TYPES.get((parsed.service, parsed.resource.partition("/")[0])):
            resource["type"] = kind
    return msgspec.Raw(_encoder.encode(resource))


# A Decision that was remembered is that of many calls: it is written once as well.
_decisions: Bounded[int, tuple[Decision, msgspec.Raw]] = Bounded(2048)


def _ours(event: Event | None, for_whom: dict[str, Any]) -> dict[str, Any] | msgspec.Raw:
    """The decision in short, and for whom the call was made; of a refusal all that `bailiwick explain` tells."""
    decision = None if event is None else event.decision
    if event is None or decision is None:
        return {"decision": None} | for_whom
    if not decision.allowed:
        return _decided(decision) | _explained(event.error) | for_whom
    if for_whom:
        return _decided(decision) | for_whom
    known = _decisions.get(id(decision))
    if known is not None and known[0] is decision:
        return known[1]
    made = msgspec.Raw(_encoder.encode(_decided(decision)))
    _decisions.put(id(decision), (decision, made))
    return made


def _decided(decision: Decision) -> dict[str, Any]:
    match = decision.match
    return {
        "decision": {
            "allowed": decision.allowed,
            "layer": decision.layer.value if decision.layer else None,
            "explicit": decision.explicit,
            "policy": (match.policy_arn or match.policy) if match else None,
            "statement": (match.sid or match.index) if match else None,
        }
    }


def _explained(error: ApiError | None) -> dict[str, Any]:
    if not isinstance(error, AccessDenied) or error.ruling is None:
        return {}
    return {"explanation": explain(error.ruling.question, error.ruling.layers, error.ruling.decision)}


def _for_whom(event: Event, caller: Caller | None) -> dict[str, Any]:
    """What a service said that it acts for; through which services a call came, and from where."""
    if caller is None:
        return {}
    if caller.session is not None and caller.session.via:
        return {"calledVia": caller.session.via, "sourceIPAddress": event.source}
    if caller.kind is not _SERVICE:
        return {}
    said = (("sourceArn", "aws:sourcearn"), ("sourceAccount", "aws:sourceaccount"))
    return {name: caller.context[key] for name, key in said if key in caller.context}


def _first_line(text: str) -> str:
    # What follows in the message of a wrong signature is the canonical request: headers, and the token in them.
    return text.partition("\n")[0][:_MAX_TEXT]
