"""Managed policies: a list, one with versions and who has it, an editor with findings at their lines, a diff."""

from __future__ import annotations

import difflib
import json
from typing import Any
from urllib.parse import unquote

import msgspec

from bailiwick.api import ApiError
from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt, listed
from bailiwick.services.console.commands import command
from bailiwick.services.console.summary import of_policy
from bailiwick.web.form import Fields
from bailiwick.web.pages import Pages
from bailiwick.web.templating import with_query
from bailiwick.web.visit import Visit

pages = Pages()

_GRADES = {"ERROR": "bad", "SECURITY_WARNING": "bad", "WARNING": "warn", "SUGGESTION": "info"}
_EMPTY = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "kms:ListKeys",
      "Resource": "*"
    }
  ]
}"""


class Finding(msgspec.Struct, frozen=True):
    """What the checker found, at a line (from 1)."""

    grade: str
    kind: str
    code: str
    text: str
    line: int


class Line(msgspec.Struct, frozen=True):
    """A line of a document, with what was found there."""

    number: int
    text: str
    findings: list[Finding]


@pages.get("/console/iam/policies")
def policies(visit: Visit) -> Response:
    """A page of policies: one's own, or AWS's."""
    scope = "AWS" if visit.query.get("scope") == "AWS" else "Local"
    return visit.page(
        "console/policies.html", scope=scope, found=listed(visit, "iam", "ListPolicies", "Policies", Scope=scope)
    )


@pages.get("/console/iam/policy")
def policy(visit: Visit) -> Response:
    """One policy, at one of its versions."""
    arn = visit.query.get("arn", "")
    found = visit.call("iam", "GetPolicy", PolicyArn=arn).Policy
    wanted = visit.query.get("version") or found.DefaultVersionId
    version = visit.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=wanted).PolicyVersion
    document = unquote(version.Document)
    return visit.page(
        "console/policy.html",
        policy=found,
        version=version,
        document=document,
        granted=of_policy(document),
        versions=attempt(visit, "iam", "ListPolicyVersions", PolicyArn=arn),
        entities=attempt(visit, "iam", "ListEntitiesForPolicy", PolicyArn=arn),
        is_ours=":iam::aws:" not in arn,
    )


@pages.get("/console/iam/policy/diff")
def diff(visit: Visit) -> Response:
    """What is different between two versions."""
    arn, one, two = (visit.query.get(name, "") for name in ("arn", "a", "b"))
    texts = [
        unquote(visit.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=each).PolicyVersion.Document)
        for each in (one, two)
    ]
    before, after = (_pretty(text).splitlines() for text in texts)
    lines = list(difflib.unified_diff(before, after, one, two, lineterm="", n=100))
    return visit.page("console/diff.html", arn=arn, one=one, two=two, lines=lines[2:])


# -- The editor -------------------------------------------------------------------------------------------


@pages.get("/console/iam/policies/edit")
def edit(visit: Visit) -> Response:
    """The editor, with the text of a policy, or an empty one."""
    arn, text = visit.query.get("arn"), _EMPTY
    if arn:
        found = visit.call("iam", "GetPolicy", PolicyArn=arn).Policy
        version = visit.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=found.DefaultVersionId)
        text = _pretty(unquote(version.PolicyVersion.Document))
    return _editor(visit, Fields(""), arn, text)


@pages.post("/console/iam/policies/edit")
def save(visit: Visit) -> Response:
    """Check the text, or save it."""
    fields, text, arn = visit.form, visit.form.get("document", ""), visit.form.filled("arn")
    if fields.get("do") == "check":
        return _editor(visit, fields, arn, text)
    try:
        made = _saved(visit, fields, arn, text)
    except ApiError as error:
        return _editor(visit, fields, arn, text, str(error), status=400)
    return visit.redirect(with_query("/console/iam/policy", arn=made), good="The policy was saved.")


def _saved(visit: Visit, fields: Fields, arn: str | None, text: str) -> str:
    if arn:
        visit.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
        return arn
    made = visit.call(
        "iam",
        "CreatePolicy",
        PolicyName=fields.get("name", ""),
        PolicyDocument=text,
        Description=fields.filled("description"),
    )
    return str(made.Policy.Arn)


def _editor(
    visit: Visit, fields: Fields, arn: str | None, text: str, wrong: str = "", *, status: int = 200
) -> Response:
    operation, members = ("CreatePolicyVersion", {"PolicyArn": arn}) if arn else ("CreatePolicy", {})
    shown: dict[str, Any] = {**members, "PolicyDocument": "file://policy.json"}
    if arn:
        shown["SetAsDefault"] = True
    else:
        shown = {"PolicyName": fields.get("name", ""), **shown}
    checked = attempt(visit, "accessanalyzer", "ValidatePolicy", policyDocument=text, policyType="IDENTITY_POLICY")
    return visit.page(
        "console/policy_edit.html",
        status=status,
        arn=arn,
        fields=fields,
        text=text,
        lines=_lines(text, checked),
        checked=checked,
        granted=of_policy(text),
        wrong=wrong,
        command=command("iam", operation, shown),
    )


def _lines(text: str, checked: Any) -> list[Line]:
    """The document line by line, with the findings where they are."""
    if isinstance(checked, Gap):
        return []
    found = [
        Finding(_GRADES[each.findingType], each.findingType, each.issueCode, each.findingDetails, _line(each))
        for each in checked.findings
    ]
    return [
        Line(number, line, [each for each in found if each.line == number])
        for number, line in enumerate(text.splitlines() or [""], 1)
    ]


def _line(finding: Any) -> int:
    return max(int(finding.locations[0].span.start.line), 1) if finding.locations else 1


def _pretty(text: str) -> str:
    """A document with two spaces for each level; as it is, if it is no JSON."""
    try:
        return json.dumps(json.loads(text), indent=2)
    except ValueError:
        return text
