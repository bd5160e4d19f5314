"""Addresses of this machine, as those where a person's program waits for a page's answer (RFC 8252 section 7.3)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_FORM = re.compile(r"(http://(127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?)((?:/[!-~]*)?)", re.ASCII)
_LONGEST = 2048


class Loopback(NamedTuple):
    """The parts of such an address: scheme, host and port; the host alone; the path."""

    origin: str
    host: str
    path: str


def read(address: str) -> Loopback | None:
    """The parts of an address; None for one that leads elsewhere, or that has a query or a fragment already.

    The text is held to what we and every browser understand in the same way: no user, no blanks, no controls.
    """
    matched = _FORM.fullmatch(address) if len(address) <= _LONGEST else None
    if matched is None or any(sign in matched[3] for sign in "?#\\"):
        return None
    return Loopback(*matched.groups())


def is_here(host: str) -> bool:
    """Whether a host, as a URL names it, is the machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
