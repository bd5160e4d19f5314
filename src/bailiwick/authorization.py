"""May this call be made on this target? The question that a call raises, its answer, and answers remembered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from bailiwick import api
from bailiwick.api import Call, Caller, Membership, Target
from bailiwick.core.arn import is_service_linked
from bailiwick.core.bounded import Bounded
from bailiwick.core.formats import Session
from bailiwick.core.policy.decide import Layers, Ruling, decide, rests_on_context
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.question import Question, Rule, Value
from bailiwick.core.policy.refusal import access_denied
from bailiwick.directory import organizations

_REMEMBERED = 4096

_BYTES = 24 << 20  # of policies that are kept in memory for no other reason

_Key = tuple[int, int, int, str, str, str, Rule]
_Known = tuple[Caller, Layer | None, Membership | None, Ruling | None]


class Authorizer:
    """Decides for one pipeline. Safe between threads.

    An Allow is remembered if no condition and no variable had a say in it: then it follows from the caller, the
    action and the resource alone.
    INVARIANT: what it follows from are these very objects. A Caller and a Layer never change: when an identity or a
    policy does, there is a new one, and what was remembered of the old one is not found any more.
    """

    def __init__(self) -> None:
        self.remembered: Bounded[_Key, _Known] = Bounded(_REMEMBERED, most=_BYTES, parts=_parts)

    def authorize(self, call: Call, target: Target) -> Ruling:
        """Decide whether the call is allowed on the target. Raises AccessDenied, with AWS's text, if not.

        The `question` of an answer that was remembered is that of an earlier call.
        """
        caller, policy, action = call.caller, target.policy, target.action or call.operation.action
        place = caller.membership if target.account == caller.principal.account else _place(call, target.account)
        key = id(caller), id(policy), id(place), action, target.arn, target.account, target.rule
        known = self.remembered.get(key)
        if known is not None and known[0] is caller and known[1] is policy and known[2] is place:
            if known[3] is not None:
                return known[3]
        else:
            known = None
        ruling = _decided(call, target, action, place)
        if known is None:
            self._remember(key, caller, policy, place, ruling)
        return ruling

    def _remember(
        self, key: _Key, caller: Caller, policy: Layer | None, place: Membership | None, ruling: Ruling
    ) -> None:
        varies = rests_on_context(ruling.question, ruling.layers)
        self.remembered.put(key, (caller, policy, place, None if varies else ruling))


def _parts(key: _Key, known: _Known) -> Iterator[tuple[object, int]]:
    """What a remembered answer keeps alive."""
    caller, policy, place, _ = known
    yield caller, 4_000
    yield from caller.parts
    if policy is not None:
        yield policy, policy.weight
    if place is not None:
        yield place, place.weight


def _place(call: Call, account: str) -> Membership | None:
    """Where an account is in its organization; None for what is no account's number."""
    if len(account) != 12 or not account.isdigit():
        return None
    return organizations.membership(call.transaction, call.partition, account)


def _rcps(caller: Caller, action: str, place: Membership) -> tuple[Layer, ...]:
    """The resource control policies of the place of a resource, for an action: not for service-linked roles."""
    bound = action.partition(":")[0] in organizations.UNDER_RCPS and action != "kms:RetireGrant"
    return place.rcps if bound and not is_service_linked(caller.principal.issuer_arn) else ()


def _decided(call: Call, target: Target, action: str, place: Membership | None) -> Ruling:
    caller = call.caller
    context = context_of(call, target)
    if place is not None:
        context["aws:resourceorgid"] = place.organization
        context["aws:resourceorgpaths"] = (place.path,)
    question = Question(caller.principal, action, target.arn, target.account, context, target.rule)
    layers = Layers(
        identity=caller.identity,
        boundary=caller.boundary,
        session=caller.session_policy,
        resource=target.policy,
        scps=caller.scps,
        rcps=_rcps(caller, action, place) if place is not None and place.rcps else (),
    )
    ruling = Ruling(question, layers, decide(question, layers))
    if not ruling.decision.allowed:
        named = call.environment.names_policies
        raise api.AccessDenied(access_denied(question, ruling.decision, target.label, names_policy=named), ruling)
    return ruling


def context_of(call: Call, target: Target) -> dict[str, Value]:
    """The condition keys of a question: the target's, the caller's, and those of every request.

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
