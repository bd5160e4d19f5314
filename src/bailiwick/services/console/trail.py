"""The audit explorer: what happened, filtered; one event whole; of a denial, why, and what would allow it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.api import ApiError, Call, nothing
from bailiwick.core.message import Response
from bailiwick.core.policy.explain import Explanation
from bailiwick.core.policy.question import LayerKind
from bailiwick.services.console.asking import Gap, attempt
from bailiwick.web.pages import Pages
from bailiwick.web.site import Refused
from bailiwick.web.templating import with_query
from bailiwick.web.visit import Visit

pages = Pages()

FILTERS = {
    "EventName": "Operation",
    "Username": "User",
    "ResourceName": "Resource",
    "EventSource": "Service",
    "AccessKeyId": "Access key",
    "EventId": "Event id",
    "ReadOnly": "Read only",
}
_PAGE = 50
_BARS = 24
_CONTROLS = (LayerKind.SCP, LayerKind.RCP)


class Shown(msgspec.Struct, frozen=True):
    """One event, for the list."""

    id: str
    time: float
    name: str
    source: str
    who: str
    error: str
    address: str


class Bar(msgspec.Struct, frozen=True):
    """One bar of the timeline: where it stands and how high, in percent, and what it counts."""

    left: float
    height: float
    count: int
    refused: float
    text: str


@pages.get("/console/audit")
def events(visit: Visit) -> Response:
    """A page of events, the newest first, and when they were."""
    query = visit.query
    attribute, value = query.get("by", "EventName"), query.filled("value")
    wanted = [{"AttributeKey": attribute, "AttributeValue": value}] if value and attribute in FILTERS else None
    times = {"StartTime": _time(query.get("from")), "EndTime": _time(query.get("to"))}
    found = attempt(
        visit,
        "cloudtrail",
        "LookupEvents",
        LookupAttributes=wanted,
        MaxResults=_PAGE,
        NextToken=query.get("token"),
        **times,
    )
    shown = [] if isinstance(found, Gap) else [_shown(each) for each in found.Events or []]
    if query.get("only") == "refused":
        shown = [each for each in shown if each.error]
    kept = {name: query[name] for name in query if name != "token"}
    token = None if isinstance(found, Gap) else found.NextToken
    return visit.page(
        "console/audit.html",
        found=found,
        events=shown,
        bars=_bars(shown),
        filters=FILTERS,
        more=with_query("/console/audit", **kept, token=token) if token else None,
    )


@pages.get("/console/audit/{event}")
def event(visit: Visit, event: str) -> Response:
    """One event whole, and the story of a denial."""
    wanted = [{"AttributeKey": "EventId", "AttributeValue": event}]
    found = visit.call("cloudtrail", "LookupEvents", LookupAttributes=wanted, MaxResults=1)
    if not found.Events:
        raise Refused(404, "There is no such event", "It may be too old, or of another account.")
    record = json.loads(found.Events[0].CloudTrailEvent)
    story = _story(visit, event) if record.get("errorCode", "").startswith("AccessDenied") else None
    changes = story.changes if isinstance(story, Explanation) else ()
    return visit.page(
        "console/event.html",
        event=_shown(found.Events[0]),
        record=record,
        text=json.dumps(record, indent=2),
        story=story,
        minimal=[_pretty(each.statement) for each in changes if each.statement],
    )


def _story(visit: Visit, event: str) -> Explanation | Gap | None:
    """Why it was refused, for whoever may decode the messages of refusals: AWS's own right to see that."""

    def told(call: Call, request: Any, record: None) -> bytes | None:
        history = call.environment.history
        return None if history is None else history.explanation(call.account, event)

    try:  # on nothing: the operation itself refuses sessions of users, and whoever is signed in has one
        found = visit.call_as(
            visit.caller, "sts", "DecodeAuthorizationMessage", instead=told, on=nothing, EncodedMessage=event
        )
    except ApiError as error:
        return Gap(str(error))
    return None if found is None else _of_the_account(msgspec.json.decode(found, type=Explanation))


def _of_the_account(story: Explanation) -> Explanation | Gap:
    """The story without what other accounts wrote: the resource's policy, statements of control policies."""
    if story.account and story.account != story.principal.split(":")[4]:
        return Gap("The resource is another account's. Why it was refused is for the operator: bailiwick explain.")
    layers = tuple(
        msgspec.structs.replace(each, considered=()) if each.kind in _CONTROLS else each for each in story.layers
    )
    changes = tuple(
        msgspec.structs.replace(each, match=None, statement=None) if each.layer in _CONTROLS else each
        for each in story.changes
    )
    return msgspec.structs.replace(story, layers=layers, changes=changes)


def _time(text: str | None) -> float | None:
    """A moment as a browser's field has it, in UTC; None for what is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() if text else None
    except ValueError:
        return None


def _shown(found: Any) -> Shown:
    record = json.loads(found.CloudTrailEvent or "{}")
    identity = record.get("userIdentity", {})
    return Shown(
        id=found.EventId or "",
        time=found.EventTime or 0.0,
        name=found.EventName or "",
        source=(found.EventSource or "").partition(".")[0],
        who=found.Username or str(identity.get("arn") or identity.get("invokedBy") or identity.get("type", "")),
        error=str(record.get("errorCode", "")),
        address=str(record.get("sourceIPAddress", "")),
    )


def _bars(shown: list[Shown]) -> list[Bar]:
    """How many events there were in each part of the time that they span."""
    if len(shown) < 2:
        return []
    first, last = min(each.time for each in shown), max(each.time for each in shown)
    width = max(last - first, 1.0) / _BARS
    places = [min(int((each.time - first) / width), _BARS - 1) for each in shown]
    most = max(places.count(place) for place in set(places))
    bars = []
    for place in sorted(set(places)):
        here = [each for each, at in zip(shown, places, strict=True) if at == place]
        refused = sum(1 for each in here if each.error)
        when = datetime.fromtimestamp(first + place * width, UTC).strftime("%H:%M:%S")
        bars.append(
            Bar(
                left=round(100 * place / _BARS, 2),
                height=round(100 * len(here) / most, 1),
                count=len(here),
                refused=round(100 * refused / most, 1),
                text=f"{when}: {len(here)} events, {refused} refused",
            )
        )
    return bars


def _pretty(text: str | None) -> str:
    return json.dumps(json.loads(text or "{}"), indent=2)
