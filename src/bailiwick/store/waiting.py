"""Where the database is not waited for: on an event loop, which has everybody else to answer as well.

What is answered there needs nothing but memory. Where something is not in memory after all, the work ends with
Waits, having done nothing, and is begun again in a thread, which may wait.
"""

from __future__ import annotations

import threading


class Waits(BaseException):
    """What was begun in a hurry needs the database. No Exception, for no handler may take it for a failure."""


class _Here(threading.local):
    hurried = False


here = _Here()
"""Set `hurried` in a thread for as long as it must not wait."""


def check() -> None:
    """To be called before the database is asked. Raises Waits in a thread that must not wait for it."""
    if here.hurried:
        raise Waits
