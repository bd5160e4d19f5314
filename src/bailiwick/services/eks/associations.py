"""Pod identity associations: which role the pods of a service account get. Source: facts/imds.md section 3."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from bailiwick import lists
from bailiwick.api import Call, Target
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_session
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities, pods, tagging
from bailiwick.directory.entities import record
from bailiwick.directory.pods import Association
from bailiwick.services.eks import shapes
from bailiwick.services.eks.service import eks
from bailiwick.services.eks.shapes import (
    InvalidParameterException,
    ResourceInUseException,
    ResourceLimitExceededException,
    ResourceNotFoundException,
)
from bailiwick.store import Duplicate

_CLUSTER = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_MOST, _PAGE = 5000, 100


def _owner(association: str) -> str:
    """Under what the tags of an association are kept."""
    return f"eks/{association}"


def cluster(call: Call, request: Any) -> Target:
    """The cluster that a request names: one that an OpenID Connect provider is tagged as."""
    known = pods.issuers(call.transaction, call.account, request.clusterName)
    text = f"No cluster found for name: {request.clusterName}."
    return Target(
        account=call.account,
        arn=pods.cluster_arn(call.partition, call.region, call.account, request.clusterName),
        context=_passed(getattr(request, "tags", None)),
        absent=None if known else ResourceNotFoundException(text, clusterName=request.clusterName),
    )


def _passed(tags: dict[str, str] | None) -> dict[str, Value]:
    context: dict[str, Value] = {f"aws:requesttag/{key.lower()}": value for key, value in (tags or {}).items()}
    return context | ({"aws:tagkeys": tuple(tags)} if tags else {})


def _with_role(call: Call, target: Target, role_arn: str | None) -> Target:
    """The same target; the caller must be allowed to pass the role to the pods too."""
    if role_arn is None:
        return target
    fields = role_arn.split(":", 5)
    if len(fields) < 6 or fields[2] != "iam" or not fields[5].startswith("role/"):
        raise InvalidParameterException(f"{role_arn} is not the ARN of a role.")
    passed = Target(
        account=fields[4], arn=role_arn, action="iam:PassRole", context={"iam:passedtoservice": pods.SERVICE}
    )
    return msgspec.structs.replace(target, also=(*target.also, passed))


def _new(call: Call, request: shapes.CreatePodIdentityAssociationRequest) -> Target:
    return _with_role(call, cluster(call, request), request.roleArn)


def _named(call: Call, request: Any) -> Target:
    """The association that associationId names, in its cluster. The record is the Association."""
    found = pods.find(call.transaction, call.account, call.region, request.associationId)
    if found is not None and found.cluster != request.clusterName:
        found = None
    tags = entities.tags(call.transaction, _owner(found.id)) if found else {}
    place = f"podidentityassociation/{request.clusterName}/{request.associationId}"
    text = f"Association {request.associationId} not found."
    return Target(
        account=call.account,
        arn=f"arn:{call.partition}:eks:{call.region}:{call.account}:{place}",
        context={f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()},
        record=found,
        absent=None if found else ResourceNotFoundException(text, clusterName=request.clusterName),
    )


def _changed(call: Call, request: shapes.UpdatePodIdentityAssociationRequest) -> Target:
    return _with_role(call, _named(call, request), request.roleArn)


@eks.operation("CreatePodIdentityAssociation", on=_new, writes=True)
def create_association(
    call: Call, request: shapes.CreatePodIdentityAssociationRequest, record_: None
) -> shapes.CreatePodIdentityAssociationResponse:
    _check(call, request)
    columns = pods.table.c
    count = call.transaction.all(
        select(columns.id).where(columns.account == call.account, columns.cluster == request.clusterName)
    )
    if len(count) >= _MOST:
        raise ResourceLimitExceededException(f"A cluster has at most {_MOST} pod identity associations.")
    made = Association(
        f"a-{call.environment.noise(8).hex()}",
        *(call.account, call.region, request.clusterName, request.namespace, request.serviceAccount),
        *(request.roleArn, bool(request.disableSessionTags), request.policy, call.now, call.now),
    )
    try:
        call.transaction.run(insert(pods.table).values(**msgspec.structs.asdict(made)))
    except Duplicate:
        raise ResourceInUseException("Association already exists for this service account.") from None
    tagging.put(call.transaction, _owner(made.id), request.tags or {})
    return shapes.CreatePodIdentityAssociationResponse(association=_shown(call, made))


def _check(call: Call, request: shapes.CreatePodIdentityAssociationRequest) -> None:
    for pattern, value, what in (
        (_CLUSTER, request.clusterName, "clusterName"),
        (_NAMESPACE, request.namespace, "namespace"),
        (_ACCOUNT, request.serviceAccount, "serviceAccount"),
    ):
        if pattern.fullmatch(value) is None:
            raise InvalidParameterException(f"{what} is not valid.")
    if any(key.lower().startswith("aws:") for key in request.tags or {}):
        raise InvalidParameterException("Tag keys must not begin with aws:.")
    _check_role(call, request.roleArn, request.targetRoleArn)
    _check_policy(request.policy, tagless=bool(request.disableSessionTags))


def _check_role(call: Call, role_arn: str | None, target_role: str | None) -> None:
    if role_arn is not None and entities.role_by_arn(call.transaction, role_arn) is None:
        raise InvalidParameterException(f"Role {role_arn} does not exist.")
    if target_role is not None:
        raise InvalidParameterException("Target roles are not supported: let the pods assume it themselves.")


def _check_policy(policy: str | None, *, tagless: bool) -> None:
    if policy is None:
        return
    if not tagless:
        raise InvalidParameterException("A policy needs disableSessionTags, for the two share their space.")
    try:
        check_session(policy)
    except PolicyError as error:
        raise InvalidParameterException(f"The policy is not valid: {error}") from None


@eks.operation("DescribePodIdentityAssociation", on=_named)
def describe_association(
    call: Call, request: shapes.DescribePodIdentityAssociationRequest, found: Association
) -> shapes.DescribePodIdentityAssociationResponse:
    return shapes.DescribePodIdentityAssociationResponse(association=_shown(call, found))


@eks.operation("ListPodIdentityAssociations", on=cluster)
def list_associations(
    call: Call, request: shapes.ListPodIdentityAssociationsRequest, record_: None
) -> shapes.ListPodIdentityAssociationsResponse:
    columns, scope = pods.table.c, f"{call.account}/{call.region}/{call.operation.action}"
    refused, most = InvalidParameterException("Invalid nextToken."), request.maxResults or _PAGE
    start = lists.after(call, scope, request.nextToken or None, refused)
    statement = select(pods.table).where(
        *(columns.account == call.account, columns.region == call.region),
        *(columns.cluster == request.clusterName, columns.id > start),
    )
    if request.namespace is not None:
        statement = statement.where(columns.namespace == request.namespace)
    if request.serviceAccount is not None:
        statement = statement.where(columns.service_account == request.serviceAccount)
    rows = call.transaction.all(statement.order_by(columns.id).limit(most + 1))
    found, token = lists.cut(call, scope, [record(Association, row) for row in rows], most, lambda each: each.id)
    return shapes.ListPodIdentityAssociationsResponse(
        associations=[
            shapes.PodIdentityAssociationSummary(
                clusterName=each.cluster,
                namespace=each.namespace,
                serviceAccount=each.service_account,
                associationArn=each.arn(call.partition),
                associationId=each.id,
            )
            for each in found
        ],
        nextToken=token,
    )


@eks.operation("UpdatePodIdentityAssociation", on=_changed, writes=True)
def update_association(
    call: Call, request: shapes.UpdatePodIdentityAssociationRequest, found: Association
) -> shapes.UpdatePodIdentityAssociationResponse:
    _check_role(call, request.roleArn, request.targetRoleArn)
    given = {"role": request.roleArn, "tagless": request.disableSessionTags, "policy": request.policy}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    changed = msgspec.structs.replace(found, **values, modified=call.now)
    _check_policy(changed.policy, tagless=changed.tagless)
    call.transaction.run(update(pods.table).where(pods.table.c.id == found.id).values(**values, modified=call.now))
    return shapes.UpdatePodIdentityAssociationResponse(association=_shown(call, changed))


@eks.operation("DeletePodIdentityAssociation", on=_named, writes=True)
def delete_association(
    call: Call, request: shapes.DeletePodIdentityAssociationRequest, found: Association
) -> shapes.DeletePodIdentityAssociationResponse:
    shown = _shown(call, found)
    call.transaction.run(delete(pods.table).where(pods.table.c.id == found.id))
    tagging.remove_all(call.transaction, _owner(found.id))
    return shapes.DeletePodIdentityAssociationResponse(association=shown)


def _shown(call: Call, found: Association) -> shapes.PodIdentityAssociation:
    return shapes.PodIdentityAssociation(
        clusterName=found.cluster,
        namespace=found.namespace,
        serviceAccount=found.service_account,
        roleArn=found.role,
        associationArn=found.arn(call.partition),
        associationId=found.id,
        tags=entities.tags(call.transaction, _owner(found.id)),
        createdAt=found.created,
        modifiedAt=found.modified,
        disableSessionTags=found.tagless,
        policy=found.policy,
    )
