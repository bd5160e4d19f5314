"""What systemd is told: READY, STATUS, WATCHDOG, STOPPING (sd_notify(3)). Without NOTIFY_SOCKET nobody is told."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """The service manager's end of a datagram socket."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = _watchdog(environment)
        self._status = ""

    def tell(self, *lines: str) -> None:
        """Send lines such as READY=1. That nobody listens is no error."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(lines).encode(), self._address)

    def status(self, text: str) -> None:
        """Tell a status, if it is another one."""
        if text != self._status:
            self._status = text
            self.tell(f"STATUS={text}")


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds after which to tell that all is well: half of what systemd waits for; None if it does not wait."""
    wanted, whom = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not wanted.isdigit() or int(wanted) == 0 or whom not in (None, str(os.getpid())):
        return None
    return int(wanted) / 2_000_000
