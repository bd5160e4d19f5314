"""The policy simulator: may this principal do these actions on this resource?"""

from __future__ import annotations

from typing import Any

from bailiwick.api import ApiError
from bailiwick.core.message import Response
from bailiwick.services.console.commands import command
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()


@pages.get("/console/simulator")
def simulator(visit: Visit) -> Response:
    """The form, and the answer if something was asked: so an answer has an address."""
    query = visit.query
    actions = [line.strip() for line in query.get("actions", "").replace(",", "\n").splitlines() if line.strip()]
    members: dict[str, Any] = {
        "PolicySourceArn": query.filled("principal"),
        "ActionNames": actions or None,
        "ResourceArns": [line.strip() for line in query.get("resources", "").splitlines() if line.strip()] or None,
        "ContextEntries": _context(query.get("context", "")) or None,
    }
    if "ResourceArns" in members and query.filled("policy"):
        members["ResourcePolicy"] = query["policy"]
    results: list[Any] = []
    wrong = ""
    if members["PolicySourceArn"] and actions:
        try:
            results = visit.call("iam", "SimulatePrincipalPolicy", **members).EvaluationResults or []
        except ApiError as error:
            wrong = str(error)
    return visit.page(
        "console/simulator.html",
        results=results,
        wrong=wrong,
        fields=query,
        command=command("iam", "SimulatePrincipalPolicy", members),
    )


def _context(text: str) -> list[dict[str, Any]]:
    """Condition keys, one in a line: `aws:SourceIp=192.0.2.1`."""
    entries = []
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip():
            entries.append(
                {"ContextKeyName": key.strip(), "ContextKeyType": "string", "ContextKeyValues": [value.strip()]}
            )
    return entries
