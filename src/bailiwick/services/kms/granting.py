"""Grants made, listed and ended (facts/kms.md section 10)."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, select

from bailiwick.api import Call, Target, ValidationError
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities
from bailiwick.services.kms import grants, paging, policies, records, shapes, specs, states, tables, targets
from bailiwick.services.kms.grants import Child, Constraints, Grant
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.requesting import check_dry_run
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import (
    InvalidArnException,
    InvalidGrantIdException,
    LimitExceededException,
    NotFoundException,
)
from bailiwick.services.kms.targets import Use

GRANTS_PER_KEY = 50_000
_PAGE = 50
_LARGEST_PAGE = 100
_GRANT_ID = re.compile(r"[0-9a-f]+", re.ASCII)

# What keys of each usage can do, as grants name it.
_ANY = frozenset((grants.CREATE_GRANT, grants.RETIRE_GRANT, "DescribeKey"))
_SYMMETRIC = _ANY | {
    *("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
    *("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
}
_BY_USAGE = {
    specs.ENCRYPT: _ANY | {"Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"},
    specs.SIGN: _ANY | {"Sign", "Verify", "GetPublicKey"},
    specs.MAC: _ANY | {"GenerateMac", "VerifyMac"},
    specs.AGREE: _ANY | {"DeriveSharedSecret", "GetPublicKey"},
    specs.ENCAPSULATE: _ANY | {"Encapsulate", "Decapsulate", "GetPublicKey"},
}


def key_to_grant(call: Call, request: shapes.CreateGrantRequest) -> Target:
    """The key, with what is to be granted as condition keys. The record is a Key."""
    constraints = _constraints(request.Constraints)
    child = Child(frozenset(request.Operations), constraints)
    context: dict[str, Value] = {
        "kms:grantoperations": tuple(request.Operations),
        "kms:grantisforawsresource": _is_for_aws(call),
    }
    for key, value in (
        ("kms:granteeprincipal", request.GranteePrincipal),
        ("kms:granteeserviceprincipal", request.GranteeServicePrincipal),
        ("kms:retiringprincipal", request.RetiringPrincipal),
        ("kms:retiringserviceprincipal", request.RetiringServicePrincipal),
        ("kms:grantconstrainttype", constraints.kind),
        ("kms:grantconstraintsourcearn", constraints.source_arn),
    ):
        if value is not None:
            context[key] = value
    use = Use(constraints.context, context, child=child)
    return targets.target_of(call, request.KeyId, use, aliases=False)


@kms.operation("CreateGrant", on=key_to_grant, writes=True)
def create_grant(call: Call, request: shapes.CreateGrantRequest, key: Key) -> shapes.CreateGrantResponse:
    grants.check_tokens(call, request.GrantTokens)
    constraints = _checked(request, key)
    grantee = request.GranteePrincipal or request.GranteeServicePrincipal or ""
    retiring = request.RetiringPrincipal or request.RetiringServicePrincipal
    pins = _pins(call, request)
    states.check("CreateGrant", key)
    made = Grant(
        key_arn=key.arn,
        id=call.environment.entropy(32).hex(),
        name=request.Name,
        grantee=grantee,
        retiring=retiring,
        pins=pins,
        issuer=call.account,
        operations=tuple(request.Operations),
        constraints=constraints,
        created=round(call.now, 3),
    )
    kept = _same(call, made)
    if kept is None and _count(call, key) >= GRANTS_PER_KEY:
        raise LimitExceededException(f"The key {key.arn} has {GRANTS_PER_KEY} grants, which is the limit.")
    check_dry_run(request.DryRun)
    if kept is None:
        _insert(call, key, made)
    grant = kept or made
    return shapes.CreateGrantResponse(GrantToken=grants.make_token(call, grant), GrantId=grant.id)


def key_with_grants(call: Call, request: Any) -> Target:
    """The key, by whose grants it is. The record is a Key."""
    return targets.target_of(
        call, request.KeyId, Use(keys={"kms:grantisforawsresource": _is_for_aws(call)}), aliases=False
    )


@kms.operation("ListGrants", on=key_with_grants)
def list_grants(call: Call, request: shapes.ListGrantsRequest, key: Key) -> shapes.ListGrantsResponse:
    if request.GranteePrincipal is not None and request.GranteeServicePrincipal is not None:
        raise ValidationError("GranteePrincipal and GranteeServicePrincipal exclude each other.")
    column = tables.grant.c
    wanted = [column.key_arn == key.arn, column.id > paging.after(call, request.Marker)]
    if request.GrantId is not None:
        wanted.append(column.id == request.GrantId)
    grantee = request.GranteePrincipal or request.GranteeServicePrincipal
    if grantee is not None:
        wanted.append(column.grantee == grantee)
    limit = _limit(request.Limit)
    rows = call.transaction.all(select(tables.grant).where(*wanted).order_by(column.id).limit(limit + 1))
    page, truncated, marker = paging.page(call, [grants.read(row) for row in rows], limit, lambda each: each.id)
    return shapes.ListGrantsResponse(
        Grants=[shown(call, grant) for grant in page], Truncated=truncated, NextMarker=marker
    )


def whoever_retires(call: Call, request: shapes.ListRetirableGrantsRequest) -> Target:
    """The retiring principal, whose account decides: nobody asks about principals of another."""
    if (request.RetiringPrincipal is None) == (request.RetiringServicePrincipal is None):
        raise ValidationError("You must specify exactly one of RetiringPrincipal and RetiringServicePrincipal.")
    if request.RetiringPrincipal is None:
        return Target(account=call.account)
    try:
        account = arn.parse(request.RetiringPrincipal).account
    except ArnError:
        raise InvalidArnException(f"Invalid principal {request.RetiringPrincipal}") from None
    return Target(account=account, arn=request.RetiringPrincipal)


@kms.operation("ListRetirableGrants", on=whoever_retires)
def list_retirable_grants(
    call: Call, request: shapes.ListRetirableGrantsRequest, record: None
) -> shapes.ListGrantsResponse:
    """Those on keys of other accounts too; of a service principal, those that the caller's account issued."""
    column, after = tables.grant.c, paging.after(call, request.Marker)
    key_arn, _, grant_id = after.rpartition("|")
    limit = _limit(request.Limit)
    wanted = [
        column.retiring == (request.RetiringPrincipal or request.RetiringServicePrincipal),
        column.region == call.region,
        (column.key_arn > key_arn) | ((column.key_arn == key_arn) & (column.id > grant_id)),
    ]
    if request.RetiringPrincipal is None:
        wanted.append(column.issuer == call.account)
    rows = call.transaction.all(
        select(tables.grant).where(*wanted).order_by(column.key_arn, column.id).limit(limit + 1)
    )
    found = [grants.read(row) for row in rows]
    page, truncated, marker = paging.page(call, found, limit, lambda each: f"{each.key_arn}|{each.id}")
    return shapes.ListGrantsResponse(
        Grants=[shown(call, grant) for grant in page], Truncated=truncated, NextMarker=marker
    )


def grant_to_retire(call: Call, request: shapes.RetireGrantRequest) -> Target:
    """The key, and who may retire the grant: whom it says, its grantee if it says so, the account that issued it.

    The record is a Grant. An Allow of the key's policy counts for nothing here, its Denies hold.
    """
    if (request.GrantToken is None) == (request.KeyId is None or request.GrantId is None):
        raise ValidationError("Specify either a grant token, or a key ARN and a grant ID.")
    if request.GrantToken is not None:
        key_arn, grant_id = grants.read_token(call, request.GrantToken)
    else:
        key_arn, grant_id = request.KeyId or "", _grant_id(request.GrantId or "")
    target = targets.target_of(call, key_arn, aliases=False)
    if target.record is None:
        return target
    key: Key = target.record
    grant = grants.find(call.transaction, key.arn, grant_id)
    if grant is None:
        return msgspec.structs.replace(target, record=None, absent=_missing(grant_id))
    context = {**target.context, **targets.context_keys(grant.constraints.context)}
    kind = grant.constraints.kind
    if kind is not None:
        context["kms:grantconstrainttype"] = kind
    entitled = _entitled(call, grant)
    if not grants.named_by(call.caller.principal, entitled):
        entitled = []
    # As the caller's own if he is meant: the grant itself is all that the other side has to say.
    return msgspec.structs.replace(
        target,
        account=call.account if entitled else key.account,
        policy=_who_may_retire(key, grant, entitled),
        context=context,
        record=grant,
    )


@kms.operation("RetireGrant", on=grant_to_retire, writes=True)
def retire_grant(call: Call, request: shapes.RetireGrantRequest, grant: Grant) -> None:
    check_dry_run(request.DryRun)
    call.additional = {"grantId": grant.id}  # the request may have named it by a token
    _delete(call, grant.key_arn, grant.id)


@kms.operation("RevokeGrant", on=key_with_grants, writes=True)
def revoke_grant(call: Call, request: shapes.RevokeGrantRequest, key: Key) -> None:
    grant_id = _grant_id(request.GrantId)
    if grants.find(call.transaction, key.arn, grant_id) is None:
        raise _missing(grant_id)
    check_dry_run(request.DryRun)
    _delete(call, key.arn, grant_id)


def shown(call: Call, grant: Grant) -> shapes.GrantListEntry:
    """A grant as the lists show it."""
    constraints = grant.constraints
    is_arn, retires = grant.grantee.startswith("arn:"), grant.retiring
    by_arn = retires is not None and retires.startswith("arn:")
    return shapes.GrantListEntry(
        KeyId=grant.key_arn,
        GrantId=grant.id,
        Name=grant.name,
        CreationDate=grant.created,
        GranteePrincipal=grant.grantee if is_arn else None,
        GranteeServicePrincipal=None if is_arn else grant.grantee,
        RetiringPrincipal=retires if by_arn else None,
        RetiringServicePrincipal=None if by_arn else retires,
        IssuingAccount=arn.root(call.partition, grant.issuer),
        Operations=list(grant.operations),
        Constraints=None
        if constraints == Constraints()
        else shapes.GrantConstraints(
            EncryptionContextSubset=constraints.subset,
            EncryptionContextEquals=constraints.equals,
            SourceArn=constraints.source_arn,
        ),
    )


def _constraints(given: shapes.GrantConstraints | None) -> Constraints:
    if given is None:
        return Constraints()
    return Constraints(given.EncryptionContextSubset, given.EncryptionContextEquals, given.SourceArn)


def _is_for_aws(call: Call) -> str:
    """Whether a service asks for the grant with the rights of its caller: a condition key."""
    return "true" if call.caller.session is not None and call.caller.session.via else "false"


def _checked(request: shapes.CreateGrantRequest, key: Key) -> Constraints:
    """The constraints, once the request is found to make sense."""
    if (request.GranteePrincipal is None) == (request.GranteeServicePrincipal is None):
        raise ValidationError("You must specify exactly one of GranteePrincipal and GranteeServicePrincipal.")
    if request.RetiringPrincipal is not None and request.RetiringServicePrincipal is not None:
        raise ValidationError("RetiringPrincipal and RetiringServicePrincipal exclude each other.")
    operations = set(request.Operations)
    if not operations:
        raise ValidationError("A grant needs at least one operation.")
    if operations == {grants.CREATE_GRANT}:
        raise ValidationError("Grants must not contain only the CreateGrant operation.")
    cannot = operations - (_SYMMETRIC if specs.is_symmetric(key.spec) else _BY_USAGE[key.usage])
    if cannot:
        raise ValidationError(
            f"Operations {', '.join(sorted(cannot))} are not valid for key spec {key.spec} and usage {key.usage}."
        )
    constraints = _constraints(request.Constraints)
    if constraints.subset is not None and constraints.equals is not None:
        raise ValidationError("More than one constraint supplied")
    if constraints.kind is not None and not specs.is_symmetric(key.spec):
        raise ValidationError("Encryption context constraints are valid for symmetric encryption KMS keys only.")
    retiring = request.RetiringPrincipal or request.RetiringServicePrincipal
    if request.GranteeServicePrincipal is not None and not (constraints.source_arn and retiring):
        raise ValidationError("A grant for a service principal needs a SourceArn and a retiring principal.")
    return constraints


def _pins(call: Call, request: shapes.CreateGrantRequest) -> dict[str, str]:
    """What the principals are now. Raises InvalidArnException for one that is nobody."""
    named = [each for each in (request.GranteePrincipal, request.RetiringPrincipal) if each is not None]
    pins = entities.pins(call.transaction, call.partition, named)
    for principal in named:
        if principal in pins:
            continue
        try:
            parsed = arn.parse(principal)
        except ArnError:
            raise InvalidArnException(f"Invalid principal {principal}") from None
        is_session = parsed.service == "sts" and parsed.resource.startswith(("assumed-role/", "federated-user/"))
        is_root = parsed.service == "iam" and parsed.resource == "root"
        if not (is_session or is_root) or not policies.exists(call.transaction, call.partition, principal):
            raise InvalidArnException(f"ARN does not refer to a valid principal: {principal}")
    return pins


def _same(call: Call, made: Grant) -> Grant | None:
    """The grant that was made before under the same name with the same parameters."""
    if made.name is None:
        return None
    column = tables.grant.c
    rows = call.transaction.all(
        select(tables.grant).where(
            column.key_arn == made.key_arn, column.name == made.name, column.grantee == made.grantee
        )
    )
    for row in rows:
        kept = grants.read(row)
        if msgspec.structs.replace(made, id=kept.id, created=kept.created) == kept:
            return kept
    return None


def _count(call: Call, key: Key) -> int:
    if not key.has_grants:
        return 0
    row = call.transaction.one(
        select(func.count().label("rows")).select_from(tables.grant).where(tables.grant.c.key_arn == key.arn)
    )
    return 0 if row is None else int(row.rows)


def _insert(call: Call, key: Key, made: Grant) -> None:
    call.transaction.run(
        insert(tables.grant).values(
            key_arn=made.key_arn,
            id=made.id,
            region=call.region,
            name=made.name,
            grantee=made.grantee,
            retiring=made.retiring,
            pins=json.dumps(made.pins),
            issuer=made.issuer,
            operations=json.dumps(made.operations),
            constraints=msgspec.json.encode(made.constraints).decode(),
            created=made.created,
            narrow=grants.narrow(made.constraints),
        )
    )
    call.transaction.changed(grants.topic(key.arn))
    if not key.has_grants:
        call.transaction.changed(records.topic(key.arn))


def _delete(call: Call, key_arn: str, grant_id: str) -> None:
    column = tables.grant.c
    call.transaction.run(delete(tables.grant).where(column.key_arn == key_arn, column.id == grant_id))
    call.transaction.changed(grants.topic(key_arn))


def _entitled(call: Call, grant: Grant) -> list[str]:
    """Whom a grant lets end it: the account that issued it, whom it says, and its grantee if it says so."""
    entitled = [arn.root(call.partition, grant.issuer)]
    if grant.retiring is not None and grant.retiring.startswith("arn:"):
        entitled.append(grant.retiring)
    if grants.RETIRE_GRANT in grant.operations and grant.grantee.startswith("arn:"):
        entitled.append(grant.grantee)
    return entitled


def _who_may_retire(key: Key, grant: Grant, entitled: list[str]) -> Layer:
    if not entitled:
        return Layer(_denies(key))
    statement = {"Effect": "Allow", "Principal": {"AWS": entitled}, "Action": "kms:RetireGrant", "Resource": "*"}
    text = json.dumps({"Version": "2008-10-17", "Statement": statement})
    return Layer([*_denies(key), Attached(compile_policy(text, grant.pins), f"grant {grant.id}")])


def _denies(key: Key) -> list[Attached]:
    """The key's policy without its Allows."""
    document = json.loads(key.policy)
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    document["Statement"] = [each for each in listed if each["Effect"] == "Deny"]
    return [Attached(compile_policy(json.dumps(document), key.pins), "key policy")] if document["Statement"] else []


def _grant_id(text: str) -> str:
    if not _GRANT_ID.fullmatch(text):
        raise InvalidGrantIdException(f"Invalid grant ID '{text}'")
    return text


def _missing(grant_id: str) -> NotFoundException:
    return NotFoundException(f"Grant ID {grant_id} not found")


def _limit(asked: int | None) -> int:
    return min(asked or _PAGE, _LARGEST_PAGE)
