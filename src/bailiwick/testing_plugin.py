"""Fixtures for pytest; installed with Bailiwick (docs/testing.md). Nothing is imported until one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bailiwick.testing import Server


@pytest.fixture(scope="session")
def bailiwick_server() -> Iterator[Server]:
    """One server for the whole test session. It is not emptied: use `bailiwick` unless you share on purpose."""
    from bailiwick.testing import server

    with server() as running:
        yield running


@pytest.fixture
def bailiwick(bailiwick_server: Server) -> Iterator[Server]:
    """The session's server, emptied before and after each test."""
    bailiwick_server.reset()
    yield bailiwick_server
    bailiwick_server.reset()
