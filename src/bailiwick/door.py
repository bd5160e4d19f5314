"""The door from one service to another, and what passes through it: no network, no private road.

A service that needs another one for its caller (Secrets Manager needs KMS) asks the door. The call is made with the
caller's own rights, is authorized and audited like any other, and conditions see through whom it came:
aws:CalledVia, aws:ViaAWSService, kms:ViaService.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Executable, Row

from bailiwick.api import Call, Caller, Transaction
from bailiwick.core.message import Request

T = TypeVar("T")


class Signed(NamedTuple):
    """Who signed a request, and what is the same for this request alone: the SHA-256 of what was signed."""

    caller: Caller
    proof: str


class Door(Protocol):
    """What a handler can ask of the rest of the house."""

    def through(self, call: Call, by: str, service: str, operation: str, request: Any) -> Any:
        """Do an operation of another service with the rights of the caller of `call`, as the service `by`.

        `by` is the name of a service principal (`secretsmanager.amazonaws.com`); `request` is the typed input, or
        its members in a dictionary, and the output is typed. It happens within the call's transaction, which must
        be one that writes if the operation does. Raises what the operation raises, AccessDenied among it.
        """

    def inside(self, call: Call, caller: Caller, service: str, operation: str, request: Any) -> Any:
        """As `through`, but with the rights of `caller`: a service of this house as itself.

        A service that hands out roles asks so for a session of one: what the role's trust policy says of the
        service decides, not what whoever asked the service may do. service_principals.of_house makes the caller.
        """

    def who_signed(self, service: Caller, request: Request, payload: str, now: float) -> Signed:
        """Who signed a request that was sent to a service which the operator registered.

        `payload` stands for its body: the SHA-256 in hexadecimal digits. It must have been signed for this service
        within the last 15 minutes. Raises core.errors.SignatureError. To be asked before anything of the
        transaction of a call is used.
        """


class Joined:
    """A transaction within another: it begins and ends with that one."""

    def __init__(self, outer: Transaction) -> None:
        self._outer = outer

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing: the outer transaction commits or rolls back."""

    def all(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        """As the outer transaction."""
        return self._outer.all(statement, parameters)

    def one(self, statement: Executable, parameters: Any = None) -> Row[Any] | None:
        """As the outer transaction."""
        return self._outer.one(statement, parameters)

    def run(self, statement: Executable, parameters: Any = None) -> int:
        """As the outer transaction."""
        return self._outer.run(statement, parameters)

    def begin_writing(self) -> None:
        """As the outer transaction."""
        self._outer.begin_writing()

    def rest(self) -> None:
        """As the outer transaction."""
        self._outer.rest()

    def settle(self) -> None:
        """Raises RuntimeError: what another began is not committed before that one ends."""
        raise RuntimeError("a transaction within another is not committed by itself")

    def changed(self, *topics: str) -> None:
        """As the outer transaction."""
        self._outer.changed(*topics)

    def remember(self, kind: str, key: Hashable, load: Callable[[Transaction], tuple[T, Iterable[str]]]) -> T:
        """As the outer transaction."""
        return self._outer.remember(kind, key, load)
