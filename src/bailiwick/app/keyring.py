"""The root key of the deployment: where it comes from, and how the database knows that it is the right one.

Looked for in this order (facts/crypto-notes.md section 3.1): the environment variable BAILIWICK_ROOT_KEY, a
credential of the service manager (`bailiwick-root-key` in $CREDENTIALS_DIRECTORY), the file `root.key` in the
data folder, the file `root.sealed` there, which operators or a token must open (custody.py). It is 32 bytes, raw or
in base64; or several in base64, one a line: all open, and one seals, the database says which (rotation.py).

The database keeps a value sealed under it: so a wrong root key is told apart from a damaged database, and before
anything is served.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path

import msgspec
import structlog

from bailiwick.api import Transaction
from bailiwick.app import asking, custody
from bailiwick.app.custody import CustodyError, Locked, Opened
from bailiwick.app.files import UnsafeFile, read_private, write_private
from bailiwick.app.settings import ROOT_KEY_VARIABLE
from bailiwick.core.errors import SealError
from bailiwick.core.ids import Entropy
from bailiwick.core.seal import ROOT_KEY_BYTES, KeyRing
from bailiwick.store import settings as facts

log = structlog.get_logger()

FILE = "root.key"
_CREDENTIAL = "bailiwick-root-key"
_CHECK = "key-ring.check"
_CHECK_PURPOSE = "deployment-check"
_PINNED = "key-ring.pinned"
LASTING = ("audit-digests", "kms-imported-material", "sso-client-secret")
"""The purposes whose MACs outlive a root: who signs the audit trail, which imported material was the same, and the
secrets of registered clients."""

_CHECK_TEXT = b"this is the root key of this deployment"


class RootKeyError(Exception):
    """The root key is missing, malformed, open to others, or another deployment's."""


class Held(msgspec.Struct, frozen=True):
    """The root keys of a process: its key ring, and, if they lie in the data folder, how they are kept there."""

    ring: KeyRing
    in_folder: bool = False
    opened: Opened | None = None


Ask = Callable[[Locked], Opened]
"""Has an operator open what is locked. Raises CustodyError."""


def find(folder: Path, environment: MutableMapping[str, str], ask: Ask | None = None) -> KeyRing | None:
    """The key ring that was given to this process, or None if there is no root key anywhere.

    Takes the variable out of `environment`, so that no child inherits it. Raises RootKeyError.
    """
    held = take(folder, environment, ask)
    return None if held is None else held.ring


def take(folder: Path, environment: MutableMapping[str, str], ask: Ask | None = None) -> Held | None:
    """The same with how the root keys are kept. `ask` is who opens those that are locked, else the terminal."""
    given = environment.pop(ROOT_KEY_VARIABLE, None)
    try:
        if given is not None:
            log.warning("the root key came by the environment, which other processes of this user can read")
            return Held(KeyRing(*parsed(given.encode(), ROOT_KEY_VARIABLE)))
        if credentials := environment.get("CREDENTIALS_DIRECTORY"):
            credential = Path(credentials) / _CREDENTIAL
            if credential.exists():
                # systemd gives the service user access through the group or an access list.
                return Held(KeyRing(*parsed(read_private(credential, forbidden=0o037), str(credential))))
        if (folder / FILE).is_symlink() or (folder / FILE).exists():
            return Held(KeyRing(*parsed(read_private(folder / FILE), str(folder / FILE))), in_folder=True)
        locked = custody.read(folder)
        if locked is None:
            return None
        opened = (ask or asking.operator(environment))(locked)
        return Held(KeyRing(*opened.keys), in_folder=True, opened=opened)
    except (UnsafeFile, CustodyError) as error:
        raise RootKeyError(str(error)) from None
    except OSError as error:
        raise RootKeyError(f"cannot read the root key {error.filename}: {error.strerror}") from None


def stored(folder: Path, held: Held) -> list[bytes] | None:
    """The root keys as the data folder has them now; None where they do not come from there, or do not open.

    Raises RootKeyError.
    """
    if not held.in_folder:
        return None
    try:
        if held.opened is None:
            return parsed(read_private(folder / FILE), str(folder / FILE))
        locked = custody.read(folder)
        return None if locked is None else list(custody.unlock(locked, held.opened.key).keys)
    except FileNotFoundError:
        return None
    except (UnsafeFile, CustodyError) as error:
        raise RootKeyError(str(error)) from None


def store_keys(folder: Path, opened: Opened | None, keys: Sequence[bytes], entropy: Entropy) -> None:
    """Write the root keys to the data folder, locked as `opened` is, or plainly. Raises OSError."""
    if opened is None:
        write_private(folder / FILE, lines(keys))
    else:
        custody.write(folder, opened, keys, entropy)


def lines(keys: Sequence[bytes]) -> bytes:
    """Root keys as a file holds them."""
    return b"".join(base64.b64encode(key) + b"\n" for key in keys)


def of_file(path: Path) -> KeyRing:
    """The key ring whose root key is in this file. Raises RootKeyError."""
    try:
        return KeyRing(*parsed(read_private(path), str(path)))
    except UnsafeFile as error:
        raise RootKeyError(str(error)) from None
    except OSError as error:
        raise RootKeyError(f"cannot read the root key {path}: {error.strerror}") from None


def create(folder: Path, entropy: Entropy) -> KeyRing:
    """A new root key, written to the data folder. Raises OSError."""
    key = entropy(ROOT_KEY_BYTES)
    write_private(folder / FILE, base64.b64encode(key) + b"\n")
    return KeyRing(key)


def imprint(transaction: Transaction, ring: KeyRing, entropy: Entropy) -> None:
    """Leave in the database what `check` needs."""
    sealed = ring.seal(_CHECK_PURPOSE, _CHECK_TEXT, entropy)
    facts.put(transaction, _CHECK, f"{ring.primary}:{base64.b64encode(sealed).decode()}")


def sealing_root(transaction: Transaction) -> str:
    """The id of the root key that the database says it is sealed under."""
    return (facts.get(transaction, _CHECK) or "").partition(":")[0]


def change(transaction: Transaction, ring: KeyRing, root: str, kept: Mapping[str, bytes], entropy: Entropy) -> None:
    """Have the database name another root, which is in the ring, as the one that seals.

    `kept` are the keys of what outlives a root. The ring itself is as before, until `take_up`.
    """
    changed = ring.under(root)
    changed.pin(kept)
    pin(transaction, changed, entropy)
    imprint(transaction, changed, entropy)


def pin(transaction: Transaction, ring: KeyRing, entropy: Entropy) -> None:
    """Keep, sealed under the primary root, the keys of what outlives a root: MACs that are compared for years."""
    kept = {purpose: key.hex() for purpose, key in ring.keys_to_pin(*LASTING).items()}
    sealed = ring.seal(_PINNED, msgspec.json.encode(kept), entropy)
    facts.put(transaction, _PINNED, base64.b64encode(sealed).decode())


def check(transaction: Transaction, ring: KeyRing) -> None:
    """Have the root seal that the database names. Raises RootKeyError unless `ring` opens what it sealed."""
    found = facts.get(transaction, _CHECK)
    if found is None:
        raise RootKeyError("the database does not say which root key it needs: it is damaged; restore a backup")
    needed, _, sealed = found.partition(":")
    try:
        if ring.open(_CHECK_PURPOSE, base64.b64decode(sealed)) == _CHECK_TEXT:
            take_up(transaction, ring)
            return
    except (SealError, binascii.Error):
        pass
    if needed == ring.primary:
        raise RootKeyError("the root key is the right one, yet the database's check does not open: it is damaged")
    raise RootKeyError(
        f"this is another deployment's root key: the database needs {needed}, given was {ring.primary}; "
        f"put the right {FILE} back from its backup"
    )


def take_up(transaction: Transaction, ring: KeyRing) -> None:
    """Have the root seal that the database names, which is in the ring. Raises SealError."""
    found = facts.get(transaction, _PINNED)
    if found is not None:
        kept = msgspec.json.decode(ring.open(_PINNED, base64.b64decode(found)), type=dict[str, str])
        ring.pin({purpose: bytes.fromhex(key) for purpose, key in kept.items()})
    ring.promote(sealing_root(transaction))


def parsed(data: bytes, where: str) -> list[bytes]:
    """The root keys in the bytes of a file or variable, which `where` names. Raises RootKeyError."""
    if len(data) == ROOT_KEY_BYTES:
        return [data]
    try:
        keys = [base64.b64decode(line, validate=True) for line in data.removesuffix(b"\n").split(b"\n")]
    except binascii.Error:
        keys = [b""]
    if any(len(key) != ROOT_KEY_BYTES for key in keys):
        raise RootKeyError(f"{where} does not hold a root key: 32 bytes, raw or in base64, and nothing else")
    return keys
