"""What keeps the keys of this process out of files and away from other processes: no core dumps, no debugger of the
same user, and, where the operator lets us, no swap. docs/kms/custody.md says how far this goes.

The calls are Linux's (prctl(2), mlockall(2)); elsewhere there is only the limit on core files, which is POSIX.
"""

from __future__ import annotations

import resource
import sys

import msgspec
import structlog

log = structlog.get_logger()

# <sys/prctl.h>, <sys/mman.h>
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


class Hardened(msgspec.Struct, frozen=True):
    """What was achieved."""

    no_dumps: bool
    locked: bool


def harden() -> Hardened:
    """Protect this process; to be called before it holds a key, and again in each process that it starts.

    Memory is locked only if its limit is infinite (`LimitMEMLOCK=infinity`): under any other, the process would
    fail to get memory once it has as much as the limit. What is locked is what was touched, so that nothing grows.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        log.debug("core files are off; a debugger and swap are kept out on Linux only", platform=sys.platform)
        return Hardened(no_dumps=False, locked=False)
    import ctypes

    system = ctypes.CDLL(None, use_errno=True)
    no_dumps = system.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 and system.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
    locked = False
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        locked = system.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0
        if not locked:
            log.warning("memory cannot be locked", errno=ctypes.get_errno())
    return Hardened(no_dumps, locked)
