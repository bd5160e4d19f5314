"""Forward access sessions: a service acts with the rights of the person who called it.

What the person may do is what her own policies give; conditions see through which services the call came. A session
that was forwarded carries the chain of services, in the order of the calls. Source: facts/policy.md section 4.7.
"""

from __future__ import annotations

import msgspec

from bailiwick.api import Caller, Transaction
from bailiwick.core.bounded import Bounded
from bailiwick.core.errors import UnknownToken
from bailiwick.core.formats import Session, SessionKind
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.directory import entities, service_principals

MOST_SERVICES = 8
"""How long a chain of services may be."""
_PEOPLE = (PrincipalKind.USER, PrincipalKind.ROOT, PrincipalKind.ROLE, PrincipalKind.FEDERATED)
_INVALID = "The security token included in the request is invalid."
_TOO_MANY = "The request came through too many services."


def session(caller: Caller, service: str, now: int, expires: int, source: str = "") -> Session:
    """The session in which `service` acts for `caller` until `expires`, but no longer than her own session.

    `source` is her address as the service saw it. Its key and secret are made where it is issued. Raises
    UnknownToken for a caller who is no user, role or root user, or a chain that is too long.
    """
    own = caller.session
    if caller.kind not in _PEOPLE or caller.access_key_id is None:
        raise UnknownToken(_INVALID)
    if own is None:
        return Session(
            SessionKind.FORWARDED,
            caller.account,
            caller.principal.unique_id,
            *("", ""),
            issued=now,
            expires=expires,
            via=(service,),
            origin=caller.access_key_id,
            source=source,
        )
    if len(own.via) >= MOST_SERVICES:
        raise UnknownToken(_TOO_MANY)
    return msgspec.structs.replace(
        own,
        expires=min(own.expires, expires),
        via=(*own.via, service),
        origin=own.origin or own.access_key_id,
        source=own.source or source,
    )


class Forwarder:
    """Callers as they are when a service of this house calls on for them, kept while nothing about them changes."""

    def __init__(self) -> None:
        self._made: Bounded[tuple[int, str], tuple[Caller, Caller]] = Bounded(
            2048, most=8 << 20, parts=lambda _, made: made[0].parts
        )

    def through(self, caller: Caller, service: str, now: float) -> Caller:
        """The caller as seen through `service`."""
        key = id(caller), service
        known = self._made.get(key)
        if known is not None and known[0] is caller:
            return known[1]
        own, context = caller.session, caller.context
        if own is None:
            context = {**context, "aws:multifactorauthpresent": "false"}
            inner = Session(
                SessionKind.FORWARDED,
                caller.account,
                caller.principal.unique_id,
                *(caller.access_key_id or "", ""),
                issued=int(now),
                expires=int(now),
                via=(service,),
            )
        else:
            inner = msgspec.structs.replace(own, via=(*own.via, service))
        made = msgspec.structs.replace(caller, session=inner, context=context)
        self._made.put(key, (caller, made))
        return made


def check_alive(transaction: Transaction, forwarded: Session) -> list[str]:
    """The topics on which a forwarded session rests.

    Raises UnknownToken if the key that began it, or a service that it came through, is no more.
    """
    topics = []
    if forwarded.kind is SessionKind.FORWARDED:
        topics.append(f"access-key:{forwarded.origin}")
        key = entities.access_key(transaction, forwarded.origin)
        if key is None or key.status != "Active":
            raise UnknownToken(_INVALID)
    for name in forwarded.via:
        service = service_principals.find(transaction, name)
        if service is None:
            raise UnknownToken(_INVALID)
        topics.append(f"principal:{service.id}")
    return topics
