"""Another root key for a deployment whose servers run: they do it themselves, a little at a time.

What is asked for and how far it is stands in the database (`Rotation`), so that it goes on after a crash of whoever
was at it. Each server tells there which root keys it has (`Node`). One of them leads, under a lease:

1. `waiting`: until every server that lives has the new root. The sealing root is then changed, in one transaction;
   the others take it up when they see it, and meanwhile open what either sealed.
2. `sealing`: everything under the old root is sealed anew (rekey.py), until every server seals under the new one,
   and nothing is left under the old.
3. `done`: the old root may be taken away (`bailiwick root-key drop`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import delete, select

from bailiwick.api import Transaction
from bailiwick.app import custody, keyring, rekey
from bailiwick.app.keyring import Held, RootKeyError
from bailiwick.core.errors import SealError
from bailiwick.core.seal import KeyRing
from bailiwick.store import Duplicate, Store
from bailiwick.store import settings as facts
from bailiwick.store.schema import setting

log = structlog.get_logger()

WAITING, SEALING, DONE = "waiting", "sealing", "done"
_ROTATION, _NODE, _LEASE = "key-ring.rotation", "key-ring.node.", "key-ring.lease"
PAUSE = 2.0
"""Seconds between two looks."""
_SPEAKS, _SILENT, _LEASED = 4.0, 20.0, 20.0  # seconds: a node speaks so often; is taken for dead; may lead
_BATCHES = 20  # between two notes of how far it is


class Rotation(msgspec.Struct, frozen=True):
    """How far it is, from the roots `old` to the one `to`; `left` are the values that do not open."""

    to: str
    old: tuple[str, ...]
    began: float
    stage: str = WAITING
    total: int = 0
    done: int = 0
    left: int = 0
    waits_for: tuple[str, ...] = ()


class Node(msgspec.Struct, frozen=True):
    """What a server's process says of itself."""

    roots: tuple[str, ...]
    primary: str
    seen: float


def found(transaction: Transaction) -> Rotation | None:
    """The rotation that was asked for last, if any was."""
    text = facts.get(transaction, _ROTATION)
    return None if text is None else msgspec.json.decode(text, type=Rotation)


def ask(store: Store, ring: KeyRing, now: float) -> Rotation:
    """Ask for a rotation to the root key that does not seal yet; one that is under way goes on.

    Raises RootKeyError where there is none or more than one, and store.StoreError.
    """
    with store.transaction(write=True) as transaction:
        known, sealing = found(transaction), keyring.sealing_root(transaction)
        if known is not None and known.stage != DONE:
            return known
        others = [root for root in ring.roots if root != sealing]
        new = [root for root in others if known is None or root not in known.old]
        if sealing not in ring.roots:
            raise RootKeyError(f"the root key {sealing}, under which servers seal, is not at hand")
        if len(new) > 1 or not others:
            raise RootKeyError(
                "there are more root keys than an old one and a new one; take the others away"
                if others
                else "there is one root key only; `bailiwick root-key add` makes another"
            )
        if new:
            return _note(transaction, Rotation(new[0], tuple(root for root in ring.roots if root != new[0]), now))
        assert known is not None, "an old root is one of an earlier rotation"
        if any(rekey.under(transaction, root) for root in others):  # written by a server that heard of it too late
            known = _note(transaction, msgspec.structs.replace(known, stage=SEALING))
        return known


def nodes(transaction: Transaction) -> dict[str, Node]:
    """What every process said last."""
    rows = transaction.all(
        select(setting.c.name, setting.c.value).where(setting.c.name.startswith(_NODE, autoescape=True))
    )
    return {row.name.removeprefix(_NODE): msgspec.json.decode(row.value, type=Node) for row in rows}


class Keeper:
    """What one process does for its root keys, at each `look`."""

    def __init__(
        self, store: Store, ring: KeyRing, folder: Path, held: Held, now: Callable[[], float] = time.time
    ) -> None:
        """Take the ring that the process uses, and where its root keys come from."""
        self.name = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._store, self._ring, self._folder, self._held, self._now = store, ring, folder, held, now
        self._stat: tuple[int, ...] | None = None
        self._told: Node | None = None
        self._lacks = ""

    def refresh(self) -> Rotation | None:
        """Take up what the file and the database say. Raises store.StoreError."""
        self._read_file()
        with self._store.transaction() as transaction:
            self._follow(transaction)
            return found(transaction)

    def look(self) -> Rotation | None:
        """Do what is to be done now; returns how far a rotation is. Raises store.StoreError."""
        rotation = self.refresh()
        self._speak(rotation)
        if rotation is None or rotation.stage == DONE or not self._leads():
            return rotation
        return self._wait(rotation) if rotation.stage == WAITING else self._seal(rotation)

    def leave(self) -> None:
        """Say that this process ends. Raises store.StoreError."""
        with self._store.transaction(write=True) as transaction:
            transaction.run(delete(setting).where(setting.c.name == _NODE + self.name))
            if (facts.get(transaction, _LEASE) or "").startswith(f"{self.name} "):
                transaction.run(delete(setting).where(setting.c.name == _LEASE))

    def _read_file(self) -> None:
        """Take up root keys that were added to the file, and forget those that were taken out."""
        path = self._folder / (keyring.FILE if self._held.opened is None else custody.FILE)
        try:
            stat = os.stat(path)
            seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if not self._held.in_folder or seen == self._stat:
                return
            keys = keyring.stored(self._folder, self._held)
        except (OSError, RootKeyError) as error:
            if self._stat is not None:
                log.error("the root keys cannot be read again; those in memory stay", reason=str(error))
                self._stat = None
            return
        self._stat = seen
        before = set(self._ring.roots)
        if keys:
            self._ring.learn(*keys)
            self._ring.keep(*keys)
        if set(self._ring.roots) != before:
            log.info("root keys", roots=self._ring.roots)

    def _follow(self, transaction: Transaction) -> None:
        """Seal under the root that the database names."""
        sealing = keyring.sealing_root(transaction)
        if sealing == self._ring.primary:
            self._lacks = ""
            return
        try:
            keyring.take_up(transaction, self._ring)
            log.info("another root key seals", root=sealing)
        except SealError:
            if self._lacks != sealing:
                log.error("this server lacks the root key under which others seal; give it the file", root=sealing)
            self._lacks = sealing

    def trouble(self) -> str | None:
        """Why this process cannot open everything, for /readyz."""
        return f"the root key {self._lacks} is not at hand" if self._lacks else None

    def _speak(self, rotation: Rotation | None) -> None:
        """Say which roots this process has: whenever that changes, and often while others wait to hear it."""
        said, now = Node(self._ring.roots, self._ring.primary, self._now()), self._now()
        told, waited = self._told, rotation is not None and rotation.stage != DONE
        same = told is not None and (told.roots, told.primary) == (said.roots, said.primary)
        if told is not None and same and not (waited and now - told.seen > _SPEAKS):
            return
        with self._store.transaction(write=True) as transaction:
            facts.put(transaction, _NODE + self.name, msgspec.json.encode(said).decode())
        self._told = said

    def _leads(self) -> bool:
        """Whether this process may do the work, for some seconds; it may where whoever did is silent."""
        try:
            with self._store.transaction(write=True) as transaction:
                name, _, until = (facts.get(transaction, _LEASE) or "").partition(" ")
                if name != self.name and until and float(until) > self._now():
                    return False
                facts.put(transaction, _LEASE, f"{self.name} {self._now() + _LEASED}")
            return True
        except Duplicate:  # another took it in this moment
            return False

    def _others(self, transaction: Transaction, rotation: Rotation) -> dict[str, Node]:
        """The processes that live, or may still say so: those that were silent for long are forgotten."""
        living = {}
        for name, node in nodes(transaction).items():
            if name != self.name and max(node.seen, rotation.began) + _SILENT < self._now():
                transaction.run(delete(setting).where(setting.c.name == _NODE + name))
            else:
                living[name] = node
        return living

    def _wait(self, rotation: Rotation) -> Rotation:
        """Change the sealing root, once every process has the new one and has said so since it was asked for."""
        with self._store.transaction(write=True) as transaction:
            late = tuple(
                name
                for name, node in self._others(transaction, rotation).items()
                if rotation.to not in node.roots or (node.seen < rotation.began and name != self.name)
            )
            if late or rotation.to not in self._ring.roots:
                return _note(transaction, msgspec.structs.replace(rotation, waits_for=late or (self.name,)))
            total = sum(rekey.under(transaction, root) for root in rotation.old)
            kept = self._ring.keys_to_pin(*keyring.LASTING)
            keyring.change(transaction, self._ring, rotation.to, kept, os.urandom)
            rotation = msgspec.structs.replace(rotation, stage=SEALING, total=total, waits_for=())
            _note(transaction, rotation)
        self.refresh()
        log.info("everything is sealed under another root key", root=rotation.to, values=total)
        return rotation

    def _seal(self, rotation: Rotation) -> Rotation:
        """Seal anew what is there; done if nothing can come any more."""
        if rotation.to != self._ring.primary:
            return rotation
        done = rotation.done
        for number, batch in enumerate(self._batches(rotation.old)):
            done += batch
            if number % _BATCHES == _BATCHES - 1:
                rotation = self._noted(rotation, done=done)
                if not self._leads():
                    return rotation
        with self._store.transaction(write=True) as transaction:
            late = tuple(
                name for name, node in self._others(transaction, rotation).items() if node.primary != rotation.to
            )
            left = sum(rekey.under(transaction, root) for root in rotation.old)
            stage = rotation.stage if late else DONE
            rotation = msgspec.structs.replace(rotation, done=done, left=left, waits_for=late, stage=stage)
            _note(transaction, rotation)
        if rotation.stage == DONE:
            log.info("everything is under the new root key", root=rotation.to, values=done, left=rotation.left)
        return rotation

    def _batches(self, old: tuple[str, ...]) -> Iterator[int]:
        for root in old:
            yield from rekey.rewrap(self._store, self._ring, root, os.urandom)

    def _noted(self, rotation: Rotation, *, done: int) -> Rotation:
        with self._store.transaction(write=True) as transaction:
            return _note(transaction, msgspec.structs.replace(rotation, done=done))


def _note(transaction: Transaction, rotation: Rotation) -> Rotation:
    facts.put(transaction, _ROTATION, msgspec.json.encode(rotation).decode())
    return rotation
