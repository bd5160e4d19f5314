"""How the operations of KMS find the key they act on (facts/kms.md section 5).

A key that does not exist in the caller's own account is told to those who might use it; of another account's keys,
missing and forbidden look alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from bailiwick.api import AccessDenied, Call, Target, ValidationError
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.question import Rule, Value
from bailiwick.services.kms import backing, ciphertext, grant_index, managed, records, specs
from bailiwick.services.kms.ciphertext import BadCiphertext
from bailiwick.services.kms.grants import Child
from bailiwick.services.kms.records import Alias, Key
from bailiwick.services.kms.requesting import ignores_ciphertext
from bailiwick.services.kms.shapes import (
    IncorrectKeyException,
    InvalidArnException,
    InvalidCiphertextException,
    NotFoundException,
)
from bailiwick.services.kms.specs import SYMMETRIC_DEFAULT

_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}", re.ASCII)

# What can be done with a key of another account, if both sides allow it (facts/kms.md section 2, column X).
ACROSS_ACCOUNTS = frozenset(
    (
        *("CreateGrant", "ListGrants", "RetireGrant", "RevokeGrant", "DescribeKey", "GetKeyRotationStatus"),
        *("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        *("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac"),
        *("Sign", "Verify", "GetPublicKey", "DeriveSharedSecret", "Encapsulate", "Decapsulate"),
    )
)


class Use(NamedTuple):
    """What a call is about to do with a key, as far as conditions and grants ask.

    `operation` is as grants name it, None for the call's own. `encryption` is the encryption context; `keys` are
    condition keys; `child` is the grant that is to be made.
    """

    encryption: Mapping[str, str] | None = None
    keys: Mapping[str, Value] = {}
    operation: str | None = None
    child: Child | None = None

    def condition_keys(self) -> dict[str, Value]:
        """Its condition keys, those of the encryption context among them."""
        found = context_keys(self.encryption)
        found |= self.keys
        return found


_PLAIN = Use()


def encrypting(context: Mapping[str, str] | None, algorithm: str | None, operation: str | None = None) -> Use:
    """The use of a key with an encryption context and an algorithm."""
    return Use(context, {"kms:encryptionalgorithm": algorithm or SYMMETRIC_DEFAULT}, operation)


def context_keys(context: Mapping[str, str] | None) -> dict[str, Value]:
    """The condition keys of an encryption context."""
    if not context:
        return {}
    found: dict[str, Value] = {f"kms:encryptioncontext:{key.lower()}": value for key, value in context.items()}
    found["kms:encryptioncontextkeys"] = tuple(context)
    return found


def key_named(call: Call, request: Any) -> Target:
    """The key that KeyId names by id or ARN. The record is a Key."""
    return target_of(call, request.KeyId, aliases=False)


def key_or_alias_named(call: Call, request: Any) -> Target:
    """The key that KeyId names by id, ARN, alias name or alias ARN. The record is a Key."""
    return target_of(call, request.KeyId)


def key_to_encrypt_with(call: Call, request: Any) -> Target:
    """The same, with the condition keys of a cryptographic operation."""
    algorithm = getattr(request, "EncryptionAlgorithm", None)
    found = target_of(call, request.KeyId, encrypting(request.EncryptionContext, algorithm))
    backing.leave_for(found.record)
    return found


def key_to_seal_pair_with(call: Call, request: Any) -> Target:
    """The key that a private data key is to be sealed under, with the spec of the pair as a condition key."""
    use = encrypting(request.EncryptionContext, None)
    return target_of(
        call, request.KeyId, use._replace(keys={**use.keys, "kms:datakeypairspec": request.KeyPairSpec})
    )


def key_to_decrypt_with(call: Call, request: Any) -> Target:
    """The key that a ciphertext names, or that KeyId names if it is given. The record is a Key."""
    use = encrypting(request.EncryptionContext, request.EncryptionAlgorithm)
    if ignores_ciphertext(request):
        return _of_no_blob(call, request.KeyId, "KeyId", use)
    found = target_of_blob(call, request.CiphertextBlob, request.KeyId, use)
    backing.leave_for(found.record)
    return found


def keys_to_reencrypt_with(call: Call, request: Any) -> Target:
    """The key of the ciphertext and the key of the result. The record is the pair of them."""
    use = encrypting(request.SourceEncryptionContext, request.SourceEncryptionAlgorithm, "ReEncryptFrom")
    if ignores_ciphertext(request):
        source = _of_no_blob(call, request.SourceKeyId, "SourceKeyId", use)
    else:
        source = target_of_blob(call, request.CiphertextBlob, request.SourceKeyId, use)
    destination = target_of(
        call,
        request.DestinationKeyId,
        encrypting(request.DestinationEncryptionContext, request.DestinationEncryptionAlgorithm, "ReEncryptTo"),
    )
    same: dict[str, Value] = {"kms:reencryptonsamekey": "true" if source.arn == destination.arn else "false"}
    to = _with(destination, "kms:ReEncryptTo", same)
    both = (source.record, destination.record)
    backing.leave_for(*both)
    return _with(source, "kms:ReEncryptFrom", same, record=both, also=(to,))


def target_of(call: Call, name: str, use: Use = _PLAIN, *, aliases: bool = True) -> Target:
    """The target for a key's id, ARN, alias name or alias ARN.

    Raises NotFoundException for what can be no key of this region, InvalidArnException for what is no ARN.
    """
    key_arn, used = _resolve(call, name, aliases=aliases)
    if key_arn is None:
        # An alias of this account that does not exist.
        absent = NotFoundException(f"Alias {used} is not found.")
        return Target(account=call.account, arn=used or name, absent=absent)
    key = records.key(call.transaction, call.environment, key_arn, call.now)
    if key is None:
        return _missing(call, key_arn, name)
    if used:
        use = use._replace(keys={**use.keys, "kms:requestalias": used.rpartition(":")[2]})
    return target_of_key(call, key, use)


def target_of_key(call: Call, key: Key, use: Use = _PLAIN) -> Target:
    """The target for a key that was found."""
    policy = key.layer
    if key.account != call.account and call.operation.name not in ACROSS_ACCOUNTS:
        policy = Layer.EMPTY  # whatever it says: nobody does this to a key of another account
    elif key.has_grants:
        operation = use.operation or call.operation.name
        policy = grant_index.policy(call, key, operation, use.encryption, use.child)
    context = use.condition_keys()
    context |= key.context
    context["kms:calleraccount"] = call.account
    return Target(
        account=key.account,
        arn=key.arn,
        rule=Rule.KEY,
        policy=policy,
        context=context,
        record=key,
    )


def target_of_blob(call: Call, blob: bytes | None, name: str | None, use: Use) -> Target:
    """The target for a ciphertext: the key that it names; `name` must be the same key if it is given.

    A ciphertext of an asymmetric key names none: there the caller must.
    """
    if not blob:
        raise ValidationError("CiphertextBlob is required.")
    named = None if name is None else target_of(call, name, use)
    if named is not None and named.record is None:
        return named
    try:
        origin = ciphertext.read(blob)
    except BadCiphertext:
        if named is None:
            raise InvalidCiphertextException from None
        if not specs.is_symmetric(named.record.spec):
            return named  # the blob tells nothing: the handler says whether this key opens it
        return _with(named, None, {}, absent=InvalidCiphertextException())
    if named is not None and use.keys["kms:encryptionalgorithm"] != SYMMETRIC_DEFAULT:
        return named
    key_arn = f"arn:{call.partition}:kms:{call.region}:{origin.account}:key/{origin.key_id}"
    if named is not None:
        if named.arn == key_arn:
            return named
        wrong = "The key ID in the request does not identify a CMK that can perform this operation."
        return _with(named, None, {}, absent=IncorrectKeyException(wrong))
    key = records.key(call.transaction, call.environment, key_arn, call.now)
    if key is None:
        raise AccessDenied(
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access."
        )
    return target_of_key(call, key, use)


def _of_no_blob(call: Call, name: str | None, member: str, use: Use) -> Target:
    if name is None:
        raise ValidationError(f"{member} is required where the ciphertext is ignored.")
    return target_of(call, name, use)


def alias_named(call: Call, name: str) -> tuple[Target, Alias | None]:
    """The target for an alias of the caller's account, by identity policies alone; and the alias, if it exists."""
    alias_arn = arn_of_alias(call, name)
    return Target(account=call.account, arn=alias_arn), records.alias(call.transaction, alias_arn)


def arn_of_alias(call: Call, name: str) -> str:
    """The ARN of an alias in the caller's account and region."""
    return f"arn:{call.partition}:kms:{call.region}:{call.account}:{name}"


def _resolve(call: Call, name: str, *, aliases: bool) -> tuple[str | None, str | None]:
    """The ARN of the key that a name means, and the ARN of the alias if it was one."""
    if name.startswith("arn:"):
        parsed = _parsed(call, name)
        if parsed.resource.startswith("key/"):
            return name, None
        alias_arn = name
    elif name.startswith("alias/"):
        alias_arn = arn_of_alias(call, name)
    elif _KEY_ID.fullmatch(name):
        return f"arn:{call.partition}:kms:{call.region}:{call.account}:key/{name}", None
    else:
        raise NotFoundException(f"Invalid keyId '{name}'")
    if not aliases:
        raise NotFoundException(f"Invalid keyId '{name}'")
    found = records.alias(call.transaction, alias_arn) or managed.made(call, alias_arn)
    if found is None and arn.parse(alias_arn).account != call.account:
        return f"{alias_arn}", None  # a foreign alias and a foreign key that do not exist look alike
    return (found.key_arn if found else None), alias_arn


def _parsed(call: Call, name: str) -> arn.Arn:
    try:
        parsed = arn.parse(name)
    except ArnError:
        raise InvalidArnException(f"Invalid ARN {name}") from None
    if parsed.service != "kms" or not parsed.resource.startswith(("key/", "alias/")):
        raise InvalidArnException(f"Invalid ARN {name}")
    if parsed.region != call.region:
        raise NotFoundException(f"Invalid arn {parsed.region}")
    return parsed


def _missing(call: Call, key_arn: str, name: str) -> Target:
    account = arn.parse(key_arn).account
    if account == call.account:
        peer = call.environment.peers.of_region(call.region)
        hint = f" here: keys in {call.region} are at {peer.url}" if peer is not None else ""
        absent = NotFoundException(f"Key '{key_arn}' does not exist{hint}")
        return Target(account=account, arn=key_arn, absent=absent)
    # Without a policy nobody of another account is allowed anything: refused like a key that is closed to them.
    return Target(account=account, arn=key_arn, rule=Rule.KEY, policy=Layer.EMPTY)


def _with(target: Target, action: str | None, context: dict[str, Value], **changes: Any) -> Target:
    return msgspec.structs.replace(
        target, action=action or target.action, context={**target.context, **context}, **changes
    )
