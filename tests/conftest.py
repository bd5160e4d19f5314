"""Fixtures of the whole test run."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("gate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")

# No test may find its way to real credentials or a real endpoint.
for name in [name for name in os.environ if name.startswith(("AWS_", "BAILIWICK_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@pytest.fixture
def world() -> object:
    """The whole house in one process (tests/world.py)."""
    from world import World

    return World()
