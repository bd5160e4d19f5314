"""TerminateInstances revokes hosts; RevokeInstanceCredentials, our own, what they were given."""

from __future__ import annotations

from bailiwick.api import Call, Environment, Transaction
from bailiwick.directory import instances
from bailiwick.services.ec2 import shapes
from bailiwick.services.ec2.describing import state_of
from bailiwick.services.ec2.errors import looks_only
from bailiwick.services.ec2.service import ec2
from bailiwick.services.ec2.targets import Found, instances_named


@ec2.operation("TerminateInstances", on=instances_named, writes=True)
def terminate_instances(
    call: Call, request: shapes.TerminateInstancesRequest, found: list[Found]
) -> shapes.TerminateInstancesResult:
    looks_only(request)
    changes = []
    for each in found:
        before = each.instance.state
        if each.instance.is_running:
            instances.terminate(call.transaction, each.instance, call.now)
        changes.append(
            shapes.InstanceStateChange(
                InstanceId=each.instance.id,
                CurrentState=state_of(instances.TERMINATED),
                PreviousState=state_of(before),
            )
        )
    return shapes.TerminateInstancesResult(TerminatingInstances=changes)


@ec2.operation("RevokeInstanceCredentials", on=instances_named, writes=True)
def revoke_instance_credentials(
    call: Call, request: shapes.RevokeInstanceCredentialsRequest, found: list[Found]
) -> None:
    looks_only(request)
    for each in found:
        instances.revoke_credentials(call.transaction, each.instance.id, call.now)


@ec2.chore
def forget_the_terminated(transaction: Transaction, environment: Environment, now: float) -> None:
    """Forget instances that were terminated an hour ago."""
    instances.forget_terminated(transaction, now)
