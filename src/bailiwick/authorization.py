"""May this call be made on this target? The question that a call raises, its answer, and answers remembered."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from weakref import ref

from bailiwick import api
from bailiwick.api import Call, Caller, Membership, Target
from bailiwick.core.arn import is_service_linked
from bailiwick.core.bounded import Bounded, Use
from bailiwick.core.formats import Session
from bailiwick.core.policy.decide import OPEN, Layers, Ruling, context_keys, decide
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.question import Context, Decision, Question, Rule, Value
from bailiwick.core.policy.refusal import access_denied
from bailiwick.directory import organizations

_REMEMBERED = 4096
_ANSWERS = 8  # to one question, in contexts that differ in what its answer rests on
_LETTERS = 1024  # of the values that an answer rests on

_EVER_NEW = frozenset(("aws:currenttime", "aws:epochtime", "aws:multifactorauthage"))
_OF_REQUEST = _EVER_NEW | {
    *("aws:sourceip", "aws:securetransport", "aws:requestedregion", "aws:resourceaccount", "aws:viaawsservice"),
    *("aws:useragent", "aws:referer", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "kms:viaservice"),
    *("aws:resourceorgid", "aws:resourceorgpaths"),
}
"""The condition keys that `context_of` itself fills in. The others are the caller's, or else the target's."""

_Key = tuple[int, int, int, str, str, str, Rule]
_Values = tuple[Value | None, ...]


class _Known:
    """What is known of a question: the condition keys that its answer rests on, and the Allows by their values.

    INVARIANT: what an answer follows from besides is these very objects. A Caller, a Layer and a Membership never
    change: when an identity or a policy does, there is a new one. They are not kept alive here, so what is known of
    those that are gone is small, and found to be of nobody.
    """

    __slots__ = ("_caller", "_place", "_policy", "answers", "is_ever_new", "keys", "of_request")

    def __init__(
        self, caller: Caller, policy: Layer | None, place: Membership | None, keys: tuple[str, ...]
    ) -> None:
        self._caller = ref(caller)
        self._policy = None if policy is None else ref(policy)
        self._place = None if place is None else ref(place)
        self.keys = keys
        self.of_request = not _OF_REQUEST.isdisjoint(keys)
        self.is_ever_new = not _EVER_NEW.isdisjoint(keys)
        self.answers: dict[_Values, Decision] = {}

    def is_of(self, caller: Caller, policy: Layer | None, place: Membership | None) -> bool:
        """Whether it is about these."""
        return (
            self._caller() is caller
            and (policy is None if self._policy is None else self._policy() is policy)
            and (place is None if self._place is None else self._place() is place)
        )


class Authorizer:
    """Decides for one pipeline. Safe between threads.

    An Allow is remembered. It follows from the caller, the action, the resource, the policies, and the values of
    those condition keys that the statements about this action and resource name, in conditions and in variables.
    """

    def __init__(self) -> None:
        self._remembered: Bounded[_Key, _Known] = Bounded(_REMEMBERED)

    @property
    def use(self) -> Use:
        """How the memory is used."""
        return self._remembered.use

    def authorize(self, call: Call, target: Target) -> Decision:
        """Decide whether the call is allowed on the target. Raises AccessDenied, with AWS's text, if not."""
        if target.rule is Rule.NONE:
            return OPEN
        caller, policy, action = call.caller, target.policy, target.action or call.operation.action
        place = caller.membership if target.account == caller.principal.account else _place(call, target.account)
        key = id(caller), id(policy), id(place), action, target.arn, target.account, target.rule
        known = self._remembered.get(key)
        if known is None or not known.is_of(caller, policy, place):
            return self._first(key, call, target, action, place)
        if known.is_ever_new:
            return self.ask(call, target, action, place).decision
        values = _values(known, call, target, place)
        found = known.answers.get(values)
        if found is None:
            found = self.ask(call, target, action, place).decision
            _remember(known, values, found)
        return found

    def _first(self, key: _Key, call: Call, target: Target, action: str, place: Membership | None) -> Decision:
        ruling = self.ask(call, target, action, place)
        known = _Known(call.caller, target.policy, place, context_keys(ruling.question, ruling.layers))
        if not known.is_ever_new:
            _remember(known, _values(known, call, target, place), ruling.decision)
        self._remembered.put(key, known)
        return ruling.decision

    def ask(self, call: Call, target: Target, action: str, place: Membership | None) -> Ruling:
        """Put the question. Raises AccessDenied."""
        question = Question(
            call.caller.principal, action, target.arn, target.account, context_of(call, target, place), target.rule
        )
        layers = _layers(call.caller, target, action, place)
        ruling = Ruling(question, layers, decide(question, layers))
        if not ruling.decision.allowed:
            named = call.environment.names_policies
            raise api.AccessDenied(
                access_denied(question, ruling.decision, target.label, names_policy=named), ruling
            )
        return ruling


def _values(known: _Known, call: Call, target: Target, place: Membership | None) -> _Values:
    """The values of the keys that an answer rests on, as `context_of` has them."""
    if known.of_request:
        return tuple(map(context_of(call, target, place).get, known.keys))
    mine, its = call.caller.context, target.context
    return tuple([mine[key] if key in mine else its.get(key) for key in known.keys])


def _remember(known: _Known, values: _Values, decision: Decision) -> None:
    """Keep the first answers that do not rest on long texts."""
    if len(known.answers) < _ANSWERS and sum(map(_letters, values)) <= _LETTERS:
        known.answers[values] = decision


def _letters(value: Value | None) -> int:
    return len(value) if isinstance(value, str) else sum(map(len, value or ()))


def _place(call: Call, account: str) -> Membership | None:
    """Where an account is in its organization; None for what is no account's number."""
    if len(account) != 12 or not account.isdigit():
        return None
    return organizations.membership(call.transaction, call.partition, account)


def _rcps(caller: Caller, action: str, place: Membership) -> tuple[Layer, ...]:
    """The resource control policies of the place of a resource, for an action: not for service-linked roles."""
    bound = action.partition(":")[0] in organizations.UNDER_RCPS and action != "kms:RetireGrant"
    return place.rcps if bound and not is_service_linked(caller.principal.issuer_arn) else ()


def _layers(caller: Caller, target: Target, action: str, place: Membership | None) -> Layers:
    return Layers(
        identity=caller.identity,
        boundary=caller.boundary,
        session=caller.session_policy,
        resource=target.policy,
        scps=caller.scps,
        rcps=_rcps(caller, action, place) if place is not None and place.rcps else (),
    )


def context_of(call: Call, target: Target, place: Membership | None = None) -> Context:
    """The condition keys of a question: the target's, the caller's, and those of every request.

    `place` is that of the target's account in an organization.
    The target's come first, so that nothing taken from the input can stand in for a global key.
    Source: facts/policy.md section 3.2.
    """
    session = call.caller.session
    context: dict[str, Value] = {
        **target.context,
        **call.caller.context,
        "aws:currenttime": _iso(int(call.now)),
        "aws:epochtime": str(int(call.now)),
        "aws:sourceip": call.source,
        "aws:securetransport": "true" if call.secure else "false",
        "aws:requestedregion": call.region,
        "aws:resourceaccount": target.account,
        "aws:viaawsservice": "false",
    }
    if call.user_agent:
        context["aws:useragent"] = call.user_agent
    if call.referer:
        context["aws:referer"] = call.referer
    if session is not None:
        if session.mfa is not None:
            context["aws:multifactorauthage"] = str(int(call.now) - session.mfa)
        if session.via:
            context |= _forwarded(session, call.region)
    if place is not None:
        context["aws:resourceorgid"] = place.organization
        context["aws:resourceorgpaths"] = (place.path,)
    return context


def _forwarded(session: Session, region: str) -> dict[str, Value]:
    """The condition keys of a call that a service makes with its caller's rights. Her address stays hers."""
    via = session.via
    label, _, domain = via[-1].partition(".")
    keys: dict[str, Value] = {
        "aws:viaawsservice": "true",
        "aws:calledvia": via,
        "aws:calledviafirst": via[0],
        "aws:calledvialast": via[-1],
        "kms:viaservice": f"{label}.{region}.{domain}",
    }
    return {**keys, "aws:sourceip": session.source} if session.source else keys


@lru_cache(maxsize=8)
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
