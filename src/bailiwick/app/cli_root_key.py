"""`bailiwick root-key`: another root key for a deployment, in three steps between which the servers start again."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import typer

from bailiwick.app import keyring, rekey
from bailiwick.app.cli_support import Config, Data, deployment, say
from bailiwick.app.files import read_private, write_private
from bailiwick.app.home import Home, HomeError
from bailiwick.core.seal import ROOT_KEY_BYTES, KeyRing
from bailiwick.store import Store

root_key = typer.Typer(help="The root key that everything is sealed under.", no_args_is_help=True)


@root_key.command("show")
def show(config: Config = None, data: Data = None) -> None:
    """Show the id of each root key, the one that seals first, and how many values are under it."""
    with deployment(config, data) as (found, store):
        for root in found.ring.roots:
            say(f"{root}  {rekey.count(store, root)} values{'  seals' * (root == found.ring.primary)}")


@root_key.command("add")
def add(config: Config = None, data: Data = None) -> None:
    """Put a new root key beside the old one. Nothing is sealed under it until every server knows it."""
    with deployment(config, data) as (found, store):
        keys = _keys(found)
        if len(keys) > 1:
            raise HomeError("a new root key is there already; go on with `bailiwick root-key rotate`")
        new = os.urandom(ROOT_KEY_BYTES)
        with store.transaction(write=True) as transaction:
            keyring.announce(transaction, KeyRing(new).primary)
        _write(found.folder, [*keys, new])
    say(f"added the root key {KeyRing(new).primary} to {found.folder / keyring.FILE}: make a copy of the file")
    say("start every server again, each with this file; then `bailiwick root-key rotate`")


@root_key.command("rotate")
def rotate(config: Config = None, data: Data = None) -> None:
    """Seal everything under the new root key. Servers go on meanwhile; what was cut short is taken up again."""
    with deployment(config, data) as (found, store):
        keys = _keys(found)
        if len(keys) == 1:
            raise HomeError("there is one root key only; `bailiwick root-key add` makes another")
        new = _announced(found, store)
        keys.sort(key=lambda key: KeyRing(key).primary != new)
        ring = KeyRing(*keys)
        ring.pin(found.ring.keys_to_pin(*keyring.LASTING))
        with store.transaction(write=True) as transaction:
            # Before the file names the new one first: whoever starts then must find the keys that outlive the old.
            keyring.pin(transaction, ring, os.urandom)
            keyring.imprint(transaction, ring, os.urandom)
        _write(found.folder, keys)
        left = _rewrapped(store, ring)
    say(f"everything is under the root key {ring.primary}{f' but for {left} values' if left else ''}")
    say("start every server again, each with this file; then `bailiwick root-key drop`")


@root_key.command("drop")
def drop(config: Config = None, data: Data = None) -> None:
    """Take the old root key out of the file, once nothing is left under it. Sessions begun under it end."""
    with deployment(config, data) as (found, store):
        keys = _keys(found)
        if len(keys) == 1:
            raise HomeError("there is one root key only")
        if found.ring.primary != _announced(found, store):
            raise HomeError("the new root key does not seal yet; `bailiwick root-key rotate` comes first")
        if left := _rewrapped(store, found.ring):
            raise HomeError(f"{left} values are under the old root key still and do not open; it is kept")
        _write(found.folder, keys[:1])
    say(f"the root key is {found.ring.primary}; start every server again")
    say(f"backups that were made before need {', '.join(found.ring.roots[1:])}: keep it as long as you keep them")


def _announced(found: Home, store: Store) -> str:
    """The id of the new root key, which is in the file. Raises HomeError."""
    with store.transaction() as transaction:
        new = keyring.announced(transaction)
    if new is None or new not in found.ring.roots:
        raise HomeError(
            f"{found.folder / keyring.FILE} does not hold the root key that `bailiwick root-key add` made"
        )
    return new


def _rewrapped(store: Store, ring: KeyRing) -> int:
    """Seal anew what is under other roots; how many values are left under them."""
    total, done = sum(rekey.count(store, root) for root in ring.roots[1:]), 0
    for root in ring.roots[1:]:
        for batch in rekey.rewrap(store, ring, root, os.urandom):
            done += batch
            say(f"{done} of {total}")
    return sum(rekey.count(store, root) for root in ring.roots[1:])


def _keys(found: Home) -> list[bytes]:
    """The root keys in the file of the data folder. Raises HomeError where they came from elsewhere."""
    path = found.folder / keyring.FILE
    try:
        keys = keyring.parsed(read_private(path), str(path))
    except FileNotFoundError:
        keys = []
    if not keys or KeyRing(*keys).roots != found.ring.roots:
        raise HomeError(f"the root key of this deployment does not come from {path}; only there can it be rotated")
    return keys


def _write(folder: Path, keys: list[bytes]) -> None:
    write_private(folder / keyring.FILE, b"".join(base64.b64encode(key) + b"\n" for key in keys))
