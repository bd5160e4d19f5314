"""Tests of policies, written as cases: questions with the answers that are expected.

policies:                     # by name, for the cases to use
  developers: developers.json # a file beside this one, or a document
defaults:                     # what cases share; `policies` and `context` are merged
  principal: arn:aws:iam::111122223333:user/alice
cases:
  - name: she reads her own folder
    action: s3:GetObject                            # or a list: each is asked
    resource: arn:aws:s3:::logs/alice/today         # or a list
    policies: {identity: [developers]}
    expect: allowed             # allowed, denied, explicitDeny or implicitDeny
    layer: identity             # optional: the layer that must have decided
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from bailiwick.analysis import answers, asking
from bailiwick.analysis.asking import AskedWrongly

DENIED = "denied"
_EXPECTATIONS = (answers.ALLOWED, DENIED, answers.EXPLICIT_DENY, answers.IMPLICIT_DENY)
_OWN = ("name", "expect", "layer")  # the members of a case that are not the question's


class Case(NamedTuple):
    """One question, and the answer that is expected of it."""

    name: str
    question: Mapping[str, Any]
    expect: str
    layer: str | None


class Result(NamedTuple):
    """How a case went. `problem` is None if it went as expected; `error` if it could not be asked."""

    case: Case
    problem: str | None
    error: bool = False


def read(value: object, load: Callable[[str], str]) -> list[Case]:
    """The cases of a file. `load` gives the text of a file that is named. Raises AskedWrongly."""
    file = _mapping(value, "the file of cases")
    for name in file:
        if name not in ("policies", "defaults", "cases"):
            raise AskedWrongly(f"the file of cases has no member `{name}`: policies, defaults, cases")
    named = {name: _document(given, load) for name, given in _mapping(file.get("policies"), "policies").items()}
    defaults = _mapping(file.get("defaults"), "defaults")
    cases = file.get("cases")
    if not isinstance(cases, list) or not cases:
        raise AskedWrongly("the file holds no `cases`")
    return [case for place, given in enumerate(cases, 1) for case in _cases(place, given, defaults, named, load)]


def run(case: Case) -> Result:
    """Ask the case's question."""
    try:
        said = answers.answer(asking.read(dict(case.question)))
    except AskedWrongly as error:
        return Result(case, str(error), error=True)
    met = not said["allowed"] if case.expect == DENIED else said["decision"] == case.expect
    if not met:
        return Result(case, f"expected {case.expect}, but it is {said['decision']}: {said['reason']}")
    if case.layer is not None and said["layer"] != case.layer:
        return Result(
            case, f"expected the layer {case.layer} to decide, but it was {said['layer']}: {said['reason']}"
        )
    return Result(case, None)


def _cases(
    place: int, value: object, defaults: Mapping[str, Any], named: Mapping[str, Any], load: Callable[[str], str]
) -> Iterator[Case]:
    case = {**defaults, **_mapping(value, f"case {place}")}
    for name in ("policies", "context"):
        case[name] = {**_mapping(defaults.get(name), name), **_mapping(case.get(name), name)}
    case["policies"] = {layer: _named(given, named, load) for layer, given in case["policies"].items()}
    name, expect = str(case.get("name", f"case {place}")), case.get("expect")
    if expect not in _EXPECTATIONS:
        raise AskedWrongly(f"{name}: `expect` is one of {', '.join(_EXPECTATIONS)}")
    question = {key: given for key, given in case.items() if key not in _OWN}
    actions, resources = _several(case.get("action")), _several(case.get("resource"))
    for action, resource in product(actions, resources):
        shown = name if len(actions) == len(resources) == 1 else f"{name} ({action} on {resource})"
        yield Case(shown, {**question, "action": action, "resource": resource}, expect, case.get("layer"))


def _named(value: object, named: Mapping[str, Any], load: Callable[[str], str]) -> object:
    """Policies with their names and files replaced by what they stand for."""
    if isinstance(value, list):
        return [_named(each, named, load) for each in value]
    if isinstance(value, str) and value in named:
        return {"name": value, "policy": named[value]}
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return {"name": value, "policy": load(value)}
    return value


def _document(value: object, load: Callable[[str], str]) -> object:
    return load(value) if isinstance(value, str) and not value.lstrip().startswith("{") else value


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise AskedWrongly(f"{name} must be a mapping")
    return value
