"""Access advisor: which services a user, group, role or policy may use, and when they were last used.

What was used comes from the traffic of this deployment. A report is made at once and kept for a week.
Source: facts/iam.md section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.analysis import actions
from bailiwick.analysis.granting import Granted
from bailiwick.api import Call, Target, nothing
from bailiwick.core import ids
from bailiwick.directory import entities, last_access
from bailiwick.directory.entities import ManagedPolicy, Role, User
from bailiwick.directory.last_access import Use
from bailiwick.directory.role_tables import access_job
from bailiwick.services.iam import paging, principals, shapes
from bailiwick.services.iam.applying import applying
from bailiwick.services.iam.owners import Owner
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import NoSuchEntityException
from bailiwick.wire import models

_KEPT_SECONDS = 7 * 86400.0
_KEPT_JOBS = 500  # of an account
_SERVICE_LEVEL, _ACTION_LEVEL = "SERVICE_LEVEL", "ACTION_LEVEL"

_columns = access_job.c


def subject_named(call: Call, request: shapes.GenerateServiceLastAccessedDetailsRequest) -> Target:
    """The user, group, role or policy with the ARN in the request; the record is that."""
    return principals.entity_or_policy(call, request.Arn)


def owner_named(call: Call, request: shapes.ListPoliciesGrantingServiceAccessRequest) -> Target:
    """The user, group or role with the ARN in the request; the record is that."""
    return principals.entity_at(call, request.Arn)


@iam.operation("GenerateServiceLastAccessedDetails", on=subject_named, writes=True)
def generate(
    call: Call, request: shapes.GenerateServiceLastAccessedDetailsRequest, subject: Owner | ManagedPolicy
) -> shapes.GenerateServiceLastAccessedDetailsResponse:
    granularity = request.Granularity or _SERVICE_LEVEL
    _make_room(call)
    job = ids.request_id(call.environment.noise)
    result = _report(call, subject, tracked=granularity == _ACTION_LEVEL)
    call.transaction.run(
        insert(access_job).values(
            id=job,
            account=call.account,
            arn=request.Arn,
            granularity=granularity,
            created=call.now,
            result=msgspec.json.encode(result).decode(),
        )
    )
    return shapes.GenerateServiceLastAccessedDetailsResponse(JobId=job)


@iam.operation("GetServiceLastAccessedDetails", on=nothing)
def get_details(
    call: Call, request: shapes.GetServiceLastAccessedDetailsRequest, record: None
) -> shapes.GetServiceLastAccessedDetailsResponse:
    job = _job(call, request.JobId)
    start = paging.after(call, request.Marker)
    left = [each for each in _services(job) if each.ServiceNamespace > start]
    page, truncated, marker = paging.page(call, left, request.MaxItems, lambda each: each.ServiceNamespace)
    return shapes.GetServiceLastAccessedDetailsResponse(
        JobStatus="COMPLETED",
        JobType=job.granularity,
        JobCreationDate=job.created,
        JobCompletionDate=job.created,
        ServicesLastAccessed=page,
        IsTruncated=truncated,
        Marker=marker,
    )


@iam.operation("GetServiceLastAccessedDetailsWithEntities", on=nothing)
def get_details_with_entities(
    call: Call, request: shapes.GetServiceLastAccessedDetailsWithEntitiesRequest, record: None
) -> shapes.GetServiceLastAccessedDetailsWithEntitiesResponse:
    job = _job(call, request.JobId)
    reported = {each.ServiceNamespace for each in _services(job)}
    found: Sequence[User | Role] = ()
    if request.ServiceNamespace in reported:
        found = principals.of(call, principals.entity_or_policy(call, job.arn).record)
    times: dict[str, float] = {}
    for use in last_access.of(call.transaction, [each.id for each in found]):
        if use.service == request.ServiceNamespace:
            times[use.principal_id] = max(use.time, times.get(use.principal_id, 0.0))
    start = paging.after(call, request.Marker)
    left = sorted((each for each in found if each.id > start), key=lambda each: each.id)
    page, truncated, marker = paging.page(call, left, request.MaxItems, lambda each: each.id)
    return shapes.GetServiceLastAccessedDetailsWithEntitiesResponse(
        JobStatus="COMPLETED",
        JobCreationDate=job.created,
        JobCompletionDate=job.created,
        EntityDetailsList=[_details(call, each, times.get(each.id)) for each in page],
        IsTruncated=truncated,
        Marker=marker,
    )


@iam.operation("ListPoliciesGrantingServiceAccess", on=owner_named)
def list_granting(
    call: Call, request: shapes.ListPoliciesGrantingServiceAccessRequest, owner: Owner
) -> shapes.ListPoliciesGrantingServiceAccessResponse:
    data = actions.load()
    granted = [(policy, set(Granted([policy.text], data).services())) for policy in applying(call, owner)]
    entries = []
    for namespace in dict.fromkeys(request.ServiceNamespaces):
        granting = [_granting(policy) for policy, services in granted if namespace.lower() in services]
        entries.append(shapes.ListPoliciesGrantingServiceAccessEntry(ServiceNamespace=namespace, Policies=granting))
    first = int(paging.after(call, request.Marker) or 0)
    left = list(enumerate(entries, 1))[first:]
    page, truncated, marker = paging.page(call, left, None, lambda each: str(each[0]))
    return shapes.ListPoliciesGrantingServiceAccessResponse(
        PoliciesGrantingServiceAccess=[entry for _, entry in page], IsTruncated=truncated, Marker=marker
    )


def _granting(policy: Any) -> shapes.PolicyGrantingServiceAccess:
    """A policy as the list shows it: an inline one with whom it belongs to."""
    if policy.arn is not None:
        return shapes.PolicyGrantingServiceAccess(
            PolicyName=policy.name, PolicyType="MANAGED", PolicyArn=policy.arn
        )
    return shapes.PolicyGrantingServiceAccess(
        PolicyName=policy.name, PolicyType="INLINE", EntityType=policy.kind.upper(), EntityName=policy.owner
    )


# --- the report


def _report(call: Call, subject: Owner | ManagedPolicy, *, tracked: bool) -> list[shapes.ServiceLastAccessed]:
    """The services that the subject's policies allow, with what its principals used of them."""
    if isinstance(subject, ManagedPolicy):
        texts = [entities.default_document(call.transaction, subject)]
    else:
        texts = [policy.text for policy in applying(call, subject)]
    data = actions.load()
    granted = Granted(texts, data)
    found = {each.id: each.arn(call.partition) for each in principals.of(call, subject)}
    uses: dict[str, list[Use]] = {}
    for use in last_access.of(call.transaction, list(found)):
        uses.setdefault(use.service, []).append(use)
    here = frozenset(models.here().by_signing_name) if tracked else frozenset()
    report = []
    for prefix in granted.services():
        known = data.service(prefix)
        assert known is not None, "what is granted is of the action data"
        entry = _service(known.name, prefix, uses.get(prefix, []), found)
        if prefix in here:
            listed = _actions(granted.actions(prefix), uses.get(prefix, []), found)
            entry = msgspec.structs.replace(entry, TrackedActionsLastAccessed=listed)
        report.append(entry)
    return report


def _service(name: str, prefix: str, uses: list[Use], found: dict[str, str]) -> shapes.ServiceLastAccessed:
    last = max(uses, key=lambda use: use.time, default=None)
    return shapes.ServiceLastAccessed(
        ServiceName=name,
        ServiceNamespace=prefix,
        TotalAuthenticatedEntities=len({use.principal_id for use in uses}),
        LastAuthenticated=last.time if last else None,
        LastAuthenticatedEntity=found[last.principal_id] if last else None,
        LastAuthenticatedRegion=last.region if last else None,
    )


def _actions(
    names: Iterable[str], uses: list[Use], found: dict[str, str]
) -> list[shapes.TrackedActionLastAccessed]:
    latest: dict[str, Use] = {}
    for use in uses:
        if use.action not in latest or use.time > latest[use.action].time:
            latest[use.action] = use
    return [
        shapes.TrackedActionLastAccessed(
            ActionName=name,
            LastAccessedEntity=found[latest[name].principal_id] if name in latest else None,
            LastAccessedTime=latest[name].time if name in latest else None,
            LastAccessedRegion=latest[name].region if name in latest else None,
        )
        for name in names
    ]


def _details(call: Call, entity: User | Role, last: float | None) -> shapes.EntityDetails:
    info = shapes.EntityInfo(
        Arn=entity.arn(call.partition),
        Name=entity.name,
        Type=type(entity).__name__.upper(),
        Id=entity.id,
        Path=entity.path,
    )
    return shapes.EntityDetails(EntityInfo=info, LastAuthenticated=last)


# --- jobs


def _job(call: Call, job_id: str) -> Any:
    row = call.transaction.one(select(access_job).where(_columns.id == job_id, _columns.account == call.account))
    if row is None:
        raise NoSuchEntityException(f"The report with job id {job_id} cannot be found.")
    return row


def _services(job: Any) -> list[shapes.ServiceLastAccessed]:
    return msgspec.json.decode(job.result, type=list[shapes.ServiceLastAccessed])


def _make_room(call: Call) -> None:
    """Forget reports that are a week old, and the oldest where an account has too many."""
    mine = _columns.account == call.account
    call.transaction.run(delete(access_job).where(mine, _columns.created < call.now - _KEPT_SECONDS))
    oldest = call.transaction.one(
        select(_columns.created).where(mine).order_by(_columns.created.desc()).offset(_KEPT_JOBS - 1).limit(1)
    )
    if oldest is not None:
        call.transaction.run(delete(access_job).where(mine, _columns.created <= oldest.created))
