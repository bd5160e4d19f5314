"""Who signed a request that somebody else was sent: the proof on which a service acts for its caller."""

from __future__ import annotations

import hashlib

from bailiwick.api import Caller
from bailiwick.core.errors import SignatureMismatch, UnknownToken
from bailiwick.core.message import Request
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.claim import read
from bailiwick.directory import service_principals
from bailiwick.directory.snapshot import Directory
from bailiwick.door import Signed
from bailiwick.store import Store

_INVALID = "The security token included in the request is invalid."


def who_signed(
    directory: Directory, store: Store, service: Caller, request: Request, payload: str, now: float
) -> Signed:
    """As door.Door says it."""
    found = store.remembered(
        "service-principal",
        service.principal.unique_id,
        lambda tx: (service_principals.by_id(tx, service.principal.unique_id), (f"principal:{service.user_id}",)),
    )
    if found is None:
        raise UnknownToken(_INVALID)
    claim = read(request)
    verify.check_scope(claim, service=found.signing_name, now=now)
    try:
        credential = directory.credential(claim.access_key_id, claim.token, now)
    except UnknownToken:
        verify.vouched(request, claim, "-" * 40, payload)  # the same time, whether or not there is such a key
        raise
    signed = verify.vouched(request, claim, credential.secret, payload)
    if signed is None:
        raise SignatureMismatch("The signature does not match the request.")
    return Signed(credential.caller, hashlib.sha256(f"{claim.access_key_id}\n{signed}".encode()).hexdigest())
