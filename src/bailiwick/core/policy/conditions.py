"""Condition operators: every one of the policy language, compiled to a test of the context.

Three questions are kept apart. How one value of the request compares with one value of the policy: an
operator's `prepare`. How several values of the policy combine: `_any_of` for positive operators, `_none_of`
for negated ones. What happens where the request has no value, or several: `_scalar`, `_for_all`, `_for_any`.

Source: IAM User Guide, "Condition operators" and "Multivalued context keys"; facts/policy.md section 2, whose
tables 2.3 and 2.4 this file follows line by line.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from bailiwick.core.policy import values
from bailiwick.core.policy.patterns import HEAD_FIELDS, Piece
from bailiwick.core.policy.question import Context
from bailiwick.core.policy.variables import Template, Variable, pattern, template

T = TypeVar("T")

Test = Callable[[Context], bool]
"""One (operator, key) pair of a condition block, or all of them."""

Comparison = Callable[[str], bool | None]
"""Compares a value of the request; None where it cannot be compared."""

_Contextual = Callable[[str, Context], bool | None]
_Judge = Callable[[str, Context], bool]


class Operator(msgspec.Struct, frozen=True):
    """A condition operator without its prefix and suffix.

    `prepare` makes a comparison from a policy value's parts. `takes` tells whether a policy value is of
    the operator's type.
    """

    name: str
    prepare: Callable[[tuple[Piece, ...]], Comparison]
    negated: bool = False
    variables: bool = False
    wildcards: bool = False
    arn: bool = False
    takes: Callable[[str], bool] = lambda text: True


class Written(msgspec.Struct, frozen=True):
    """An operator as a policy writes it: `ForAnyValue:StringLikeIfExists` has a quantifier and a suffix."""

    operator: Operator
    quantifier: str = ""  # "", forallvalues or foranyvalue
    if_exists: bool = False


def written(name: str) -> Written | None:
    """Read the name of an operator, whose case does not matter; None if there is no such operator."""
    quantifier, colon, base = name.lower().rpartition(":")
    if colon and quantifier not in ("forallvalues", "foranyvalue"):
        return None
    base, if_exists = base.removesuffix("ifexists"), base.endswith("ifexists")
    found = OPERATORS.get(base)
    if found is None or (if_exists and found is _NULL):
        return None
    return Written(found, quantifier, if_exists)


def compile_test(name: Written, key: str, wanted: Sequence[str], *, variables: bool, closed: bool) -> Test:
    """The test that `wanted`, the values of the policy, ask of `key`.

    `closed` is the answer where there is none to give, as when a negated operator meets what it cannot
    compare: true in a Deny statement, which then applies, and false in an Allow, which then does not.
    """
    key, found = key.lower(), name.operator
    if found is _NULL:
        return _null(name.quantifier, key, wanted)
    if found is _EQUALS and not name.quantifier and not (variables and any("${" in text for text in wanted)):
        return _one_of(key, frozenset(wanted), absent=name.if_exists)
    comparisons = [_comparison(found, text, variables) for text in wanted]
    judge = _none_of(comparisons, closed) if found.negated else _any_of(comparisons)
    if name.quantifier == "forallvalues":
        return _for_all(key, judge)
    if name.quantifier == "foranyvalue":
        return _for_any(key, judge, absent=name.if_exists)
    return _scalar(
        key,
        judge,
        absent=found.negated or name.if_exists,
        empty=found.negated,
        several=found.negated and closed,
    )


def all_of(tests: Sequence[Test]) -> Test:
    """The test of a whole condition block: every pair must hold."""
    if len(tests) == 1:
        return tests[0]
    return lambda context: all(test(context) for test in tests)


# --- where the request has no value, or several


def _scalar(key: str, judge: _Judge, *, absent: bool, empty: bool, several: bool) -> Test:
    def test(context: Context) -> bool:
        value = context.get(key)
        if value is None:
            return absent
        if isinstance(value, str):
            return judge(value, context)
        if not any(value):
            return empty
        return judge(value[0], context) if len(value) == 1 else several

    return test


def _one_of(key: str, wanted: frozenset[str], *, absent: bool) -> Test:
    """StringEquals with plain texts, of which policies are full: what `_scalar` would answer, in one step."""

    def test(context: Context) -> bool:
        value = context.get(key)
        if isinstance(value, str):
            return value in wanted
        if value is None:
            return absent
        return len(value) == 1 and value[0] != "" and value[0] in wanted

    return test


def _for_all(key: str, judge: _Judge) -> Test:
    def test(context: Context) -> bool:
        return all(judge(value, context) for value in _set(context, key))

    return test


def _for_any(key: str, judge: _Judge, *, absent: bool) -> Test:
    def test(context: Context) -> bool:
        if key not in context:
            return absent
        return any(judge(value, context) for value in _set(context, key))

    return test


def _null(quantifier: str, key: str, wanted: Sequence[str]) -> Test:
    if quantifier:
        return lambda context: quantifier == "forallvalues"
    truths = {values.truth(text) for text in wanted}
    return lambda context: (not _set(context, key)) in truths


def _set(context: Context, key: str) -> tuple[str, ...]:
    """The values of a key. One that is absent, or holds nothing but empty texts in a list, has none."""
    value = context.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return value if any(value) else ()


# --- where the policy has several values


def _any_of(comparisons: Sequence[_Contextual]) -> _Judge:
    """Some value of the policy matches. What cannot be compared does not match."""
    if len(comparisons) == 1:
        only = comparisons[0]
        return lambda value, context: bool(only(value, context))
    return lambda value, context: any(compare(value, context) for compare in comparisons)


def _none_of(comparisons: Sequence[_Contextual], closed: bool) -> _Judge:
    """No value of the policy matches; `closed` where that cannot be known."""

    def judge(value: str, context: Context) -> bool:
        results = [compare(value, context) for compare in comparisons]
        if True in results:
            return False
        return closed if None in results else True

    return judge


# --- one value of the policy, one of the request


def _comparison(found: Operator, text: str, variables: bool) -> _Contextual:
    value = template(text, variables=variables and found.variables, wildcards=found.wildcards)
    if found.arn:
        return _arn(value)
    if found.wildcards:
        matches = pattern(value)
        return lambda asked, context: bool(matches(asked, context))
    fixed, prepare = value.fixed, found.prepare
    if fixed is not None:
        compare = prepare(fixed)
        return lambda asked, context: compare(asked)

    def contextual(asked: str, context: Context) -> bool | None:
        resolved = value.resolve(context)
        return False if resolved is None else prepare(resolved)(asked)

    return contextual


def _text(parts: Iterable[Piece]) -> str:
    return "".join(part if isinstance(part, str) else part.value for part in parts)


def _exactly(parts: tuple[Piece, ...]) -> Comparison:
    expected = _text(parts)
    return lambda asked: asked == expected


def _ignoring_case(parts: tuple[Piece, ...]) -> Comparison:
    expected = _text(parts).lower()
    return lambda asked: asked.lower() == expected


def _typed(
    read: Callable[[str], T | None], compare: Callable[[T, T], bool]
) -> Callable[[tuple[Piece, ...]], Comparison]:
    """An operator that reads both sides as values of a type, the request's value first."""

    def prepare(parts: tuple[Piece, ...]) -> Comparison:
        wanted = read(_text(parts))

        def comparison(asked: str) -> bool | None:
            found = read(asked)
            return None if found is None or wanted is None else compare(found, wanted)

        return comparison

    return prepare


def _in_network(parts: tuple[Piece, ...]) -> Comparison:
    network = values.network(_text(parts))

    def comparison(asked: str) -> bool | None:
        found = values.address(asked)
        return None if found is None or network is None else network.holds(found)

    return comparison


# --- ARNs: six fields, each a pattern, so that `*` never crosses one of the first five colons


def _arn(value: Template) -> _Contextual:
    """Compare with an ARN pattern. A value that is one variable is compared with the ARN it stands for."""
    if len(value.parts) == 1 and isinstance(value.parts[0], Variable):
        variable = value.parts[0]
        return lambda asked, context: variable.value(context) == asked if _fields(asked) else None
    patterns = _arn_patterns(value)
    if patterns is None:
        return lambda asked, context: None
    matchers = [pattern(field) for field in patterns]

    def contextual(asked: str, context: Context) -> bool | None:
        fields = _fields(asked)
        if fields is None:
            return None
        return all(matches(field, context) for field, matches in zip(fields, matchers, strict=True))

    return contextual


def _fields(text: str) -> list[str] | None:
    fields = text.split(":", HEAD_FIELDS)
    return fields if len(fields) > HEAD_FIELDS and fields[0] == "arn" else None


def _arn_patterns(value: Template) -> list[Template] | None:
    """The six fields of a pattern, cut at colons that the policy's text holds, not those of a variable."""
    fields: list[list[Piece | Variable]] = [[]]
    for part in value.parts:
        cuts = [part]
        if isinstance(part, str):
            cuts = list(part.split(":", HEAD_FIELDS + 1 - len(fields)))
        for index, cut in enumerate(cuts):
            if index:
                fields.append([])
            if cut != "":
                fields[-1].append(cut)
    if len(fields) <= HEAD_FIELDS or fields[0] != ["arn"]:
        return None
    return [Template(tuple(field)) for field in fields]


def _is_arn(text: str) -> bool:
    value = template(text, variables=True, wildcards=True)
    is_one_variable = len(value.parts) == 1 and isinstance(value.parts[0], Variable)
    return is_one_variable or _arn_patterns(value) is not None


# --- the table


def _unused(parts: tuple[Piece, ...]) -> Comparison:
    raise AssertionError("patterns and Null are compiled by functions of their own")


def _is_instant(text: str) -> bool:
    return values.instant(text) is not None


_NULL = Operator("Null", _unused)

_EQUALS = Operator("StringEquals", _exactly, variables=True)

_TABLE = (
    _EQUALS,
    Operator("StringNotEquals", _exactly, negated=True, variables=True),
    Operator("StringEqualsIgnoreCase", _ignoring_case, variables=True),
    Operator("StringNotEqualsIgnoreCase", _ignoring_case, negated=True, variables=True),
    Operator("StringLike", _unused, wildcards=True, variables=True),
    Operator("StringNotLike", _unused, wildcards=True, negated=True, variables=True),
    Operator("NumericEquals", _typed(values.number, operator.eq)),
    Operator("NumericNotEquals", _typed(values.number, operator.eq), negated=True),
    Operator("NumericLessThan", _typed(values.number, operator.lt)),
    Operator("NumericLessThanEquals", _typed(values.number, operator.le)),
    Operator("NumericGreaterThan", _typed(values.number, operator.gt)),
    Operator("NumericGreaterThanEquals", _typed(values.number, operator.ge)),
    Operator("DateEquals", _typed(values.instant, operator.eq), takes=_is_instant),
    Operator("DateNotEquals", _typed(values.instant, operator.eq), takes=_is_instant, negated=True),
    Operator("DateLessThan", _typed(values.instant, operator.lt), takes=_is_instant),
    Operator("DateLessThanEquals", _typed(values.instant, operator.le), takes=_is_instant),
    Operator("DateGreaterThan", _typed(values.instant, operator.gt), takes=_is_instant),
    Operator("DateGreaterThanEquals", _typed(values.instant, operator.ge), takes=_is_instant),
    Operator("Bool", _typed(values.truth, operator.eq), variables=True),
    Operator("BinaryEquals", _typed(values.binary, operator.eq)),
    Operator("IpAddress", _in_network),
    Operator("NotIpAddress", _in_network, negated=True),
    *(
        Operator(name, _unused, negated="Not" in name, variables=True, wildcards=True, arn=True, takes=_is_arn)
        for name in ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")
    ),
    _NULL,
)

OPERATORS = {found.name.lower(): found for found in _TABLE}
"""Every operator by its name in lower case."""
