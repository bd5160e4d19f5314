"""What a policy grants, for people: service by service, how much of each kind of access."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import msgspec

from bailiwick.analysis import actions
from bailiwick.analysis.granting import Granted
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import patterns, syntax

LEVELS = ("List", "Read", "Write", "Tagging", "Permissions management")
_MOST = 60
_LONGEST = 131_072  # characters, white space among them, as IAM takes a policy


class Level(msgspec.Struct, frozen=True):
    """How many actions of one kind a policy allows, of how many."""

    name: str
    allowed: int
    of: int

    @property
    def share(self) -> int:
        """In percent."""
        return round(100 * self.allowed / self.of) if self.of else 0


class Service(msgspec.Struct, frozen=True):
    """A service of which something is allowed."""

    prefix: str
    name: str
    levels: list[Level]


class Summary(msgspec.Struct, frozen=True):
    """The services, and how many more there are than are shown."""

    services: list[Service]
    more: int = 0


def of_policy(document: str) -> Summary:
    """What a policy's statements allow somewhere; nothing for a text that is no policy, or longer than one can be.

    As with access advisor, which resource and which condition is not asked.
    """
    return _of_policy(document) if len(document) <= _LONGEST else Summary([])


@lru_cache(maxsize=64)
def _of_policy(document: str) -> Summary:
    data = actions.load()
    try:
        granted = Granted([document], data)
        prefixes = granted.services()
        allowed = _by_service(document)
    except PolicyError:
        return Summary([])
    shown = [_service(granted, data, prefix, allowed) for prefix in prefixes[:_MOST]]
    return Summary(shown, max(len(prefixes) - _MOST, 0))


def _by_service(document: str) -> dict[str, list[str]] | None:
    """The actions that a policy names, by service; None for one that has more to it than allowing named actions."""
    named: dict[str, list[str]] = {}
    for statement in syntax.parse(document).statements:
        if statement.effect != "Allow" or statement.action is None or "*" in statement.action:
            return None
        for entry in statement.action:
            named.setdefault(entry.partition(":")[0].lower(), []).append(entry)
    return named


def _service(
    granted: Granted, data: actions.ActionData, prefix: str, named: dict[str, list[str]] | None
) -> Service:
    known = data.service(prefix)
    assert known is not None, "it was found by its actions"
    every = Counter(action.level for action in known.actions.values())
    if named is None:
        found = [known.actions[name.lower()] for name in granted.actions(prefix)]
    else:
        matches = patterns.actions(named[prefix])  # of a policy of thousands of actions only those that can match
        found = [action for action in known.actions.values() if matches(action.full_name.lower())]
    allowed = Counter(action.level for action in found)
    levels = [Level(level, allowed[level], every[level]) for level in LEVELS if every[level]]
    return Service(prefix, known.name, levels)
