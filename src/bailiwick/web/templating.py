"""What templates can do with a value: times, addresses, names out of ARNs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (30, "day"), (12, "month"), (10_000, "year"))


def moment(seconds: float | None) -> str:
    """A time for people: `2026-11-25 08:00 UTC`."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def time_tag(seconds: float | None, now: float) -> Markup:
    """A time as an element: how long ago, with the moment itself for who points at it."""
    if seconds is None:
        return Markup('<span class="faint">never</span>')
    machine = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(machine, moment(seconds), ago(seconds, now))


def ago(seconds: float, now: float) -> str:
    """`3 minutes ago`, `in 2 hours`, `just now`."""
    distance, ahead = abs(now - seconds), seconds > now
    if distance < 45:
        return "just now"
    for size, name in _STEPS:
        if distance < size or name == "year":
            count = max(int(distance), 1)
            text = f"{count} {name}{'' if count == 1 else 's'}"
            return f"in {text}" if ahead else f"{text} ago"
        distance /= size
    return moment(seconds)


def segment(text: str) -> str:
    """A name as one part of a path: everything in it that means something there is encoded."""
    return quote(text, safe="")


def with_query(path: str, **fields: str | None) -> str:
    """A path with a query of the fields that are not None."""
    given = {name: value for name, value in fields.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": moment,
    "ago": ago,
    "time_tag": time_tag,
    "segment": segment,
    "with_query": with_query,
}
