"""EKS Pod Identity: the token of a pod's service account is exchanged for credentials of a role, by the node.

The server is asked as the host itself (AssumeRoleForPodIdentity, signed with the credentials of its role). It
checks the token, and knows which role the service account has. What it gave is given again for a few minutes, and
for longer while the server is away: as long as the token is good, and the credentials. Source: facts/imds.md
section 3.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from bailiwick.app.agent import programs
from bailiwick.app.agent.client import Client, Unreachable
from bailiwick.app.agent.keeper import LEAST_LEFT, Backoff, Keeper, Unavailable, hostname
from bailiwick.app.agent.programs import Cluster
from bailiwick.app.agent.state import Credentials
from bailiwick.core.bounded import Bounded
from bailiwick.core.message import Header, Request

log = logging.getLogger("bailiwick.agent")

FRESH = 300.0
"""Seconds for which what was given is given again without asking."""
_REFUSED_FOR = 15.0  # seconds for which the server is not asked again for a token that it refused
_MOST = 1000  # tokens that are remembered: a node has some hundred pods at most
_AT_ONCE = 4  # questions under way
_TOKEN = re.compile(r"[\w=-]+\.[\w=-]+\.[\w=-]+", re.ASCII)

_FINAL = frozenset(
    ("AccessDeniedException", "ExpiredTokenException", "InvalidTokenException", "ResourceNotFoundException")
)
"""Refusals of a token after which nothing that was given for it is given any more."""


class _Told(msgspec.Struct, frozen=True):
    """What the server said of a token, and until when it need not be asked again."""

    until: float
    given: Credentials | None = None
    token_expires: float = 0.0
    refusal: Unavailable | None = None


class Pods:
    """Credentials for the pods of one cluster's node."""

    def __init__(
        self, keeper: Keeper, client: Client, cluster: Cluster, *, now: Callable[[], float] = time.time
    ) -> None:
        self._keeper, self._client, self._cluster, self._now = keeper, client, cluster, now
        self._told: Bounded[bytes, _Told] = Bounded(_MOST)
        self._backoff = Backoff(now)
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def credentials(self, token: str) -> Credentials:
        """Credentials for the token of a service account. Raises Unavailable."""
        if _TOKEN.fullmatch(token) is None:
            raise Unavailable(
                400, "InvalidTokenException", "The Authorization header is not a service account's token."
            )
        name = hashlib.sha256(token.encode("ascii")).digest()
        found = self._known(name)
        if found is None:
            async with self._few:
                found = self._known(name) or await self._asked(name, token)
        return found

    def _known(self, name: bytes) -> Credentials | None:
        """What was given a moment ago. Raises Unavailable for what was refused then."""
        told = self._told.get(name)
        if told is None or self._now() >= told.until or not (told.refusal or self._lasts(told)):
            return None
        if told.refusal is not None:
            raise told.refusal.with_traceback(None)
        return told.given

    async def _asked(self, name: bytes, token: str) -> Credentials:
        held = self._told.get(name)
        try:
            if self._backoff.wait:
                raise Unavailable(503, "ServiceUnavailableException", "The server is away.")
            given = await self._exchanged(token)
        except Unavailable as error:
            if error.code in _FINAL:
                self._told.put(name, _Told(self._now() + _REFUSED_FOR, refusal=error))
            elif held is not None and held.given is not None and self._lasts(held) and not self._keeper.revoked:
                return held.given
            raise
        self._told.put(name, _Told(self._now() + FRESH, given, _expiry(token)))
        return given

    def _lasts(self, told: _Told) -> bool:
        """Whether the credentials and the token that they were given for are both good for a while."""
        if told.given is None or self._keeper.revoked:
            return False
        return min(told.given.expires, told.token_expires) - self._now() > LEAST_LEFT

    async def _exchanged(self, token: str) -> Credentials:
        """What the server gives for the token. Raises Unavailable, with the server's own status and code."""
        own = await self._keeper.credentials(programs.as_asked(self._cluster.profile), "2.0")
        request = self._request(own, token)
        try:
            status, code, told = await asyncio.to_thread(self._client.post, request)
        except Unreachable as error:
            self._backoff.failed()
            raise Unavailable(503, "ServiceUnavailableException", str(error)) from None
        if status not in (
            200,
            400,
            404,
        ):  # the server is in trouble, or this node is: 403 is about its own credentials
            self._backoff.failed()
            log.warning("the server gives nothing for pods: %s %s %s", status, code, told.get("message", ""))
            raise Unavailable(503, "ServiceUnavailableException", "The server gives nothing for pods at present.")
        self._backoff.succeeded()
        if status != 200:
            raise Unavailable(status, code, str(told.get("message", "")))
        return self._made(told)

    def _request(self, own: Credentials, token: str) -> Request:
        from bailiwick.core.sigv4.sign import sign  # only an agent of a cluster's node signs

        instance = self._keeper.instance
        assert instance is not None, "it has credentials"
        values = {"token": token, "eksNodeName": hostname(), "instanceId": instance.instance_id}
        headers = (Header("host", self._client.authority), Header("content-type", "application/json"))
        asked = Request(
            "POST",
            f"{self._client.path.rstrip('/')}/clusters/{self._cluster.cluster}/assume-role-for-pod-identity",
            "",
            headers,
            msgspec.json.encode(values),
        )
        return sign(
            asked,
            access_key_id=own.access_key_id,
            secret=own.secret,
            token=own.token,
            region=instance.region,
            service="eks-auth",
            now=self._now(),
        )

    def _made(self, told: dict[str, Any]) -> Credentials:
        try:
            given, arn = told["credentials"], str(told["assumedRoleUser"]["arn"])
            return Credentials(
                association_id=str(told["podIdentityAssociation"]["associationId"]),
                role_name=arn.split("/")[1],
                role_arn=arn,
                access_key_id=str(given["accessKeyId"]),
                secret=str(given["secretAccessKey"]),
                token=str(given["sessionToken"]),
                begun=self._now(),
                expires=float(given["expiration"]),
            )
        except (KeyError, TypeError, ValueError, IndexError):
            raise Unavailable(
                503, "ServiceUnavailableException", "the server's credentials lack something"
            ) from None


def _expiry(token: str) -> float:
    """When a token ends that the server has taken; 0 if it does not tell."""
    payload = token.split(".")[1]
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError, msgspec.DecodeError):
        return 0.0
