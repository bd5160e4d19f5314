"""One world for each test, and the root user's clients in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from still_clock import Clock
from world import World

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands still until it is moved; requests are signed by it. A world goes by it where a file says so."""
    return Clock(monkeypatch)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def iam(world: World) -> Any:
    return world.client("iam")


@pytest.fixture
def kms(world: World) -> Any:
    return world.client("kms")
