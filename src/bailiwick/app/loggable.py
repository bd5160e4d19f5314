"""What of an input or output may be written down.

The service model marks most secrets as sensitive. Data is never written: no plaintext, no ciphertext, no
signature. Tokens that the models forget to mark are named here (facts/kms.md section 18, "never logged").
Names are in lower camel case, as CloudTrail has them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.wire.models import Reference, ServiceModel

_TOKENS = frozenset(
    (
        *("GrantToken", "GrantTokens", "ImportToken", "SAMLAssertion", "SessionToken", "TokenCode"),
        *("WebIdentityToken", "idToken"),
    )
)
_SECRETS = frozenset(
    (
        *("SecretAccessKey", "Password", "NewPassword", "OldPassword", "LDAPPassword", "PrivateKey", "QRCodePNG"),
        *("Base32StringSeed", "AuthenticationCode1", "AuthenticationCode2"),
        *("secretAccessKey", "sessionToken"),
        *("code", "codeVerifier", "deviceCode", "idToken"),  # of programs that people let in
        *("ServicePassword", "ServiceCredentialSecret"),
    )
)
_UNNAMED = _TOKENS | _SECRETS


def loggable(model: ServiceModel, shape: str, value: Any) -> dict[str, Any] | None:
    """The members of `value`, a structure of this shape, that may be written down; None for no value."""
    if value is None or not shape:
        return None
    return _structure(model, shape)(value) or None


Cleaner = Callable[[Any], Any]


class _Structure:
    """What is let through of one structure. Made once for each shape of a model."""

    def __init__(self) -> None:
        self.members: list[tuple[str, str, Cleaner | None]] = []  # its name, the name written, how it is cleaned

    def __call__(self, value: msgspec.Struct) -> dict[str, Any]:
        cleaned = {}
        for member, written, clean in self.members:
            given = getattr(value, member, None)
            if given is not None:
                cleaned[written] = given if clean is None else clean(given)
        return cleaned


_structures: dict[tuple[str, str], _Structure] = {}


def _structure(model: ServiceModel, name: str) -> _Structure:
    found = _structures.get((model.name, name))
    if found is None:
        # In its place before its members are known, for a shape may contain itself.
        found = _structures[model.name, name] = _Structure()
        found.members = [
            (member, member[:1].lower() + member[1:], _cleaner(model, reference.shape))
            for member, reference in model.shapes[name].members.items()
            if member not in _UNNAMED and not _secret(model, reference)
        ]
    return found


def _cleaner(model: ServiceModel, name: str) -> Cleaner | None:
    """What makes a value of this shape fit to be written; None for one that is."""
    shape = model.shapes[name]
    match shape.kind:
        case "structure":
            return _structure(model, name)
        case "list":
            return _list(model, shape.member)
        case "map":
            return _map(model, shape.value)
        case "timestamp":
            return _time
        case _:
            return None


def _list(model: ServiceModel, member: Reference | None) -> Cleaner | None:
    if member is None or _secret(model, member):
        return lambda value: []
    clean = _cleaner(model, member.shape)
    return (lambda value: [clean(item) for item in value]) if clean else None


def _map(model: ServiceModel, member: Reference | None) -> Cleaner | None:
    if member is None or _secret(model, member):
        return lambda value: {}
    clean = _cleaner(model, member.shape)
    return (lambda value: {key: clean(item) for key, item in value.items()}) if clean else None


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)  # no calendar has it, and the record must be made all the same


def _secret(model: ServiceModel, reference: Reference) -> bool:
    shape = model.shapes[reference.shape]
    return reference.sensitive or shape.sensitive or shape.kind == "blob"
