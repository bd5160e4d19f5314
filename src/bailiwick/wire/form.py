"""Forms: `application/x-www-form-urlencoded` bodies and query strings, read strictly and within limits."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from bailiwick.api import MalformedInput
from bailiwick.core.message import Request

MAX_FIELDS = 4000
_MAX_DEPTH = 24
_SHORT = 128

FORM_TYPE = "application/x-www-form-urlencoded"

# Finds the two fields that name an operation without reading the whole form.
_ACTION = re.compile(r"(?:^|&)(Action|Version)=([^&]*)")

Tree = dict[str, "Tree | str"]
"""A form's fields by their dotted names: `Tags.member.1.Key=a` is {"Tags": {"member": {"1": {"Key": "a"}}}}."""


def raw(request: Request) -> str | None:
    """The form of a request as it arrived: the body of a POST, the query string of a GET; None if it has none.

    A POST without a body has its form in the query string, as some clients of object stores send it. Raises
    MalformedInput for a body that is not ASCII.
    """
    if request.method == "POST":
        kind = request.header("content-type") or FORM_TYPE
        if not kind.lower().startswith(FORM_TYPE):
            return None
        if not request.body:
            return request.query
        try:
            return request.body.decode("ascii")
        except UnicodeDecodeError:
            raise MalformedInput("The form is not percent-encoded.") from None
    return request.query if request.method == "GET" else None


def action(request: Request) -> tuple[str, str]:
    """The Action and Version of a request, empty where it has none. Raises MalformedInput for two of one."""
    text = raw(request)
    if not text:
        return "", ""
    return _short_action(text) if len(text) < _SHORT and text.count("&") == 1 else _action(text)


def _action(text: str) -> tuple[str, str]:
    found: dict[str, str] = {}
    for name, value in _ACTION.findall(text):
        if name in found:
            raise MalformedInput(f"The request has more than one {name}.")
        found[name] = _decoded(value)
    return found.get("Action", ""), found.get("Version", "")


# The form of an operation that is given no input is the same from every client.
_short_action = lru_cache(maxsize=256)(_action)


def parse(text: str) -> Tree:
    """The fields of a form as a tree.

    Raises MalformedInput for a field given twice, one that is both a value and a group, text that is not UTF-8, and
    more fields or deeper names than anyone needs.
    """
    fields = text.split("&", MAX_FIELDS)
    if len(fields) > MAX_FIELDS:
        raise MalformedInput(f"The form has more than {MAX_FIELDS} fields.")
    tree: Tree = {}
    for field in fields:
        if field:
            name, _, value = field.partition("=")
            _insert(tree, _decoded(name).split("."), _decoded(value))
    return tree


def _insert(tree: Tree, path: list[str], value: str) -> None:
    if len(path) > _MAX_DEPTH:
        raise MalformedInput("A field's name is too deep.")
    for part in path[:-1]:
        below = tree.setdefault(part, {})
        if isinstance(below, str):
            raise MalformedInput(f"The field {part} is given as a value and as a group.")
        tree = below
    if path[-1] in tree:
        raise MalformedInput(f"The field {path[-1]} is given more than once.")
    tree[path[-1]] = value


def _decoded(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text  # ASCII already
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedInput("A field is not UTF-8.") from None
