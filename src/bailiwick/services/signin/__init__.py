"""The door for people: sign-in pages, second factors, federation, switching roles, one's own credentials.

And the programs that they let in (`aws login`), which have an API. Importing this registers its operations.
"""

from __future__ import annotations

from bailiwick.services.signin import oauth
from bailiwick.services.signin.service import signin

__all__ = ["oauth", "signin"]
