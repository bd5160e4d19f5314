"""A company's directory (OpenLDAP, Active Directory, FreeIPA): who somebody is, and what her groups give her."""

from __future__ import annotations

from bailiwick.federation.ldap.configuration import Configuration, ConfigurationError, read
from bailiwick.federation.ldap.lookup import Company

__all__ = ["Company", "Configuration", "ConfigurationError", "read"]
