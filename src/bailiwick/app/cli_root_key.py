"""`bailiwick root-key`: how the root keys are kept, and another root key for a deployment whose servers run."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.app import asking, custody, keyring, opening, rekey, rotation
from bailiwick.app.cli_support import Config, Data, deployment, say
from bailiwick.app.custody import CustodyError, Gathering, Opened
from bailiwick.app.files import private_folder, write_private
from bailiwick.app.home import Home, HomeError
from bailiwick.app.operated import OURS, changes
from bailiwick.app.settings import data_folder, load
from bailiwick.core import shamir
from bailiwick.core.errors import HsmUnavailable, ShareError
from bailiwick.core.seal import ROOT_KEY_BYTES, KeyRing
from bailiwick.store import Store

root_key = typer.Typer(help="The root key that everything is sealed under.", no_args_is_help=True)

_SHOWN_EVERY = 0.5  # seconds


@root_key.command("show")
def show(config: Config = None, data: Data = None) -> None:
    """Show the id of each root key, the one that seals first, and how many values are under it; and a rotation."""
    with deployment(config, data) as (found, store):
        for root in found.ring.roots:
            say(f"{root}  {rekey.count(store, root)} values{'  seals' * (root == found.ring.primary)}")
        with store.transaction() as transaction:
            under_way = rotation.found(transaction)
    if under_way is not None:
        say(_told(under_way))


@root_key.command("add")
def add(config: Config = None, data: Data = None) -> None:
    """Put a new root key beside the old one. Nothing is sealed under it until every server knows it."""
    with deployment(config, data) as (found, store):
        keys = _keys(found)
        if len(keys) > 1:
            raise HomeError("a new root key is there already; go on with `bailiwick root-key rotate`")
        new = os.urandom(ROOT_KEY_BYTES)
        _tell(found, store, "AddRootKey", rootKeyId=KeyRing(new).primary)
        _write(found, [*keys, new])
    say(f"added the root key {KeyRing(new).primary} to {_file(found)}: make a copy of the file")
    say("give the file to every other node (servers take it up while they run); then `bailiwick root-key rotate`")


@root_key.command("rotate")
def rotate(
    wait: Annotated[bool, typer.Option(help="Stay until it is done, and show how far it is.")] = True,
    config: Config = None,
    data: Data = None,
) -> None:
    """Have everything sealed under the new root key: by the servers that run, or else by this command."""
    with deployment(config, data) as (found, store):
        asked = rotation.ask(store, found.ring, time.time())
        _tell(found, store, "RotateRootKey", rootKeyId=asked.to)
        if not wait:
            say(_told(asked))
            return
        keeper = rotation.Keeper(store, found.ring, found.folder, found.held)
        try:
            done = _followed(keeper)
        finally:
            keeper.leave()
        left = f" but for {done.left} values" if done.left else ""
        if found.held.in_folder:
            keys = keyring.stored(found.folder, found.held) or []
            _write(found, sorted(keys, key=lambda key: KeyRing(key).primary != done.to))
    say(f"everything is under the root key {done.to}{left}")
    say("once nobody needs temporary credentials of before (36 hours at most): `bailiwick root-key drop`")


@root_key.command("drop")
def drop(config: Config = None, data: Data = None) -> None:
    """Take the old root key away, once nothing is left under it. Sessions begun under it end."""
    with deployment(config, data) as (found, store):
        if len(found.ring.roots) == 1:
            raise HomeError("there is one root key only")
        with store.transaction() as transaction:
            done, nodes = rotation.found(transaction), rotation.nodes(transaction)
        new = found.ring.primary
        if done is None or done.to != new:
            raise HomeError("the new root key does not seal yet; `bailiwick root-key rotate` comes first")
        if done.stage != rotation.DONE:
            raise HomeError(f"{_told(done)}; wait for its end")
        if late := [name for name, node in nodes.items() if node.primary != new]:
            raise HomeError(f"{len(late)} servers seal under the old root key still: {', '.join(late)}")
        if left := sum(rekey.count(store, root) for root in found.ring.roots[1:]):
            raise HomeError(
                f"{left} values are under the old root key still: `bailiwick root-key rotate` seals what opens; "
                "for what does not open it is kept"
            )
        _tell(found, store, "DropRootKey", rootKeyId=", ".join(found.ring.roots[1:]))
        if found.held.in_folder:
            keys = keyring.stored(found.folder, found.held) or []
            _write(found, [key for key in keys if KeyRing(key).primary == new])
    say(f"the root key is {new}; give {_file(found)} to every node" if found.held.in_folder else _by_hand(new))
    say(f"backups that were made before need {', '.join(found.ring.roots[1:])}: keep it as long as you keep them")


@root_key.command("passphrase")
def passphrase(config: Config = None, data: Data = None) -> None:
    """Lock the root key under a passphrase, which is asked for twice, or comes through BAILIWICK_UNSEAL_FD.

    It is also how a passphrase is changed: then the first line is the old one, and the second the new.
    """
    lines = _lines()
    with deployment(config, data, _answers(lines)) as (found, store):
        keys = _keys(found)
        if lines:
            chosen = lines.pop(0)
        else:
            chosen = asking.secret("New passphrase of the root key: ")
            if asking.secret("The same again: ") != chosen:
                raise HomeError("these are two different passphrases")
        with _refusing():
            _change(found, store, custody.by_passphrase(keys, chosen, os.urandom), keys, "a passphrase")
    say(f"the root key is locked in {found.folder / custody.FILE}: make a copy of that file")


@root_key.command("split")
def split(
    shares: Annotated[int, typer.Option(help="How many shares there are.")] = 5,
    threshold: Annotated[int, typer.Option(help="How many of them open the root key.")] = 3,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write each share to a file in this folder.", show_default=False)
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Lock the root key under a new key, and give that out in shares. They are shown this once and kept nowhere."""
    with deployment(config, data, _answers(_lines())) as (found, store), _refusing():
        keys = _keys(found)
        opened, made = custody.by_shares(keys, shares, threshold, os.urandom)
        if to is not None:
            private_folder(to)
            for share in made:
                write_private(to / f"share-{share.number}", shamir.text(share).encode() + b"\n")
        _change(found, store, opened, keys, f"{threshold} of {shares} shares")
    if to is None:
        for share in made:
            sys.stdout.write(f"{share.number}: {shamir.text(share)}\n")
        sys.stdout.flush()
    say(f"{threshold} of these {shares} shares open {found.folder / custody.FILE}: make a copy of that file")


@root_key.command("token")
def token(
    name: Annotated[str, typer.Argument(help="What the file of tokens (the setting `hsm`) calls it.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Lock the root key under a new key that a PKCS#11 token opens, at each start and without an operator."""
    settings = load({"data": data}, os.environ, config)
    with deployment(config, data, _answers(_lines())) as (found, store), _refusing():
        keys, hsm = _keys(found), opening.token(settings, name, os.environ)
        try:
            _change(found, store, custody.by_token(keys, name, hsm, os.urandom), keys, f"the token {name}")
        finally:
            hsm.close()
    say(f"the token {name} opens {found.folder / custody.FILE}: make a copy of that file, and of the token's key")


@root_key.command("combine")
def combine(
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the root keys to this new file.", show_default=False)
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Try whether the shares, the passphrase or the token at hand open the root key. Needs `root.sealed` alone."""
    settings = load({"data": data}, os.environ, config)
    folder = data_folder(settings, os.environ)
    with _refusing():
        locked = custody.read(folder)
        if locked is None:
            raise HomeError(f"there is no {custody.FILE} in {folder}")
        opened = opening.opener(settings, os.environ)(locked)
    roots = KeyRing(*opened.keys).roots
    if write is not None:
        if write.exists():
            raise HomeError(f"{write} exists already")
        write_private(write, keyring.lines(opened.keys))
    say(f"the root key opens: {', '.join(roots)}{f', written to {write}' if write else ''}")


@root_key.command("file")
def file(config: Config = None, data: Data = None) -> None:
    """Keep the root key in `root.key` again, locked by nothing."""
    with deployment(config, data) as (found, store):
        _change(found, store, None, _keys(found), "nothing")
    say(f"the root key is in {found.folder / keyring.FILE}")


def _followed(keeper: rotation.Keeper) -> rotation.Rotation:
    """Be one of those who may do the work, until it is done."""
    said, shown = "", 0.0
    while True:
        at = keeper.look()
        assert at is not None, "it was asked for"
        if _told(at) != said and time.monotonic() - shown > _SHOWN_EVERY:
            said, shown = _told(at), time.monotonic()
            say(said)
        if at.stage == rotation.DONE:
            return at
        if at.waits_for:
            time.sleep(rotation.PAUSE / 4)


def _told(at: rotation.Rotation) -> str:
    if at.stage == rotation.DONE:
        return f"the rotation to {at.to} is done: {at.done} values"
    waits = f", waits for {', '.join(at.waits_for)}" if at.waits_for else ""
    return f"the rotation to {at.to} is under way: {at.done} of {at.total} values{waits}"


def _by_hand(new: str) -> str:
    return f"nothing is under the old root key; leave it out of what is given to the servers, so that {new} is left"


def _keys(found: Home) -> list[bytes]:
    """The root keys in the file of the data folder. Raises HomeError where they came from elsewhere."""
    keys = keyring.stored(found.folder, found.held)
    if not keys:
        raise HomeError(
            f"the root key of this deployment does not come from {found.folder}; only there can this be done. "
            "Elsewhere put a second key beside it, on a line of its own, and go on with `bailiwick root-key rotate`"
        )
    return keys


def _file(found: Home) -> Path:
    return found.folder / (keyring.FILE if found.held.opened is None else custody.FILE)


def _write(found: Home, keys: list[bytes]) -> None:
    keyring.store_keys(found.folder, found.held.opened, keys, os.urandom)


def _tell(found: Home, store: Store, name: str, **details: str) -> None:
    """Have the audit trail know of it, before it is done: nothing is done to a root key without a record."""
    with changes(found, store) as change:
        change.tell(OURS, name, **details)


def _change(found: Home, store: Store, opened: Opened | None, keys: list[bytes], by: str) -> None:
    """Keep the root keys in another way: the new file is there, and was read, before the old one goes.

    `by` is what opens them from now on, in words.
    """
    _tell(found, store, "ChangeRootKeyCustody", rootKeyId=", ".join(found.ring.roots), openedBy=by)
    keyring.store_keys(found.folder, opened, keys, os.urandom)
    now = keyring.Held(found.ring, in_folder=True, opened=opened)
    if keyring.stored(found.folder, now) != keys:
        raise HomeError("the new file does not hold the root key; the old one stays")
    other = found.folder / (custody.FILE if opened is None else keyring.FILE)
    other.unlink(missing_ok=True)


class _refusing:  # noqa: N801  (a context, as a function would be)
    """What is refused of custody, as what is refused of a data folder."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CustodyError | ShareError | HsmUnavailable):
            raise HomeError(str(error)) from None


def _lines() -> list[str]:
    with _refusing():
        number = asking.descriptor(os.environ)
        return [] if number is None else asking.lines_of(number)


def _answers(lines: list[str]) -> keyring.Ask | None:
    """Who opens a locked root key: these lines, of which it takes what it needs; the terminal if there are none."""
    if not lines:
        return None

    def ask(locked: custody.Locked) -> Opened:
        if isinstance(locked.opener, custody.Argon2id):
            return custody.with_passphrase(locked, lines.pop(0))
        gathering = Gathering(locked)
        while lines and not gathering.complete:
            gathering.add(lines.pop(0))
        return gathering.open()

    return ask
