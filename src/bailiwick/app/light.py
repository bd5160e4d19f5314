"""Packages imported without those parts of them that a server has no use for. To be imported before they are.

What is left out, and what it would cost at each start and for as long as the server runs (measured):

    rich         structlog would colour tracebacks with it; our logs are lines of plain text or JSON   5 MB
    greenlet     structlog and SQLAlchemy would know asyncio's way of waiting; we wait in threads      1 MB
    uvicorn's    command line and supervisors, with click and multiprocessing; of uvicorn we take
                 the server and its protocol                                                           1.5 MB
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WITHOUT = {"structlog": ("rich", "greenlet"), "sqlalchemy": ("greenlet",)}


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let importing a module fail meanwhile, unless it was imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _import_lightly() -> None:
    for name, parts in _WITHOUT.items():
        if name not in sys.modules:
            with ExitStack() as hiding:
                for part in parts:
                    hiding.enter_context(_hidden(part))
                importlib.import_module(name)
    if "uvicorn" not in sys.modules and (spec := importlib.util.find_spec("uvicorn")):
        # What its own file says is not done, but for the two names that its parts take from it.
        package = sys.modules["uvicorn"] = importlib.util.module_from_spec(spec)
        package.Config = importlib.import_module("uvicorn.config").Config  # type: ignore[attr-defined]
        package.Server = importlib.import_module("uvicorn.server").Server  # type: ignore[attr-defined]


_import_lightly()
