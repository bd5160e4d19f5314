"""The first page: who one is, what is in the account, what a security engineer would look at first."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.api import ApiError
from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()

_OLD = 90 * 86_400.0
_MOST = 20
_YES = "true"


class Finding(msgspec.Struct, frozen=True):
    """Something to look at. `grade` is bad, warn or good."""

    grade: str
    text: str
    path: str = ""


@pages.get("/console")
def home(visit: Visit) -> Response:
    """Where a person lands who has signed in."""
    summary = attempt(visit, "iam", "GetAccountSummary")
    report = attempt(visit, "iam", "GetCredentialReport")
    findings = [] if isinstance(summary, Gap) else _of_account(summary.SummaryMap or {})
    if not isinstance(report, Gap):
        findings += _of_report(report.Content, visit.now)
    return visit.page(
        "console/home.html",
        identity=visit.call("sts", "GetCallerIdentity"),
        summary=summary,
        findings=findings[:_MOST],
        more=max(len(findings) - _MOST, 0),
        report=report,
        aliases=attempt(visit, "iam", "ListAccountAliases"),
    )


@pages.post("/console/report")
def report(visit: Visit) -> Response:
    """Have the credential report made, of which the findings about people come."""
    try:
        visit.call("iam", "GenerateCredentialReport")
    except ApiError as error:
        return visit.redirect("/console", bad=str(error))
    return visit.redirect("/console", good="The credential report was made.")


def _of_account(summary: dict[str, int]) -> list[Finding]:
    found = []
    if summary.get("AccountAccessKeysPresent"):
        found.append(Finding("bad", "The root user has access keys. Delete them: users and roles can do without."))
    if not summary.get("AccountMFAEnabled"):
        found.append(Finding("bad", "The root user has no second factor.", "/signin/credentials"))
    if not summary.get("AccountPasswordPresent", 1):
        found.append(Finding("good", "The root user cannot sign in to the pages: she has no password."))
    return found


def _of_report(content: bytes, now: float) -> list[Finding]:
    """What the credential report shows of users."""
    found: list[Finding] = []
    for row in csv.DictReader(io.StringIO(content.decode())):
        name = row["user"]
        if name == "<root_account>":
            continue
        path = f"/console/iam/users/{name}"
        if row["password_enabled"] == _YES and row["mfa_active"] != "true":
            found.append(Finding("bad", f"{name} signs in with a password and no second factor.", path))
        for number in ("1", "2"):
            if row[f"access_key_{number}_active"] != "true":
                continue
            made = _age(row[f"access_key_{number}_last_rotated"], now)
            if made is not None and made > _OLD:
                found.append(Finding("warn", f"A key of {name} is {int(made // 86_400)} days old.", path))
            if row[f"access_key_{number}_last_used_date"] == "N/A" and made is not None and made > _OLD:
                found.append(Finding("warn", f"A key of {name} was never used.", path))
    return found


def _age(text: str, now: float) -> float | None:
    try:
        return now - datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp()
    except ValueError:
        return None


def short(arn: Any) -> str:
    """What is after the account in an ARN."""
    return str(arn).rpartition(":")[2]
