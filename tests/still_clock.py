"""A clock that stands still until it is moved, for the server and, if asked, for botocore's signatures alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.auth

NOW = 1_700_000_010.0


class Clock:
    """Call it for the time in epoch seconds; set `now` to move it."""

    def __init__(self, patching: Any = None, now: float = NOW) -> None:
        """With pytest's monkeypatch, which gives botocore its own clock back, requests are signed by this one."""
        self.now = now

        def current(remove_tzinfo: bool = True) -> datetime:
            when = datetime.fromtimestamp(self.now, UTC)
            return when.replace(tzinfo=None) if remove_tzinfo else when

        if patching is not None:
            patching.setattr(botocore.auth, "get_current_datetime", current)

    def __call__(self) -> float:
        return self.now
