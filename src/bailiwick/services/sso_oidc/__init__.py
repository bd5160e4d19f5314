"""IAM Identity Center's OpenID Connect: how `aws sso login` gets in. Importing this registers every operation."""

from __future__ import annotations

from bailiwick.services.sso_oidc import clients, tokens
from bailiwick.services.sso_oidc.service import sso_oidc

__all__ = ["clients", "sso_oidc", "tokens"]
