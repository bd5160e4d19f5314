"""Refusals that a client is meant to read: ApiError, and those of every service.

Those that one service's model names are generated into its shapes.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from bailiwick.core.policy.decide import Ruling


class ApiError(Exception):
    """A refusal that the client is meant to read, under AWS's own code.

    The errors that a service's model names are generated into its shapes.py as subclasses.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400
    sender: ClassVar[bool] = True  # whose fault: the client's, or ours

    def __init__(self, message: str = "", **members: object) -> None:
        """Take AWS's text, and further members that the model gives this error."""
        super().__init__(message)
        self.message = message
        self.members = members


class CommonError(ApiError):
    """An error of every service, whose code and status differ by protocol: wire/refusal.py has the table."""


class AccessDenied(CommonError):
    """The caller is known and may not do this; `ruling` is why, where a decision was made."""

    def __init__(self, message: str = "", ruling: Ruling | None = None) -> None:
        super().__init__(message)
        self.ruling = ruling


class ValidationError(CommonError):
    """The input does not satisfy the service model or the meaning of the operation."""


class MalformedInput(CommonError):
    """The body is not of the protocol's form."""


class InvalidParameterValue(CommonError):
    """A value that is well-formed and makes no sense."""


class UnknownOperation(CommonError):
    """No such operation, or one that this server does not implement."""


class MissingAuthenticationToken(CommonError):
    """Nothing was signed."""


class IncompleteSignature(CommonError):
    """The credential in the request cannot be read."""


class SignatureDoesNotMatch(CommonError):
    """The signature, its scope or its time is wrong.

    `canonical_request` and `string_to_sign` are what the server computed, for protocols that echo them.
    """

    def __init__(self, message: str = "", canonical_request: str = "", string_to_sign: str = "") -> None:
        super().__init__(message)
        self.canonical_request = canonical_request
        self.string_to_sign = string_to_sign


class InvalidClientTokenId(CommonError):
    """Unknown or inactive key, or a session token that does not belong to it."""


class ExpiredToken(CommonError):
    """The session has ended."""


class RequestTooLarge(CommonError):
    """The request exceeds a limit of the server."""


class Throttling(CommonError):
    """Too many requests."""


class ServiceUnavailable(CommonError):
    """The server cannot answer now; the same request may be sent again."""

    sender = False


class InternalFailure(CommonError):
    """Something broke on our side: logged in full under the request id, told in nothing."""

    sender = False
