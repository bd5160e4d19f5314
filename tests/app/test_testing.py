"""`bailiwick.testing`: the server in memory as the tests of other people's programs meet it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import bailiwick.testing
from bailiwick.testing import Server

ROOT = Path(__file__).parents[2]
LARGE = "x" * (2 << 20)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with bailiwick.testing.server(region="eu-west-3") as running:
        yield running


def names(server: Server) -> list[str]:
    return [user["UserName"] for user in server.client("iam").list_users()["Users"]]


def test_it_says_who_and_where_it_is(server: Server) -> None:
    assert (server.account_id, server.region) == ("123456789012", "eu-west-3")
    identity = server.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"
    assert server.root.secret_access_key not in repr(server.root)
    assert server.environ()["AWS_ENDPOINT_URL"] == server.endpoint_url


@pytest.mark.parametrize("as_tuple", [True, False])
def test_a_client_with_other_credentials(server: Server, as_tuple: bool) -> None:
    server.reset()
    iam = server.client("iam")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    pair = (key["AccessKeyId"], key["SecretAccessKey"])
    sts = server.client("sts", pair if as_tuple else bailiwick.testing.Credentials(*pair), region="us-east-1")
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/alice"
    with pytest.raises(ClientError, match="iam:ListUsers"):
        server.client("iam", pair).list_users()


def test_reset_empties_everything_and_keeps_the_root_key(server: Server) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="gone")
    key = iam.create_access_key(UserName="gone")["AccessKey"]
    gone = server.client("sts", (key["AccessKeyId"], key["SecretAccessKey"]))
    gone.get_caller_identity()
    made = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    server.reset()
    assert names(server) == []
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        gone.get_caller_identity()
    with pytest.raises(ClientError, match="NotFoundException"):
        server.client("kms").describe_key(KeyId=made)


def test_reset_is_quick(server: Server) -> None:
    def once() -> float:
        server.client("iam").create_user(UserName="u")
        start = time.perf_counter()
        server.reset()
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.010


def test_two_servers_know_nothing_of_each_other(server: Server) -> None:
    server.reset()
    with bailiwick.testing.server(account_id="210987654321") as other:
        other.client("iam").create_user(UserName="only-there")
        assert (names(server), names(other)) == ([], ["only-there"])
        assert other.endpoint_url != server.endpoint_url
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            server.client("sts", other.root).get_caller_identity()


def test_nothing_is_left_behind() -> None:
    before = set(threading.enumerate())
    with bailiwick.testing.server() as running:
        running.client("sts").get_caller_identity()
    assert set(threading.enumerate()) - before == set()


def test_a_subprocess_finds_its_way(server: Server) -> None:
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **server.environ()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "arn:aws:iam::123456789012:root\n", done.stderr


def test_without_boto3_the_error_says_what_to_do(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(RuntimeError, match="pip install boto3"):
        server.client("iam")


def test_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "def test_one(bailiwick):\n"
        "    bailiwick.client('iam').create_user(UserName='x')\n"
        "def test_two(bailiwick, bailiwick_server):\n"
        "    assert bailiwick is bailiwick_server\n"
        "    assert bailiwick.client('iam').list_users()['Users'] == []\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bailiwick.testing_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_example_in_the_documentation_works(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    example = text.split("```python\n")[1].split("```")[0]
    (tmp_path / "test_documented.py").write_text(example)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bailiwick.testing_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("kms", "create_key", {"Description": LARGE}, "RequestEntityTooLargeException"),
        ("iam", "create_policy", {"PolicyName": "p", "PolicyDocument": LARGE}, "RequestEntityTooLarge"),
    ],
)
def test_a_large_body_is_refused_in_the_form_of_its_protocol(
    server: Server, service: str, operation: str, parameters: dict[str, str], code: str
) -> None:
    config = Config(retries={"max_attempts": 0}, parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        getattr(server.client(service, config=config), operation)(**parameters)
    error = caught.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (413, code)
