"""What of an input or output may be written down.

The service model marks most secrets as sensitive. Data is never written: no plaintext, no ciphertext, no
signature. Tokens that the models forget to mark are named here (facts/kms.md section 18, "never logged").
Names are in lower camel case, as CloudTrail has them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.wire.models import Reference, ServiceModel

_TOKENS = frozenset(
    ("GrantToken", "GrantTokens", "ImportToken", "SAMLAssertion", "SessionToken", "TokenCode", "WebIdentityToken")
)
_SECRETS = frozenset(("SecretAccessKey", "Password", "NewPassword", "OldPassword", "PrivateKey", "QRCodePNG"))
_UNNAMED = _TOKENS | _SECRETS


def loggable(model: ServiceModel, shape: str, value: Any) -> dict[str, Any] | None:
    """The members of `value`, a structure of this shape, that may be written down; None for no value."""
    if value is None or not shape:
        return None
    cleaned: dict[str, Any] = _structure(model, shape, value)
    return cleaned or None


def _structure(model: ServiceModel, name: str, value: msgspec.Struct) -> dict[str, Any]:
    cleaned = {}
    for member, reference in model.shapes[name].members.items():
        given = getattr(value, member, None)
        if given is None or member in _UNNAMED or _secret(model, reference):
            continue
        cleaned[member[:1].lower() + member[1:]] = _value(model, reference.shape, given)
    return cleaned


def _value(model: ServiceModel, name: str, value: Any) -> Any:
    shape = model.shapes[name]
    match shape.kind:
        case "structure":
            return _structure(model, name, value)
        case "list":
            if shape.member is None or _secret(model, shape.member):
                return []
            return [_value(model, shape.member.shape, item) for item in value]
        case "map":
            if shape.value is None or _secret(model, shape.value):
                return {}
            return {key: _value(model, shape.value.shape, item) for key, item in value.items()}
        case "timestamp":
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return value


def _secret(model: ServiceModel, reference: Reference) -> bool:
    shape = model.shapes[reference.shape]
    return reference.sensitive or shape.sensitive or shape.kind == "blob"
