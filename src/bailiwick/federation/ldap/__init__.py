"""A company's directory (OpenLDAP, Active Directory, FreeIPA): who somebody is, and what her groups give her."""

from __future__ import annotations

from bailiwick.federation.ldap.configuration import Configuration, read
from bailiwick.federation.ldap.connection import Unavailable
from bailiwick.federation.ldap.lookup import Company
from bailiwick.federation.ldap.mapping import granted

__all__ = ["Company", "Configuration", "Unavailable", "granted", "read"]
