"""The pages, imported when the first one is asked for: a server whose callers are programs never pays for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bailiwick import services
from bailiwick.app.company import NOT_FOR_OTHERS
from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.core.message import Request, Response
from bailiwick.federation.fetch import Fetcher
from bailiwick.pipeline import Pipeline

if TYPE_CHECKING:
    from bailiwick.web.site import Site

ROOMS = ("signin", "console")
"""The services that have pages, each in its `web.py`."""


class LatePages:
    """Answers a request for a page, in a thread that may wait."""

    def __init__(self, pipeline: Pipeline, options: Mapping[str, Any] | None = None) -> None:
        """Take what each room is told by the settings."""
        self._pipeline = pipeline
        self._options = options or {}
        self._loading = threading.Lock()
        self._site: Site | None = None

    def __call__(self, request: Request) -> Response:
        """The page. It never raises but for pages that cannot be made at all."""
        site = self._site
        if site is None:
            with self._loading:
                site = self._site = self._site or make(self._pipeline, self._options)
        return site(request)


def make(pipeline: Pipeline, options: Mapping[str, Any] | None = None) -> Site:
    """The pages of every room."""
    from bailiwick.web.site import Room, Site

    rooms = []
    for name in ROOMS:
        module = import_module(f"{services.__name__}.{name}.web")
        rooms.append(Room(name, module.pages, Path(str(module.__file__)).parent))
    return Site(pipeline, rooms, options)


def options_of(settings: Settings) -> dict[str, Any]:
    """What the rooms are told. Raises SettingsError for a file that cannot be used."""
    made: dict[str, Any] = {"fetcher": Fetcher(settings.issuers_networks)}
    if settings.signin is not None:
        from bailiwick.services.signin.configured import BadFile, read

        try:
            made["signin"] = read(settings.signin.expanduser(), lambda path: read_private(path, NOT_FOR_OTHERS))
        except (BadFile, UnsafeFile) as error:
            raise SettingsError(f"`signin`: {error}") from None
        except OSError as error:
            raise SettingsError(f"`signin`: {error.filename}: {error.strerror}") from None
    return made
