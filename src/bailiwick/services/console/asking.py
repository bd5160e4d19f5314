"""What pages ask with: the caller's own rights, part by part. What she may not see leaves a gap that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bailiwick.api import AccessDenied, ApiError
from bailiwick.web.templating import with_query
from bailiwick.web.visit import Visit

PAGE = 50


class Gap(msgspec.Struct, frozen=True):
    """What is shown where something cannot be: why. It is false, so that templates can ask `{% if users %}`."""

    text: str
    denied: bool = False

    def __bool__(self) -> bool:
        return False


def attempt(visit: Visit, service: str, operation: str, **members: Any) -> Any:
    """The output of an operation, or a Gap."""
    try:
        return visit.call(service, operation, **members)
    except AccessDenied as error:
        return Gap(str(error), denied=True)
    except ApiError as error:
        return Gap(str(error))


class Listed(msgspec.Struct, frozen=True):
    """One page of a list, and the address of the next."""

    entries: list[Any] | Gap
    more: str | None = None

    @property
    def gap(self) -> Gap | None:
        """Why nothing can be shown, if that is so."""
        return self.entries if isinstance(self.entries, Gap) else None


def listed(visit: Visit, service: str, operation: str, member: str, **members: Any) -> Listed:
    """A page of an IAM list (`Marker`, `MaxItems`); where it begins is in the query."""
    found = attempt(visit, service, operation, MaxItems=PAGE, Marker=visit.query.get("marker"), **members)
    if isinstance(found, Gap):
        return Listed(found)
    more = _next(visit, found.Marker) if getattr(found, "IsTruncated", False) else None
    return Listed(getattr(found, member), more)


def _next(visit: Visit, marker: str | None) -> str:
    kept = {name: visit.query[name] for name in visit.query if name != "marker"}
    return with_query(visit.path, **kept, marker=marker)


def every(ask: Callable[[str | None], tuple[list[Any], str | None]], most: int = 1000) -> list[Any]:
    """Several pages of a list that is short by its nature; `ask` takes a marker and gives entries and the next."""
    found: list[Any] = []
    marker: str | None = None
    while True:
        entries, marker = ask(marker)
        found += entries
        if marker is None or len(found) >= most:
            return found
