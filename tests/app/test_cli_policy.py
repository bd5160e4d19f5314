"""`bailiwick policy evaluate`: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bailiwick.app.cli import app

USER = "arn:aws:iam::111122223333:user/team/alice"
ROLE = "arn:aws:iam::111122223333:role/path/app"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
ALLOW = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
DENY = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
NOTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "none:Such", "Resource": "*"}}


def trusting(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": principal, "Action": "*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def evaluate(*questions: dict[str, Any] | str, status: int = 0) -> list[dict[str, Any]]:
    lines = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in questions)
    result = CliRunner().invoke(app, ["policy", "evaluate"], input=lines)
    assert result.exit_code == status, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def ask(
    principal: Any = USER, action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/k", **more: Any
) -> Any:
    policies = {name: more.pop(name) for name in list(more) if name in _LAYERS}
    if "resource_policy" in policies:
        policies["resource"] = policies.pop("resource_policy")
    return evaluate({"principal": principal, "action": action, "resource": resource, "policies": policies, **more})[
        0
    ]


_LAYERS = ("identity", "boundary", "session", "resource_policy", "scp", "rcp")


@pytest.mark.parametrize(
    ("question", "decision", "layer"),
    [
        ({}, "implicitDeny", "identity"),
        ({"identity": ALLOW}, "allowed", "identity"),
        ({"identity": json.dumps(ALLOW)}, "allowed", "identity"),
        ({"identity": [{"name": "all", "policy": ALLOW}, DENY]}, "explicitDeny", "identity"),
        ({"identity": ALLOW, "boundary": DENY}, "explicitDeny", "boundary"),
        ({"identity": ALLOW, "scp": [ALLOW, DENY]}, "explicitDeny", "scp"),
        ({"identity": ALLOW, "scp": [[ALLOW], []]}, "implicitDeny", "scp"),
        ({"identity": ALLOW, "scp": [[ALLOW], [ALLOW]]}, "allowed", "identity"),
        ({"identity": ALLOW, "rcp": [trusting("*", "Deny")]}, "explicitDeny", "rcp"),
        ({"identity": ALLOW, "rcp": [trusting({"AWS": "444455556666"}, "Deny")]}, "allowed", "identity"),
        ({"identity": ALLOW, "rcp": trusting("*", "Deny"), "action": "ec2:RunInstances"}, "allowed", "identity"),
        ({"principal": ROLE, "identity": ALLOW, "session": DENY}, "explicitDeny", "session"),
        ({"identity": ALLOW, "resource_account": "444455556666"}, "implicitDeny", "resource"),
        (
            {"identity": ALLOW, "resource_account": "444455556666", "resource_policy": trusting({"AWS": USER})},
            "allowed",
            "identity",
        ),
        ({"resource_policy": trusting({"AWS": USER}), "boundary": ALLOW}, "allowed", "resource"),
        ({"principal": ROLE, "resource_policy": trusting({"AWS": ROLE})}, "allowed", "resource"),
        (
            {"principal": ROLE, "resource_policy": trusting({"AWS": ROLE}), "boundary": NOTHING},
            "implicitDeny",
            "boundary",
        ),
        ({"principal": "*", "resource_policy": trusting("*")}, "allowed", "resource"),
        ({"principal": "*", "resource_policy": trusting({"AWS": "111122223333"})}, "implicitDeny", "resource"),
        (
            {"principal": "sns.amazonaws.com", "resource_policy": trusting({"Service": "sns.amazonaws.com"}), "scp": DENY},
            "allowed",
            "resource",
        ),
        ({"principal": "111122223333"}, "allowed", None),
        ({"principal": "111122223333", "scp": DENY}, "explicitDeny", "scp"),
        ({"identity": ALLOW, "resource": KEY, "action": "kms:Decrypt"}, "allowed", "identity"),
        (
            {"identity": ALLOW, "resource": KEY, "action": "kms:Decrypt", "resource_policy": trusting({"AWS": ROLE})},
            "implicitDeny",
            "resource",
        ),
        (
            {
                "action": "sts:AssumeRole",
                "resource": ROLE,
                "resource_policy": {"Statement": {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:*"}},
            },
            "allowed",
            "resource",
        ),
    ],
)  # fmt: skip
def test_answers(question: dict[str, Any], decision: str, layer: str | None) -> None:
    said = ask(**question)
    assert (said["decision"], said["layer"]) == (decision, layer)
    assert said["allowed"] is (decision == "allowed")
    assert said["reason"]


def test_what_follows_from_the_question_is_filled_in() -> None:
    wanted = {
        "aws:username": "alice",
        "aws:PrincipalArn": USER,
        "aws:PrincipalAccount": "111122223333",
        "aws:ResourceAccount": "111122223333",
        "aws:PrincipalType": "User",
        "app:Flag": "true",
        "app:Count": "3",
    }
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": wanted}}
    said = ask(identity={"Statement": statement}, context={"app:flag": True, "APP:count": 3, "app:Gone": None})
    assert said["allowed"]


def test_questions_that_cannot_be_read_are_told_and_the_rest_is_answered() -> None:
    good = {"id": 7, "Principal": USER, "action": "s3:GetObject", "resource": "*", "policies": {"identity": ALLOW}}
    said = evaluate(
        "{",
        {"action": "s3:GetObject"},
        {"id": "x", "principal": "bob", "action": "a:b", "resource": "*"},
        {"principal": USER, "action": "a:b", "resource": "*", "policies": {"identities": ALLOW}},
        {"principal": USER, "action": "a:b", "resource": "*", "policies": {"identity": {"Statement": []}}},
        {"principal": USER, "action": "a:b", "resource": "*", "context": {"a": {}}},
        {"principal": USER, "action": "a:b", "resource": "*", "colour": 1},
        good,
        status=1,
    )
    assert ["error" in each for each in said] == [True] * 7 + [False]
    assert said[1]["error"] == "`principal` is missing"
    assert said[2]["id"] == "x"
    assert said[7]["id"] == 7
    assert said[7]["decision"] == "allowed"


CASES = """
policies:
  own: own.json
  no-mfa:
    Version: 2012-10-17
    Statement:
      Effect: Deny
      Action: "*"
      Resource: "*"
      Condition: {BoolIfExists: {"aws:MultiFactorAuthPresent": false}}
defaults:
  principal: arn:aws:iam::111122223333:user/alice
  policies: {identity: [own, no-mfa]}
  context: {"aws:MultiFactorAuthPresent": true}
cases:
  - name: her own folder
    action: [s3:GetObject, s3:PutObject]
    resource: arn:aws:s3:::logs/alice/today
    expect: allowed
    layer: identity
  - name: not without MFA
    action: s3:GetObject
    resource: arn:aws:s3:::logs/alice/today
    context: {"aws:MultiFactorAuthPresent": null}
    expect: explicitDeny
  - name: nobody else's
    action: s3:GetObject
    resource: arn:aws:s3:::logs/bob/today
    expect: denied
"""


def run_cases(folder: Path, text: str, *more: str) -> Result:
    own = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::logs/${aws:username}/*"}
    (folder / "own.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": own}))
    (folder / "cases.yaml").write_text(text)
    return CliRunner().invoke(app, ["policy", "test", str(folder / "cases.yaml"), *more])


def test_cases_that_hold(tmp_path: Path) -> None:
    result = run_cases(tmp_path, CASES)
    assert result.exit_code == 0, result.output
    assert "4 cases, 0 failed" in result.output


def test_cases_that_fail_say_why_and_are_reported(tmp_path: Path) -> None:
    text = CASES.replace("expect: denied", "expect: allowed").replace("layer: identity", "layer: resource")
    report = tmp_path / "junit.xml"
    result = run_cases(tmp_path, text, "--junit", str(report))
    assert result.exit_code == 1
    assert "expected allowed, but it is implicitDeny: No identity-based policy allows s3:GetObject" in result.output
    assert "4 cases, 3 failed" in result.output
    suite = ElementTree.fromstring(report.read_text())[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "3", "0")
    assert len(suite.findall("testcase/failure")) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "cases: []",
        "cases: [{}]",
        "colours: 1",
        "cases: [{expect: yes}]",
        ": :",
        CASES.replace("own.json", "no.json"),
    ],
)
def test_files_of_cases_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    assert run_cases(tmp_path, text).exit_code == 2


def test_the_examples_in_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    shown = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL))
    for name in ("cases.yaml", "own-folder.json", "odd.json"):
        (tmp_path / name).write_text(shown[name])
    result = CliRunner().invoke(app, ["policy", "test", str(tmp_path / "cases.yaml")])
    assert result.stdout == shown["output"]
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["policy", "check", "odd.json"]).stdout == shown["odd-output"]
