"""The life of one request, top to bottom. It knows no service.

    receive       who claims to ask, and what for: read from the bytes, proves nothing
    authenticate  the signature holds and the credential is alive: a Caller
    parse         the input, typed and within the service model's bounds
    invoke        find the target, authorize, execute: the only way to a handler
    answer        the output or the refusal, in the protocol's form

Everyone goes through `invoke`, so authorization and audit cannot be left out. A stranger's bytes reach only
the credential parser and `identify` before the signature holds. Errors are translated in one place, below.
"""

from __future__ import annotations

import threading
import typing
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from bailiwick import api
from bailiwick.api import ApiError, Call, Caller, Environment, Later, Operation, Service, Target
from bailiwick.authorization import Authorizer
from bailiwick.core import errors, ids
from bailiwick.core.bounded import Use
from bailiwick.core.formats import SessionKind, seal_message
from bailiwick.core.message import Request, Response, Tls
from bailiwick.core.policy.message import authorization_message
from bailiwick.core.policy.question import Decision, Principal, PrincipalKind
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.claim import Claim, read
from bailiwick.core.sigv4.rules import STRICT, Rules
from bailiwick.directory.acting import SOURCE_ACCOUNT, SOURCE_ARN, source_of
from bailiwick.directory.forwarding import Forwarder
from bailiwick.directory.proof import who_signed
from bailiwick.directory.snapshot import Directory
from bailiwick.door import Joined, Signed
from bailiwick.store import Store
from bailiwick.store.waiting import Waits
from bailiwick.throttling import throttle
from bailiwick.translate import as_api_error
from bailiwick.wire import answer, identify, models, parse, refuse
from bailiwick.wire.models import OperationModel, ServiceModel

_REGION_OF_GLOBAL_SERVICES = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

ANONYMOUS = Caller(
    Principal(PrincipalKind.ANONYMOUS, "aws", "anonymous", "anonymous", "anonymous", "anonymous"),
    user_id="anonymous",
    context={"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous", "aws:userid": "anonymous"},
)


class Route(msgspec.Struct, frozen=True):
    """An operation, with its place in the service model and the type of its input."""

    operation: Operation
    model: OperationModel
    service: ServiceModel
    is_global: bool
    input: type[msgspec.Struct]
    refuses: frozenset[SessionKind] = frozenset()
    rules: Rules = STRICT


class Received(msgspec.Struct, frozen=True):
    """A request of which it is known who claims to have made it and what for; nothing is proven yet.

    `service` is whose operation it names, where that is not offered and so has no route.
    """

    request: Request
    request_id: str
    now: float
    claim: Claim | None = None
    route: Route | None = None
    refused: ApiError | None = None
    service: ServiceModel | None = None

    @property
    def quick(self) -> bool:
        """Whether the answer is so short in coming that the event loop may wait for it."""
        if self.route is None:
            return True
        quick = self.route.operation.quick
        return quick if isinstance(quick, bool) else quick(self.request)


class Event(msgspec.Struct, frozen=True):
    """What happened, for the audit trail: one for each request, the refused ones included.

    `caller` is None where nobody was authenticated. `request` and `response` are the typed values. They may
    hold secrets: whoever writes the event down leaves out what app/loggable.py does not let through.
    """

    time: float
    request_id: str
    source: str
    user_agent: str
    region: str
    access_key_id: str | None
    route: Route | None
    caller: Caller | None = None
    targets: tuple[Target, ...] = ()
    decision: Decision | None = None  # of a refusal by a policy there is more in the error
    request: Any = None
    response: Any = None
    error: ApiError | None = None
    tls: tuple[Tls, str] | None = None  # Request.protection
    additional: dict[str, str | bool] | None = None  # Call.additional


class Pipeline:
    """Services, identities and policies put together: bytes in, bytes out. Safe to use from many threads."""

    def __init__(
        self,
        services: Collection[Service | Later],
        environment: Environment,
        store: Store,
        directory: Directory,
        audit: Callable[[Event], None],
    ) -> None:
        """Register every operation of `services`, of those for later when they are first asked for.

        `audit` takes each event and must not fail.

        Raises ValueError for an operation that its service model does not have, for an unsigned one that
        does not say who its caller is (`by=`), and for a signed one that does.
        """
        self.environment = environment
        self.store = store
        self.directory = directory
        self.audit = audit
        self._authorizer = Authorizer()
        self._forwarder = Forwarder()
        self.routes: dict[tuple[str, str], Route] = {}
        self._refusals: dict[tuple[str, str], str] = {}
        self._later = {service.name: service for service in services if isinstance(service, Later)}
        self._loading = threading.Lock()
        for service in services:
            if isinstance(service, Service):
                self._register(service)

    def _register(self, service: Service) -> None:
        known = models.service(service.name).operations
        for name in service.refusals:
            if name not in known:
                raise ValueError(f"{service.name}:{name} is not in its service model")
        self._refusals.update({(service.name, name): reason for name, reason in service.refusals.items()})
        self.routes.update(
            {(service.name, name): _route(service, operation) for name, operation in service.operations.items()}
        )

    def route(self, service: str, operation: str) -> Route | None:
        """The operation of a service, which is loaded at its first use."""
        if service in self._later:
            with self._loading:
                if service in self._later:
                    self._register(self._later[service].load())
                    del self._later[service]  # only now: until then the others wait
        return self.routes.get((service, operation))

    @property
    def remembered(self) -> Use:
        """How the memory of decisions is used."""
        return self._authorizer.use

    def handle(self, request: Request) -> Response:
        """Answer one request. It never raises: whatever goes wrong becomes a refusal."""
        return self.answer(self.receive(request))

    def receive(self, request: Request) -> Received:
        """Read who claims to ask and for what. A request that makes no sense is refused by `answer`."""
        request_id, now = ids.request_id(self.environment.noise), self.environment.now()
        claim, model, route, unproven = None, None, None, None
        try:
            claim = read(request)
        except errors.SignatureError as error:
            unproven = as_api_error(error, request_id)
        try:
            model = identify(request, claim.service if claim else None)
            route = self.route(model.service, model.name)
            if route is None:
                raise self._not_offered(model.service, model.name)
        except ApiError as unknown:
            service = None if model is None else models.service(model.service)
            if model is not None and not model.signed:
                unproven = None
            return Received(request, request_id, now, claim, None, unproven or unknown, service)
        return Received(request, request_id, now, claim, route, unproven if route.model.signed else None)

    def answer(self, received: Received) -> Response:
        """Authenticate, parse, invoke; then write the output or the refusal. Raises Waits as `invoke` does."""
        request, route, caller, values = received.request, received.route, None, None
        try:
            if received.refused or route is None:
                raise received.refused or api.UnknownOperation("No operation was named.")
            if route.model.signed:
                caller = self.authenticate(received, route)
            values = parse(route.model, request, route.input)
            call = self.call(received, route, caller or ANONYMOUS, values)
            if route.operation.by:
                self.store.refresh()
                reading = self.store.transaction(write=False)  # nobody waits for what strangers send
                call.caller = route.operation.by(msgspec.structs.replace(call, transaction=reading), values)
        except Exception as refusal:
            error = as_api_error(refusal, received.request_id)
            self.audit(self._event(received, caller, error, values))
            return self.refused(error, received)
        try:
            return answer(route.model, self.invoke(call, values), request, received.request_id)
        except Exception as refusal:
            return self.refused(as_api_error(refusal, received.request_id), received, call.caller)

    def authenticate(self, received: Received, route: Route) -> Caller:
        """The caller whose secret signed this request. Raises core.errors.SignatureError for anyone else."""
        request, claim = received.request, received.claim
        if claim is None:
            raise errors.MissingAuthentication("Missing Authentication Token")
        verify.check_scope(claim, service=route.service.signing_name, now=received.now, rules=route.rules)
        self.store.refresh()
        try:
            credential = self.directory.credential(claim.access_key_id, claim.token, received.now)
        except errors.UnknownToken:
            verify.waste(request, claim, route.rules)  # the same time, whether or not there is such a key
            raise
        verify.verify(request, claim, credential.secret, route.rules)
        session = credential.caller.session
        if session is not None and session.kind in route.refuses and session.mfa is None:
            raise errors.UnknownToken("The security token included in the request is invalid.")
        service, action = route.service.signing_name, route.operation.name
        self.directory.usage.note(credential.caller, service, action, claim.region, received.now)
        if SOURCE_ARN in request.fields or SOURCE_ACCOUNT in request.fields:
            return self.directory.acting(credential.caller, *source_of(request, claim, credential.caller))
        return credential.caller

    def call(self, received: Received, route: Route, caller: Caller, values: Any) -> Call:
        """The call that this request makes with this input, if `caller` made it."""
        request, fields = received.request, received.request.fields
        return Call(
            operation=route.operation,
            caller=caller,
            region=self._region(received),
            now=received.now,
            request_id=received.request_id,
            transaction=self.store.transaction(write=route.operation.changes(values)),
            environment=self.environment,
            source=request.source,
            secure=request.secure,
            user_agent=fields.get("user-agent", ""),
            referer=fields.get("referer", ""),
            door=self,
            sent=request,
        )

    def through(self, call: Call, by: str, service: str, operation: str, request: Any) -> Any:
        """An operation of another service for the caller of `call`: what door.Door says."""
        return self.inside(call, self._forwarder.through(call.caller, by, call.now), service, operation, request)

    def inside(self, call: Call, caller: Caller, service: str, operation: str, request: Any) -> Any:
        """An operation of another service for `caller`: what door.Door says."""
        route = self.route(service, operation)
        if route is None:
            raise self._not_offered(service, operation)
        inner = msgspec.structs.replace(
            call,
            operation=route.operation,
            caller=caller,
            request_id=ids.request_id(self.environment.noise),
            transaction=Joined(call.transaction),
        )
        return self.invoke(inner, msgspec.convert(request, route.input))

    def who_signed(self, service: Caller, request: Request, payload: str, now: float) -> Signed:
        """Who signed a request that was sent to a registered service: what door.Door says."""
        return who_signed(self.directory, self.store, service, request, payload, now)

    def invoke(self, call: Call, request: Any) -> Any:
        """Find what the call acts on, authorize it, do it, and have it written down.

        The only way to a handler. Returns its output once it is durable. Raises ApiError, or store.waiting.Waits.
        """
        targets: tuple[Target, ...] = ()
        decision = output = refused = None
        is_over, sent = True, call.sent
        try:
            with call.transaction:
                target = call.operation.find(call, request)
                targets = (target, *target.also)
                throttle(call, request, target)
                for each in targets:
                    decision = self._authorizer.authorize(call, each)
                for each in targets:
                    if each.absent is not None:
                        raise each.absent  # a stranger cannot tell "missing" from "not yours"
                output = call.operation.handler(call, request, target.record)
        except Waits:
            is_over = False  # nothing has happened yet: it is begun again by a thread that may wait
            raise
        except Exception as error:
            refused, output = as_api_error(error, call.request_id), None
            if isinstance(refused, api.AccessDenied) and refused.ruling:
                decision = refused.ruling.decision
            if refused is error:
                raise
            raise refused from error
        finally:
            if is_over:
                self.audit(
                    Event(
                        time=call.now,
                        request_id=call.request_id,
                        source=call.source,
                        user_agent=call.user_agent,
                        region=call.region,
                        access_key_id=call.caller.access_key_id,
                        route=self.routes[call.operation.service, call.operation.name],
                        caller=call.caller,
                        targets=targets,
                        decision=decision,
                        request=request,
                        response=output,
                        error=refused,
                        tls=None if sent is None or sent.tls is None else sent.protection,
                        additional=call.additional,
                    )
                )
        return output

    def refused(self, error: ApiError, received: Received, caller: Caller | None = None) -> Response:
        """The refusal as its protocol has it. One by a policy carries what DecodeAuthorizationMessage opens."""
        route, sealed = received.route, None
        if caller is not None and isinstance(error, api.AccessDenied) and error.ruling is not None:
            text, environment = authorization_message(error.ruling, caller.user_id), self.environment
            sealed = seal_message(environment.ring, text, caller.account, received.now, environment.entropy)
        service = route.service if route else received.service
        return refuse(error, service, received.request, received.request_id, sealed)

    def _not_offered(self, service: str, name: str) -> api.UnknownOperation:
        """The refusal of an operation that the model has and this server does not."""
        reason = self._refusals.get((service, name))
        if reason is None:
            return api.UnknownOperation(f"{service}:{name} is not implemented by Bailiwick.")
        return api.UnknownOperation(f"{service}:{name} is not offered by Bailiwick: {reason}.")

    def _region(self, received: Received) -> str:
        if received.route and received.route.is_global:
            return _REGION_OF_GLOBAL_SERVICES.get(self.environment.partition, self.environment.region)
        return (received.claim.region if received.claim else "") or self.environment.region

    def _event(self, received: Received, caller: Caller | None, error: ApiError, values: Any) -> Event:
        request, claim = received.request, received.claim
        return Event(
            time=received.now,
            request_id=received.request_id,
            source=request.source,
            user_agent=request.header("user-agent") or "",
            region=self._region(received),
            access_key_id=claim.access_key_id if claim else None,
            route=received.route,
            caller=caller,
            request=values,
            error=error,
            tls=request.protection,
        )


def _route(service: Service, operation: Operation) -> Route:
    name = f"{operation.service}:{operation.name}"
    model = models.service(operation.service)
    if operation.name not in model.operations:
        raise ValueError(f"{name} is not in its service model")
    found = model.operations[operation.name]
    if found.signed == (operation.by is not None):
        raise ValueError(f"{name}: exactly the operations that the model leaves unsigned declare by=")
    inputs = typing.get_type_hints(operation.handler)
    return Route(operation, found, model, service.is_global, inputs["request"], service.refuses, service.rules)
