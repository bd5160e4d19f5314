"""Packages imported without those parts of them that a server has no use for. To be imported before they are.

What is left out, and what it would cost at each start and for as long as the server runs (measured):

    rich         structlog would colour tracebacks with it; our logs are lines of plain text or JSON   5 MB
    greenlet     structlog and SQLAlchemy would know asyncio's way of waiting; we wait in threads      1 MB
    uvicorn's    command line and supervisors, with click and multiprocessing; of uvicorn we take
                 the server and its protocol                                                           1.5 MB

What is put off until it is asked for, which in a server that runs is never: `importlib.metadata`, in which
SQLAlchemy looks for dialects of others, with `email` and `zipfile` behind it, and the `logging.config` of
uvicorn                                                                                               1.3 MB
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PUT_OFF = ("importlib.metadata", "logging.config")
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


def _put_off(name: str) -> None:
    """Let a module be loaded by the first look into it, not by its import."""
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def look(attribute: str) -> Any:
        if sys.modules.get(name) is stand_in:
            sys.modules.pop(name, None)
        return getattr(importlib.import_module(name), attribute)

    stand_in.__getattr__ = look  # type: ignore[method-assign]  # PEP 562
    package, _, last = name.rpartition(".")
    setattr(importlib.import_module(package), last, stand_in)
    sys.modules[name] = stand_in


def _import_lightly() -> None:
    for name in _PUT_OFF:
        _put_off(name)
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
