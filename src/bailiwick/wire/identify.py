"""Which operation a request asks for, cheaply and before anything is proven.

Order (facts/sigv4.md section 13): Smithy-Protocol, which brings its own path; the X-Amz-Target header; the Action
and Version of a form or query string; last the method and path. The service is the one that the credential's scope
names, else the one that the host name does, else the only one that fits. A request that names two operations names
none.
"""

from __future__ import annotations

from bailiwick.api import MalformedInput, UnknownOperation
from bailiwick.core.message import Request
from bailiwick.wire import form, models, routes
from bailiwick.wire.models import Models, OperationModel, ServiceModel

CBOR, JSON, QUERY, EC2, REST_JSON, REST_XML = (
    *("smithy-rpc-v2-cbor", "json", "query", "ec2"),
    *("rest-json", "rest-xml"),
)
_MAX_ACTION = 128


def identify(request: Request, scope_service: str | None, known: Models | None = None) -> OperationModel:
    """The operation that a request names; `scope_service` is what its credential is scoped to, if it has one.

    `known` are the models to choose from, those that are here unless given. Raises UnknownOperation, with AWS's
    text, where there is no such operation or service or it uses an event stream, and MalformedInput where the
    request names more than one.
    """
    found = _identify(request, scope_service, known or models.here())
    if found.streams_events:
        raise UnknownOperation(f"{found.name} uses an event stream, which this server does not speak.")
    return found


def protocol(service: ServiceModel, request: Request) -> str:
    """Which of the protocols of a service a request speaks."""
    if len(service.protocols) == 1:
        return service.protocol
    if CBOR in service.protocols and request.header("smithy-protocol") is not None:
        return CBOR
    if JSON in service.protocols and request.header("x-amz-target") is not None:
        return JSON
    return QUERY if QUERY in service.protocols else service.protocol


def _identify(request: Request, scope_service: str | None, known: Models) -> OperationModel:
    fields = request.fields
    if "smithy-protocol" in fields:
        return _by_shape_path(request, known)
    if "x-amz-target" in fields and request.path == "/":
        return _by_target(request.all("x-amz-target"), known)
    services = _candidates(request, scope_service, known)
    if request.path == "/" and [service for service in services if service.speaks_forms]:
        action, version = form.action(request)
        if action:
            return _by_action(action[:_MAX_ACTION], version[:_MAX_ACTION], services)
    try:
        return _by_path(request, scope_service, services)
    except UnknownOperation:
        if scope_service is not None or services is known.all:
            raise
        return _by_path(request, None, known.all)  # the host's name only looked like a service's


def _candidates(request: Request, scope_service: str | None, known: Models) -> tuple[ServiceModel, ...]:
    if scope_service is not None:
        return known.by_signing_name.get(scope_service, ())
    host = (request.header("host") or "").partition(":")[0].lower()
    first, _, rest = host.partition(".")
    second = rest.partition(".")[0]
    for label in (f"{first}.{second}", first, second):
        if label in known.by_host_label:
            return known.by_host_label[label]
    return known.all


def _by_shape_path(request: Request, known: Models) -> OperationModel:
    parts = request.path.split("/")[-4:]
    if request.header("smithy-protocol") != "rpc-v2-cbor" or request.method != "POST":
        raise UnknownOperation("The only Smithy-Protocol here is rpc-v2-cbor, by POST.")
    if len(parts) == 4 and parts[0] == "service" and parts[2] == "operation":
        service = known.by_target_prefix.get(parts[1])
        if service is not None and CBOR in service.protocols and parts[3] in service.operations:
            return service.operations[parts[3]]
    raise UnknownOperation(f"There is no operation at {request.path[:_MAX_ACTION]} here.")


def _by_target(targets: list[str], known: Models) -> OperationModel:
    if len(targets) > 1:
        raise MalformedInput("The request has more than one X-Amz-Target header.")
    prefix, _, name = targets[0].rpartition(".")
    service = known.by_target_prefix.get(prefix)
    if service is None or JSON not in service.protocols or name not in service.operations:
        raise UnknownOperation(f"There is no operation {targets[0][:_MAX_ACTION]} here.")
    return service.operations[name]


def _by_action(action: str, version: str, services: tuple[ServiceModel, ...]) -> OperationModel:
    matching = [
        service
        for service in services
        if service.speaks_forms and version == service.api_version and action in service.operations
    ]
    if len(matching) != 1:
        raise UnknownOperation(f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}")
    return matching[0].operations[action]


def _by_path(request: Request, scope_service: str | None, services: tuple[ServiceModel, ...]) -> OperationModel:
    rest = [service for service in services if REST_JSON in service.protocols or REST_XML in service.protocols]
    found = [each for service in rest if (each := routes.find(service, request))]
    best = max((rank for rank, _ in found), default=())
    fitting = [operation for rank, operation in found if rank == best]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UnknownOperation("The path is an operation of more than one service, and nothing says which.")
    if request.path != "/":
        raise UnknownOperation("There is nothing at this path: the operations of these services are all at /.")
    if scope_service is not None and not services:
        raise UnknownOperation(f"There is no service {scope_service[:_MAX_ACTION]} here.")
    raise UnknownOperation("The request names no operation: it has neither an X-Amz-Target nor an Action.")
