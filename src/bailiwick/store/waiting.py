"""Where the database is not waited for: on an event loop, which has everybody else to answer as well.

What is answered there needs nothing but memory, and at most a look at what was just committed (sqlite.py).
Where something is not in memory after all, the work ends with Waits, having done nothing, and is begun again in a
thread, which may wait.

Somebody else's server is waited for in threads that do nothing else: what needs one and was begun elsewhere ends
with Leaves, and is begun again there.
"""

from __future__ import annotations

import threading


class Waits(BaseException):
    """What was begun in a hurry needs the database. No Exception, for no handler may take it for a failure."""


class Leaves(Waits):
    """What was begun where everybody's work is done needs somebody else's server."""


class _Here(threading.local):
    hurried = False
    inward = False


here = _Here()
"""Set `hurried` in a thread for as long as it must not wait, `inward` where it must not wait for other servers."""


def check() -> None:
    """To be called before the database is asked. Raises Waits in a thread that must not wait for it."""
    if here.hurried:
        raise Waits


def leave() -> None:
    """To be called before somebody else's server is asked, and before anything is done. Raises Leaves."""
    if here.hurried or here.inward:
        raise Leaves


def stay_inward() -> None:
    """Have this thread wait for no server of somebody else's."""
    here.inward = True
