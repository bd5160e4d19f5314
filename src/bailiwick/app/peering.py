"""Which other deployments share keys with this one: the file that the setting `peers` names (docs/kms/peers.md)."""

from __future__ import annotations

import ipaddress
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.core.loopback import is_here
from bailiwick.core.peers import SECRET_BYTES, Peer, Peers
from bailiwick.federation.fetch import Fetcher
from bailiwick.federation.kept import Kept

_SECONDS = 10.0
_LIMIT = 1 << 20  # bytes of an answer
_ANYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))  # the operator says where

Region = Annotated[str, Meta(pattern=r"\A[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}\Z")]


class PeeringError(Exception):
    """The file of peers cannot be used; the text says why."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One peer, as the file has it."""

    url: Annotated[str, Meta(pattern=r"\Ahttps?://[^\s/@]+/?\Z")]
    regions: Annotated[list[Region], Meta(min_length=1, max_length=64)]
    accounts: Annotated[list[Annotated[str, Meta(pattern=r"\A[0-9]{12}\Z")]], Meta(min_length=1)]
    secret_file: str
    ca_file: str | None = None


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: peers by their names."""

    peers: dict[Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,62}\Z")], Entry]


def read(path: Path, home: str, woken: threading.Event) -> Peers:
    """The peers in a file, for a deployment that is at `home`. Raises PeeringError."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text("utf-8")), File)
    except OSError as error:
        raise PeeringError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise PeeringError(f"{path}: {error}") from None
    try:
        found = Peers([_peer(name, entry, path.parent) for name, entry in file.peers.items()], woken.set)
    except ValueError as error:
        raise PeeringError(f"{path}: {error}") from None
    ours = found.of_region(home)
    if ours is not None:
        raise PeeringError(f"{path}: {home} is the region of this deployment, and cannot be one of {ours.name}")
    return found


def _peer(name: str, entry: Entry, folder: Path) -> Peer:
    url = urlsplit(entry.url)
    if url.scheme != "https" and not is_here(url.hostname or ""):
        raise PeeringError(f"`{name}`: {entry.url} would be reached without TLS; give an https URL")
    authorities = None
    try:
        secret = read_private(folder / entry.secret_file)
        if entry.ca_file is not None:
            authorities = (folder / entry.ca_file).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise PeeringError(f"`{name}`: {error}") from None
    except UnsafeFile as error:
        raise PeeringError(f"`{name}`: {error}") from None
    if len(secret) != SECRET_BYTES:
        raise PeeringError(
            f"`{name}`: {entry.secret_file} is no secret of {SECRET_BYTES} bytes; `bailiwick peer key`"
        )
    return Peer(
        name=name,
        url=entry.url.rstrip("/"),
        regions=frozenset(entry.regions),
        accounts=frozenset(entry.accounts),
        secret=secret,
        authorities=authorities,
    )


class Road:
    """The way to the peers, over the network."""

    def __init__(self, peers: Peers) -> None:
        self._ways = {
            peer.name: Kept(Fetcher(_ANYWHERE, seconds=_SECONDS, limit=_LIMIT, authorities=peer.authorities))
            for peer in peers.all
        }

    def post(self, peer: Peer, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and body with which a peer answers. Raises FetchError."""
        return self._ways[peer.name].post(peer.url + "/", headers, body)
