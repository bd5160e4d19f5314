"""What handlers may ask outside their transaction: its forms, filled in by whoever composes a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from bailiwick.core.identity import Grants, Identity


class History(Protocol):
    """What was done in this deployment, for handlers that tell an account of its own past."""

    def records(
        self, account: str, words: Sequence[str], since: float, until: float, after: str | None
    ) -> Iterator[tuple[str, bytes]]:
        """The audit records of an account, as JSON, with their places; the newest first.

        All that was answered before by this process is among them. `words` are what each has (`eventName=Encrypt`;
        trail/index.py lists them), the times are epoch seconds, `after` is the place of the last one that was
        told before. Raises ServiceUnavailable.
        """

    def explanation(self, account: str, event: str) -> bytes | None:
        """Why a request of this account was refused by a policy (JSON of core.policy.explain.Explanation), or None.

        `event` is the eventID. It tells of policies of other accounts too. Raises ServiceUnavailable.
        """


class People(Protocol):
    """A company's directory, which knows people by their passwords. It asks over the network."""

    def identify(self, user: str, password: str) -> Identity | None:
        """The person with this name and password; None for anyone else. Raises core.errors.DirectoryUnavailable."""

    def granted(self, identity: Identity) -> Grants:
        """What the operator gives this person."""


class Token(Protocol):
    """A hardware security module, which keeps AES-256 keys and never gives them away. Its keys go by ids (bytes).

    Everything raises core.errors.HsmUnavailable where it cannot be asked. Safe between threads; the caller waits.
    """

    def admits(self, password: str) -> bool:
        """Whether this is the PIN of its user. It is not asked: three wrong ones would lock it."""

    def trusts(self, certificate: str) -> bool:
        """Whether this is the trust anchor (PEM) that the operator gave it; anything is, where none was given."""

    def check(self) -> None:
        """Nothing, if it answers."""

    def random(self, size: int) -> bytes:
        """Random bytes of its own."""

    def make(self, key: bytes, label: str) -> None:
        """Make a key with this id, which is to stay."""

    def holds(self, key: bytes) -> bool:
        """Whether it has a key with this id."""

    def destroy(self, key: bytes) -> None:
        """Destroy the key with this id, if it is there. It takes some seconds at most."""

    def seal(self, key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Nonce (12 bytes), ciphertext and tag (16 bytes) under AES-GCM."""

    def open(self, key: bytes, sealed: bytes, associated: bytes) -> bytes:
        """What `seal` sealed. Raises core.errors.SealError."""


class KeyProxies(Protocol):
    """The way to the proxies of external key stores, over the network."""

    def post(
        self, endpoint: str, path: str, operation: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status and body with which the proxy at `endpoint` and `path` answers, asked for an `operation`.

        Raises federation.fetch.FetchError; federation.breaker.Busy, having asked nothing.
        """
