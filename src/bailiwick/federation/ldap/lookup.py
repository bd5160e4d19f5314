"""Who somebody is: her entry found, her password tried by a bind as herself, her groups read."""

from __future__ import annotations

import os

import structlog

from bailiwick.core.errors import DirectoryUnavailable, LdapError
from bailiwick.core.identity import Grants, Identity
from bailiwick.core.ldap import filters, names
from bailiwick.core.ldap.messages import Entry, Result, Scope
from bailiwick.federation.ldap.configuration import Address, Configuration, ConfigurationError
from bailiwick.federation.ldap.connection import BUSY, REFUSALS, SUCCESS, TOO_MANY, Connection, context
from bailiwick.federation.ldap.mapping import granted
from bailiwick.federation.ldap.pool import Pool

log = structlog.get_logger()

_LONGEST_NAME = 256
_LONGEST_PASSWORD = 1024
_EVERYTHING = filters.parse("(objectClass=*)")


class Company:
    """A directory that people sign in with. Safe between threads; it connects when it is first asked."""

    def __init__(self, configuration: Configuration) -> None:
        """Take a configuration. Raises ConfigurationError for a file of authorities that cannot be used."""
        self.configuration = configuration
        servers = configuration.servers
        try:
            self._tls = context(str(configuration.ca_file) if configuration.ca_file else None)
        except OSError as error:
            raise ConfigurationError(f"`server.ca_file`: {configuration.ca_file}: {error}") from None
        # Each of two uses has connections of its own, so that nothing is ever searched for as somebody else.
        self._service = Pool(configuration.addresses, self._bound, servers.connections)
        self._people = Pool(configuration.addresses, self._open, servers.connections)

    def identify(self, user: str, password: str) -> Identity | None:
        """The person with this name and password; None for anyone else, without a hint at which was wrong.

        Raises DirectoryUnavailable where the directory cannot tell.
        """
        if not (0 < len(user) <= _LONGEST_NAME and 0 < len(password) <= _LONGEST_PASSWORD):
            return None
        if not user.isprintable() or "\0" in password:  # the name is also logged, where a line is a line
            return None
        if self.configuration.find_user is None:
            return self._by_template(user, password)
        return self._by_search(user, password)

    def granted(self, identity: Identity) -> Grants:
        """What the rules of the mapping file give a person."""
        return granted(self.configuration, identity)

    def close(self) -> None:
        """End every connection."""
        self._service.close()
        self._people.close()

    # -- The two ways -------------------------------------------------------------------------------------

    def _by_template(self, user: str, password: str) -> Identity | None:
        """Her name is made by the template; what is read is read as herself."""
        dn = self.configuration.users.dn.replace("{user}", names.escaped(user))

        def work(connection: Connection) -> Identity | None:
            if not self._accepted(connection.bind(dn, password), user, connection):
                return None
            found, result = connection.search(dn, Scope.ENTRY, _EVERYTHING, self._attributes(), 1)
            if result.code != SUCCESS or len(found) != 1:
                raise DirectoryUnavailable(f"{connection.address}: {dn} may not read her own entry ({result.code})")
            return self._identity(connection, found[0], user)

        return self._people.run(work)

    def _by_search(self, user: str, password: str) -> Identity | None:
        """Her entry is searched for by the service account, and her name in it bound with her password."""
        entry = self._service.run(lambda connection: self._find(connection, user))
        # Nobody's bind takes as long as hers, so that the time does not tell who exists.
        dn = entry.dn if entry else f"cn=nobody-{os.urandom(8).hex()},{self.configuration.users.base}"
        accepted = self._people.run(
            lambda connection: self._accepted(connection.bind(dn, password), user, connection)
        )
        if entry is None or not accepted:
            return None
        return self._service.run(lambda connection: self._identity(connection, entry, user))

    def _find(self, connection: Connection, user: str) -> Entry | None:
        template, base = self.configuration.find_user, self.configuration.users.base
        assert template is not None
        wanted = filters.filled(template, {"user": user})
        found, result = connection.search(base, Scope.TREE, wanted, self._attributes(), 2)
        if result.code not in (SUCCESS, TOO_MANY):
            raise DirectoryUnavailable(f"{connection.address} does not search {base}: {result.code} {result.text}")
        if len(found) == 1 and result.code == SUCCESS and found[0].dn:
            return found[0]
        reason = "several entries fit" if found else "no entry fits"
        log.info(
            "the directory does not know a person", directory=self.configuration.name, user=user, reason=reason
        )
        return None

    def _accepted(self, result: Result, user: str, connection: Connection) -> bool:
        """Whether a bind as a person was accepted."""
        if result.code == SUCCESS:
            return True
        if result.code not in REFUSALS:
            raise DirectoryUnavailable(f"{connection.address} does not bind: {result.code} {result.text}")
        log.info(
            "the directory refuses a password",
            directory=self.configuration.name,
            user=user,
            reason=f"{result.code} {result.text}".strip(),
        )
        return False

    # -- What she is --------------------------------------------------------------------------------------

    def _attributes(self) -> list[str]:
        """The attributes that are read of a person."""
        configuration = self.configuration
        users = configuration.users
        wanted = [users.name, users.mail, configuration.groups.attribute, *configuration.tags.values()]
        return list(dict.fromkeys(name for name in wanted if name))

    def _identity(self, connection: Connection, entry: Entry, user: str) -> Identity:
        configuration = self.configuration
        texts = {name: _texts(values) for name, values in entry.attributes.items()}
        name = next(iter(texts.get(configuration.users.name.lower(), ())), user)
        groups = texts.pop(configuration.groups.attribute.lower(), ())
        if configuration.find_groups is not None:
            groups = self._search_groups(connection, entry.dn, name)
        return Identity(
            provider=configuration.name,
            subject=entry.dn,
            name=name,
            mail=next(iter(texts.get(configuration.users.mail.lower(), ())), ""),
            groups=tuple(group for group in groups if self._counts(group)),
            attributes=texts,
        )

    def _search_groups(self, connection: Connection, dn: str, user: str) -> tuple[str, ...]:
        groups = self.configuration.groups
        assert self.configuration.find_groups is not None
        wanted = filters.filled(self.configuration.find_groups, {"dn": dn, "user": user})
        # "1.1" asks for no attribute: the names of the groups are enough.
        found, result = connection.search(groups.base, Scope.TREE, wanted, ["1.1"], groups.most)
        if result.code != SUCCESS:
            many = f"she is in more than {groups.most} groups (`group.most`)"
            told = many if result.code == TOO_MANY else f"{result.code} {result.text}"
            raise DirectoryUnavailable(f"{connection.address}: groups in {groups.base} cannot be read: {told}")
        return tuple(entry.dn for entry in found)

    def _counts(self, group: str) -> bool:
        """Whether a group lies where groups must be. What is not a name can be nobody's group."""
        try:
            return names.is_below(names.normal(group), self.configuration.group_base)
        except LdapError:
            return False

    # -- Connections --------------------------------------------------------------------------------------

    def _open(self, address: Address) -> Connection:
        servers = self.configuration.servers
        tls = self._tls if address.secure or servers.start_tls else None
        return Connection(address, tls, servers.start_tls, servers.timeout)

    def _bound(self, address: Address) -> Connection:
        """A connection that is the service account's."""
        connection = self._open(address)
        result = connection.bind(self.configuration.servers.bind_dn, self.configuration.password)
        if result.code != SUCCESS:
            connection.close()
            busy = " (it is busy)" if result.code in BUSY else ""
            raise DirectoryUnavailable(f"{address} refuses the service account: {result.code} {result.text}{busy}")
        return connection


def _texts(values: tuple[bytes, ...]) -> tuple[str, ...]:
    """The values that are text."""
    found = list[str]()
    for value in values:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            found.append(text)
    return tuple(found)
