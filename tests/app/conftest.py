"""What the tests of the app share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command configures logging for its whole process, which here is that of the tests."""
    yield
    structlog.reset_defaults()
