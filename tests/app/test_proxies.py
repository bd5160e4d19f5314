"""Who asks, behind trusted proxies and in front of them."""

from __future__ import annotations

from typing import Any

import pytest

from bailiwick.app.edge import request_of
from bailiwick.app.proxies import Proxies
from bailiwick.app.settings import SettingsError, load

PROXIES = Proxies(["10.0.0.0/8", "2001:db8::1"])


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


def scope(peer: str) -> Any:
    headers = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", b"https")]
    return {
        "method": "GET", "raw_path": b"/", "query_string": b"", "headers": headers, "client": (peer, 1), "scheme": "http",
    }  # fmt: skip


def test_a_request_through_a_proxy_and_one_that_only_says_so() -> None:
    request = request_of(scope("10.0.0.1"), b"", PROXIES)
    assert (request.source, request.secure) == ("198.51.100.1", True)
    request = request_of(scope("192.0.2.7"), b"", PROXIES)
    assert (request.source, request.secure) == ("192.0.2.7", False)
    request = request_of(scope("10.0.0.1"), b"")
    assert (request.source, request.secure) == ("10.0.0.1", False)


def test_the_setting() -> None:
    assert load({}, {}).proxies is None
    found = load({"trusted_proxies": "10.0.0.0/8, 192.0.2.1"}, {}).proxies
    assert found is not None
    assert found.trusts("192.0.2.1")
    with pytest.raises(SettingsError, match="trusted_proxies"):
        load({"trusted_proxies": "everywhere"}, {})
