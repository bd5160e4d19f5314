"""Accounts and the organization that they are in, and identity providers."""

from __future__ import annotations

from typing import Any

from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt, every
from bailiwick.web.pages import Pages
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
