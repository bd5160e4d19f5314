"""The decision: may this principal do this action on this resource, in this context?

A pure function of the question and the layers of policies that apply to it. The flow is that of the IAM User
Guide, "Policy evaluation logic", with the rules of key and trust policies in it; facts/policy.md section 4.2
to 4.7 is what it follows, in that order:

    1. an explicit Deny, in any layer, decides
    2. service and resource control policies must allow, at every level
    3. a caller without policies of its own needs the resource to name it
    4. in the resource's own account, a grant to the caller itself suffices; one to its role or user still
       passes through boundary and session policy; otherwise the caller's side decides
    5. from another account, both sides must allow
"""

from __future__ import annotations

from typing import NamedTuple

from bailiwick.core.policy.evaluate import SILENT, Asked, Verdict, ask, of_control, of_principal, of_resource
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.patterns import resource_name
from bailiwick.core.policy.principals import Grant
from bailiwick.core.policy.question import Decision, LayerKind, Match, PrincipalKind, Question, Rule

_WITHOUT_POLICIES = frozenset({PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE, PrincipalKind.PROVIDER})


OPEN = Decision(allowed=True, layer=None)
"""The answer where nothing is asked."""


class Layers(NamedTuple):
    """The policies that apply to a question, by layer; None means that there is no such layer.

    `identity`, `boundary`, `session` and `scps` are the caller's, `resource` and `rcps` the resource's.
    `scps` and `rcps` have a layer for each level, from the organization's root to the account.
    """

    identity: Layer | None = None
    boundary: Layer | None = None
    session: Layer | None = None
    resource: Layer | None = None
    scps: tuple[Layer, ...] = ()
    rcps: tuple[Layer, ...] = ()


class Ruling(NamedTuple):
    """A decision with all that it rests on, so that it can be explained later."""

    question: Question
    layers: Layers
    decision: Decision


class _Verdicts(NamedTuple):
    """What each layer says. `identity` and `resource` are silent where there is no such layer."""

    scps: list[Verdict]
    rcps: list[Verdict]
    session: Verdict | None
    boundary: Verdict | None
    identity: Verdict
    resource: Verdict


def decide(question: Question, layers: Layers) -> Decision:
    """Answer the question. It never raises, and looks nothing up."""
    if question.rule is Rule.NONE:
        return OPEN
    said = _hear(question, layers)
    on_resource = _on_resource(question)

    denied = _explicit_deny(said, on_resource)
    if denied is not None:
        return denied

    if _lacks_allow(said.scps):
        return _refused(LayerKind.SCP)
    if _lacks_allow(said.rcps):
        return _refused(LayerKind.RCP)

    resource = said.resource
    if question.principal.kind in _WITHOUT_POLICIES:
        if resource.grant is Grant.DIRECT:
            return _allowed(on_resource, resource.allow)
        return _refused(on_resource)

    if question.principal.account == question.account:
        return _same_account(question, said, on_resource)
    return _cross_account(question, said, on_resource)


def _same_account(question: Question, said: _Verdicts, on_resource: LayerKind) -> Decision:
    resource = said.resource
    if resource.grant is Grant.DIRECT:
        return _allowed(on_resource, resource.allow)
    if resource.grant in (Grant.ROLE, Grant.USER):
        filtered = _filter_lacking(said)
        return _refused(filtered) if filtered else _allowed(on_resource, resource.allow)

    lacking = _caller_lacking(question, said)
    if lacking:
        return _refused(lacking)
    if question.rule is not Rule.ORDINARY and resource.grant is Grant.NONE:
        return _refused(on_resource)  # keys and roles: nobody has a right that their policy does not give
    return _allowed_by_both(said, on_resource)


def _cross_account(question: Question, said: _Verdicts, on_resource: LayerKind) -> Decision:
    if said.resource.grant is Grant.NONE:
        return _refused(on_resource)
    lacking = _caller_lacking(question, said)
    return _refused(lacking) if lacking else _allowed_by_both(said, on_resource)


def _caller_lacking(question: Question, said: _Verdicts) -> LayerKind | None:
    """The first layer of the caller's side that does not allow; a root user needs no identity policy."""
    filtered = _filter_lacking(said)
    if filtered:
        return filtered
    if said.identity.allow or question.principal.kind is PrincipalKind.ROOT:
        return None
    return LayerKind.IDENTITY


def _filter_lacking(said: _Verdicts) -> LayerKind | None:
    """The first of session policy and boundary, where there is one, that does not allow."""
    if said.session is not None and said.session.allow is None:
        return LayerKind.SESSION
    if said.boundary is not None and said.boundary.allow is None:
        return LayerKind.BOUNDARY
    return None


def _explicit_deny(said: _Verdicts, on_resource: LayerKind) -> Decision | None:
    """The Deny to report, the widest layer first."""
    for kind, verdicts in (
        (LayerKind.SCP, said.scps),
        (LayerKind.RCP, said.rcps),
        (LayerKind.SESSION, (said.session,)),
        (LayerKind.BOUNDARY, (said.boundary,)),
        (LayerKind.IDENTITY, (said.identity,)),
        (on_resource, (said.resource,)),
    ):
        for verdict in verdicts:
            if verdict is not None and verdict.deny is not None:
                return Decision(allowed=False, layer=kind, explicit=True, match=verdict.deny)
    return None


def _lacks_allow(levels: list[Verdict]) -> bool:
    return any(verdict.allow is None for verdict in levels)


def _hear(question: Question, layers: Layers) -> _Verdicts:
    kind = question.principal.kind
    session = layers.session
    if session is None and kind is PrincipalKind.FEDERATED:
        session = Layer.EMPTY  # such a session has only what its session policy passes on
    asked = ask(question, bounded=layers.boundary is not None)
    return _Verdicts(
        scps=[] if kind in _WITHOUT_POLICIES else [of_principal(level, asked) for level in layers.scps],
        rcps=[of_control(level, asked) for level in layers.rcps],
        session=_of_principal(session, asked),
        boundary=_of_principal(layers.boundary, asked),
        identity=_of_principal(layers.identity, asked) or SILENT,
        resource=of_resource(layers.resource, asked) if layers.resource is not None else SILENT,
    )


class Heard(NamedTuple):
    """One layer that applies, and what it says. `level` is that of a control policy, from the root (0) down."""

    kind: LayerKind
    layer: Layer
    verdict: Verdict
    level: int | None = None

    @property
    def of_resource(self) -> bool:
        """Whether its policies belong to the resource, and so name principals."""
        return self.kind in (LayerKind.RCP, LayerKind.RESOURCE, LayerKind.TRUST)


def hear(question: Question, layers: Layers) -> list[Heard]:
    """What every layer that applies says, in the order in which a Deny is reported."""
    said = _hear(question, layers)
    single = (
        (LayerKind.SESSION, layers.session or Layer.EMPTY, said.session),
        (LayerKind.BOUNDARY, layers.boundary, said.boundary),
        (LayerKind.IDENTITY, layers.identity, said.identity),
        (_on_resource(question), layers.resource, said.resource),
    )
    return [
        *(
            Heard(LayerKind.SCP, *each, level)
            for level, each in enumerate(zip(layers.scps, said.scps, strict=False))
        ),
        *(
            Heard(LayerKind.RCP, *each, level)
            for level, each in enumerate(zip(layers.rcps, said.rcps, strict=True))
        ),
        *(
            Heard(kind, layer, verdict)
            for kind, layer, verdict in single
            if layer is not None and verdict is not None
        ),
    ]


def context_keys(question: Question, layers: Layers) -> tuple[str, ...]:
    """The condition keys that the answer rests on: in any context with the same values of them it is the same."""
    action, resource = question.action.lower(), resource_name(question.resource)
    single = (layers.identity, layers.boundary, layers.session, layers.resource)
    named = {
        key
        for layer in (*single, *layers.scps, *layers.rcps)
        if layer is not None
        for entries in layer.candidates(action, resource)
        for entry in entries
        for key in entry.statement.keys
    }
    return tuple(sorted(named))


def _on_resource(question: Question) -> LayerKind:
    """What the resource's own policy is called."""
    return LayerKind.TRUST if question.rule is Rule.TRUST else LayerKind.RESOURCE


def _of_principal(layer: Layer | None, asked: Asked) -> Verdict | None:
    return of_principal(layer, asked) if layer is not None else None


def _allowed_by_both(said: _Verdicts, on_resource: LayerKind) -> Decision:
    """Allowed: an identity policy granted it, or for a root user the resource policy, or being root."""
    if said.identity.allow is not None:
        return _allowed(LayerKind.IDENTITY, said.identity.allow)
    return _allowed(on_resource if said.resource.allow else None, said.resource.allow)


def _allowed(layer: LayerKind | None, match: Match | None) -> Decision:
    return Decision(allowed=True, layer=layer, match=match)


def _refused(layer: LayerKind) -> Decision:
    return Decision(allowed=False, layer=layer)
