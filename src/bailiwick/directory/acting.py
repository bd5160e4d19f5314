"""Whom a service acts for: it says so in two headers, which are believed of services alone.

    x-bailiwick-source-arn       the resource on whose behalf it calls: aws:SourceArn
    x-bailiwick-source-account   the account of that resource: aws:SourceAccount

aws:SourceOrgID and aws:SourceOrgPaths follow from the account. A service that is tricked into acting for somebody
else's resource says so here, and the policies' conditions refuse it: the confused deputy.
"""

from __future__ import annotations

from bailiwick.api import AccessDenied, Caller, ValidationError
from bailiwick.core import arn
from bailiwick.core.errors import ArnError, IncompleteSignature
from bailiwick.core.message import Request
from bailiwick.core.policy.question import PrincipalKind
from bailiwick.core.sigv4.claim import Claim

SOURCE_ARN, SOURCE_ACCOUNT = "x-bailiwick-source-arn", "x-bailiwick-source-account"
_LONGEST = 2048


def source_of(request: Request, claim: Claim, caller: Caller) -> tuple[str | None, str | None]:
    """The ARN and the account of what `caller`, whose signature holds, says that it acts for.

    An ARN that has an account in it says which account. Raises IncompleteSignature for what is not signed or is
    there twice, AccessDenied for callers that are no services, ValidationError for what makes no sense.
    """
    for name in (SOURCE_ARN, SOURCE_ACCOUNT):
        if name in request.fields and name not in claim.scope.signed_headers:
            raise IncompleteSignature(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
        if len(request.all(name)) > 1:
            raise IncompleteSignature(f"The request has more than one '{name}' header.")
    if caller.kind is not PrincipalKind.SERVICE:
        raise AccessDenied(f"Only a service may say what it acts for ({SOURCE_ARN}, {SOURCE_ACCOUNT}).")
    source_arn, account = request.header(SOURCE_ARN), request.header(SOURCE_ACCOUNT)
    within = "" if source_arn is None else _account_in(source_arn)
    if account is not None and not _is_account(account):
        raise ValidationError(f"{SOURCE_ACCOUNT} must be an account id: 12 digits.")
    if account is not None and within not in ("", account):
        raise ValidationError(f"{SOURCE_ACCOUNT} is not the account in {SOURCE_ARN}.")
    return source_arn, account or within or None


def _account_in(source_arn: str) -> str:
    """The account in an ARN, empty where it has none."""
    try:
        account = arn.parse(source_arn).account
    except ArnError:
        account = None
    if account is None or len(source_arn) > _LONGEST or (account and not _is_account(account)):
        raise ValidationError(f"{SOURCE_ARN} must be an ARN.")
    return account


def _is_account(text: str) -> bool:
    return len(text) == 12 and text.isascii() and text.isdigit()
