"""The machine's clock, which goes on by itself and may be set ahead or back."""

from __future__ import annotations

import time


class Clock:
    """Call it for the time in epoch seconds; `ahead` is by how many it is ahead of the machine's."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead
