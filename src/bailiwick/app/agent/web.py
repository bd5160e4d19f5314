"""A question and an answer of the agent, and its refusals: small pages, of which clients read the status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec


class Named(NamedTuple):
    """A profile that a program gets; None is the main one."""

    name: str | None


class Answer(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: dict[str, str] = {}


class Question(msgspec.Struct, frozen=True):
    """What was asked: the path decoded, header names in lower case. `profile` finds out what the program gets."""

    method: str
    path: str
    headers: dict[str, str]
    profile: Callable[[], Awaitable[Named | None]]


def refused(status: int) -> Answer:
    """A refusal."""
    title = f"{status} - {HTTPStatus(status).phrase}"
    page = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    )
    return Answer(status, page.encode(), "text/html")
