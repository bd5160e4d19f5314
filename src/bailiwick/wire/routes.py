"""The path templates of the REST protocols: which operation a method and path mean, and what its labels hold.

A template is `/2015-03-31/functions/{FunctionName}/code` or `/{Bucket}/{Key+}?acl`: a label is one segment, a
greedy label the rest, and what follows `?` must be in the query string as it is.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request
from bailiwick.wire.models import OperationModel, ServiceModel

Query = dict[str, list[str]]


class Template(NamedTuple):
    """A path template in parts: its segments, and the query fields that it wants."""

    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


@cache
def template(uri: str) -> Template:
    """The parts of a template."""
    path, _, query = uri.partition("?")
    fields = (field.partition("=") for field in query.split("&") if field)
    return Template(tuple(path[1:].split("/")), tuple((name, value) for name, _, value in fields))


def labels(wanted: Template, path: str) -> dict[str, str] | None:
    """What the labels of a template hold in a path as it was sent, decoded; None where it does not fit.

    Raises MalformedInput for a label that is not UTF-8.
    """
    given = path[1:].split("/")
    found: dict[str, str] = {}
    segments = wanted.segments
    for place, segment in enumerate(segments):
        if segment.startswith("{") and segment.endswith("+}"):
            after = len(segments) - place - 1
            rest = given[place : len(given) - after]
            if not rest or rest == [""]:
                return None
            found[segment[1:-2]] = decoded("/".join(rest))
            tail = dict(zip(segments[place + 1 :], given[len(given) - after :], strict=True))
            return found if all(a == b for a, b in tail.items()) else None
        if place >= len(given):
            return None
        if not _fits(segment, given[place], found):
            return None
    return found if len(given) == len(segments) else None


def _fits(segment: str, given: str, found: dict[str, str]) -> bool:
    """Whether one segment of a template fits; a label may stand between fixed text."""
    before, opened, rest = segment.partition("{")
    if not opened:
        return segment == given
    name, _, after = rest.partition("}")
    inner = given[len(before) : len(given) - len(after)]
    if not inner or not given.startswith(before) or not given.endswith(after):
        return False
    found[name] = decoded(inner)
    return True


def fields(query: str) -> Query:
    """The fields of a query string, decoded, each with all its values. Raises MalformedInput."""
    found: Query = {}
    for field in query.split("&"):
        if field:
            name, _, value = field.partition("=")
            found.setdefault(decoded(name.replace("+", " ")), []).append(decoded(value.replace("+", " ")))
    return found


def decoded(text: str) -> str:
    """Percent-decoded text. Raises MalformedInput for what is not UTF-8."""
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedInput("The URL is not UTF-8.") from None


Rank = tuple[int, ...]
"""How particular a template is: how much of it is fixed, and how much of what it wants is there."""


def find(service: ServiceModel, request: Request) -> tuple[Rank, OperationModel] | None:
    """The operation of a REST service that a request means, and its rank: the most particular template that fits.

    Two operations may share a method and path (S3's PutObject and CopyObject); then the one counts whose
    required headers and query fields are there.
    """
    given = fields(request.query)
    best: tuple[Rank, OperationModel] | None = None
    for operation in _by_method(service).get(request.method, ()):
        wanted = template(operation.uri)
        if labels(wanted, request.path) is None or not _has(given, wanted):
            continue
        fixed = sum("{" not in segment for segment in wanted.segments)
        rank = (
            fixed,
            len(wanted.query),
            -_greedy(wanted),
            *_completeness(operation, given, request),
            not operation.deprecated,
        )
        if best is None or rank > best[0]:
            best = rank, operation
    return best


def _completeness(operation: OperationModel, given: Query, request: Request) -> tuple[int, int]:
    required = _required(operation)
    there = [name in given if place == "querystring" else bool(request.header(name)) for place, name in required]
    return int(all(there)), len(there) if all(there) else sum(there) - len(there)


def _has(given: Query, wanted: Template) -> bool:
    return all(name in given and (not value or value in given[name]) for name, value in wanted.query)


def _greedy(wanted: Template) -> int:
    return sum(segment.endswith("+}") for segment in wanted.segments)


@cache
def _by_method(service: ServiceModel) -> dict[str, list[OperationModel]]:
    found: dict[str, list[OperationModel]] = {}
    for operation in service.operations.values():
        found.setdefault(operation.method, []).append(operation)
    return found


@cache
def _required(operation: OperationModel) -> tuple[tuple[str, str], ...]:
    """The headers and query fields without which a request cannot mean this operation."""
    if not operation.input:
        return ()
    shape = operation.model.shape(operation.input)
    members = ((name, shape.members[name]) for name in sorted(shape.required))
    return tuple(
        (member.place, (member.name or name).lower() if member.place == "header" else member.name or name)
        for name, member in members
        if member.place in ("header", "querystring")
    )
