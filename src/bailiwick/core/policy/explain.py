"""Why it was decided so: what each layer said, what each statement lacked, and what would turn the answer.

An explanation asks the same statements again, one by one, and so can never tell another story than the
decision. It is made when somebody wants to know, which is when something was refused: never on the way of a
request that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bailiwick.core.policy import places
from bailiwick.core.policy.decide import Heard, Layers, decide, hear
from bailiwick.core.policy.evaluate import Asked, ask, lacking
from bailiwick.core.policy.layer import Attached, Entry, Layer
from bailiwick.core.policy.question import Decision, Lack, LayerKind, Match, Question, Value
from bailiwick.core.policy.turning import Change, changes

_CONSIDERED = 12  # statements told of one layer, those that came closest first
_LONGEST_TEXT = 2048  # characters of a statement


class Considered(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A statement that speaks of the action: where it stands, and what it lacked if it did not apply.

    `line` and `column` count from 1. `text` is the statement as written, where it decided or nearly did.
    """

    match: Match
    effect: str
    line: int = 0
    column: int = 0
    lacks: tuple[Lack, ...] = ()
    text: str | None = None

    @property
    def applies(self) -> bool:
        """Whether the statement took effect."""
        return not self.lacks


class Told(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What one layer said: `denies`, `allows`, or `nothing`.

    `level` is the place of a control policy's level, from the root (0) down. `policies` are the names of its
    policies, `statements` is how many they hold, `considered` are those that speak of the action.
    """

    kind: LayerKind
    says: str
    level: int | None = None
    grant: str | None = None  # how a policy of the resource named the caller
    policies: tuple[str, ...] = ()
    statements: int = 0
    considered: tuple[Considered, ...] = ()


class Explanation(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The whole story of a decision.

    `absent` are condition keys that considered statements ask for and the request did not have. `changes` is
    what would turn a refusal into an Allow, all of it together.
    """

    principal: str
    action: str
    resource: str
    account: str
    allowed: bool
    reason: str
    layer: LayerKind | None = None
    explicit: bool = False
    layers: tuple[Told, ...] = ()
    absent: tuple[str, ...] = ()
    context: dict[str, Value] = {}
    changes: tuple[Change, ...] = ()


def explain(question: Question, layers: Layers, decision: Decision | None = None) -> Explanation:
    """Tell why the question is answered as it is; `decision` if it is known already.

    Of the context, the keys that considered statements ask for are repeated.
    """
    decision = decision or decide(question, layers)
    asked = ask(question, bounded=layers.boundary is not None)
    told = tuple(_told(heard, asked, decision) for heard in hear(question, layers))
    wanted = {key.lower(): key for key in _keys(question, layers, asked)}
    present = {key: question.context[key] for key in wanted if key in question.context}
    return Explanation(
        principal=question.principal.arn,
        action=question.action,
        resource=question.resource,
        account=question.account,
        allowed=decision.allowed,
        reason=reason(question, layers, decision, told),
        layer=decision.layer,
        explicit=decision.explicit,
        layers=told,
        absent=tuple(name for key, name in wanted.items() if key not in question.context),
        context=present,
        changes=() if decision.allowed else changes(question, layers),
    )


# --- one layer


def _told(heard: Heard, asked: Asked, decision: Decision) -> Told:
    verdict = heard.verdict
    says = "denies" if verdict.deny else "allows" if verdict.allow else "nothing"
    speaking = [entry for entry in heard.layer.entries() if entry.statement.acts(asked.action)]
    considered = [_considered(heard, entry, asked, decision) for entry in speaking]
    considered.sort(key=lambda each: (each.match != decision.match, len(each.lacks)))
    return Told(
        kind=heard.kind,
        says=says,
        level=heard.level,
        grant=verdict.grant.name.lower() if verdict.allow and verdict.grant else None,
        policies=tuple(attached.arn or attached.name for attached in heard.layer.policies),
        statements=sum(len(attached.policy.statements) for attached in heard.layer.policies),
        considered=tuple(considered[:_CONSIDERED]),
    )


def _considered(heard: Heard, entry: Entry, asked: Asked, decision: Decision) -> Considered:
    statement, match = entry
    lacks = lacking(statement, asked, heard.of_resource)
    place, text = _place(_policy(heard.layer, match), match.index)
    near = all(lack.element == "Condition" for lack in lacks)
    return Considered(
        match=match,
        effect="Allow" if statement.allows else "Deny",
        line=place.line,
        column=place.column,
        lacks=lacks,
        text=text[:_LONGEST_TEXT] if near or match == decision.match else None,
    )


def _policy(layer: Layer, match: Match) -> Attached:
    return next(
        attached for attached in layer.policies if (attached.name, attached.arn) == (match.policy, match.policy_arn)
    )


def _place(attached: Attached, index: int) -> tuple[places.Position, str]:
    text = attached.policy.text
    found = places.statements(text) if attached.policy.readable else ()
    if index >= len(found):
        return places.Position(0, 0), ""
    start, end = found[index].start, found[index].end
    return places.positions(text, start)[0], text[start:end]


def _keys(question: Question, layers: Layers, asked: Asked) -> Iterator[str]:
    """The condition keys that the statements about this action ask for."""
    for heard in hear(question, layers):
        for entry in heard.layer.entries():
            if entry.statement.acts(asked.action):
                yield from (condition.key for condition in entry.statement.written.conditions)


# --- the one reason


_A_LAYER = {
    LayerKind.SCP: "service control policy",
    LayerKind.RCP: "resource control policy",
    LayerKind.SESSION: "session policy",
    LayerKind.BOUNDARY: "permissions boundary",
    LayerKind.IDENTITY: "identity-based policy",
    LayerKind.RESOURCE: "policy of the resource",
    LayerKind.TRUST: "role's trust policy",
}


def reason(question: Question, layers: Layers, decision: Decision, told: tuple[Told, ...]) -> str:
    """The single reason, in a sentence or two."""
    if decision.layer is None:
        return "The root user of the account that owns the resource needs no policy." if decision.allowed else ""
    name = _A_LAYER[decision.layer]
    if decision.match is not None:
        verb = "allows" if decision.allowed else "denies"
        sentence = f"{_statement(decision.match)} of the {name} {_named(decision.match)} {verb} {question.action}."
        return sentence if decision.allowed else sentence + _why_it_applies(told, decision.match, question)
    sentence = f"No {name} allows {question.action} on {question.resource}."
    if decision.layer in (LayerKind.RESOURCE, LayerKind.TRUST) and question.principal.account != question.account:
        sentence += " The caller is of another account: both sides must allow."
        if layers.resource is None:
            sentence += " The resource has no policy."
    return sentence + _nearest(told, decision.layer)


def _statement(match: Match) -> str:
    return f"Statement {match.sid or match.index + 1}"


def _named(match: Match) -> str:
    return match.policy_arn or match.policy


def _why_it_applies(told: tuple[Told, ...], match: Match, question: Question) -> str:
    """The conditions of a Deny hold: mostly since a key is absent, which is not seen in its text."""
    for layer in told:
        for considered in layer.considered:
            if considered.match == match and considered.text:
                keys = [key for key in _condition_keys(considered.text) if key.lower() not in question.context]
                return f" It applies, since the request has no {' and no '.join(keys)}." if keys else ""
    return ""


def _condition_keys(text: str) -> list[str]:
    blocks = [(path, place) for path, place in places.places(text).items() if path[:1] == ("Condition",)]
    return list(dict.fromkeys(str(path[2]) for path, _ in blocks if len(path) == 3))


def _nearest(told: tuple[Told, ...], kind: LayerKind) -> str:
    """What the nearest Allow of a layer lacked, if it lacked nothing but conditions."""
    for layer in told:
        if layer.kind is not kind or layer.says != "nothing":
            continue
        for considered in layer.considered:
            if considered.effect == "Allow" and all(lack.element == "Condition" for lack in considered.lacks):
                unmet = "; ".join(lack.sentence() for lack in considered.lacks)
                return f" {_statement(considered.match)} of {_named(considered.match)} would, but {unmet}."
    return ""
