"""What two deployments tell each other of a multi-Region key: all that one of them knows of it, each time.

So a message may come twice, late, or never, as long as a later one comes. Material is in it as it is: it travels
sealed (core/peers.py), and no repr shows it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MOST_BYTES = 512 * 1024
MOST_LETTERS, MOST_KEYS, MOST_VALUES = 1024, 256, 64

_Count = Annotated[int, Meta(ge=0, le=1 << 30)]
_Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_IdOrNone = Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z")]
_Region = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\Z")]
_Origin = Literal["AWS_KMS", "EXTERNAL"]
_Word = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{0,48}\Z")]
_Time = Annotated[float, Meta(ge=0, le=1e11)]


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of what is in a message: nothing unknown is in it."""


class Material(Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One material. `secret` is left out of what is imported, and of what the other has; `digest` tells imports."""

    id: _Id
    created: _Time
    state: _Word
    rotated: _Time | None = None
    rotation: _Word | None = None
    description: Annotated[str, Meta(max_length=256)] | None = None
    secret: Annotated[bytes, Meta(max_length=8192)] | None = None
    digest: Annotated[bytes, Meta(max_length=32)] | None = None

    def __repr__(self) -> str:
        return f"Material({self.id[:8]})"


class Register(Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key, as its deployment says: of two that are told the one with the higher version is newer."""

    version: _Count
    epoch: _Count
    state: Literal["Present", "Gone"]
    holds: Annotated[list[_Id], Meta(max_length=4096)] = []


class Wish(Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A replica that is to be made. `after` is the version of the last one that was there, 0 if none was."""

    after: _Count
    policy: Annotated[str, Meta(max_length=32768)]
    description: Annotated[str, Meta(max_length=8192)]
    tags: Annotated[
        list[tuple[Annotated[str, Meta(max_length=128)], Annotated[str, Meta(max_length=256)]]], Meta(max_length=50)
    ] = []


class Mover(Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who had the primary moved by a call, as her deployment vouches, and the condition keys of that call."""

    arn: Annotated[str, Meta(max_length=2048)]
    context: Annotated[
        dict[
            Annotated[str, Meta(max_length=MOST_LETTERS)],
            Annotated[str, Meta(max_length=MOST_LETTERS)]
            | Annotated[tuple[Annotated[str, Meta(max_length=MOST_LETTERS)], ...], Meta(max_length=MOST_VALUES)],
        ],
        Meta(max_length=MOST_KEYS),
    ] = {}


class Snapshot(Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a deployment knows of a multi-Region key.

    `epoch`, `primary` and `revision`, in this order, tell which of two is newer. `material` is the current one,
    `pending` one that becomes so when every replica holds it.
    """

    partition: _Word
    account: Annotated[str, Meta(pattern=r"\A[0-9]{12}\Z")]
    id: Annotated[str, Meta(pattern=r"\Amrk-[0-9a-f]{32}\Z")]
    spec: _Word
    usage: _Word
    origin: _Origin
    epoch: _Count
    primary: _Region
    revision: _Count
    material: _IdOrNone
    digests: Annotated[bytes, Meta(min_length=32, max_length=32)]
    rotation_days: Annotated[int, Meta(ge=90, le=2560)] | None = None
    rotation_due: _Time | None = None
    pending: _IdOrNone = ""
    pending_how: _Word | None = None
    pending_since: _Time | None = None
    moved_by: Mover | None = None
    materials: Annotated[list[Material], Meta(max_length=4096)] = []
    members: Annotated[dict[_Region, Register], Meta(max_length=64)] = {}
    wishes: Annotated[dict[_Region, Wish], Meta(max_length=64)] = {}

    @property
    def rank(self) -> tuple[int, str, int]:
        """The higher one is newer."""
        return self.epoch, self.primary, self.revision

    def __repr__(self) -> str:
        return f"Snapshot({self.account}, {self.id}, {self.rank})"


_decoder = msgspec.msgpack.Decoder(Snapshot)


def encoded(snapshot: Snapshot) -> bytes:
    """A snapshot as it is sealed."""
    return msgspec.msgpack.encode(snapshot)


def decoded(data: bytes) -> Snapshot:
    """What was `encoded`. Raises ValueError for anything else."""
    if len(data) > MOST_BYTES:
        raise ValueError("it is too large")
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None  # it names places and forms, and no value
