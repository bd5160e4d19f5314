"""Imported key material: wrapped by its owner, unwrapped here, given back or expired (facts/kms.md section 8).

An import token is a sealed value: it holds the private wrapping key, and for which key and until when it is good.
So nothing is stored before the material comes.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from sqlalchemy import Row, insert, select, update

from bailiwick.api import Call, Environment, Target, Transaction, ValidationError
from bailiwick.core.errors import SealError
from bailiwick.core.happened import Happened
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import (
    algorithms,
    families,
    imported,
    material,
    multi_region,
    records,
    shapes,
    specs,
    states,
    tables,
)
from bailiwick.services.kms.algorithms import DoesNotOpen
from bailiwick.services.kms.records import CURRENT, ENABLED, EXTERNAL, PENDING_IMPORT, PENDING_ROTATION, Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    InvalidCiphertextException,
    InvalidImportTokenException,
    KMSInvalidStateException,
    NotFoundException,
    UnsupportedOperationException,
)
from bailiwick.services.kms.targets import Use, key_named, target_of

_PURPOSE = "kms-import-token"
_VALID_FOR = 86400.0
_LONGEST = 365 * 86400.0
_WRAPPED = "RSA_AES_KEY_WRAP_"
_NEW, _EXISTING = "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"


class _Token(msgspec.Struct, array_like=True):
    """What is sealed in an import token."""

    key_arn: str
    until: float
    algorithm: str
    wrapping: bytes


def key_to_import_for(call: Call, request: shapes.GetParametersForImportRequest) -> Target:
    """The key, with how the material is to be wrapped as condition keys."""
    asked: dict[str, Value] = {
        "kms:wrappingalgorithm": request.WrappingAlgorithm,
        "kms:wrappingkeyspec": request.WrappingKeySpec,
    }
    return target_of(call, request.KeyId, Use(keys=asked), aliases=False)


@kms.operation("GetParametersForImport", on=key_to_import_for)
def get_parameters_for_import(
    call: Call, request: shapes.GetParametersForImportRequest, key: Key
) -> shapes.GetParametersForImportResponse:
    states.check_origin(key, EXTERNAL)
    states.check("GetParametersForImport", key)
    algorithm, spec = request.WrappingAlgorithm, request.WrappingKeySpec
    if algorithm in ("SM2PKE", "RSAES_PKCS1_V1_5") or spec in specs.UNSUPPORTED:
        raise UnsupportedOperationException(f"Key material wrapped by {algorithm} under {spec} is not taken here.")
    if key.spec.startswith("RSA_") and not algorithm.startswith(_WRAPPED):
        raise ValidationError(f"Wrapping algorithm {algorithm} is not valid for key spec {key.spec}.")
    if key.spec == "ECC_NIST_P521" and spec == "RSA_2048" and not algorithm.startswith(_WRAPPED):
        raise ValidationError(f"Wrapping key spec {spec} is too small for key spec {key.spec} with {algorithm}.")
    call.transaction.rest()
    wrapping = material.generate(spec, call.environment.entropy)
    until = round(call.now + _VALID_FOR, 3)
    token = msgspec.msgpack.encode(_Token(key.arn, until, algorithm, wrapping))
    return shapes.GetParametersForImportResponse(
        KeyId=key.arn,
        ImportToken=call.environment.ring.seal(_PURPOSE, token, call.environment.entropy),
        PublicKey=material.public_der(material.private(wrapping)),
        ParametersValidTo=until,
    )


def key_to_import(call: Call, request: shapes.ImportKeyMaterialRequest) -> Target:
    """The key, with how long the material is to last as condition keys."""
    asked: dict[str, Value] = {"kms:expirationmodel": request.ExpirationModel or records.EXPIRES}
    if request.ValidTo is not None:
        asked["kms:validto"] = str(int(request.ValidTo))
    return target_of(call, request.KeyId, Use(keys=asked), aliases=False)


@kms.operation("ImportKeyMaterial", on=key_to_import, writes=True, asks_first=True)
def import_key_material(
    call: Call, request: shapes.ImportKeyMaterialRequest, key: Key
) -> shapes.ImportKeyMaterialResponse:
    states.check_origin(key, EXTERNAL)
    states.check("ImportKeyMaterial", key)
    expires = _expiry(call, request)
    call.transaction.rest()  # a large RSA key takes a second to check: nobody is to wait for that
    given = _unwrapped(call, request, key)
    if not material.fits(key.spec, given):
        raise IncorrectKeyMaterialException(f"The key material is not valid for key spec {key.spec}.")
    call.transaction.begin_writing()
    key = _again(call, key)
    digest, *digests = imported.digests(call.transaction, call.environment, key, given)
    known = call.transaction.all(
        select(tables.material).where(tables.material.c.key_arn == key.arn).order_by(tables.material.c.number)
    )
    same = next((row for row in known if _is_one_of(row.digest, (digest, *digests))), None)
    _check_type(request, key, bool(known), same.id if same is not None else None)
    if same is not None:
        material_id = str(same.id)
        values: dict[str, object] = {"expires": expires, "sealed": _sealed(call, key, material_id, given)}
        if request.KeyMaterialDescription is not None:
            values["description"] = request.KeyMaterialDescription
        _update(call.transaction, key.arn, material_id, **values)
    else:
        material_id = call.environment.entropy(32).hex()
        _check_turn(key, known, material_id)
        mine = {"sealed": _sealed(call, key, material_id, given), "expires": expires}
        _add(call, key, known, mine, id=material_id, description=request.KeyMaterialDescription, digest=digest)
    if key.state == PENDING_IMPORT and not records.lacks_material(call.transaction, key.arn):
        call.transaction.run(update(tables.key).where(tables.key.c.arn == key.arn).values(state=ENABLED))
    call.transaction.changed(records.topic(key.arn))
    _tell(call.transaction, call.environment, key)
    return shapes.ImportKeyMaterialResponse(KeyId=key.arn, KeyMaterialId=material_id)


def _again(call: Call, key: Key) -> Key:
    """The key as it is now, if material may be imported into it still."""
    found = records.key(call.transaction, call.environment, key.arn, call.now)
    if found is None:
        raise NotFoundException(f"Key '{key.arn}' does not exist")
    states.check("ImportKeyMaterial", found)
    return found


def _check_turn(key: Key, known: Sequence[Row[Any]], material_id: str) -> None:
    """Refuse new material where other material waits for its turn, or that is not for a replica to bring."""
    pending = next((row.id for row in known if row.state == PENDING_ROTATION), None)
    if pending is not None:
        raise KMSInvalidStateException(
            f"New key material (id: {material_id}) cannot be imported into KMS key {key.arn}, "
            f"because another key material (id: {pending}) is pending rotation."
        )
    if key.primary_region is not None:
        multi_region.check_primary(key)


def _add(call: Call, key: Key, known: Sequence[Row[Any]], mine: dict[str, Any], **values: Any) -> None:
    """Write new material down, of a multi-Region key in each region; `mine` is for this one alone."""
    number, state = (known[-1].number + 1, PENDING_ROTATION) if known else (0, CURRENT)
    values |= {"created": round(call.now, 3), "number": number, "state": state}
    for arn in multi_region.related(call.transaction, key):
        own = mine if arn == key.arn else {}
        call.transaction.run(insert(tables.material).values(key_arn=arn, **values, **own))
        if not known:
            call.transaction.run(update(tables.key).where(tables.key.c.arn == arn).values(material=values["id"]))
        call.transaction.changed(records.topic(arn))


@kms.operation("DeleteImportedKeyMaterial", on=key_named, writes=True)
def delete_imported_key_material(
    call: Call, request: shapes.DeleteImportedKeyMaterialRequest, key: Key
) -> shapes.DeleteImportedKeyMaterialResponse:
    states.check_origin(key, EXTERNAL)
    material_id = request.KeyMaterialId or key.material
    if material_id and material_id in key.materials:
        remove(call.transaction, call.environment, key, material_id)
    return shapes.DeleteImportedKeyMaterialResponse(KeyId=key.arn, KeyMaterialId=material_id or None)


def remove(transaction: Transaction, environment: Environment, key: Key, material_id: str) -> None:
    """Forget imported material, and have the key wait for it."""
    column = tables.material.c
    row = transaction.one(select(column.state).where(column.key_arn == key.arn, column.id == material_id))
    _update(transaction, key.arn, material_id, sealed=None, expires=None)
    if row is not None and row.state != PENDING_ROTATION:
        waits = tables.key.c.state.in_((ENABLED, records.DISABLED))
        transaction.run(update(tables.key).where(tables.key.c.arn == key.arn, waits).values(state=PENDING_IMPORT))
    transaction.changed(records.topic(key.arn))
    _tell(transaction, environment, key)


@kms.chore
def remove_what_has_expired(transaction: Transaction, environment: Environment, now: float) -> list[Happened]:
    """Forget imported material whose time is up. No call has used it since."""
    column, happened = tables.material.c, []
    for row in transaction.all(select(column.key_arn, column.id).where(column.expires <= now).limit(100)):
        key = records.key(transaction, environment, row.key_arn, now)
        if key is not None:
            remove(transaction, environment, key, row.id)
            happened.append(records.happened("DeleteExpiredKeyMaterial", key, {"keyMaterialId": row.id}))
    return happened


def _expiry(call: Call, request: shapes.ImportKeyMaterialRequest) -> float | None:
    if request.ExpirationModel == records.LASTS:
        if request.ValidTo is not None:
            raise ValidationError("A validTo date must not be set if the ExpirationModel does not expire.")
        return None
    if request.ValidTo is None:
        raise ValidationError("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    if not call.now < request.ValidTo <= call.now + _LONGEST:
        raise ValidationError("ValidTo must be in the future, and within 365 days.")
    return round(request.ValidTo, 3)


def _unwrapped(call: Call, request: shapes.ImportKeyMaterialRequest, key: Key) -> bytes:
    """The material that came wrapped. Raises InvalidImportToken, ExpiredImportToken or InvalidCiphertext."""
    try:
        token = msgspec.msgpack.decode(call.environment.ring.open(_PURPOSE, request.ImportToken), type=_Token)
    except (SealError, msgspec.MsgspecError):
        raise InvalidImportTokenException("The import token is not valid.") from None
    if token.key_arn != key.arn:
        raise InvalidImportTokenException("The import token is for another key.")
    if token.until <= call.now:
        raise ExpiredImportTokenException("The import token has expired.")
    wrapping = material.private(token.wrapping)
    assert isinstance(wrapping, rsa.RSAPrivateKey), "only RSA keys wrap"
    blob = request.EncryptedKeyMaterial
    padded = f"RSAES_OAEP_{token.algorithm.removeprefix(_WRAPPED).removeprefix('RSAES_OAEP_')}"
    try:
        if not token.algorithm.startswith(_WRAPPED):
            return algorithms.decrypt(wrapping, padded, blob)
        size = wrapping.key_size // 8
        ephemeral = algorithms.decrypt(wrapping, padded, blob[:size])
        return aes_key_unwrap_with_padding(ephemeral, blob[size:])  # RFC 5649
    except (DoesNotOpen, InvalidUnwrap, ValueError):
        raise InvalidCiphertextException from None


def _check_type(request: shapes.ImportKeyMaterialRequest, key: Key, is_known: bool, same: str | None) -> None:
    """Whether what comes is what was said to come. Raises IncorrectKeyMaterialException, ValidationError."""
    wanted = request.ImportType or (_EXISTING if is_known else _NEW)
    if request.KeyMaterialId is not None and (wanted == _NEW or request.KeyMaterialId != same):
        raise IncorrectKeyMaterialException("The key material is not the one that KeyMaterialId names.")
    if wanted == _EXISTING and same is None:
        raise IncorrectKeyMaterialException("The key material was not imported into this key before.")
    if wanted == _NEW and same is not None and request.ImportType is not None:
        raise IncorrectKeyMaterialException("The key material was imported into this key before.")
    if wanted == _NEW and is_known and not specs.is_symmetric(key.spec):
        raise IncorrectKeyMaterialException("Only the same key material can be imported into this key again.")


def _is_one_of(digest: bytes | None, digests: tuple[bytes, ...]) -> bool:
    found = [hmac.compare_digest(digest or b"", each) for each in digests]
    return any(found)


def _tell(transaction: Transaction, environment: Environment, key: Key) -> None:
    """Tell peers what this key has now."""
    if key.primary_region is not None:
        is_primary = key.primary_region == key.region
        families.changed(transaction, environment, key.account, key.id, shared=is_primary, own=True)


def _sealed(call: Call, key: Key, material_id: str, given: bytes) -> bytes:
    return records.seal_material(call.environment, key.arn, material_id, given)


def _update(transaction: Transaction, arn: str, material_id: str, **values: object) -> None:
    column = tables.material.c
    transaction.run(update(tables.material).where(column.key_arn == arn, column.id == material_id).values(**values))
