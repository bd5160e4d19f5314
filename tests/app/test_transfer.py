"""`bailiwick import aws` and `bailiwick export aws`: what goes in comes out, and what cannot go in is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from command_support import exit_status

HERE, THERE, OTHER = "111111111111", "222222222222", "333333333333"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
Command = Callable[..., tuple[int, str]]


def trusts(*principals: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def export(account: str = THERE) -> dict[str, Any]:
    """An export of an account, as the AWS CLI would have written it."""
    arn, date = f"arn:aws:iam::{account}", "2020-01-02T03:04:05+00:00"
    attached = [{"PolicyName": "p", "PolicyArn": f"{arn}:policy/x/p"}]
    on_itself = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": f"{arn}:user/ann"}],
    }
    role_arn = f"{arn}:role/deploy"
    role = {
        "Path": "/",
        "RoleName": "deploy",
        "RoleId": "AROAEXAMPLEEXAMPLE123",
        "Arn": role_arn,
        "CreateDate": date,
        "AssumeRolePolicyDocument": trusts(f"{arn}:user/ann", f"arn:aws:iam::{OTHER}:root"),
    }
    return {
        "UserDetailList": [
            {
                "Path": "/",
                "UserName": "ann",
                "UserId": "AIDAEXAMPLEEXAMPLE123",
                "Arn": f"{arn}:user/ann",
                "CreateDate": date,
                "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": on_itself}],
                "GroupList": ["g"],
                "AttachedManagedPolicies": attached,
                "PermissionsBoundary": {
                    "PermissionsBoundaryType": "Policy",
                    "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/PowerUserAccess",
                },
                "Tags": [{"Key": "team", "Value": "a"}],
            }
        ],
        "GroupDetailList": [
            {
                "Path": "/",
                "GroupName": "g",
                "GroupId": "AGPAEXAMPLEEXAMPLE123",
                "Arn": f"{arn}:group/g",
                "CreateDate": date,
                "GroupPolicyList": [{"PolicyName": "i", "PolicyDocument": DOCUMENT}],
                "AttachedManagedPolicies": [],
            }
        ],
        "RoleDetailList": [
            {
                **role,
                "InstanceProfileList": [
                    {
                        "Path": "/",
                        "InstanceProfileName": "ip",
                        "InstanceProfileId": "AIPAEXAMPLEEXAMPLE123",
                        "Arn": f"{arn}:instance-profile/ip",
                        "CreateDate": date,
                        "Roles": [role],
                    }
                ],
                "RolePolicyList": [],
                "AttachedManagedPolicies": attached,
                "Tags": [],
                "RoleLastUsed": {"LastUsedDate": date, "Region": "eu-west-1"},
            }
        ],
        "Policies": [
            {
                "PolicyName": "p",
                "PolicyId": "ANPAEXAMPLEEXAMPLE123",
                "Arn": f"{arn}:policy/x/p",
                "Path": "/x/",
                "DefaultVersionId": "v3",
                "AttachmentCount": 2,
                "PermissionsBoundaryUsageCount": 0,
                "IsAttachable": True,
                "CreateDate": date,
                "UpdateDate": date,
                "PolicyVersionList": [
                    {"Document": DOCUMENT, "VersionId": "v4", "IsDefaultVersion": False, "CreateDate": date},
                    {"Document": DOCUMENT, "VersionId": "v3", "IsDefaultVersion": True, "CreateDate": date},
                ],
            }
        ],
    }


@pytest.fixture
def bailiwick(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command on a new deployment with the account HERE; text for standard input is given by name."""
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path / "data"))

    def run(*arguments: str, text: str = "") -> tuple[int, str]:
        status = exit_status(monkeypatch, arguments, io.TextIOWrapper(io.BytesIO(text.encode())))
        told = capsys.readouterr()
        return status, told.out + (told.err if status else "")

    assert run("init", "--account-id", HERE)[0] == 0
    return run


def take(bailiwick: Command, content: Any, *options: str) -> str:
    status, told = bailiwick("import", "aws", "-", *options, text=json.dumps(content))
    assert status == 0, told
    return told


def given(bailiwick: Command, *options: str) -> dict[str, Any]:
    status, told = bailiwick("export", "aws", *options)
    assert status == 0, told
    found: dict[str, Any] = json.loads(told)
    found["Policies"] = [each for each in found["Policies"] if "::aws:" not in each["Arn"]]
    return found


def test_what_goes_in_comes_out_as_another_account_s(bailiwick: Command) -> None:
    told = take(bailiwick, export())
    assert told.strip() == "made: 1 group, 1 instance profile, 1 policy, 1 role, 1 user"
    assert given(bailiwick) == export(HERE)  # ids and dates are kept, and so is the principal of a third account


def test_times_and_documents_may_be_as_the_wire_has_them(bailiwick: Command) -> None:
    content = export()
    user = content["UserDetailList"][0]
    user["CreateDate"] = 1577934245
    user["UserPolicyList"][0]["PolicyDocument"] = quote(json.dumps(user["UserPolicyList"][0]["PolicyDocument"]))
    take(bailiwick, content)
    assert given(bailiwick) == export(HERE)


def test_a_second_time_changes_nothing_and_says_so(bailiwick: Command) -> None:
    take(bailiwick, export())
    changed = export()
    changed["UserDetailList"][0]["Tags"] = []
    told = take(bailiwick, changed)
    assert "made" not in told
    assert all(line in told for line in ("there already", "  user ann", "  role deploy", "  policy p", "  group g"))
    assert given(bailiwick) == export(HERE)


def test_replaced_entities_keep_their_ids(bailiwick: Command) -> None:
    take(bailiwick, export())
    changed = export()
    user, role = changed["UserDetailList"][0], changed["RoleDetailList"][0]
    user |= {"UserId": "AIDAOTHEROTHEROTHER12", "Tags": [], "GroupList": [], "UserPolicyList": []}
    role["AttachedManagedPolicies"] = []
    told = take(bailiwick, changed, "--replace")
    assert told.startswith("replaced: 1 group, 1 instance profile, 1 policy, 1 role, 1 user")
    found = given(bailiwick)
    assert found["UserDetailList"][0]["UserId"] == "AIDAEXAMPLEEXAMPLE123"
    assert (found["UserDetailList"][0]["Tags"], found["UserDetailList"][0]["GroupList"]) == ([], [])
    assert "UserPolicyList" not in found["UserDetailList"][0]
    assert found["RoleDetailList"][0]["AttachedManagedPolicies"] == []
    assert found["Policies"][0]["AttachmentCount"] == 1


def test_a_dry_run_tells_and_does_nothing(bailiwick: Command) -> None:
    told = take(bailiwick, export(), "--dry-run")
    assert "nothing was changed" in told
    assert "made: 1 group" in told
    assert given(bailiwick) == {name: [] for name in export()}


def test_documents_are_left_alone_if_that_is_asked_for(bailiwick: Command) -> None:
    told = take(bailiwick, export(), "--no-rewrite-account")
    assert f"role deploy trusts arn:aws:iam::{THERE}:user/ann, who is not here" in told
    found = given(bailiwick)
    assert (
        found["RoleDetailList"][0]["AssumeRolePolicyDocument"]
        == export()["RoleDetailList"][0]["AssumeRolePolicyDocument"]
    )
    assert (
        found["UserDetailList"][0]["AttachedManagedPolicies"][0]["PolicyArn"] == f"arn:aws:iam::{HERE}:policy/x/p"
    )


def test_what_cannot_be_imported_is_listed(bailiwick: Command) -> None:
    content = export()
    user, role = content["UserDetailList"][0], content["RoleDetailList"][0]
    user["UserPolicyList"][0]["PolicyDocument"] = {"Version": "2012-10-17", "Statement": []}
    user["AttachedManagedPolicies"] = [{"PolicyArn": f"arn:aws:iam::{THERE}:policy/gone"}]
    user["GroupList"] = ["nowhere"]
    role["AssumeRolePolicyDocument"] = {"Version": "2012-10-17"}
    content["GroupDetailList"] *= 2
    told = take(bailiwick, content)
    for line in (
        "user ann: inline policy own: Syntax errors in policy.",
        f"user ann: arn:aws:iam::{THERE}:policy/gone, which was attached: it is neither here nor in the file",
        "user ann: its membership of group nowhere: there is no such group",
        "role deploy, which cannot be made: trust policy: ",
        "group g: it is in the file twice",
    ):
        assert line in told
    assert "role" not in told.splitlines()[0]
    assert given(bailiwick)["RoleDetailList"] == []


def test_a_policy_of_aws_that_is_not_here_is_copied(bailiwick: Command) -> None:
    content = export()
    arn = "arn:aws:iam::aws:policy/service-role/AWSFerretHandling"
    content["Policies"].append(content["Policies"][0] | {"PolicyName": "AWSFerretHandling", "Arn": arn})
    content["UserDetailList"][0]["AttachedManagedPolicies"] = [{"PolicyArn": arn}]
    assert f"{arn} is not here: its copy is the policy /aws-managed/AWSFerretHandling" in take(bailiwick, content)
    (attached,) = given(bailiwick)["UserDetailList"][0]["AttachedManagedPolicies"]
    assert attached["PolicyArn"] == f"arn:aws:iam::{HERE}:policy/aws-managed/AWSFerretHandling"


def test_an_id_that_somebody_has_is_not_given_twice(bailiwick: Command) -> None:
    take(bailiwick, export())
    assert bailiwick("account", "create", "second", "--account-id", OTHER)[0] == 0
    told = take(bailiwick, export(), "--account-id", OTHER)
    assert "AIDAEXAMPLEEXAMPLE123 cannot be used" in told
    found = given(bailiwick, "--account-id", OTHER)
    assert found["UserDetailList"][0]["UserId"].startswith("AIDA")
    assert found["UserDetailList"][0]["UserId"] != "AIDAEXAMPLEEXAMPLE123"
    assert given(bailiwick) == export(HERE)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "this is not what get-account-authorization-details gives"),
        ('{"UserDetailList": [{"UserName": "a b", "Arn": "arn:aws:iam::1:user/a"}]}', "UserName"),
        ('{"IsTruncated": true}', "the export is cut off"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(bailiwick: Command, text: str, told: str) -> None:
    status, said = bailiwick("import", "aws", "-", text=text)
    assert status == 1
    assert told in said
    assert said.startswith("bailiwick: ")


def test_quotas_are_shown_changed_and_told_when_exceeded(bailiwick: Command) -> None:
    assert "UsersPerAccount  5000" in bailiwick("quota", "list")[1]
    assert bailiwick("quota", "set", "UsersPerAccount", "0")[0] == 0
    assert "there are 1, more than UsersPerAccount allows" in take(bailiwick, export())
    assert bailiwick("quota", "set", "UsersPerAccount", "7", "--account-id", HERE)[0] == 0
    assert "UsersPerAccount  7" in bailiwick("quota", "list")[1]
    status, told = bailiwick("quota", "set", "FerretsPerUser", "1")
    assert (status, "is not a quota" in told) == (2, True)


def test_an_export_can_go_to_a_file(bailiwick: Command, tmp_path: Path) -> None:
    take(bailiwick, export())
    file = tmp_path / "export.json"
    assert bailiwick("export", "aws", str(file)) == (0, "")
    assert json.loads(file.read_text("utf-8"))["UserDetailList"] == export(HERE)["UserDetailList"]
