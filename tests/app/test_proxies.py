"""Who asks, behind trusted proxies and in front of them."""

from __future__ import annotations

from contextlib import closing
from typing import Any, cast

import pytest

from bailiwick.app.edge import Edge
from bailiwick.app.proxies import Proxies
from bailiwick.app.settings import SettingsError, load
from bailiwick.core.message import Tls

PROXIES = Proxies(["10.0.0.0/8", "2001:db8::1"])
TLS = Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("2001:db8::1", ["[2001:db8::2]:80"], "2001:db8::2"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    ],
)
def test_the_address_that_asks(peer: str, forwarded: list[str], client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def asked(peer: str, proxies: Proxies | None) -> tuple[str, bool, Tls | None]:
    headers = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", b"https")]
    with closing(Edge(cast(Any, None), max_body=1024, proxies=proxies)) as edge:
        request = edge.request("GET", ("/", ""), headers, b"", peer, secure=False, tls=TLS)
    return request.source, request.secure, request.tls


def test_a_request_through_a_proxy_and_one_that_only_says_so() -> None:
    assert asked("10.0.0.1", PROXIES) == ("198.51.100.1", True, None)
    assert asked("192.0.2.7", PROXIES) == ("192.0.2.7", False, TLS)
    assert asked("10.0.0.1", None) == ("10.0.0.1", False, TLS)


def test_the_setting() -> None:
    assert load({}, {}).proxies is None
    found = load({"trusted_proxies": "10.0.0.0/8, 192.0.2.1"}, {}).proxies
    assert found is not None
    assert found.trusts("192.0.2.1")
    with pytest.raises(SettingsError, match="trusted_proxies"):
        load({"trusted_proxies": "everywhere"}, {})
