"""Fixtures of the whole test run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("gate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")

# No test may find its way to real credentials or a real endpoint.
for name in [name for name in os.environ if name.startswith(("AWS_", "BAILIWICK_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_DATA_PATH"] = str(Path(__file__).parents[1] / "src" / "bailiwick" / "wire" / "extras")
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def pytest_addoption(parser: pytest.Parser) -> None:
    """--pictures has the tests in a browser make the screens of the docs."""
    parser.addoption("--pictures", action="store_true", help="write the screens of the docs to docs/images")


@pytest.fixture
def world() -> object:
    """The whole house in one process (tests/world.py)."""
    from world import World

    return World()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[object]:
    """A PostgreSQL for the tests of one process; skipped where there is none."""
    from postgres_server import PostgresServer, binaries

    if binaries() is None:
        pytest.skip("no PostgreSQL here: its initdb was not found")
    server = PostgresServer()
    yield server
    server.close()
