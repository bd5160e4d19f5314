"""Shared secrets: by Diffie-Hellman on elliptic curves, and by encapsulation (ML-KEM)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from bailiwick.api import Call, Target, ValidationError
from bailiwick.services.kms import algorithms, grants, shapes, specs, states
from bailiwick.services.kms.algorithms import DoesNotOpen, Unusable
from bailiwick.services.kms.material import MlKem
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.requesting import check_recipient, done
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import InvalidCiphertextException
from bailiwick.services.kms.targets import Use, key_or_alias_named, target_of

Encapsulating = shapes.EncapsulateRequest | shapes.DecapsulateRequest


def key_to_agree_with(call: Call, request: shapes.DeriveSharedSecretRequest) -> Target:
    """The key, with the algorithm as a condition key. The record is a Key."""
    return target_of(call, request.KeyId, Use(keys={"kms:keyagreementalgorithm": request.KeyAgreementAlgorithm}))


@kms.operation("DeriveSharedSecret", on=key_to_agree_with)
def derive_shared_secret(
    call: Call, request: shapes.DeriveSharedSecretRequest, key: Key
) -> shapes.DeriveSharedSecretResponse:
    grants.check_tokens(call, request.GrantTokens)
    check_recipient(request.Recipient)
    algorithm = request.KeyAgreementAlgorithm
    states.check_use("DeriveSharedSecret", key, specs.AGREE, algorithm)
    assert isinstance(key.private, EllipticCurvePrivateKey), "only elliptic curves agree"
    try:
        secret = algorithms.agree(key.private, request.PublicKey)
    except Unusable:
        raise ValidationError("") from None  # AWS says no more (facts/kms.md section 1)
    done(call, request.DryRun, key)
    return shapes.DeriveSharedSecretResponse(
        KeyId=key.arn, SharedSecret=secret, KeyAgreementAlgorithm=algorithm, KeyOrigin=key.origin
    )


@kms.operation("Encapsulate", on=key_or_alias_named)
def encapsulate(call: Call, request: shapes.EncapsulateRequest, key: Key) -> shapes.EncapsulateResponse:
    secret, blob = algorithms.encapsulate(_checked(call, request, key))
    done(call, request.DryRun, key)
    return shapes.EncapsulateResponse(
        KeyId=key.arn,
        SharedSecret=secret,
        SharedSecretCiphertextBlob=blob,
        EncapsulationAlgorithm=request.EncapsulationAlgorithm,
    )


@kms.operation("Decapsulate", on=key_or_alias_named)
def decapsulate(call: Call, request: shapes.DecapsulateRequest, key: Key) -> shapes.DecapsulateResponse:
    try:
        secret = algorithms.decapsulate(_checked(call, request, key), request.SharedSecretCiphertextBlob)
    except DoesNotOpen:
        raise InvalidCiphertextException from None
    done(call, request.DryRun, key)
    return shapes.DecapsulateResponse(
        KeyId=key.arn, SharedSecret=secret, EncapsulationAlgorithm=request.EncapsulationAlgorithm
    )


def _checked(call: Call, request: Encapsulating, key: Key) -> MlKem:
    grants.check_tokens(call, request.GrantTokens)
    states.check_use(call.operation.name, key, specs.ENCAPSULATE, request.EncapsulationAlgorithm)
    assert isinstance(key.private, MlKem), "only ML-KEM encapsulates"
    return key.private
