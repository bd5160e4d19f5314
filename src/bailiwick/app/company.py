"""The company's directory that the settings name, if they name one. Its code is imported only then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from bailiwick.federation.ldap import Company

NOT_FOR_OTHERS = 0o037  # a group may read the password file: that is how services are handed theirs


def directory(settings: Settings) -> Company | None:
    """The directory, which connects when it is first asked. Raises SettingsError for a file that cannot be used."""
    if settings.ldap is None:
        return None
    from bailiwick.federation.ldap import Company, ConfigurationError, read

    try:
        return Company(read(settings.ldap.expanduser(), _secret))
    except (ConfigurationError, UnsafeFile) as error:
        raise SettingsError(f"`ldap`: {error}") from None


def _secret(path: Path) -> bytes:
    return read_private(path, NOT_FOR_OTHERS)
