"""The mapping file: where the directory is, how people and groups are found in it, and what groups give.

It is TOML; docs/federation/ldap.md has one for each kind of directory. Everything that can be wrong with it is told
when it is read, in terms of its own keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from bailiwick.core.errors import LdapError
from bailiwick.core.ldap import filters, names
from bailiwick.core.ldap.filters import Filter
from bailiwick.core.ldap.names import Name
from bailiwick.core.loopback import is_here

_PORTS = {"ldap": 389, "ldaps": 636}
_ROLE = re.compile(r"arn:aws(?:-cn|-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/*-]{1,512}", re.ASCII)
_DN_PLACES = re.compile(r"\{(\w*)\}", re.ASCII)
_MAX_BYTES = 1 << 20

Attribute = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9-]{0,63}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]
TagKey = Annotated[str, Meta(pattern=r"\A[\w .:/=+@-]{1,128}\Z")]
TagValue = Annotated[str, Meta(pattern=r"\A[\w .:/=+@-]{0,256}\Z")]


class ConfigurationError(Exception):
    """A mapping file that cannot be used; the text names the key and says what is expected."""


class Address(msgspec.Struct, frozen=True):
    """One server: its host and port, and whether TLS begins with the connection."""

    host: str
    port: int
    secure: bool

    def __str__(self) -> str:
        return f"{'ldaps' if self.secure else 'ldap'}://{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is this machine."""
        return is_here(self.host)


class Servers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[server]`: the servers in the order in which they are tried, and how they are spoken to."""

    urls: Annotated[list[Text], Meta(min_length=1, max_length=16)]
    ca_file: str = ""
    start_tls: bool = False
    bind_dn: str = ""
    bind_password_file: str = ""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 5.0
    connections: Annotated[int, Meta(ge=1, le=64)] = 4


class Users(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[user]`: how a person's entry is found, by a search or by its name, and what of it is read."""

    base: str = ""
    filter: str = ""
    dn: str = ""
    name: Attribute = "uid"
    mail: Attribute = "mail"


class Groups(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[group]`: an attribute of the person's entry that lists groups, or a search for the groups that list her."""

    attribute: str = ""
    base: str = ""
    filter: str = ""
    nested: bool = False
    most: Annotated[int, Meta(ge=1, le=5000)] = 500


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[rule]]`: what the members of a group (all people, if none is named) are given."""

    group: str = ""
    roles: Annotated[list[str], Meta(max_length=100)] = []
    tags: dict[TagKey, TagValue] = {}


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
    server: Servers
    user: Users
    group: Groups = Groups()
    tags: dict[TagKey, Attribute] = {}
    source_identity: bool = False
    rule: Annotated[list[Rule], Meta(min_length=1, max_length=1000)]


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping file that was read and holds. `password` is that of the service account, if there is one.

    `find_user` and `find_groups` are None where a name template or an attribute does their work. `tags` are
    attributes by tag.
    """

    name: str
    addresses: tuple[Address, ...]
    servers: Servers
    ca_file: Path | None
    password: str
    users: Users
    user_base: Name
    find_user: Filter | None
    groups: Groups
    group_base: Name
    find_groups: Filter | None
    tags: dict[str, str]
    source_identity: bool
    rules: tuple[Rule, ...]

    def __repr__(self) -> str:
        return f"Configuration({self.name!r}, {', '.join(map(str, self.addresses))})"


def read(path: Path, read_secret: Callable[[Path], bytes]) -> Configuration:
    """The configuration in a mapping file; `read_secret` reads a file that is nobody else's business.

    Paths in it are relative to its folder. Raises ConfigurationError, and what `read_secret` raises.
    """
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise ConfigurationError(f"{path} is too large for a mapping file")
        file = msgspec.convert(tomllib.loads(data.decode("utf-8")), _File)
        return _checked(file, path.parent, read_secret)
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename or path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    except (msgspec.ValidationError, LdapError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _checked(file: _File, folder: Path, read_secret: Callable[[Path], bytes]) -> Configuration:
    server, user, group = file.server, file.user, file.group
    addresses = tuple(map(_address, server.urls))
    for each in addresses:
        if server.start_tls and each.secure:
            raise ValueError(f"`start_tls` is for ldap:// URLs, and {each} has TLS from its beginning")
        if not (each.secure or server.start_tls or each.loopback):
            raise ValueError(
                f"{each} would be sent passwords in plain text, which goes to this machine only; write ldaps://, "
                "or set `start_tls`"
            )
    if bool(server.bind_dn) != bool(server.bind_password_file):
        raise ValueError("`bind_dn` and `bind_password_file` belong together: give both or neither")
    _at("server.bind_dn", names.parse, server.bind_dn)
    return Configuration(
        name=file.name,
        addresses=addresses,
        servers=server,
        ca_file=_ca_file(folder, server.ca_file),
        password=_password(folder / server.bind_password_file, read_secret) if server.bind_password_file else "",
        users=user,
        user_base=_at("user.base", names.normal, user.base),
        find_user=_find_user(user, server),
        groups=group,
        group_base=_at("group.base", names.normal, group.base),
        find_groups=_find_groups(group),
        tags=file.tags,
        source_identity=file.source_identity,
        rules=tuple(map(_rule, file.rule)),
    )


def _find_user(user: Users, server: Servers) -> Filter | None:
    if bool(user.dn) == bool(user.filter):
        raise ValueError("`user` needs either `filter`, to search for people, or `dn`, which makes their names")
    if user.dn:
        if set(_DN_PLACES.findall(user.dn)) != {"user"}:
            raise ValueError("`user.dn` has {user} in it, where the name of the person goes, and no other {...}")
        _at("user.dn", names.parse, user.dn)
        return None
    if not server.bind_dn:
        raise ValueError("to search for people, `server.bind_dn` must name an account that may search")
    if not user.base:
        raise ValueError("`user.filter` needs `user.base`: below what people are")
    return _with_place("user.filter", user.filter, ("user",), ())


def _find_groups(group: Groups) -> Filter | None:
    if group.attribute and group.filter:
        raise ValueError("`group` has either `attribute` or `filter`, not both")
    if not group.filter:
        if group.nested:
            raise ValueError("`group.nested` needs `group.filter` such as (member={dn})")
        if group.attribute and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", group.attribute):
            raise ValueError("`group.attribute` is the name of an attribute, such as memberOf")
        return None
    if not group.base:
        raise ValueError("`group.filter` needs `group.base`: below what groups are")
    found = _with_place("group.filter", group.filter, ("dn", "user"), ("dn",) if group.nested else ())
    return filters.chained(found, "dn") if group.nested else found


def _with_place(key: str, text: str, any_of: tuple[str, ...], needed: tuple[str, ...]) -> Filter:
    found: Filter = _at(key, filters.parse, text)
    if not any(filters.asks(found, name) for name in any_of) or not all(filters.asks(found, n) for n in needed):
        places = " or ".join(f"{{{name}}}" for name in needed or any_of)
        raise ValueError(f"`{key}` has {places} in it, where the person goes")
    return found


def _rule(rule: Rule) -> Rule:
    for role in rule.roles:
        if not _ROLE.fullmatch(role):
            raise ValueError(f"`rule.roles`: `{role}` is not the ARN of a role; after role/ it may have a *")
    if not (rule.roles or rule.tags):
        raise ValueError(f"the rule for `{rule.group or 'everyone'}` gives neither `roles` nor `tags`")
    if "=" in rule.group:
        _at("rule.group", names.normal, rule.group)
    return rule


def _address(url: str) -> Address:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or port == -1:
        raise ValueError(f"`server.urls`: `{url}` is not a URL such as ldaps://ldap.example.org")
    if parts.username is not None:
        raise ValueError("`server.urls`: a URL has no user in it; `bind_dn` names the account")
    return Address(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "ldaps")


def _ca_file(folder: Path, named: str) -> Path | None:
    if not named:
        return None
    path = folder / named
    if not path.is_file():
        raise ValueError(f"`server.ca_file`: there is no file {path}")
    return path


def _password(path: Path, read_secret: Callable[[Path], bytes]) -> str:
    password = read_secret(path).decode("utf-8").rstrip("\r\n")
    if not password:
        raise ValueError(f"`server.bind_password_file`: {path} is empty")
    return password


def _at(key: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except LdapError as error:
        raise ValueError(f"`{key}`: {error}") from None
