"""GetForwardAccessSession: a service that was sent a signed request acts with the rights of who signed it.

An operation of our own; AWS has it within (facts/policy.md section 4.7). The proof is the request itself, but for
its body: it must be signed for the calling service, be no older than a signature may be, and is good for one
session. So a service cannot use what was sent to another one, nor keep it. Whatever is wrong with the proof is one
error; its text says what.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from bailiwick.api import AccessDenied, Call, Caller, Target, ValidationError
from bailiwick.core.errors import SignatureError
from bailiwick.core.formats import Session
from bailiwick.core.message import Header, Request
from bailiwick.core.policy.question import PrincipalKind, Rule
from bailiwick.directory import forwarding
from bailiwick.services.sts import redeeming, shapes
from bailiwick.services.sts.credentials import issue
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import GetForwardAccessSessionRequest

_SHORTEST = 900
_PROVES = 1800.0  # seconds: a signature may be 15 minutes ahead of the clock, and is good for 15 after its time
_USED = "The request proves nobody's identity: it was used before, and is good for one session."


def person(call: Call, request: GetForwardAccessSessionRequest) -> Target:
    """Nothing in particular, of the account of the person who signed. The record is the session in which to act.

    Raises AccessDenied for callers that are no services, InvalidIdentityTokenException for what proves nobody.
    """
    if call.caller.kind is not PrincipalKind.SERVICE:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action}")
    address = _address(request.SourceAddress)
    assert call.door is not None, "the pipeline sets it"
    expires = int(call.now) + (request.DurationSeconds or _SHORTEST)
    try:
        proven, proof = call.door.who_signed(call.caller, _sent(request), request.PayloadHash, call.now)
        session = forwarding.session(proven, call.caller.arn, int(call.now), expires, address)
    except SignatureError as error:
        why = str(error).partition("\n")[0]
        raise shapes.InvalidIdentityTokenException(f"The request proves nobody's identity: {why}") from None
    return Target(account=proven.account, rule=Rule.NONE, record=(proven, session, proof))


@sts.operation("GetForwardAccessSession", on=person, writes=True)
def get_forward_access_session(
    call: Call, request: GetForwardAccessSessionRequest, found: tuple[Caller, Session, str]
) -> shapes.GetForwardAccessSessionResponse:
    proven, session, proof = found
    if not redeeming.use_up(call, call.caller.arn, proof, call.now + _PROVES):
        raise shapes.InvalidIdentityTokenException(_USED)
    return shapes.GetForwardAccessSessionResponse(
        Credentials=issue(call, session),
        UserId=proven.user_id,
        Account=proven.account,
        Arn=proven.arn,
        SignedWith=proven.access_key_id,
        CalledVia=list(session.via),
    )


def _sent(request: GetForwardAccessSessionRequest) -> Request:
    """The request that the service was sent, without its body."""
    try:
        url = urlsplit(request.Url)
        headers = tuple(Header(each.Name.lower(), each.Value.strip()) for each in request.Headers or ())
        for text in (request.Url, *(part for header in headers for part in header)):
            text.encode("latin-1")
    except ValueError:
        raise ValidationError("Url and Headers must be as they were sent.") from None
    return Request(request.Method, url.path or "/", url.query, headers, b"")


def _address(text: str | None) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise ValidationError("SourceAddress must be an IP address.") from None
