"""A stored policy as its owner reads it back: as submitted, but with today's names for those it names.

A user or role was pinned by unique id when the policy was saved. One that is gone is shown as that id, one
that was renamed under its new ARN (facts/policy.md section 1.3). ARNs in conditions are never rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from bailiwick.core.policy.places import Path, Place, places


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
    for place in _principals(text):
        name = renamed.get(json.loads(text[place.start : place.end]))
        if name is not None:
            parts += (text[end : place.start], json.dumps(name, ensure_ascii=False))
            end = place.end
    return "".join((*parts, text[end:]))


def _principals(text: str) -> Iterator[Place]:
    """The texts that are values of an AWS key in a Principal or NotPrincipal element, in order."""
    return (place for path, place in places(text).items() if _names_principal(path) and text[place.start] == '"')


def _names_principal(path: Path) -> bool:
    keys = [step for step in path if isinstance(step, str)]  # lists add nothing
    return keys in (["Statement", "Principal", "AWS"], ["Statement", "NotPrincipal", "AWS"])
