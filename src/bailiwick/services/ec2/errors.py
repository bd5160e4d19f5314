"""EC2's errors, which its model does not name: codes and texts as its clients know them."""

from __future__ import annotations

from bailiwick.api import ApiError


class DryRunOperation(ApiError):
    code = "DryRunOperation"
    status = 412


class IncorrectState(ApiError):
    code = "IncorrectState"


class InvalidAssociationIdNotFound(ApiError):
    code = "InvalidAssociationID.NotFound"


class InvalidId(ApiError):
    code = "InvalidID"


class InvalidInstanceIdMalformed(ApiError):
    code = "InvalidInstanceID.Malformed"


class InvalidInstanceIdNotFound(ApiError):
    code = "InvalidInstanceID.NotFound"


class InvalidNextToken(ApiError):
    code = "InvalidNextToken"


class InvalidParameterCombination(ApiError):
    code = "InvalidParameterCombination"


class InvalidParameterValue(ApiError):
    code = "InvalidParameterValue"


class MissingParameter(ApiError):
    code = "MissingParameter"


class TagLimitExceeded(ApiError):
    code = "TagLimitExceeded"


def looks_only(request: object) -> None:
    """Raise DryRunOperation where the caller, who is allowed, wanted to know no more."""
    if getattr(request, "DryRun", None):
        raise DryRunOperation("Request would have succeeded, but DryRun flag is set.")
