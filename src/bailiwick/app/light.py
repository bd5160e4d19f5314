"""structlog, imported without what it would only use to colour tracebacks. Must be imported before whatever logs.

structlog.dev imports rich (and rich pygments) if it is there, which takes a tenth of a start and 5 MB; our logs are
lines of plain text or JSON (logs.py).
"""

from __future__ import annotations

import sys

_UNUSED = "rich"


def _import_structlog() -> None:
    if _UNUSED in sys.modules or "structlog" in sys.modules:
        return
    sys.modules[_UNUSED] = None  # type: ignore[assignment]  # importing it fails now
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules[_UNUSED]


_import_structlog()
