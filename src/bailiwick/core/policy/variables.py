"""Policy variables: `${key}`, `${key, 'default'}`, and `${*}` `${?}` `${$}` for the plain characters.

Source: IAM User Guide, "Policy variables"; facts/policy.md section 1.5. What a variable stands for is literal
text: a `*` in a tag's value never becomes a wildcard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from bailiwick.core.policy.patterns import Piece, Run, between_stars, glob, matches_runs, pieces, run
from bailiwick.core.policy.question import Context

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_BODY = re.compile(r"([^\s,'{}$*?]+)(?:, '([^']*)')?")
_PLAIN = {"*", "?", "$"}


class Variable(msgspec.Struct, frozen=True):
    """A variable: its key in lower case, and its default. A malformed one has no key and never a value."""

    key: str | None
    default: str | None = None

    def value(self, context: Context) -> str | None:
        """The text it stands for, or None: no such key and no default, or a key with several values."""
        if self.key is None:
            return None
        found = context.get(self.key)
        if found is None:
            return self.default
        return found if isinstance(found, str) else None


class Template(msgspec.Struct, frozen=True):
    """A text of a policy in its parts: literal text, wildcards, variables."""

    parts: tuple[Piece | Variable, ...]

    @property
    def fixed(self) -> tuple[Piece, ...] | None:
        """The parts, if there is no variable among them, else None."""
        return None if any(isinstance(part, Variable) for part in self.parts) else self.resolve({})

    def resolve(self, context: Context) -> tuple[Piece, ...] | None:
        """The parts with every variable replaced by its value, or None if one has none."""
        resolved: list[Piece] = []
        for part in self.parts:
            value = part.value(context) if isinstance(part, Variable) else part
            if value is None:
                return None
            resolved.append(value)
        return tuple(resolved)


def template(text: str, *, variables: bool, wildcards: bool) -> Template:
    """Split a text of a policy.

    `variables` tells whether they are (only where Version is 2012-10-17), `wildcards` whether `*` and `?`
    are patterns here. A `${` that is never closed is literal text.
    """
    if not variables:
        return Template(pieces(text) if wildcards else (text,))
    parts: list[Piece | Variable] = []
    for index, part in enumerate(_VARIABLE.split(text)):
        if index % 2:
            parts.append(part if part in _PLAIN else _variable(part))
        elif part:
            parts.extend(pieces(part) if wildcards else (part,))
    return Template(tuple(parts))


def pattern(found: Template) -> Callable[[str, Context], bool | None]:
    """The matcher of a pattern that may hold variables; it gives None where one has no value.

    What no variable changes is prepared once, so that a long pattern is not read again at each decision.
    """
    fixed = found.fixed
    if fixed is not None:
        matches = glob(fixed)
        return lambda text, context: matches(text)
    prepared = [_prepared(parts) for parts in between_stars(found.parts)]

    def contextual(text: str, context: Context) -> bool | None:
        runs: list[Run] = []
        for each in prepared:
            if isinstance(each, Template):
                resolved = each.resolve(context)
                if resolved is None:
                    return None
                each = run(resolved)
            runs.append(each)
        return matches_runs(runs, text)

    return contextual


def _prepared(parts: Sequence[Piece | Variable]) -> Run | Template:
    template = Template(tuple(parts))
    fixed = template.fixed
    return template if fixed is None else run(fixed)


def keys(text: str) -> list[str]:
    """The condition keys that the variables in a text name, as they are written."""
    bodies = (_BODY.fullmatch(body) for body in _VARIABLE.findall(text))
    return [body[1] for body in bodies if body]


def _variable(body: str) -> Variable:
    found = _BODY.fullmatch(body)
    return Variable(found[1].lower(), found[2]) if found else Variable(None)
