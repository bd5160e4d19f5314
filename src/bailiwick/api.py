"""The six words of Bailiwick: Caller, Target, Call, Operation, Service, ApiError.

Every request becomes a Call made by a Caller on a Target. If a feature needs a seventh word, look again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from bailiwick.core.assertion.jwt import Issuers
from bailiwick.core.attempts import Attempts
from bailiwick.core.formats import Session, SessionKind
from bailiwick.core.happened import Happened
from bailiwick.core.message import Request
from bailiwick.core.noted import Noted
from bailiwick.core.peers import Peers
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Rule
from bailiwick.core.rates import UNLIMITED, Quota, Rates
from bailiwick.core.seal import KeyRing
from bailiwick.core.sigv4.rules import STRICT, Rules
from bailiwick.outside import History, KeyProxies, People, Token
from bailiwick.refusals import (
    AccessDenied,
    ApiError,
    CommonError,
    ExpiredToken,
    IncompleteSignature,
    InternalFailure,
    InvalidClientTokenId,
    InvalidParameterValue,
    MalformedInput,
    MissingAuthenticationToken,
    RequestTooLarge,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    Throttling,
    UnknownOperation,
    ValidationError,
)
from bailiwick.transaction import Transaction

if TYPE_CHECKING:
    from bailiwick.door import Door

__all__ = [
    "AccessDenied",
    "ApiError",
    "Call",
    "Caller",
    "Chore",
    "CommonError",
    "Environment",
    "ExpiredToken",
    "Finder",
    "Handler",
    "History",
    "IncompleteSignature",
    "InternalFailure",
    "InvalidClientTokenId",
    "InvalidParameterValue",
    "MalformedInput",
    "Membership",
    "MissingAuthenticationToken",
    "Operation",
    "Quick",
    "RequestTooLarge",
    "Service",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "Target",
    "Throttling",
    "Transaction",
    "UnknownOperation",
    "ValidationError",
    "anyone",
    "nothing",
]

T = TypeVar("T")


class Membership(msgspec.Struct, frozen=True, weakref=True):
    """An account's place in its organization, and the control policies that apply there.

    `path` is as aws:PrincipalOrgPaths has it (`o-x/r-y/ou-z/`). `scps` and `rcps` have a layer for each level, from
    the root to the account; none for the management account. An account that was closed is not `active`.
    """

    organization: str
    path: str
    scps: tuple[Layer, ...] = ()
    rcps: tuple[Layer, ...] = ()
    active: bool = True

    @property
    def weight(self) -> int:
        """About how many bytes it holds."""
        return 2_000 + sum(layer.weight for layer in (*self.scps, *self.rcps))


class Caller(msgspec.Struct, frozen=True, weakref=True):
    """Who is asking. Made from a verified signature or from a signed-in page, never otherwise.

    `user_id` is what GetCallerIdentity shows. `name` is the user's name, None for others. `context` holds
    the condition keys that do not change between requests of this caller. `identity`, `boundary` and
    `session_policy` are the compiled layers that apply; None means that there is no such layer. `membership` is
    the place of its account in an organization, and `scps` the service control policies that bind it.
    """

    principal: Principal
    user_id: str
    name: str | None = None
    access_key_id: str | None = None
    session: Session | None = None
    tags: dict[str, str] = {}
    context: Context = {}
    identity: Layer | None = None
    boundary: Layer | None = None
    session_policy: Layer | None = None
    membership: Membership | None = None
    scps: tuple[Layer, ...] = ()

    @property
    def parts(self) -> Iterator[tuple[Layer, int]]:
        """Its policies, each with about how many bytes it holds: what a memory of callers keeps alive."""
        for layer in (self.identity, self.boundary, self.session_policy, *self.scps):
            if layer is not None:
                yield layer, layer.weight

    @property
    def arn(self) -> str:
        """The ARN that AWS shows for this caller."""
        return self.principal.arn

    @property
    def account(self) -> str:
        """The caller's account id: 12 digits."""
        return self.principal.account

    @property
    def kind(self) -> PrincipalKind:
        """What kind of principal this is."""
        return self.principal.kind


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation acts on.

    `policy` is its resource policy, compiled. `record` is what was loaded, handed to the handler. `absent`
    is the error to raise, if it does not exist, for someone allowed to know. `action` names the IAM action
    where it is not `service:Operation`. `label` is how AWS's refusal names it where that is not the ARN
    (`user alice`). `also` are further targets on which the call must be allowed as well.
    """

    account: str
    arn: str = "*"
    rule: Rule = Rule.ORDINARY
    policy: Layer | None = None
    context: Context = {}
    record: Any = None
    absent: ApiError | None = None
    action: str | None = None
    label: str | None = None
    also: tuple[Target, ...] = ()


class Environment(msgspec.Struct, frozen=True):
    """What a handler may use of the world: time, randomness and the key ring are passed in.

    `entropy` is for keys and secrets; `noise`, faster, for what must be unique and is none. `names_policies` has
    refusals name the managed policy that denied. `history` is None where no audit trail is kept. `attempts` slows
    down who guesses. `public_url` has no slash at its end. `issuers` is None where no web identity token is
    accepted, `people` where no company's directory is set up. `key_uses` has the uses of KMS keys that are not
    written yet. `saml_weak_signatures` accepts SHA-1 from SAML providers. `rates` is None where no call is one too
    many. `hsms` are HSMs by name, `key_proxies` leads to external key stores, `peers` to others who share keys.
    """

    partition: str
    region: str  # the default one
    ring: KeyRing
    now: Callable[[], float]
    entropy: Callable[[int], bytes]
    noise: Callable[[int], bytes]
    names_policies: bool = False
    history: History | None = None
    attempts: Attempts = msgspec.field(default_factory=Attempts)
    public_url: str = "http://127.0.0.1:4577"
    issuers: Issuers | None = None
    people: People | None = None
    saml_weak_signatures: bool = False
    key_uses: Noted[str, str] = msgspec.field(default_factory=Noted)
    rates: Rates | None = None
    hsms: Mapping[str, Token] = {}
    key_proxies: KeyProxies | None = None
    peers: Peers = msgspec.field(default_factory=Peers)


class Call(msgspec.Struct):
    """One operation in flight.

    `now` is epoch seconds (UTC), one value for the whole call. `source` is the client's address, `secure`
    whether it came over TLS. `door` leads to other services, and to who else is known here. `sent` is the request
    as it came over the wire, for operations whose caller is proven by it in a way of their own. `additional` is
    what a handler has the audit trail tell beside input and output (CloudTrail's additionalEventData); no secret.
    """

    operation: Operation
    caller: Caller
    region: str
    now: float
    request_id: str
    transaction: Transaction
    environment: Environment
    source: str = "127.0.0.1"
    secure: bool = False
    user_agent: str = ""
    referer: str = ""
    door: Door | None = None
    sent: Request | None = None
    additional: dict[str, str | bool] | None = None

    @property
    def account(self) -> str:
        """The caller's account id."""
        return self.caller.principal.account

    @property
    def partition(self) -> str:
        """The partition: `aws` unless the deployment was set up as another."""
        return self.environment.partition


Finder = Callable[[Call, Any], Target]
Handler = Callable[[Call, Any, Any], Any]
Quick = bool | Callable[[Request], bool]
Chore = Callable[[Transaction, Environment, float], Sequence[Happened] | None]


class Operation(msgspec.Struct, frozen=True):
    """One operation: its name, how to find its target, its handler.

    Protocol, shapes and whether it is signed come from the service model. `writes` opens a write transaction;
    `writes_with` names the member of the input with which alone the operation writes. `quick` marks what is short
    enough to run on the event loop once its caches are warm, or tells it by the request's bytes; it calls no other
    service and may be begun twice. `by` makes the caller of an operation that the model leaves unsigned; such
    operations must have it. `quota` is how often it may be called. What `asks_first` writes after it has asked
    somebody else's server, or computed for long: its transaction begins as one that reads, lest everybody waits for
    that, and the handler has it go on (`begin_writing`).
    """

    service: str
    name: str
    find: Finder
    handler: Handler
    writes: bool = False
    quick: Quick = False
    by: Callable[[Call, Any], Caller] | None = None
    writes_with: str | None = None
    quota: Quota = UNLIMITED
    asks_first: bool = False

    @property
    def action(self) -> str:
        """The IAM action of the same name."""
        return f"{self.service}:{self.name}"

    def changes(self, values: Any) -> bool:
        """Whether a call with this input needs a write transaction from its beginning on."""
        named = self.writes_with is not None and getattr(values, self.writes_with) is not None
        return not self.asks_first and (self.writes or named)


class Service:
    """A named set of operations.

    `name` is the name of its botocore model and its IAM prefix. A service that `is_global` has one endpoint
    for all regions of a partition, and its calls are made in that endpoint's region whatever the client's.
    Sessions of the kinds in `refuses` are not let in unless they were begun with MFA. `rules` are the forms of
    signature that it accepts, `quota` is how often its operations may be called.
    """

    def __init__(
        self,
        name: str,
        *,
        is_global: bool = False,
        refuses: frozenset[SessionKind] = frozenset(),
        rules: Rules = STRICT,
        quota: Quota = UNLIMITED,
    ) -> None:
        self.name = name
        self.is_global = is_global
        self.refuses = refuses
        self.rules = rules
        self.quota = quota
        self.operations: dict[str, Operation] = {}
        self.refusals: dict[str, str] = {}
        self.chores: list[Chore] = []
        self.errands: list[Chore] = []

    def chore(self, work: Chore) -> Chore:
        """Register work that any process does each minute: little at once, harmless twice; it tells what it did."""
        self.chores.append(work)
        return work

    def errand(self, work: Chore) -> Chore:
        """Register a chore that asks somebody else's server: its transaction begins as one that reads."""
        self.errands.append(work)
        return work

    def refuse(self, reason: str, *names: str) -> None:
        """Say why operations are not offered, in the answer and in docs/services/: `NAME is not offered here: `.

        Raises ValueError for a name given twice.
        """
        for name in names:
            if name in self.operations or name in self.refusals:
                raise ValueError(f"{self.name}:{name} is registered twice")
            self.refusals[name] = reason

    def operation(
        self,
        name: str,
        *,
        on: Finder,
        writes: bool = False,
        quick: Quick = False,
        by: Callable[[Call, Any], Caller] | None = None,
        writes_with: str | None = None,
        asks_first: bool = False,
    ) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Register a handler `(call, request, record) -> response` for the operation called `name`.

        Raises ValueError for a name registered twice.
        """

        def register(handler: Callable[..., T]) -> Callable[..., T]:
            if name in self.operations or name in self.refusals:
                raise ValueError(f"{self.name}:{name} is registered twice")
            self.operations[name] = Operation(
                self.name, name, on, handler, writes, quick, by, writes_with, self.quota, asks_first
            )
            return handler

        return register


def nothing(call: Call, request: Any) -> Target:
    """The target of an operation that acts on no resource: identity policies decide, on `*`."""
    return Target(account=call.account)


def anyone(call: Call, request: Any) -> Target:
    """The target of an operation that is open to every verified caller, whatever its policies say."""
    return Target(account=call.account, rule=Rule.NONE)


class Later(NamedTuple):
    """A service that is loaded when it is first asked for."""

    name: str
    loading: Callable[[str], Service]

    def load(self) -> Service:
        """The service."""
        return self.loading(self.name)
