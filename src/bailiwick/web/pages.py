"""A room's own list of pages, which the site joins with those of the other rooms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from bailiwick.core.message import Response

Handler = Callable[..., Response]
"""Takes the Visit, and the parts of the path that the pattern names, by name."""

_PART = re.compile(r"\{(\w+)(:path)?\}")


class Page(msgspec.Struct, frozen=True):
    """One page. `open` is for strangers too; `foreign` takes other sites' forms, and proves them in its own way."""

    method: str
    pattern: str
    handler: Handler
    open: bool = False
    foreign: bool = False


class Pages:
    """Pages by method and path.

    A pattern is a path in which `{name}` stands for one part between slashes, and `{name:path}` for a rest that
    may have slashes in it. Fixed paths come before patterns, patterns in the order of their registration.
    """

    def __init__(self) -> None:
        self._fixed: dict[str, dict[str, Page]] = {}
        self._patterns: list[tuple[re.Pattern[str], Page]] = []

    def get(self, pattern: str, *, open: bool = False) -> Callable[[Handler], Handler]:
        """Register a page that shows something and changes nothing."""
        return self._registering("GET", pattern, open=open, foreign=False)

    def post(self, pattern: str, *, open: bool = False, foreign: bool = False) -> Callable[[Handler], Handler]:
        """Register what a form is sent to. Forged forms do not reach it, unless it is `foreign`."""
        return self._registering("POST", pattern, open=open, foreign=foreign)

    def _registering(self, method: str, pattern: str, *, open: bool, foreign: bool) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._add(Page(method, pattern, handler, open, foreign))
            return handler

        return register

    def _add(self, page: Page) -> None:
        if _PART.search(page.pattern) is None:
            if page.method in self._fixed.setdefault(page.pattern, {}):
                raise ValueError(f"{page.method} {page.pattern} is registered twice")
            self._fixed[page.pattern][page.method] = page
            return
        pieces = _PART.split(page.pattern)
        text = "".join(
            re.escape(piece) if number % 3 == 0 else f"(?P<{piece}>{'.+' if pieces[number + 1] else '[^/]+'})"
            for number, piece in enumerate(pieces)
            if number % 3 != 2
        )
        self._patterns.append((re.compile(text), page))

    def include(self, others: Pages) -> None:
        """Take over the pages of another list. Raises ValueError for what is there twice."""
        for page in others.all():
            self._add(page)

    def all(self) -> list[Page]:
        """Every page."""
        fixed = [page for methods in self._fixed.values() for page in methods.values()]
        return [*fixed, *(page for _, page in self._patterns)]

    def find(self, method: str, path: str) -> tuple[Page | None, dict[str, Any], bool]:
        """The page, the parts of the path by name, and whether there is another method at this path.

        `path` is as sent; the parts are decoded.
        """
        known = self._fixed.get(path)
        if known is not None:
            return known.get(method), {}, True
        elsewhere = False
        for pattern, page in self._patterns:
            found = pattern.fullmatch(path)
            if found is not None:
                if page.method == method:
                    return page, {name: unquote(part) for name, part in found.groupdict().items()}, True
                elsewhere = True
        return None, {}, elsewhere
