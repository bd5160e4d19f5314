"""Grants: there are none yet, so no grant token can be valid."""

from __future__ import annotations

from collections.abc import Sequence

from bailiwick.services.kms.shapes import InvalidGrantTokenException


def check_tokens(tokens: Sequence[str] | None) -> None:
    """Refuse a request that shows a grant token. Raises InvalidGrantTokenException."""
    if tokens:
        raise InvalidGrantTokenException("The grant token is not valid.")
