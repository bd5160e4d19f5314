"""Tags of a session: what is passed now over what the caller's session hands on (facts/policy.md section 3.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bailiwick.api import Caller, InvalidParameterValue
from bailiwick.core.policy.question import Value
from bailiwick.services.sts.shapes import Tag

_DUPLICATE = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
_NOT_PASSED = "The specified transitive tag key must be included in the requested tags."
_TAKEN = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
    "calling session."
)


class SessionTags(msgspec.Struct, frozen=True):
    """The tags that a new session carries, and the keys among them that it hands on in its turn."""

    tags: dict[str, str]
    transitive: tuple[str, ...]


def inherited(caller: Caller) -> dict[str, str]:
    """The tags that the caller's session hands on to the sessions it begins."""
    if caller.session is None:
        return {}
    return {key: caller.session.tags[key] for key in caller.session.transitive if key in caller.session.tags}


def context(passed: Mapping[str, str], transitive: Sequence[str] = ()) -> dict[str, Value]:
    """The condition keys of a call that passes tags."""
    keys: dict[str, Value] = {f"aws:requesttag/{key.lower()}": value for key, value in passed.items()}
    if passed:
        keys["aws:tagkeys"] = tuple(passed)
    if transitive:
        keys["sts:transitivetagkeys"] = tuple(transitive)
    return keys


def once(passed: Sequence[Tag] | None) -> dict[str, str]:
    """Tags by key. Raises InvalidParameterValue for a key given twice, in whatever letter case."""
    given = {tag.Key: tag.Value for tag in passed or ()}
    if len({key.lower() for key in given}) < len(passed or ()):
        raise InvalidParameterValue(_DUPLICATE)
    return given


def combined(caller: Caller, passed: Sequence[Tag] | None, transitive: Sequence[str] | None = None) -> SessionTags:
    """The tags of a session that `caller` begins with `passed` tags.

    Raises InvalidParameterValue for a key given twice, a transitive key that is not passed, and a key that the
    caller's session already hands on.
    """
    given = once(passed)
    keys = {key.lower() for key in given}
    if any(key.lower() not in keys for key in transitive or ()):
        raise InvalidParameterValue(_NOT_PASSED)
    handed_on = inherited(caller)
    if keys & {key.lower() for key in handed_on}:
        raise InvalidParameterValue(_TAKEN)
    wanted = {key.lower() for key in transitive or ()}
    named = tuple(key for key in given if key.lower() in wanted)
    return SessionTags({**given, **handed_on}, (*named, *handed_on))
