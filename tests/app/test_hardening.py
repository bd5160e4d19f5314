"""A server's process: no core dump, no debugger of its user, and memory that is locked where that is allowed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl and mlockall are Linux's")

CODE = """
import ctypes, os, resource, signal
from bailiwick.app.hardening import harden
if {unlimited}:
    resource.getrlimit = lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
found = harden()
print(found.no_dumps, found.locked, os.stat("/proc/self").st_uid, len(os.listdir("/proc/self/fd")) > 2)
print(open("/proc/self/status").read())
print("limit", open("/proc/self/limits").read().split("Max core file size")[1].split()[:2])
"""


def hardened(**given: Any) -> list[str]:
    """What a process says of itself."""
    done = subprocess.run([sys.executable, "-c", CODE.format(**given)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_there_is_no_core_file_and_no_debugger() -> None:
    told = hardened(unlimited=False)
    assert told[0].split()[0::3] == ["True", "True"]
    assert told[-1] == "limit ['0', '0']"
    assert "VmLck:\t       0 kB" in told


def test_memory_is_locked_where_the_limit_is_infinite() -> None:
    told = hardened(unlimited=True)
    if told[0].split()[1] != "True":
        pytest.skip("this process may not lock memory")
    assert "VmLck:\t       0 kB" not in told
