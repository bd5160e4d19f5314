"""Which operation a request asks for, cheaply and before anything is proven.

Order (facts/sigv4.md section 13): the X-Amz-Target header; else the Action and Version of a form or query
string, for the service that the credential's scope names, or without one for the only service that has such an
Action and Version. A request that names two operations names none.
"""

from __future__ import annotations

from bailiwick.api import MalformedInput, UnknownOperation
from bailiwick.core.message import Request
from bailiwick.wire import form, models
from bailiwick.wire.models import OperationModel, ServiceModel

_MAX_ACTION = 128


def identify(request: Request, scope_service: str | None) -> OperationModel:
    """The operation that a request names; `scope_service` is what its credential is scoped to, if it has one.

    Raises UnknownOperation, with AWS's text, where there is no such operation or service, and
    MalformedInput where the request names more than one.
    """
    if request.path != "/":
        raise UnknownOperation("There is nothing at this path: the operations of these services are all at /.")
    targets = request.all("x-amz-target")
    if targets:
        return _by_target(targets)
    action, version = form.action(request)
    if action:
        return _by_action(action[:_MAX_ACTION], version[:_MAX_ACTION], scope_service)
    if scope_service is not None and scope_service not in models.by_signing_name():
        raise UnknownOperation(f"There is no service {scope_service[:_MAX_ACTION]} here.")
    raise UnknownOperation("The request names no operation: it has neither an X-Amz-Target nor an Action.")


def _by_target(targets: list[str]) -> OperationModel:
    if len(targets) > 1:
        raise MalformedInput("The request has more than one X-Amz-Target header.")
    prefix, _, name = targets[0].rpartition(".")
    service = models.by_target_prefix().get(prefix)
    if service is None or name not in service.operations:
        raise UnknownOperation(f"There is no operation {targets[0][:_MAX_ACTION]} here.")
    return service.operations[name]


def _by_action(action: str, version: str, scope_service: str | None) -> OperationModel:
    if scope_service is None:
        services: tuple[ServiceModel, ...] = tuple(map(models.service, models.names()))
    else:
        services = models.by_signing_name().get(scope_service, ())
    matching = [
        service
        for service in services
        if service.protocol == "query" and version == service.api_version and action in service.operations
    ]
    if len(matching) != 1:
        raise UnknownOperation(f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}")
    return matching[0].operations[action]
