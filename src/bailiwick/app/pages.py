"""The pages, imported when the first one is asked for: a server whose callers are programs never pays for them."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bailiwick import services
from bailiwick.core.message import Request, Response
from bailiwick.pipeline import Pipeline

if TYPE_CHECKING:
    from bailiwick.web.site import Site

ROOMS = ("signin", "console")
"""The services that have pages, each in its `web.py`."""


class LatePages:
    """Answers a request for a page, in a thread that may wait."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._loading = threading.Lock()
        self._site: Site | None = None

    def __call__(self, request: Request) -> Response:
        """The page. It never raises but for pages that cannot be made at all."""
        site = self._site
        if site is None:
            with self._loading:
                site = self._site = self._site or make(self._pipeline)
        return site(request)


def make(pipeline: Pipeline) -> Site:
    """The pages of every room."""
    from bailiwick.web.site import Room, Site

    rooms = []
    for name in ROOMS:
        module = import_module(f"{services.__name__}.{name}.web")
        rooms.append(Room(name, module.pages, Path(str(module.__file__)).parent))
    return Site(pipeline, rooms)
