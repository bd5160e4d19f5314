"""STS: who am I, and temporary credentials. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.sts import (
    assume_role,
    assume_root,
    authorization,
    federation_token,
    forward_access,
    identity,
    ldap,
    refused,
    saml,
    session_token,
    web_identity,
    web_identity_token,
)
from bailiwick.services.sts.service import sts

__all__ = [
    "assume_role",
    "assume_root",
    "authorization",
    "federation_token",
    "forward_access",
    "identity",
    "ldap",
    "refused",
    "saml",
    "session_token",
    "sts",
    "web_identity",
    "web_identity_token",
]
