"""Instance profiles of instances: associated, replaced, taken away. Whoever gives one passes its role to EC2.

An instance has one profile that its metadata service gives to every program; what it has beside that one
(docs/hosts.md) was given by the operator and is not shown here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from bailiwick.api import ApiError, Call, Target
from bailiwick.core import arn
from bailiwick.core.errors import ArnError
from bailiwick.directory import entities, instance_profiles, instances
from bailiwick.directory.entities import record
from bailiwick.directory.instance_profiles import InstanceProfile
from bailiwick.directory.instance_tables import association, instance
from bailiwick.directory.instances import Association
from bailiwick.services.ec2 import filters, shapes
from bailiwick.services.ec2.describing import in_region
from bailiwick.services.ec2.errors import (
    IncorrectState,
    InvalidAssociationIdNotFound,
    InvalidParameterValue,
    MissingParameter,
)
from bailiwick.services.ec2.service import ec2
from bailiwick.services.ec2.targets import Found, instance_named, named, with_keys

_PASSED_TO = "ec2.amazonaws.com"
_OF_TAGS = ("aws:resourcetag", "iam:resourcetag")


class Given(msgspec.Struct, frozen=True):
    """The instance, the profile that it is to have, and the association that is to be replaced."""

    found: Found
    profile: InstanceProfile
    old: Association | None = None


# -- What a request names -----------------------------------------------------------------------------------


def profile_for_instance(call: Call, request: shapes.AssociateIamInstanceProfileRequest) -> Target:
    """The instance, and the role of the profile, which the caller must be allowed to pass."""
    return _giving(call, instance_named(call, request), request.IamInstanceProfile, None)


def profile_in_place(call: Call, request: shapes.ReplaceIamInstanceProfileAssociationRequest) -> Target:
    """The instance of the association, and the role of the new profile, which the caller passes."""
    target, old = _of_association(call, request.AssociationId)
    return target if old is None else _giving(call, target, request.IamInstanceProfile, old)


def instance_associated(call: Call, request: shapes.DisassociateIamInstanceProfileRequest) -> Target:
    """The instance of the association. The record is the association."""
    target, old = _of_association(call, request.AssociationId)
    return msgspec.structs.replace(target, record=old)


def _of_association(call: Call, association_id: str) -> tuple[Target, Association | None]:
    old = instances.association_named(call.transaction, association_id)
    if old is not None and old.account == call.account and old.is_main:
        (target,) = named(call, [old.instance_id])
        if target.absent is None:  # else it is one of another region
            return target, old
    absent = InvalidAssociationIdNotFound(f"An invalid association-id of '{association_id}' was given")
    everywhere = instances.arn_of(call.partition, call.region, call.account, "*")
    return Target(account=call.account, arn=everywhere, context={"ec2:region": call.region}, absent=absent), None


def _giving(
    call: Call, target: Target, specified: shapes.IamInstanceProfileSpecification, old: Association | None
) -> Target:
    profile, absent = _profile(call, specified)
    if profile is None:
        return msgspec.structs.replace(target, absent=target.absent or absent)
    target = with_keys(target, ec2__newinstanceprofile=profile.arn(call.partition))
    role = instances.role_of(call.transaction, profile)
    given = Given(target.record, profile, old) if target.record else None
    passed = () if role is None else (_passed(call, role, target.arn),)
    return msgspec.structs.replace(target, record=given, also=passed)


def _passed(call: Call, role: entities.Role, instance_arn: str) -> Target:
    tags = entities.tags(call.transaction, role.id)
    return Target(
        account=call.account,
        arn=role.arn(call.partition),
        action="iam:PassRole",
        context={
            "iam:passedtoservice": _PASSED_TO,
            "iam:associatedresourcearn": instance_arn,
            **{
                f"{prefix}/{key.lower()}": tags[key]
                for key in tags
                for prefix in ("aws:resourcetag", "iam:resourcetag")
            },
        },
    )


def _profile(
    call: Call, specified: shapes.IamInstanceProfileSpecification
) -> tuple[InstanceProfile | None, ApiError]:
    """The profile that a specification names, by name or ARN; or what is wrong with it."""
    if specified.Arn is None and specified.Name is None:
        return None, MissingParameter("The request must contain the parameter iamInstanceProfile.arn or name")
    name = specified.Name if specified.Arn is None else _name_in(specified.Arn)
    found = instance_profiles.find(call.transaction, call.account, name) if name else None
    if found is not None and specified.Arn not in (None, found.arn(call.partition)):
        found = None
    if found is not None and specified.Name not in (None, found.name):
        found = None
    given, what = (specified.Name, "name") if specified.Arn is None else (specified.Arn, "arn")
    reason = "Invalid IAM Instance Profile name" if what == "name" else "Invalid IAM Instance Profile ARN"
    return found, InvalidParameterValue(
        f"Value ({given}) for parameter iamInstanceProfile.{what} is invalid. {reason}"
    )


def _name_in(profile_arn: str) -> str | None:
    try:
        parsed = arn.parse(profile_arn)
    except ArnError:
        return None
    return parsed.resource.rpartition("/")[2] if parsed.resource.startswith("instance-profile/") else None


# -- Operations ---------------------------------------------------------------------------------------------


@ec2.operation("AssociateIamInstanceProfile", on=profile_for_instance, writes=True)
def associate(
    call: Call, request: shapes.AssociateIamInstanceProfileRequest, given: Given
) -> shapes.AssociateIamInstanceProfileResult:
    _check_running(given.found)
    if given.found.main is not None:
        raise IncorrectState(f"There is an existing association for instance {given.found.instance.id}")
    made = _associated(call, given)
    return shapes.AssociateIamInstanceProfileResult(IamInstanceProfileAssociation=_shown(made, "associating"))


@ec2.operation("ReplaceIamInstanceProfileAssociation", on=profile_in_place, writes=True)
def replace(
    call: Call, request: shapes.ReplaceIamInstanceProfileAssociationRequest, given: Given
) -> shapes.ReplaceIamInstanceProfileAssociationResult:
    _check_running(given.found)
    assert given.old is not None, "it was found"
    instances.disassociate(call.transaction, given.old)
    made = _associated(call, given)
    return shapes.ReplaceIamInstanceProfileAssociationResult(
        IamInstanceProfileAssociation=_shown(made, "associating")
    )


@ec2.operation("DisassociateIamInstanceProfile", on=instance_associated, writes=True)
def disassociate(
    call: Call, request: shapes.DisassociateIamInstanceProfileRequest, old: Association
) -> shapes.DisassociateIamInstanceProfileResult:
    instances.disassociate(call.transaction, old)
    return shapes.DisassociateIamInstanceProfileResult(IamInstanceProfileAssociation=_shown(old, "disassociating"))


def _check_running(found: Found) -> None:
    if not found.instance.is_running:
        raise IncorrectState(f"The instance '{found.instance.id}' is not in the 'running' or 'stopped' states")


def _associated(call: Call, given: Given) -> Association:
    profile, instance_id = given.profile, given.found.instance.id
    for other in instances.associations(call.transaction, instance_id):
        if other.profile_id == profile.id:  # one that it has beside the main one becomes that
            instances.disassociate(call.transaction, other)
    made = Association(
        id=instances.new_id("iip-assoc", call.environment.entropy),
        instance_id=instance_id,
        account=call.account,
        profile_id=profile.id,
        profile_arn=profile.arn(call.partition),
        is_main=True,
        created=call.now,
    )
    instances.associate(call.transaction, made)
    return made


_FILTERS: dict[str, filters.Values[Association]] = {
    "instance-id": lambda each: (each.instance_id,),
    "state": lambda each: ("associated",),
}


@ec2.operation("DescribeIamInstanceProfileAssociations", on=in_region)
def describe(
    call: Call, request: shapes.DescribeIamInstanceProfileAssociationsRequest, record: None
) -> shapes.DescribeIamInstanceProfileAssociationsResult:
    passes = filters.passing(request.Filters, _FILTERS)
    wanted = request.AssociationIds
    if wanted is not None:
        for each in wanted:
            _, old = _of_association(call, each)
            if old is None:
                raise InvalidAssociationIdNotFound(f"An invalid association-id of '{each}' was given")
    shown, token = filters.page(
        call,
        request,
        lambda after, limit: _read(call, after, limit),
        lambda each: each.id,
        lambda each: (wanted is None or each.id in wanted) and passes(each),
    )
    return shapes.DescribeIamInstanceProfileAssociationsResult(
        IamInstanceProfileAssociations=[_shown(each, "associated") for each in shown], NextToken=token
    )


def _read(call: Call, after: str, limit: int) -> Sequence[Association]:
    column = association.c
    rows = call.transaction.all(
        select(association)
        .join(instance, instance.c.id == column.instance_id)
        .where(column.account == call.account, column.is_main, instance.c.region == call.region, column.id > after)
        .order_by(column.id)
        .limit(limit)
    )
    return [record(Association, row) for row in rows]


def _shown(each: Association, state: str) -> shapes.IamInstanceProfileAssociation:
    return shapes.IamInstanceProfileAssociation(
        AssociationId=each.id,
        InstanceId=each.instance_id,
        IamInstanceProfile=shapes.IamInstanceProfile(Arn=each.profile_arn, Id=each.profile_id),
        State=state,
    )
