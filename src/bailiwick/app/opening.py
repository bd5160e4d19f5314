"""Who opens locked root keys: the PKCS#11 token that `root.sealed` names, which asks nobody; else an operator."""

from __future__ import annotations

from collections.abc import MutableMapping

from bailiwick.app import asking, hsm
from bailiwick.app.custody import CustodyError, InToken, Locked, Opened, with_token
from bailiwick.app.hsm import HsmError, Pkcs11Token
from bailiwick.app.keyring import Ask
from bailiwick.app.settings import Settings


def opener(settings: Settings, environment: MutableMapping[str, str], ask: Ask | None = None) -> Ask:
    """Who opens them. `ask` is the operator, else whoever sits at the terminal or the descriptor."""

    def opened(locked: Locked) -> Opened:
        if not isinstance(locked.opener, InToken):
            return (ask or asking.operator(environment))(locked)
        found = token(settings, locked.opener.token, environment)
        try:
            return with_token(locked, found)
        finally:
            found.close()  # workers are processes of their own, and keys of customers have sessions of their own

    return opened


def token(settings: Settings, name: str, environment: MutableMapping[str, str]) -> Pkcs11Token:
    """The token of this name, which is not asked yet. Raises CustodyError."""
    if settings.hsm is None:
        raise CustodyError(f"the token {name} opens the root key: name the file of tokens in the setting `hsm`")
    try:
        found = hsm.read(settings.hsm.expanduser()).tokens.get(name)
        if found is None:
            raise CustodyError(f"`hsm`: {settings.hsm} names no token {name}")
        return hsm.token(name, found, environment)
    except HsmError as error:
        raise CustodyError(f"`hsm`: {error}") from None
