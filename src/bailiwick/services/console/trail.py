"""The audit explorer: what happened, filtered; one event whole; of a denial, why, and what would allow it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.core.message import Response
from bailiwick.core.policy.explain import Explanation
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
    story = record.get("bailiwick", {}).get("explanation")
    explanation = msgspec.convert(story, Explanation) if story else None
    return visit.page(
        "console/event.html",
        event=_shown(found.Events[0]),
        record=record,
        text=json.dumps(record, indent=2),
        story=explanation,
        minimal=[_pretty(each.statement) for each in explanation.changes if each.statement] if explanation else [],
    )


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
