"""A stored policy as its owner reads it back: as submitted, but with today's names for those it names.

A user or role was pinned by unique id when the policy was saved. One that is gone is shown as that id, one
that was renamed under its new ARN (facts/policy.md section 1.3). ARNs in conditions are never rewritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)
_PRINCIPAL_PATHS = {("Statement", element, "AWS") for element in ("Principal", "NotPrincipal")}


def render(text: str, pins: Mapping[str, str], current: Callable[[str], str | None]) -> str:
    """The text of a policy, with the principals that `pins` maps to unique ids under their present names.

    `current(unique_id)` gives the present ARN, or None if the entity is gone.
    """
    shown = {arn: current(unique_id) or unique_id for arn, unique_id in pins.items()}
    renamed = {arn: name for arn, name in shown.items() if arn != name}
    if not renamed:
        return text
    parts: list[str] = []
    end = 0
    for found in _principals(text):
        name = renamed.get(json.loads(found.group()))
        if name is not None:
            parts += (text[end : found.start()], json.dumps(name, ensure_ascii=False))
            end = found.end()
    return "".join((*parts, text[end:]))


def _principals(text: str) -> Iterator[re.Match[str]]:
    """The string tokens that are values of an AWS key in a Principal or NotPrincipal element.

    The text is JSON: it was parsed before it was stored. Lists add nothing to a path.
    """
    path: list[str] = []  # the key under which each open object stands, and the key last read in it
    opened: list[str] = []
    value_next = False  # in an object: whether a key was read, and its value is due
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in "{[":
            opened.append(mark)
            value_next = mark == "["
            if mark == "{":
                path.append("")
        elif mark in "}]":
            if opened and opened.pop() == "{":
                path.pop()
            value_next = False
        elif mark == ",":
            value_next = bool(opened) and opened[-1] == "["
        elif mark == ":":
            value_next = True
        elif not value_next and path:
            path[-1] = json.loads(mark)
        elif tuple(path) in _PRINCIPAL_PATHS:
            yield token
