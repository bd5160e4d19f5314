"""Which local program gets which profile: a mapping file (TOML), and who is at the other end of a connection.

    default = "none"              # what who matches nothing gets: "main" (if not given), "none", or a profile

    [[program]]
    user = "postgres"             # a name or a number
    profile = "backup"            # one of the instance's profiles, "main" or "none"

    [[program]]
    cgroup = "/system.slice/batch.service"    # or below it
    profile = "batch"

    [[container]]
    path = "/v2/credentials/batch"            # of AWS_CONTAINER_CREDENTIALS_FULL_URI
    token_file = "/run/bailiwick-agent/batch" # what AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names
    user = "batch"                            # who may read that file; the agent makes it
    profile = "batch"

    [pods]                                    # this host is a node: pods get their own roles (EKS Pod Identity)
    cluster = "shop-cluster"
    profile = "node"                          # with which the server is asked for them: "main" if not given

The first that matches counts. The user of a connection from this host is in /proc/net/tcp, its cgroup that of the
processes that hold the socket. Where a program rule is and the user is not to be found out, nothing is given.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import socket
import tomllib
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from bailiwick.app.agent.state import AgentError

MAIN, NONE = "main", "none"
_PROC = Path("/proc")
_ESTABLISHED = "01"

ProfileName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[\w+=,.@-]+\Z")]


class Peer(NamedTuple):
    """The two ends of a connection, as the server side sees them."""

    address: str
    port: int
    own_address: str
    own_port: int


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule: whose programs get which profile."""

    profile: ProfileName
    user: str | int | None = None
    cgroup: Annotated[str, Meta(pattern=r"\A/")] | None = None


class Container(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A path of the container credential endpoint, the file with its token, and the profile that it gives."""

    path: Annotated[str, Meta(pattern=r"\A/[\w./-]{1,200}\Z")]
    token_file: str
    profile: ProfileName = MAIN
    user: str | int | None = None


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cluster of which this host is a node, and the profile whose role may ask for its pods."""

    cluster: Annotated[str, Meta(max_length=100, pattern=r"\A[0-9A-Za-z][\w-]*\Z")]
    profile: ProfileName = MAIN


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    default: ProfileName = MAIN
    program: tuple[Program, ...] = ()
    container: tuple[Container, ...] = ()
    pods: Cluster | None = None


def read(path: Path) -> Mapping:
    """The mapping in a file. Raises AgentError for one that cannot be used."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Mapping)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise AgentError(f"{path}: {error}") from None
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror or error}") from None
    users = [each.user for each in found.program] + [each.user for each in found.container]
    for user in users:
        if user is not None:
            uid_of(user)
    if any(each.user is None and each.cgroup is None for each in found.program):
        raise AgentError(f"{path}: a program rule names a user, a cgroup, or both")
    return found


def profile_for(mapping: Mapping, peer: Peer) -> str:
    """The profile that the program at the other end gets: a name, `main` or `none`."""
    if not mapping.program:
        return mapping.default
    found = _socket_of(peer)
    if found is None:
        return NONE
    uid, inode = found
    groups: frozenset[str] | None = None
    for rule in mapping.program:
        if rule.user is not None and uid_of(rule.user) != uid:
            continue
        if rule.cgroup is not None:
            if groups is None:
                groups = _cgroups(uid, inode)
            if not groups or not all(_is_below(each, rule.cgroup) for each in groups):
                continue
        return rule.profile
    return mapping.default


def uid_of(user: str | int) -> int:
    """The number of a user. Raises AgentError for one that there is not."""
    if isinstance(user, int):
        return user
    try:
        return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise AgentError(f"there is no user `{user}` on this host") from None


# -- /proc --------------------------------------------------------------------------------------------------


def _socket_of(peer: Peer) -> tuple[int, str] | None:
    """The user id and inode of the peer's end, if that is on this host, in this network namespace."""
    address = ipaddress.ip_address(peer.address)
    table = _PROC / "net" / ("tcp6" if address.version == 6 else "tcp")
    local, remote = _written(peer.address, peer.port), _written(peer.own_address, peer.own_port)
    try:
        with table.open("rb") as lines:
            for line in lines:
                fields = line.split(maxsplit=10)
                if len(fields) > 9 and fields[1] == local and fields[2] == remote:
                    if fields[3].decode() != _ESTABLISHED:
                        return None
                    return int(fields[7]), fields[9].decode()
    except OSError:
        pass
    return None


def _written(address: str, port: int) -> bytes:
    """An end of a connection as the kernel writes it: 32-bit words in the byte order of the machine, in hex."""
    packed = ipaddress.ip_address(address).packed
    words = (packed[place : place + 4] for place in range(0, len(packed), 4))
    text = "".join(f"{socket.htonl(int.from_bytes(word, 'big')):08X}" for word in words)
    return f"{text}:{port:04X}".encode()


def _cgroups(uid: int, inode: str) -> frozenset[str]:
    """The cgroups of the processes that hold a socket; none if they cannot be seen."""
    wanted, found = f"socket:[{inode}]", set[str]()
    for process in _PROC.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid == uid and _holds(process / "fd", wanted):
                found.add(_cgroup(process))
        except OSError:
            continue  # it has ended
    return frozenset(found)


def _holds(folder: Path, wanted: str) -> bool:
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if os.readlink(entry.path) == wanted:
                    return True
            except OSError:
                continue
    return False


def _cgroup(process: Path) -> str:
    """The cgroup of a process: in the unified hierarchy, or that of systemd."""
    lines = (process / "cgroup").read_text("utf-8", "surrogateescape").splitlines()
    by_name = {name: path for _, name, path in (line.split(":", 2) for line in lines if line.count(":") >= 2)}
    return by_name.get("", by_name.get("name=systemd", "/"))


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(above.rstrip("/") + "/")


def as_asked(name: str) -> str | None:
    """A profile's name as the keeper wants it: None for the main one."""
    return None if name == MAIN else name
