"""Signatures, message authentication codes, and public keys."""

from __future__ import annotations

import hmac

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import algorithms, grants, keys, material, shapes, specs, states
from bailiwick.services.kms.algorithms import Unusable
from bailiwick.services.kms.material import Private
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.requesting import done, makes_no_key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    KMSInvalidMacException,
    KMSInvalidSignatureException,
    UnsupportedOperationException,
)
from bailiwick.services.kms.targets import Use, key_or_alias_named, target_of

Signing = shapes.SignRequest | shapes.VerifyRequest
Coding = shapes.GenerateMacRequest | shapes.VerifyMacRequest


def key_to_sign_with(call: Call, request: Signing) -> Target:
    """The key, with what is asked of it as condition keys. The record is a Key."""
    kind = request.MessageType or algorithms.RAW
    asked: dict[str, Value] = {"kms:signingalgorithm": request.SigningAlgorithm, "kms:messagetype": kind}
    return target_of(call, request.KeyId, Use(keys=asked))


def key_to_code_with(call: Call, request: Coding) -> Target:
    """The key, with the algorithm as a condition key. The record is a Key."""
    return target_of(call, request.KeyId, Use(keys={"kms:macalgorithm": request.MacAlgorithm}))


@kms.operation("Sign", on=key_to_sign_with)
def sign(call: Call, request: shapes.SignRequest, key: Key) -> shapes.SignResponse:
    private, kind = _checked(call, request, key)
    signature = algorithms.sign(private, request.SigningAlgorithm, request.Message, kind)
    done(call, request.DryRun, key)
    return shapes.SignResponse(KeyId=key.arn, Signature=signature, SigningAlgorithm=request.SigningAlgorithm)


@kms.operation("Verify", on=key_to_sign_with)
def verify(call: Call, request: shapes.VerifyRequest, key: Key) -> shapes.VerifyResponse:
    private, kind = _checked(call, request, key)
    algorithm = request.SigningAlgorithm
    if not algorithms.verifies(private, algorithm, request.Message, kind, request.Signature):
        raise KMSInvalidSignatureException
    done(call, request.DryRun, key)
    return shapes.VerifyResponse(KeyId=key.arn, SignatureValid=True, SigningAlgorithm=algorithm)


@kms.operation("GenerateMac", on=key_to_code_with, quick=makes_no_key)
def generate_mac(call: Call, request: shapes.GenerateMacRequest, key: Key) -> shapes.GenerateMacResponse:
    code = _code(call, request, key)
    done(call, request.DryRun, key)
    return shapes.GenerateMacResponse(Mac=code, MacAlgorithm=request.MacAlgorithm, KeyId=key.arn)


@kms.operation("VerifyMac", on=key_to_code_with, quick=makes_no_key)
def verify_mac(call: Call, request: shapes.VerifyMacRequest, key: Key) -> shapes.VerifyMacResponse:
    if not hmac.compare_digest(_code(call, request, key), request.Mac):
        raise KMSInvalidMacException
    done(call, request.DryRun, key)
    return shapes.VerifyMacResponse(KeyId=key.arn, MacValid=True, MacAlgorithm=request.MacAlgorithm)


@kms.operation("GetPublicKey", on=key_or_alias_named)
def get_public_key(call: Call, request: shapes.GetPublicKeyRequest, key: Key) -> shapes.GetPublicKeyResponse:
    grants.check_tokens(call, request.GrantTokens)
    states.check("GetPublicKey", key)
    if not specs.has_public_key(key.spec):
        raise UnsupportedOperationException
    assert key.private is not None, "a key with a public half has its private key ready"
    return shapes.GetPublicKeyResponse(
        KeyId=key.arn,
        PublicKey=material.public_der(key.private),
        CustomerMasterKeySpec=key.spec,
        KeySpec=key.spec,
        KeyUsage=key.usage,
        **keys.listed_algorithms(key.spec, key.usage),
    )


def _checked(call: Call, request: Signing, key: Key) -> tuple[Private, str]:
    """The private key, and the type of the message, once everything is found to be in order."""
    grants.check_tokens(call, request.GrantTokens)
    operation, algorithm = call.operation.name, request.SigningAlgorithm
    states.check_use(operation, key, specs.SIGN, algorithm)
    kind = request.MessageType or algorithms.RAW
    try:
        algorithms.check_message(key.spec, algorithm, request.Message, kind)
    except Unusable as error:
        raise ValidationError(str(error)) from None
    assert key.private is not None, "a key that signs has its private key ready"
    return key.private, kind


def _code(call: Call, request: Coding, key: Key) -> bytes:
    grants.check_tokens(call, request.GrantTokens)
    states.check_use(call.operation.name, key, specs.MAC, request.MacAlgorithm)
    return algorithms.mac(key.materials[key.material], request.MacAlgorithm, request.Message)
