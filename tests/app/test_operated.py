"""What operators change with commands is in the audit trail: who, what, on what."""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_support import run
from sqlalchemy import insert, select
from test_cli import Command

from bailiwick.app import operated
from bailiwick.app.audit import Trail
from bailiwick.app.happenings import Happenings
from bailiwick.app.home import Deployment
from bailiwick.services.kms import tables as kms
from bailiwick.services.kms.family_tables import family, member
from bailiwick.store import Store
from bailiwick.trail import tables
from bailiwick.trail.files import Files
from still_clock import NOW

FIRST, SECOND = "111122223333", "444455556666"
ROOT = f"arn:aws:iam::{FIRST}:root"
ID = "mrk-" + "1" * 32
US, EU = (f"arn:aws:kms:{region}:{FIRST}:key/{ID}" for region in ("us-east-1", "eu-west-1"))
COMMANDS = Path(operated.__file__).parent


@pytest.fixture
def run_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path / "data"))

    def command(*arguments: str, text: str = "") -> tuple[int, str, str]:
        status, out, err = run(monkeypatch, capsys, *arguments, text=text)
        assert status == 0, err
        return status, out, err

    command("init", "--account-id", FIRST)
    return command


@pytest.fixture
def told(run_it: Command, tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """The records of what was done since it was asked last, as a server writes them."""

    def records() -> list[dict[str, Any]]:
        folder = tmp_path / "audit"
        folder.mkdir(exist_ok=True)
        with closing(Store(tmp_path / "data")) as store:
            trail = Trail(Files(folder))
            Happenings(store, trail).tell_what_is_left(NOW + 1e9)
            trail.close()
            with store.transaction() as transaction:
                assert transaction.all(select(tables.happened)) == []
        lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
        for path in folder.iterdir():
            path.unlink()
        return [json.loads(line) for line in lines]

    first = records()
    assert [record["eventName"] for record in first] == ["CreateAccount"]
    return records


def in_short(records: list[dict[str, Any]]) -> list[tuple[str, str, str, dict[str, str]]]:
    return [
        (
            record["eventSource"].partition(".")[0],
            record["eventName"],
            record["recipientAccountId"],
            record["serviceEventDetails"],
        )
        for record in records
    ]


def test_the_record_says_who_and_on_what(run_it: Command, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "node-1")
    monkeypatch.setattr(operated, "_signed_in", lambda: 1)
    me, her = pwd.getpwuid(os.getuid()).pw_name, pwd.getpwuid(1).pw_name
    run_it("root", "set-email", "root@example.com")
    (record,) = told()
    assert record.pop("eventID")
    assert record.pop("eventTime")
    record.pop("chain", None)
    assert record == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Operator",
            "principalId": str(os.getuid()),
            "accountId": FIRST,
            "userName": me,
        },
        "eventSource": "signin.amazonaws.com",
        "eventName": "EmailUpdated",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "node-1",
        "userAgent": "bailiwick root set-email",
        "requestParameters": None,
        "responseElements": None,
        "readOnly": False,
        "resources": [{"ARN": ROOT, "accountId": FIRST}],
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": FIRST,
        "serviceEventDetails": {},
        "eventCategory": "Management",
        "bailiwick": {
            "decision": None,
            "operator": {
                "user": me,
                "uid": os.getuid(),
                "login": her,
                "host": "node-1",
                "command": "bailiwick root set-email",
            },
        },
    }


def test_the_first_account(run_it: Command, tmp_path: Path) -> None:
    (key,) = re.findall(r"AKIA\w+", (tmp_path / "data" / "root-credentials").read_text())
    with closing(Store(tmp_path / "data")) as store, store.transaction() as transaction:
        (row,) = transaction.all(select(tables.happened))
    made = json.loads(row.event)
    assert made[:6] == [
        *("organizations", "CreateAccount", FIRST, "us-east-1", ROOT),
        {"accountName": "main", "accessKeyId": key},
    ]
    assert made[7][4] == "bailiwick init"


def test_root_users(run_it: Command, told: Any, tmp_path: Path) -> None:
    run_it("account", "create", "second", "--account-id", SECOND)
    key = (tmp_path / "data" / f"root-credentials-{SECOND}").read_text()
    first = re.findall(r"AKIA\w+", key)[0]
    run_it("root", "rotate-key", "--account-id", SECOND)
    second = re.findall(r"AKIA\w+", (tmp_path / "data" / f"root-credentials-{SECOND}").read_text())[0]
    run_it("root", "reset-password", "--password-file", "-", text="A-Password-1\n")
    records = told()
    assert in_short(records) == [
        ("organizations", "CreateAccount", SECOND, {"accountName": "second", "accessKeyId": first}),
        ("iam", "CreateAccessKey", SECOND, {"accessKeyId": second}),
        ("iam", "DeleteAccessKey", SECOND, {"accessKeyId": first}),
        ("signin", "PasswordUpdated", FIRST, {}),
    ]
    assert "A-Password-1" not in json.dumps(records)


def test_services_and_quotas(run_it: Command, told: Any) -> None:
    run_it("service", "create", "backup.example.internal")
    run_it("service", "rotate-key", "backup.example.internal")
    run_it("service", "delete", "backup.example.internal")
    run_it("quota", "set", "GroupsPerAccount", "7")
    run_it("quota", "set", "GroupsPerAccount", "8", "--account-id", FIRST)
    found = in_short(told())
    assert [each[:2] for each in found] == [
        ("bailiwick", "CreateServicePrincipal"),
        ("bailiwick", "RotateServicePrincipalKey"),
        ("bailiwick", "DeleteServicePrincipal"),
        ("bailiwick", "SetQuota"),
        ("bailiwick", "SetQuota"),
    ]
    assert [each[3] for each in found[2:]] == [
        {"serviceName": "backup.example.internal"},
        {"quotaName": "GroupsPerAccount", "value": "7", "accountId": "*"},
        {"quotaName": "GroupsPerAccount", "value": "8", "accountId": FIRST},
    ]


def test_tokens_with_which_hosts_join(run_it: Command, told: Any) -> None:
    _, token, _ = run_it("instance", "join-token", "create", "--expires", "2h")
    (made,) = in_short(told())
    beginning = made[3]["tokenId"]
    assert made == (
        *("hosts", "CreateJoinToken", FIRST),
        {"tokenId": beginning, "instanceProfile": "", "expires": "2h"},
    )
    assert beginning in run_it("instance", "join-token", "list")[1]
    run_it("instance", "join-token", "revoke", beginning)
    records = told()
    assert in_short(records) == [("hosts", "RevokeJoinToken", FIRST, {"tokenId": beginning})]
    assert token.strip() not in json.dumps(records)


def test_an_import_says_what_it_made_and_a_dry_run_nothing(run_it: Command, told: Any, tmp_path: Path) -> None:
    empty = {"GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    user = {"Path": "/", "UserName": "alice", "UserId": "AIDA", "Arn": f"arn:aws:iam::{FIRST}:user/alice"}
    file = tmp_path / "details.json"
    file.write_text(json.dumps({**empty, "UserDetailList": [user]}))
    run_it("import", "aws", str(file), "--dry-run")
    assert told() == []
    run_it("import", "aws", str(file))
    assert in_short(told()) == [
        ("iam", "ImportAccountAuthorizationDetails", FIRST, {"made": "1 user", "replaced": ""})
    ]


def test_root_keys(run_it: Command, told: Any) -> None:
    run_it("root-key", "add")
    run_it("root-key", "rotate")
    run_it("root-key", "drop")
    run_it("root-key", "split", "--shares", "3", "--threshold", "2")
    found = in_short(told())
    names, details = [each[1] for each in found], [each[3] for each in found]
    assert names == ["AddRootKey", "RotateRootKey", "DropRootKey", "ChangeRootKeyCustody"]
    assert details[0] == details[1] != details[2]
    assert details[3] == {**details[0], "openedBy": "2 of 3 shares"}


def share_a_key(data: Path) -> None:
    """A multi-Region key whose primary is at a peer, as far as the commands look."""
    with closing(Store(data)) as store, store.transaction(write=True) as transaction:
        transaction.run(
            insert(family).values(
                account=FIRST, id=ID, epoch=1, primary_region="eu-west-1", revision=1, pending="", digests=b""
            )
        )
        for region, here in (("us-east-1", True), ("eu-west-1", False)):
            values = {"region": region, "here": here, "version": 1, "epoch": 1, "state": "Present", "holds": "[]"}
            transaction.run(insert(member).values(account=FIRST, id=ID, **values))
        transaction.run(
            insert(kms.key).values(
                arn=US,
                account=FIRST,
                region="us-east-1",
                id=ID,
                description="",
                state="Enabled",
                spec="SYMMETRIC_DEFAULT",
                usage="ENCRYPT_DECRYPT",
                origin="AWS_KMS",
                created=NOW,
                material="",
                policy="{}",
                pins="{}",
                primary_region="eu-west-1",
            )
        )


def test_keys_whose_peer_is_lost(run_it: Command, told: Any, tmp_path: Path) -> None:
    share_a_key(tmp_path / "data")
    run_it("kms", "promote", US)
    run_it("kms", "forget-replica", EU)
    records = told()
    assert in_short(records) == [
        ("kms", "UpdatePrimaryRegion", FIRST, {"keyId": ID, "primaryRegion": "us-east-1"}),
        ("kms", "ForgetReplica", FIRST, {"keyId": ID, "replicaRegion": "eu-west-1"}),
    ]
    assert [record["resources"][0]["ARN"] for record in records] == [US, EU]
    assert records[0]["userAgent"] == "bailiwick kms promote"


def test_what_was_refused_has_no_record(run_it: Command, told: Any) -> None:
    with pytest.raises(AssertionError, match="is not shared with a peer"):
        run_it("kms", "promote", US)
    with pytest.raises(AssertionError, match="there is no token"):
        run_it("instance", "join-token", "revoke", "0" * 8)
    assert told() == []


def test_a_restored_deployment_says_so(run_it: Command, told: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    run_it("backup", str(tmp_path / "backup"))
    key = (tmp_path / "root.key").write_bytes((data / "root.key").read_bytes())
    assert key
    (tmp_path / "root.key").chmod(0o600)
    data.rename(tmp_path / "lost")
    run_it("restore", str(tmp_path / "backup"), "--root-key", str(tmp_path / "root.key"))
    (record,) = told()
    assert record["userAgent"] == "bailiwick restore"
    ((source, name, account, details),) = in_short([record])
    assert (source, name, account, sorted(details)) == (
        *("bailiwick", "RestoreBackup", FIRST),
        ["backupTime", "rootKeyId"],
    )


@pytest.mark.parametrize(
    ("kept", "sudo", "found"),
    [
        ("1001", None, 1001),
        ("4294967295", "1002", 1002),
        ("4294967295", None, None),
        ("", "x", None),
        (None, "7", 7),
    ],
)
def test_who_signed_in_is_asked_of_the_kernel_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str | None, sudo: str | None, found: int | None
) -> None:
    file = tmp_path / "loginuid"
    if kept is not None:
        file.write_text(kept)
    monkeypatch.setattr(operated, "_LOGIN", file)
    monkeypatch.delenv("SUDO_UID", raising=False)
    if sudo is not None:
        monkeypatch.setenv("SUDO_UID", sudo)
    assert operated._signed_in() == found


def test_a_user_without_a_name_is_told_by_number() -> None:
    assert operated._name(3_999_999_999) == "3999999999"


def test_a_change_that_says_nothing_is_undone(tmp_path: Path) -> None:
    with (
        closing(Store(tmp_path)) as store,
        pytest.raises(AssertionError, match="says what"),
        store.transaction(write=True) as transaction,
        operated.changes_in(transaction, Deployment(FIRST, "us-east-1", "aws")),
    ):
        pass


def writers() -> Iterator[str]:
    """The functions of commands that write to the database without `changes`."""
    for path in sorted(COMMANDS.glob("cli*.py")):
        for function in re.split(r"^(?=def |@)", path.read_text(), flags=re.MULTILINE):
            named = re.match(r"def (\w+)", function)
            if named and "transaction(write=True)" in function and "changes_in(" not in function:
                yield f"{path.name}: {named[1]}"


def test_every_command_that_changes_something_says_so() -> None:
    assert list(writers()) == ["cli_instance.py: certificate"]  # it makes the key that it shows, if there is none
