"""`bailiwick login --ldap` and `bailiwick ldap check`: a server behind a socket, a directory behind another."""

from __future__ import annotations

import configparser
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from command_support import run

from bailiwick import testing
from ldap_fake import PEOPLE, FakeDirectory, company, mapping

PASSWORD = "alice's password"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments, text="": run(monkeypatch, capsys, *arguments, text=text)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeDirectory]:
    server = FakeDirectory(company())
    yield server
    server.close()


def test_what_would_be_granted(run_it: Command, fake: FakeDirectory, tmp_path: Path) -> None:
    file = str(mapping(tmp_path, fake.url()))
    status, told, _ = run_it("ldap", "check", "alice", "--ldap", file, "--password-file", "-", text=f"{PASSWORD}\n")
    assert status == 0
    assert told.startswith(f"alice: uid=alice,{PEOPLE}\n  mail: alice@example.org\n  groups:\n    cn=admins,")
    assert "  roles:\n    arn:aws:iam::123456789012:role/admin\n" in told
    assert "    team = platform\n    department = R_D\n" in told
    status, _, error = run_it("ldap", "check", "alice", "--ldap", file, "--password-file", "-", text="wrong\n")
    assert status == 1
    assert "does not know a person of this name with this password" in error
    assert "wrong" not in error


def test_a_mapping_file_that_cannot_be_used(
    run_it: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mapping(tmp_path, "ldap://ldap.example.org")
    monkeypatch.setenv("BAILIWICK_LDAP", str(file))
    for command in (("ldap", "check", "alice", "--password-file", "-"), ("serve", "--ephemeral", "--port", "0")):
        status, _, error = run_it(*command, text="x\n")
        assert status == 2
        assert "`ldap`: " in error
        assert "would be sent passwords in plain text" in error
    secret = tmp_path / "ldap-password"
    secret.chmod(0o644)
    mapping(tmp_path, "ldaps://ldap.example.org")
    secret.chmod(0o644)
    status, _, error = run_it("ldap", "check", "alice")
    assert status == 2
    assert "chmod 600" in error


def test_nothing_is_named(run_it: Command) -> None:
    assert "no mapping file is named" in run_it("ldap", "check", "alice")[2]


@pytest.fixture(scope="module")
def server(fake: FakeDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("ldap")
    with testing.server(ldap=mapping(folder, fake.url())) as running:
        iam = running.client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": "arn:aws:iam::123456789012:ldap-provider/company"},
                    "Action": ["sts:AssumeRoleWithLDAPIdentity", "sts:TagSession"],
                }
            ],
        }
        for name in ("admin", "staff"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        yield running


def test_a_profile_is_written(run_it: Command, server: Any, tmp_path: Path) -> None:
    file = tmp_path / "aws" / "credentials"
    arguments = ("login", "--ldap", "--endpoint", server.endpoint_url, "--user", "alice", "--password-file", "-")
    status, told, error = run_it(*arguments, "--credentials-file", str(file), text=f"{PASSWORD}\n")
    assert (status, error) == (0, "")
    assert "assumed-role/admin/alice, until 2" in told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    parser = configparser.ConfigParser()
    parser.read(file)
    found = parser["bailiwick"]
    sts = boto3.client("sts", endpoint_url=server.endpoint_url, region_name="us-east-1", **dict(found))
    assert sts.get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:assumed-role/admin/alice"


def test_other_profiles_stay_as_they_are(run_it: Command, server: Any, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    before = "# mine\n[default]\naws_access_key_id = A\n\n[bailiwick]\naws_access_key_id = OLD\n\n[last]\nx = y\n"
    file.write_text(before)
    arguments = ("login", "--ldap", "--endpoint", server.endpoint_url, "--user", "alice", "--password-file", "-")
    role = ("--role", "arn:aws:iam::123456789012:role/staff", "--seconds", "900")
    assert run_it(*arguments, *role, "--credentials-file", str(file), text=f"{PASSWORD}\n")[0] == 0
    after = file.read_text()
    assert after.startswith(
        "# mine\n[default]\naws_access_key_id = A\n\n[last]\nx = y\n\n[bailiwick]\n# arn:aws:sts::"
    )
    assert "OLD" not in after
    assert "role/staff" in after


def test_as_a_credential_process(
    run_it: Command, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint_url)
    arguments = ("login", "--ldap", "--process", "--user", "alice", "--password-file", str(secret))
    status, told, _ = run_it(*arguments)
    assert status == 0
    found = json.loads(told)
    assert sorted(found) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]
    assert found["Version"] == 1
    secret.chmod(0o644)
    assert "chmod 600" in run_it(*arguments)[2]


def test_a_refusal_is_one_sentence(run_it: Command, server: Any, tmp_path: Path) -> None:
    arguments = ("login", "--ldap", "--endpoint", server.endpoint_url, "--user", "alice", "--password-file", "-")
    status, _, error = run_it(*arguments, text="wrong\n")  # what is printed is the server's log
    assert status == 1
    assert error == (
        "bailiwick: IDPRejectedClaim: The directory does not know a person of this name with this password.\n"
    )
    assert run_it(*arguments, text="\n")[2] == "bailiwick: the password is empty\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("login",), "say how you sign in"),
        (("login", "--ldap", "--endpoint", "http://sts.example.org"), "would be sent secrets in plain text"),
        (("login", "--ldap", "--endpoint", "ftp://x"), "is not the address of a server"),
        (("login", "--ldap", "--endpoint", "http://127.0.0.1:9"), "cannot be reached"),
        (("login", "--ldap", "--profile", "a]\nb"), "is not the name of a profile"),
    ],
)
def test_what_cannot_be_done(run_it: Command, arguments: tuple[str, ...], told: str) -> None:
    more = ("--password-file", "-") if "--ldap" in arguments else ()
    status, _, error = run_it(*arguments, *more, text="secret password\n")
    assert status in (1, 2)
    assert told in error
    assert "secret password" not in error
