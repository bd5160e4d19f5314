"""`POST /_bailiwick/reset`: empties an ephemeral server. Only its root user may, and proves it by signature."""

from __future__ import annotations

import msgspec
import structlog

from bailiwick.app.environment import Ephemeral
from bailiwick.app.noise import noise
from bailiwick.core import errors, ids
from bailiwick.core.message import Request, Response
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.claim import read

METHOD, PATH, SERVICE = "POST", "/_bailiwick/reset", "bailiwick"

log = structlog.get_logger()


class Reset:
    """The handler of the edge for this one path."""

    def __init__(self, ephemeral: Ephemeral) -> None:
        self._ephemeral = ephemeral

    def __call__(self, request: Request) -> Response:
        """Empty the server if the root user of its account signed this for the service `bailiwick`."""
        request_id = ids.request_id(noise)
        try:
            self._authenticate(request)
        except errors.SignatureError as error:
            log.info("reset refused", request_id=request_id, reason=type(error).__name__)
            return _answer(403, request_id, {"__type": type(error).__name__, "message": str(error)})
        self._ephemeral.reset()
        return _answer(200, request_id, {})

    def _authenticate(self, request: Request) -> None:
        world = self._ephemeral.world
        claim, now = read(request), world.environment.now()
        verify.check_scope(claim, service=SERVICE, now=now)
        try:
            credential = world.directory.credential(claim.access_key_id, claim.token, now)
        except errors.UnknownToken:
            verify.waste(request, claim)
            raise
        verify.verify(request, claim, credential.secret)
        caller = credential.caller
        if caller.kind is not PrincipalKind.ROOT or caller.account != world.deployment.account_id:
            raise errors.UnknownToken("Only the root user of the first account may reset the server.")


def _answer(status: int, request_id: str, told: dict[str, str]) -> Response:
    headers = (("x-amzn-requestid", request_id), ("content-type", "application/json"))
    return Response(status, headers, msgspec.json.encode(told))
