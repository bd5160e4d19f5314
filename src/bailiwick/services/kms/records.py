"""A key as the operations meet it: loaded with its policy compiled, its materials open, its aliases and tags.

What is loaded is kept in memory until the key changes (topic `kms-key:<arn>`), so a warm call reads nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Row, bindparam, select

from bailiwick.api import Environment, Transaction
from bailiwick.core.happened import Happened
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Value
from bailiwick.core.seal import KeyRing
from bailiwick.services.kms import family_tables, material, specs, stores, tables
from bailiwick.services.kms.ciphertext import Ciphers, Origin, Sealing
from bailiwick.services.kms.material import Private
from bailiwick.services.kms.stores import KeyStore

ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_DELETION = "PendingDeletion"
PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
PENDING_IMPORT = "PendingImport"
UNAVAILABLE = "Unavailable"
UPDATING = "Updating"  # its primary is being moved to a peer, which has not said yet that it has it
EXPIRES, LASTS = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"
AWS_KMS, EXTERNAL = "AWS_KMS", "EXTERNAL"
AWS_CLOUDHSM, EXTERNAL_KEY_STORE = stores.AWS_CLOUDHSM, stores.EXTERNAL_KEY_STORE
CURRENT, NON_CURRENT, PENDING_ROTATION = "CURRENT", "NON_CURRENT", "PENDING_ROTATION"
_PURPOSE = "kms-material"
_SALTS = 4  # whose ciphers are kept with a key: each process that encrypts goes on with one for long
_CIPHER_BYTES = 2_500  # as measured


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A KMS key. `materials` are secret, by id; its repr shows none of them.

    `sealing` is what a symmetric key encrypts with, `private` the private key of one that has a public half;
    `ciphers` are those with which a symmetric key has decrypted of late.
    """

    arn: str
    account: str
    region: str
    id: str
    description: str
    state: str
    spec: str
    usage: str
    origin: str
    created: float
    deletion: float | None
    material: str
    policy: str
    pins: dict[str, str]
    layer: Layer
    context: dict[str, Value]
    materials: dict[str, bytes]
    has_grants: bool
    deletion_days: int | None = None
    rotation_days: int | None = None
    rotation_due: float | None = None
    primary_region: str | None = None
    manager: str = "CUSTOMER"
    expires: float | None = None  # when the first of its imported materials does, but for what waits for its turn
    sealing: Sealing | None = None
    private: Private | None = None
    ciphers: Ciphers | None = None
    store: KeyStore | None = None  # the custom key store that it is in
    xks_key: str | None = None  # what the proxy of that store calls it

    @property
    def is_whole(self) -> bool:
        """Whether its current material is there: in the database, or in a token."""
        return self.material in self.materials or self.origin == AWS_CLOUDHSM

    @property
    def shown_material(self) -> str | None:
        """The id of the current material as answers show it: not of keys in custom key stores."""
        return self.material if self.store is None else None

    @property
    def weight(self) -> int:
        """About how many bytes it holds."""
        opened = _CIPHER_BYTES * _SALTS if self.ciphers is not None else 0
        return 5_000 + self.layer.weight + 500 * len(self.materials) + opened

    def __repr__(self) -> str:
        return f"Key({self.arn}, {self.state})"


class Alias(msgspec.Struct, frozen=True):
    """An alias: a name for a key in one account and region."""

    arn: str
    account: str
    region: str
    name: str
    key_arn: str
    created: float
    updated: float


def key(transaction: Transaction, environment: Environment, arn: str, now: float) -> Key | None:
    """The key with this ARN, or None. One whose deletion is due is gone already, and so is expired material."""
    found = transaction.remember("kms.key", arn, lambda tx: _with_topics(arn, _load(tx, environment, arn)))
    if found is None or (found.deletion is not None and found.deletion <= now):
        return None
    if found.expires is not None and found.expires <= now and found.state in (ENABLED, DISABLED):
        return msgspec.structs.replace(found, state=PENDING_IMPORT, sealing=None, private=None)
    return found


def _with_topics(arn: str, found: Key | None) -> tuple[Key | None, Iterable[str]]:
    """A key, and what its being so rests on."""
    if found is None or found.store is None:
        return found, (topic(arn),)
    return found, (topic(arn), stores.topic(found.store.id))


def lacks_material(transaction: Transaction, arn: str) -> bool:
    """Whether imported material of a key is gone, but for what waits for its turn."""
    column = tables.material.c
    lacking = (column.key_arn == arn, column.sealed.is_(None), column.state != PENDING_ROTATION)
    return transaction.one(select(column.id).where(*lacking).limit(1)) is not None


def alias(transaction: Transaction, arn: str) -> Alias | None:
    """The alias with this ARN, or None."""
    return transaction.remember("kms.alias", arn, lambda tx: _load_alias(tx, arn))


def expiration_model(expires: float | None) -> str:
    """AWS's word for whether imported material is gone by itself one day."""
    return LASTS if expires is None else EXPIRES


def happened(name: str, row: Row[Any] | Key, details: Mapping[str, str] = {}) -> Happened:
    """What was done to a key without a call, as CloudTrail tells it (facts/kms.md section 18)."""
    return Happened("kms", name, row.account, row.region, row.arn, {**details, "keyId": row.id})


def topic(key_arn: str) -> str:
    """What to call when a key, its policy, its aliases or its tags change."""
    return f"kms-key:{key_arn}"


def alias_topic(alias_arn: str) -> str:
    """What to call when an alias changes."""
    return f"kms-alias:{alias_arn}"


def compiled(policy: str, pins: dict[str, str]) -> Layer:
    """A key policy as a layer."""
    return Layer([Attached(compile_policy(policy, pins), "key policy", None)])


def seal_material(environment: Environment, key_arn: str, material_id: str, material: bytes) -> bytes:
    """Material as it is stored: sealed, and bound to its key and id, so that rows cannot be exchanged."""
    return environment.ring.seal(_PURPOSE, material, environment.entropy, _bound_to(key_arn, material_id))


def open_material(ring: KeyRing, key_arn: str, material_id: str, sealed: bytes) -> bytes:
    """What `seal_material` sealed. Raises SealError."""
    return ring.open(_PURPOSE, sealed, _bound_to(key_arn, material_id))


# Made once: to find a key that is not in memory costs two fifths less so.
_ARN: BindParameter[str] = bindparam("arn")
_KEY = select(tables.key).where(tables.key.c.arn == _ARN)
_MATERIALS = select(tables.material).where(tables.material.c.key_arn == _ARN)
_A_GRANT = select(tables.grant.c.id).where(tables.grant.c.key_arn == _ARN).limit(1)
_ALIASES = select(tables.alias.c.name).where(tables.alias.c.key_arn == _ARN)
_TAGS = select(tables.tag.c.key, tables.tag.c.value).where(tables.tag.c.key_arn == _ARN)


def _load(transaction: Transaction, environment: Environment, arn: str) -> Key | None:
    named = {"arn": arn}
    row = transaction.one(_KEY, named)
    if row is None:
        return None
    held = transaction.all(_MATERIALS, named)
    materials = {
        each.id: open_material(environment.ring, arn, each.id, each.sealed)
        for each in held
        if each.sealed is not None
    }
    of_it = [each for each in held if each.state != PENDING_ROTATION]  # what waits may be gone: the key works on
    pins = json.loads(row.pins)
    store = None if row.store is None else stores.load(transaction, environment, row.store)
    away = store is not None and not store.connected and row.state in (ENABLED, DISABLED)
    return Key(
        arn=arn,
        account=row.account,
        region=row.region,
        id=row.id,
        description=row.description,
        state=UNAVAILABLE if away else UPDATING if _is_moving(transaction, row) else row.state,
        spec=row.spec,
        usage=row.usage,
        origin=row.origin,
        created=row.created,
        deletion=row.deletion,
        material=row.material,
        policy=row.policy,
        pins=pins,
        layer=compiled(row.policy, pins),
        context=_context(transaction, row),
        materials=materials,
        has_grants=transaction.one(_A_GRANT, named) is not None,
        deletion_days=row.deletion_days,
        rotation_days=row.rotation_days,
        rotation_due=row.rotation_due,
        primary_region=row.primary_region,
        manager=row.manager,
        expires=min((each.expires for each in of_it if each.expires is not None), default=None),
        store=store,
        xks_key=row.xks_key,
        **_ready(row, materials.get(row.material)),
    )


def _is_moving(transaction: Transaction, row: Row[Any]) -> bool:
    """Whether the primary of an enabled multi-Region key is at a peer that has not said yet that it knows."""
    if row.primary_region in (None, row.region) or row.state != ENABLED:
        return False
    family, member = family_tables.family.c, family_tables.member.c
    same = (member.account == row.account, member.id == row.id, member.region == row.primary_region)
    moved = (family.account == row.account, family.id == row.id, member.epoch < family.epoch)
    return transaction.one(select(member.region).where(*same, *moved, ~member.here)) is not None


def _ready(row: Row[Any], current: bytes | None) -> dict[str, Any]:
    """The material that is current, made ready for work, if there is one."""
    if current is None:
        return {}
    if specs.is_symmetric(row.spec):
        sealing = Sealing(current, Origin(row.account, row.id, row.material))
        return {"sealing": sealing, "ciphers": Ciphers(_SALTS)}
    return {"private": material.private(current)} if specs.has_public_key(row.spec) else {}


def _load_alias(transaction: Transaction, arn: str) -> tuple[Alias | None, Iterable[str]]:
    row = transaction.one(select(tables.alias).where(tables.alias.c.arn == arn))
    return (None if row is None else Alias(**row._mapping)), (alias_topic(arn),)


def _context(transaction: Transaction, row: Row[Any]) -> dict[str, Value]:
    """The condition keys that a key has at every request (facts/kms.md section 11.4)."""
    named, is_multi = {"arn": row.arn}, row.primary_region is not None
    alias_names = transaction.all(_ALIASES, named)
    tags = transaction.all(_TAGS, named)
    context: dict[str, Value] = {f"aws:resourcetag/{tag.key.lower()}": tag.value for tag in tags}
    context |= {
        "kms:keyspec": row.spec,
        "kms:customermasterkeyspec": row.spec,
        "kms:keyusage": row.usage,
        "kms:customermasterkeyusage": row.usage,
        "kms:keyorigin": row.origin,
        "kms:multiregion": "true" if is_multi else "false",
    }
    if is_multi:
        context["kms:multiregionkeytype"] = "PRIMARY" if row.primary_region == row.region else "REPLICA"
    if alias_names:
        context["kms:resourcealiases"] = tuple(row.name for row in alias_names)
    return context


def _bound_to(key_arn: str, material_id: str) -> bytes:
    return f"{key_arn}|{material_id}".encode()
