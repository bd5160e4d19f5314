"""The instance and its credentials, kept fresh: the one part of the agent that asks the server.

Every few minutes the server is asked what the instance is. Credentials are replaced when half of their life is
over, or at once when the profile, its role or what the server still takes has changed; until then all programs get
the same. While the server is away, what is there serves on until it expires, and the agent waits longer each time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec

from bailiwick.app.agent.client import Client, Refused, Unreachable
from bailiwick.app.agent.state import AgentError, Credentials, Folder, Instance, Kept, Profile

log = logging.getLogger("bailiwick.agent")

POLL = 300.0
"""Seconds between two questions what the instance is."""
_SHORTEST, _LONGEST = 1.0, 300.0  # seconds to wait after a failure
LEAST_LEFT = 60.0  # credentials with less life than this are not handed out
_REFUSED_FOR = 15.0  # seconds for which the server is not asked again for what it refused
_MAIN = ""


class Unavailable(Exception):
    """There are no credentials: `status` is for HTTP, `code` as the metadata service tells it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Backoff:
    """How long to wait after failures: twice as long each time, and a part of that by chance."""

    def __init__(self, now: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        self._now, self._chance = now, chance
        self._failures, self._until = 0, 0.0

    @property
    def wait(self) -> float:
        """Seconds until one may ask again."""
        return max(0.0, self._until - self._now())

    def failed(self) -> None:
        """Once more in vain."""
        longest = min(_LONGEST, _SHORTEST * 2**self._failures)
        self._failures = min(self._failures + 1, 20)
        self._until = self._now() + longest * (0.5 + self._chance() / 2)

    def succeeded(self) -> None:
        """It answers again."""
        self._failures, self._until = 0, 0.0


class Keeper:
    """What the agent knows, and what it has."""

    def __init__(
        self, folder: Folder, client: Client, *, now: Callable[[], float] = time.time, poll: float = POLL
    ) -> None:
        self._folder, self._client, self._now, self._poll = folder, client, now, poll
        self.backoff = Backoff(now)
        self.instance: Instance | None = None
        self.revoked = False
        self.told_at = 0.0
        self._away = Unreachable.what
        self._held: dict[str, Credentials] = {}
        self._refusals: dict[str, tuple[float, Unavailable]] = {}
        self._document: tuple[Instance, dict[str, str]] | None = None
        self._one = asyncio.Lock()  # one question at a time: its requests arrive in the order of their times
        kept = folder.kept()
        if kept is not None and kept.instance.instance_id == client.instance:
            self.instance, self._held = kept.instance, dict(kept.credentials)

    @property
    def status(self) -> str:
        """In one line how it is."""
        if self.revoked:
            return "terminated by the server: nothing is handed out"
        if self.instance is None:
            return "waiting for the server"
        away = f", {self._away} is away, asked again in {self.backoff.wait:.0f} s" if self.backoff.wait else ""
        roles = ", ".join(sorted({each.role_name for each in self._held.values()})) or "no role"
        return f"{self.instance.instance_id}: {roles}{away}"

    async def run(self) -> None:
        """Keep everything fresh, for ever."""
        while True:
            await self.refresh()
            wait = self._poll * random.uniform(0.8, 1.2)  # noqa: S311  (so that hosts do not ask in step)
            await asyncio.sleep(max(self.backoff.wait, min(wait, self._until_due())))

    async def refresh(self) -> None:
        """Ask what the instance is, and replace what has to be replaced. What goes wrong is logged."""
        async with self._one:
            try:
                await self._ask_instance()
            except Unavailable as error:
                log.warning("%s", error)
            due = [key for key, held in self._held.items() if self._is_stale(held)]
            main = _key(_MAIN, "2.0")  # at hand before anybody asks
            if self.profile(None) is not None and main not in self._held:
                due.append(main)
            for key in due:
                try:
                    await self._ask_credentials(*_parts(key))
                except Unavailable as error:
                    log.warning("%s", error)

    async def credentials(self, profile: str | None, delivery: str) -> Credentials:
        """Credentials of the role of a profile (of the main one for None), as programs get them.

        Raises Unavailable.
        """
        key = _key(profile or _MAIN, delivery)
        if not self._is_good(self._held.get(key)):
            async with self._one:
                if not self._is_good(self._held.get(key)):
                    await self._ask_credentials(profile or _MAIN, delivery)
        held = self._held.get(key)
        if held is None or self.revoked:
            raise Unavailable(404, "InstanceProfileNotFound", "There are no credentials.")
        return held

    async def document(self) -> dict[str, str]:
        """The identity document and its signatures. Raises Unavailable."""
        async with self._one:
            if self._document is None or self._document[0] != self.instance:
                told = await self._ask("GetInstanceDocument", {})
                if self.instance is None:
                    raise Unavailable(503, "Unavailable", "The server was not reached yet.")
                self._document = self.instance, {name: str(value) for name, value in told.items()}
            return self._document[1]

    def profile(self, name: str | None) -> Profile | None:
        """The profile of this name, with a role in it."""
        found = None if self.instance is None or self.revoked else self.instance.profile(name)
        return found if found is not None and found.role_name else None

    # -- What the server is asked -----------------------------------------------------------------------

    async def _ask(self, operation: str, values: dict[str, Any]) -> dict[str, Any]:
        if self.backoff.wait:
            raise Unavailable(503, "Unavailable", f"{self._away.capitalize()} is away.")
        try:
            told = await asyncio.to_thread(self._client.ask, operation, values)
        except Unreachable as error:
            self._away = error.what
            self.backoff.failed()
            raise Unavailable(503, "Unavailable", str(error)) from None
        except Refused as error:
            self._away = Unreachable.what
            if error.code == "InstanceRevokedException":
                self._end()
            self.backoff.failed()
            raise Unavailable(503, error.code, str(error)) from None
        self.backoff.succeeded()
        self.revoked = False
        return told

    async def _ask_instance(self) -> None:
        told = await self._ask("GetInstance", {"Hostname": hostname()})
        try:
            instance = msgspec.convert(told.get("Instance"), Instance)
        except msgspec.ValidationError as error:
            raise Unavailable(
                503, "Unavailable", f"the server tells what this agent does not know: {error}"
            ) from None
        self.told_at = self._now()
        if instance != self.instance:
            self.instance = instance
            self._refusals.clear()
            for key, held in list(self._held.items()):
                if self._is_ended(key, held):
                    del self._held[key]
            self._keep()

    async def _ask_credentials(self, name: str, delivery: str) -> None:
        """Get new credentials; those that are held stay if the server is away and they are still good."""
        key = _key(name, delivery)
        held, (until, refusal) = self._held.get(key), self._refusals.get(key, (0.0, None))
        if refusal is not None and self._now() < until:
            raise refusal
        values = {"RoleDelivery": delivery} | ({"InstanceProfileName": name} if name else {})
        try:
            told = await self._ask("GetInstanceCredentials", values)
            if told.get("Code") == "TryAgain":  # something was revoked in this second
                await asyncio.sleep(_SHORTEST)
                told = await self._ask("GetInstanceCredentials", values)
        except Unavailable:
            if self._is_good(held):
                return
            raise
        code = str(told.get("Code", ""))
        if code != "Success":
            status = {"InstanceProfileNotFound": 404, "TryAgain": 503}.get(code, 200)
            refusal = Unavailable(status, code, str(told.get("Message", "")))
            self._refusals[key] = self._now() + (_SHORTEST if status == 503 else _REFUSED_FOR), refusal
            if status != 503:
                self._held.pop(key, None)
                self._keep()
            raise refusal
        self._refusals.pop(key, None)
        self._held[key] = self._made(told)
        self._keep()

    def _made(self, told: dict[str, Any]) -> Credentials:
        try:
            given = told["Credentials"]
            return Credentials(
                association_id=told["AssociationId"],
                role_name=told["RoleName"],
                role_arn=told["RoleArn"],
                access_key_id=given["AccessKeyId"],
                secret=given["SecretAccessKey"],
                token=given["SessionToken"],
                begun=self._now(),
                expires=float(given["Expiration"]),
                ended_before=self.instance.credentials_ended_at if self.instance else 0.0,
            )
        except (KeyError, TypeError, ValueError):
            raise Unavailable(503, "Unavailable", "the server's credentials lack something") from None

    # -- What is held -----------------------------------------------------------------------------------

    def _is_good(self, held: Credentials | None) -> bool:
        return held is not None and not self.revoked and held.expires - self._now() > LEAST_LEFT

    def _is_stale(self, held: Credentials) -> bool:
        return self._now() >= held.begun + (held.expires - held.begun) / 2

    def _is_ended(self, key: str, held: Credentials) -> bool:
        """Whether the profile or its role is another one by now, or the server takes the credentials no more."""
        name, _ = _parts(key)
        profile = self.profile(name or None)
        if profile is None or self.instance is None:
            return True
        same = (profile.association_id, profile.role_arn) == (held.association_id, held.role_arn)
        return not same or held.ended_before != self.instance.credentials_ended_at

    def _until_due(self) -> float:
        """Seconds until something is stale."""
        due = (each.begun + (each.expires - each.begun) / 2 for each in self._held.values())
        return max(1.0, min(due, default=self._now() + self._poll) - self._now())

    def _end(self) -> None:
        """The server has ended this instance: nothing is handed out any more."""
        if not self.revoked:
            log.error("this instance was terminated by the server; it may join anew")
        self.revoked = True
        self._held.clear()
        self._folder.keep(None)

    def _keep(self) -> None:
        if self.instance is not None:
            try:
                self._folder.keep(Kept(self.instance, dict(self._held)))
            except (OSError, AgentError) as error:
                log.warning("what was given cannot be kept: %s", error)


def _key(name: str, delivery: str) -> str:
    return f"{delivery} {name}"


def _parts(key: str) -> tuple[str, str]:
    delivery, _, name = key.partition(" ")
    return name, delivery


def hostname() -> str:
    """What this host calls itself, as far as it can be told."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:253] or "localhost"
