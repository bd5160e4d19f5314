"""The service that the operations of this folder register with."""

from __future__ import annotations

from bailiwick.api import Service
from bailiwick.core.formats import SessionKind

# Who got her session from GetSessionToken or GetFederationToken may not manage identities with it, unless it was
# begun with MFA (facts/sts.md section 4).
iam = Service("iam", is_global=True, refuses=frozenset((SessionKind.SESSION, SessionKind.FEDERATED)))
