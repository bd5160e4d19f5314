"""The fixture of the client tests: one server process for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients_support import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path / "data").start()
    yield running
    if running.process and running.process.poll() is None:
        running.stop()
