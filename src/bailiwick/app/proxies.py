"""Who asks, where a trusted proxy stands in front: `aws:SourceIp` and `aws:SecureTransport` come from what it says.

Nobody else is believed: without this setting, and from any other address, the headers are ignored.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The addresses of proxies that are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Take addresses and ranges in CIDR notation. Raises ValueError for anything else."""
        self._networks = [ipaddress.ip_network(text.strip()) for text in networks]

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address that asks: the last of X-Forwarded-For that is not a proxy of ours.

        `peer` is the other end of the connection, `forwarded` the values of the header in their order. What
        stands further left was written by the client, and may be anything.
        """
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        client = peer
        while hops and self.trusts(client):
            address = _address(hops.pop())
            if address is None:
                break
            client = str(address)
        return client

    def trusts(self, address: str) -> bool:
        """Whether this address is that of a proxy."""
        found = _address(address)
        return found is not None and any(found in network for network in self._networks)


def _address(text: str) -> _Address | None:
    """An address as proxies write it: an IPv6 address may be in brackets, a port may follow."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
