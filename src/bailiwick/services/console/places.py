"""Accounts and the organization that they are in, identity providers, and the search over everything."""

from __future__ import annotations

from typing import Any

from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt, every
from bailiwick.web.pages import Pages
from bailiwick.web.templating import segment, with_query
from bailiwick.web.visit import Visit

pages = Pages()


@pages.get("/console/accounts")
def accounts(visit: Visit) -> Response:
    """The organization, its accounts, its units, its policies."""
    organization = attempt(visit, "organizations", "DescribeOrganization")

    def ask(token: str | None) -> tuple[list[Any], str | None]:
        page = attempt(visit, "organizations", "ListAccounts", NextToken=token)
        return ([], None) if isinstance(page, Gap) else (page.Accounts or [], page.NextToken)

    return visit.page(
        "console/accounts.html",
        organization=organization,
        accounts=every(ask) if organization else [],
        roots=attempt(visit, "organizations", "ListRoots") if organization else Gap(""),
        policies=attempt(visit, "organizations", "ListPolicies", Filter="SERVICE_CONTROL_POLICY")
        if organization
        else Gap(""),
    )


@pages.get("/console/iam/providers")
def providers(visit: Visit) -> Response:
    """The identity providers that the account trusts."""
    return visit.page(
        "console/providers.html",
        oidc=attempt(visit, "iam", "ListOpenIDConnectProviders"),
        saml=attempt(visit, "iam", "ListSAMLProviders"),
        anchors=attempt(visit, "rolesanywhere", "ListTrustAnchors"),
    )


@pages.get("/console/search")
def search(visit: Visit) -> Response:
    """What has this name, id or ARN: one call for each kind of thing, whatever its number."""
    text = visit.query.filled("q") or ""
    return visit.page("console/search.html", text=text, found=_found(visit, text) if text else [])


def _found(visit: Visit, text: str) -> list[tuple[str, str, str]]:
    """What was found: its kind, its name, the address of its page."""
    if text.startswith("arn:") and ":policy/" in text:
        policy = attempt(visit, "iam", "GetPolicy", PolicyArn=text)
        return [("policy", text, with_query("/console/iam/policy", arn=text))] if policy else []
    name = text.rpartition("/")[2] if text.startswith("arn:") else text
    found = []
    for kind, operation, member in (
        ("user", "GetUser", "UserName"),
        ("group", "GetGroup", "GroupName"),
        ("role", "GetRole", "RoleName"),
    ):
        if attempt(visit, "iam", operation, **{member: name}):
            found.append((kind, name, f"/console/iam/{kind}s/{segment(name)}"))
    own = f"arn:{visit.environment.partition}:iam::{visit.caller.account}:policy/{name}"
    aws = f"arn:{visit.environment.partition}:iam::aws:policy/{name}"
    for arn in (own, aws):
        if attempt(visit, "iam", "GetPolicy", PolicyArn=arn):
            found.append(("policy", arn, with_query("/console/iam/policy", arn=arn)))
    for key in (text, f"alias/{text}"):
        described = attempt(visit, "kms", "DescribeKey", KeyId=key)
        if described:
            key_id = described.KeyMetadata.KeyId
            found.append(("key", key, f"/console/kms/keys/{segment(key_id)}"))
            break
    used = attempt(visit, "iam", "GetAccessKeyLastUsed", AccessKeyId=text) if text.startswith("AKIA") else None
    if used:
        found.append(("access key of", used.UserName or "", f"/console/iam/users/{segment(used.UserName or '')}"))
    events = [{"AttributeKey": "EventId", "AttributeValue": text}]
    if text.count("-") == 4:
        happened = attempt(visit, "cloudtrail", "LookupEvents", LookupAttributes=events, MaxResults=1)
        if happened and happened.Events:
            found.append(("event", happened.Events[0].EventName or "", f"/console/audit/{segment(text)}"))
    return found
