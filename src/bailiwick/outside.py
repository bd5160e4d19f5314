"""What handlers may ask outside their transaction: its forms, filled in by whoever composes a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


class People(Protocol):
    """A company's directory, which knows people by their passwords. It asks over the network."""

    def identify(self, user: str, password: str) -> Identity | None:
        """The person with this name and password; None for anyone else. Raises core.errors.DirectoryUnavailable."""

    def granted(self, identity: Identity) -> Grants:
        """What the operator gives this person."""
