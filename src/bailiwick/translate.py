"""What went wrong, as what the client reads: the one place where errors of core and store become refusals."""

from __future__ import annotations

import structlog

from bailiwick import api
from bailiwick.api import ApiError
from bailiwick.core import errors
from bailiwick.store import StoreUnavailable, Unstorable

log = structlog.get_logger()

_TRANSLATED: dict[type[errors.CoreError], type[ApiError]] = {
    errors.MissingAuthentication: api.MissingAuthenticationToken,
    errors.IncompleteSignature: api.IncompleteSignature,
    errors.ScopeMismatch: api.SignatureDoesNotMatch,
    errors.RequestSkewed: api.SignatureDoesNotMatch,
    errors.UnknownToken: api.InvalidClientTokenId,
    errors.ExpiredToken: api.ExpiredToken,
}


def as_api_error(error: Exception, request_id: str) -> ApiError:
    """The refusal that tells `error`. What nobody meant to happen is logged, and told as AWS's InternalFailure."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Unstorable):
        return api.ValidationError("A value in the request holds a character that cannot be stored.")
    if isinstance(error, StoreUnavailable):
        log.error("store unavailable", request_id=request_id, reason=str(error))
        return api.ServiceUnavailable("The service is unavailable. Please try again shortly.")
    if isinstance(error, errors.SignatureMismatch):
        return api.SignatureDoesNotMatch(str(error), error.canonical_request, error.string_to_sign)
    for kind, translated in _TRANSLATED.items():
        if isinstance(error, kind):
            return translated(str(error))
    log.error("internal failure", request_id=request_id, exc_info=error)
    return api.InternalFailure("The request processing has failed because of an unknown error.")
