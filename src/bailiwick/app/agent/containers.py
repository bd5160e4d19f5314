"""The container credential endpoint: a path and a token for each program, as in ECS (facts/imds.md section 2).

What AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds is made here if it is missing, for one user to read. The path of
EKS Pod Identity, /v1/credentials, wants a service account's token instead (pods.py).
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from bailiwick.app.agent import programs
from bailiwick.app.agent.keeper import Keeper, Unavailable
from bailiwick.app.agent.pods import Pods
from bailiwick.app.agent.programs import Container
from bailiwick.app.agent.state import AgentError, Credentials
from bailiwick.app.agent.web import Answer, Question

POD_PATH = "/v1/credentials"
_MOST_TOKEN = 16384


class Containers:
    """Answers to requests for the paths of the mapping file."""

    def __init__(self, keeper: Keeper, rules: tuple[Container, ...], pods: Pods | None = None) -> None:
        self._keeper, self._pods = keeper, pods
        self._rules = {rule.path: rule for rule in rules}

    def serves(self, path: str) -> bool:
        """Whether this path is one of a container."""
        return path in self._rules or (path == POD_PATH and self._pods is not None)

    async def answer(self, asked: Question) -> Answer:
        """Credentials, or why not."""
        shown = asked.headers.get("authorization", "")
        if asked.method != "GET":
            return _told(405, "MethodNotAllowed", "Only GET is answered here.")
        if not shown or len(shown) > _MOST_TOKEN:
            return _told(401, "AccessDenied", "The Authorization header is missing or too long.")
        rule = self._rules.get(asked.path)
        try:
            if rule is None:
                assert self._pods is not None, "it serves this path"
                return self._given(await self._pods.credentials(shown))
            if not _is_token(rule, shown):
                return _told(401, "AccessDenied", "The authorization token is not the one of this path.")
            held = await self._keeper.credentials(programs.as_asked(rule.profile), "2.0")
            return self._given(held, RoleArn=held.role_arn)
        except Unavailable as error:
            return _told(404 if error.status == 200 else error.status, error.code, str(error))

    def _given(self, held: Credentials, **more: str) -> Answer:
        members = {
            **more,
            "AccessKeyId": held.access_key_id,
            "SecretAccessKey": held.secret,
            "Token": held.token,
            "Expiration": datetime.fromtimestamp(held.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "AccountId": held.role_arn.split(":")[4],
        }
        return Answer(200, json.dumps(members).encode(), "application/json")


def prepare(rules: tuple[Container, ...]) -> None:
    """Make the token files that are missing. Raises AgentError for those that cannot be made."""
    for rule in rules:
        path = Path(rule.token_file)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise AgentError(f"{path}: {error.strerror or error}") from None
        with os.fdopen(handle, "w") as file:
            if rule.user is not None and os.geteuid() == 0:
                os.fchown(handle, programs.uid_of(rule.user), -1)
            file.write(base64.urlsafe_b64encode(os.urandom(32)).decode("ascii"))


def _is_token(rule: Container, shown: str) -> bool:
    """Whether the token is the one of the file, which may be replaced at any time. An empty one is nobody's."""
    try:
        wanted = Path(rule.token_file).read_bytes()[:_MOST_TOKEN].strip()
    except OSError:
        return False
    return bool(wanted) and hmac.compare_digest(wanted, shown.encode("latin-1", "replace"))


def _told(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": message}).encode(), "application/json")
