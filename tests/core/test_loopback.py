"""Addresses on a person's own machine: what browsers and we take for one."""

from __future__ import annotations

import pytest

from bailiwick.core import loopback
from bailiwick.core.loopback import Loopback


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("http://127.0.0.1:5555/oauth/callback", ("http://127.0.0.1:5555", "127.0.0.1", "/oauth/callback")),
        ("http://[::1]:80/cb", ("http://[::1]:80", "[::1]", "/cb")),
        ("http://localhost", ("http://localhost", "localhost", "")),
    ],
)
def test_what_is_here(address: str, parts: tuple[str, str, str]) -> None:
    assert loopback.read(address) == Loopback(*parts)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://127.0.0.1/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://u@127.0.0.1/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:1;x/cb",
        "http://127.0.0.1: evil.example/cb",
        "http://127.0.0.1:100000/cb",
        "http://[::1]evil.example/cb",
        "http://127.1/cb",
        "http://127.0.0.1\\@evil.example/cb",
        "http://127.0.0.1/cb\\x",
        "http://127.0.0.1/cb?a=b",
        "http://127.0.0.1/cb#a",
        "http://127.0.0.1/cb\r\nset-cookie: a=b",
        "http://127.0.0.1/c\nb",
        "http://127.0.0.1/cb\n",
        "http://127.0.0.1/ä",
        "http://127.0.0.1/ c",
        "http://LOCALHOST/cb",
        f"http://127.0.0.1/{'x' * 2048}",
    ],
)
def test_what_is_not_here_or_not_plain(address: str) -> None:
    assert loopback.read(address) is None
