"""What services do by themselves, on its way into the audit trail."""

from __future__ import annotations

from collections.abc import Iterable

from bailiwick.app.audit import Trail
from bailiwick.app.record import ServiceEvent
from bailiwick.core.happened import Happened

_PATIENCE = 5.0  # seconds; everybody's writes wait meanwhile


def told(trail: Trail, happened: Iterable[Happened], now: float) -> None:
    """Return when it is on disk. Raises TimeoutError where the disk takes no records.

    It is to be told before it is committed: of what destroys keys a record may come twice, but none may be missing.
    """
    events = [ServiceEvent(now, "", "", "", each.region, None, None, happened=each) for each in happened]
    for event in events:
        trail.write(event)
    if events:
        trail.stored().result(_PATIENCE)
