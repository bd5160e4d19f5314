"""LookupEvents: the management events of the caller's account in the region, of the last 90 days, newest first.

Source: AWS CloudTrail API Reference, "LookupEvents" (documented). The texts of the refusals are our own.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from bailiwick import lists
from bailiwick.api import Call, nothing
from bailiwick.core.formats import make_marker
from bailiwick.services.cloudtrail import shapes
from bailiwick.services.cloudtrail.service import cloudtrail

_DAYS = 90 * 86400.0
_PAGE = 50
_LONGEST_VALUE = 2000
_DOUBLE = "_ ,\n"  # characters that count twice towards it

_WORDS = {
    "EventId": "eventID",
    "EventName": "eventName",
    "ReadOnly": "readOnly",
    "Username": "userName",
    "ResourceType": "resourceType",
    "ResourceName": "resource",
    "EventSource": "eventSource",
    "AccessKeyId": "accessKeyId",
}


@cloudtrail.operation("LookupEvents", on=nothing)
def lookup_events(call: Call, request: shapes.LookupEventsRequest, record: None) -> shapes.LookupEventsResponse:
    history = call.environment.history
    if history is None:
        raise shapes.UnsupportedOperationException("This server keeps no audit trail: it was started without one.")
    words = _words(request.LookupAttributes or [])
    since, until = _times(call, request)
    if request.EventCategory is not None:  # of which the model knows one, `insight`: there are no such events
        return shapes.LookupEventsResponse(Events=[])
    scope = _scope(call, request)
    found = history.records(
        call.account, (*words, f"awsRegion={call.region}"), since, until, _after(call, scope, request.NextToken)
    )
    most = request.MaxResults or _PAGE
    page = list(islice(found, most + 1))
    more = make_marker(call.environment.ring, scope, page[most - 1][0]) if len(page) > most else None
    return shapes.LookupEventsResponse(Events=[_event(record) for _, record in page[:most]], NextToken=more)


def _words(attributes: list[shapes.LookupAttribute]) -> tuple[str, ...]:
    """What the records must have."""
    if len(attributes) > 1:
        raise shapes.InvalidLookupAttributesException("A lookup takes one attribute at most.")
    for attribute in attributes:
        value = attribute.AttributeValue
        if not value or len(value) + sum(map(value.count, _DOUBLE)) > _LONGEST_VALUE:
            raise shapes.InvalidLookupAttributesException("The value of the lookup attribute is empty or too long.")
    return tuple(f"{_WORDS[each.AttributeKey]}={each.AttributeValue}" for each in attributes)


def _times(call: Call, request: shapes.LookupEventsRequest) -> tuple[float, float]:
    until = call.now if request.EndTime is None else request.EndTime
    since = 0.0 if request.StartTime is None else request.StartTime
    if since > until:
        raise shapes.InvalidTimeRangeException("The start time is after the end time.")
    return max(since, call.now - _DAYS), until


def _scope(call: Call, request: shapes.LookupEventsRequest) -> str:
    """The query to which a token is bound: the same parameters but for the size of the page."""
    asked = msgspec.json.encode((request.LookupAttributes, request.StartTime, request.EndTime))
    digest = hashlib.sha256(asked).hexdigest()
    return f"{call.account}/{call.region}/{call.operation.action}/{digest}"


def _after(call: Call, scope: str, token: str | None) -> str | None:
    if token is None:
        return None
    return lists.after(call, scope, token, shapes.InvalidNextTokenException("The token is not one of this lookup."))


def _event(record: bytes) -> shapes.Event:
    told: dict[str, Any] = msgspec.json.decode(record)
    identity = told["userIdentity"]
    return shapes.Event(
        EventId=told["eventID"],
        EventName=told["eventName"],
        ReadOnly="true" if told["readOnly"] else "false",
        AccessKeyId=identity.get("accessKeyId"),
        EventTime=_seconds(told["eventTime"]),
        EventSource=told["eventSource"],
        Username=identity.get("userName") or _last(_last(identity.get("arn", ""), "/"), ":") or None,
        Resources=[
            shapes.Resource(ResourceType=each.get("type"), ResourceName=_name(each["ARN"]))
            for each in told["resources"]
        ],
        CloudTrailEvent=record.decode(),
    )


def _name(arn: str) -> str:
    """IAM's entities by their names, others by their ARNs, as CloudTrail has them."""
    return _last(arn, "/") if arn.split(":", 3)[2] == "iam" else arn


def _last(text: str, separator: str) -> str:
    return text.rpartition(separator)[2]


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()
