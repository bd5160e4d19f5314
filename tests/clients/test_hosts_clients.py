"""Real clients with no credentials but what an agent serves: boto3, the `aws` CLI, the JavaScript SDK.

They are programs of the host, which get its role, and pods of a cluster whose node it is, which get their own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError
from clients_support import ServerProcess, clean_environment, policy
from javascript_support import needs_javascript, node
from walk_support import blocks, walk

from bailiwick.testing_issuer import Issuer
from ports import free_port

pytestmark = pytest.mark.clients

AWS = Path(sys.executable).parent / "aws"
SESSIONS = {
    "metadata": ":assumed-role/web/i-",
    "container": ":assumed-role/web/i-",
    "pod": ":assumed-role/till/eks-shop-till-1-",
}
"""The ways to credentials, and whose they are."""


class Agent:
    """`bailiwick agent run` on a loopback port."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.server, self.folder, self.port = server, folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.pod = Path()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def join(self) -> str:
        self.folder.mkdir()
        token = bailiwick(
            "instance",
            "join-token",
            "create",
            "--data",
            str(self.server.data),
            *("--profile", "web", "--further", "batch"),
        )
        (self.folder / "token").write_text(token)
        (self.folder / "token").chmod(0o600)
        where = ("--state", str(self.folder / "state"), "--endpoint", self.server.endpoint)
        told = bailiwick("agent", "join", *where, "--token-file", str(self.folder / "token"))
        return told.removeprefix("joined as ").strip()

    def start(self, mapping: str = "") -> None:
        (self.folder / "map.toml").write_text(mapping)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "bailiwick", "agent", "run", "--state", str(self.folder / "state")),
                    *("--listen", f"127.0.0.1:{self.port}", "--map", str(self.folder / "map.toml"), "--poll", "1"),
                ],
                stdout=log,
                stderr=log,
                env=clean_environment(),
            )
        deadline = time.monotonic() + 30
        while not self._is_up():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the agent did not come up"
            time.sleep(0.02)  # for another process to open its port and to reach its server

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(10) == 0

    def _is_up(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=1)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            pass
        return False


def bailiwick(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bailiwick", *arguments],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all of these programs."""
    running = ServerProcess(tmp_path_factory.mktemp("server") / "data").start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def key(shared: ServerProcess) -> str:
    """A KMS key with which the roles `web` and `till` may encrypt; `batch` may not even that."""
    iam, made = shared.client("iam"), shared.client("kms").create_key()["KeyMetadata"]["Arn"]
    for name in ("web", "batch"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(_trust("ec2.amazonaws.com")))
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.create_role(RoleName="till", AssumeRolePolicyDocument=policy(_trust("pods.eks.amazonaws.com")))
    encrypt = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": made}
    node = {"Effect": "Allow", "Action": "eks-auth:AssumeRoleForPodIdentity", "Resource": "*"}
    iam.put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=policy(encrypt, node))
    iam.put_role_policy(RoleName="till", PolicyName="p", PolicyDocument=policy(encrypt))
    return str(made)


def _trust(service: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"]}


@pytest.fixture(scope="module")
def pod(shared: ServerProcess, key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The token file of a pod of the cluster `shop`, whose service account has the role `till`."""
    with Issuer() as issuer:
        iam, eks = shared.client("iam"), shared.client("eks")
        tags = [{"Key": "eks-cluster-name", "Value": "shop"}]
        iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["pods.eks.amazonaws.com"], Tags=tags)
        role = iam.get_role(RoleName="till")["Role"]["Arn"]
        eks.create_pod_identity_association(
            clusterName="shop", namespace="shop", serviceAccount="till", roleArn=role
        )
        about = {"namespace": "shop", "pod": {"name": "till-1", "uid": "11111111-2222-4333-8444-555555555555"}}
        subject = {"sub": "system:serviceaccount:shop:till", "aud": ["pods.eks.amazonaws.com"]}
        file = tmp_path_factory.mktemp("pod") / "token"
        file.write_text(issuer.token(**subject, **{"kubernetes.io": about}))
        yield file


APP = "/v2/credentials/app"
MAPPING = """
default = "none"
[[program]]
user = "nobody"
profile = "batch"

[[program]]
user = {user}
profile = "main"

[[container]]
path = "/v2/credentials/app"
token_file = "{token_file}"

[pods]
cluster = "shop"
"""


@pytest.fixture(scope="module")
def agent(shared: ServerProcess, pod: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    made = Agent(shared, tmp_path_factory.mktemp("agent") / "host")
    made.pod = pod
    made.join()
    made.start(MAPPING.format(user=os.geteuid(), token_file=made.folder / "container-token"))
    yield made
    made.stop()


def variables(agent: Agent, way: str) -> dict[str, str]:
    """What a program is told of where its credentials are."""
    common = {
        "AWS_ENDPOINT_URL": agent.server.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
    }
    if way == "metadata":
        return {
            **common,
            "AWS_EC2_METADATA_DISABLED": "false",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": agent.endpoint,
            "AWS_EC2_METADATA_V1_DISABLED": "true",
        }
    path, file = ("/v1/credentials", agent.pod) if way == "pod" else (APP, agent.folder / "container-token")
    return {
        **common,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.endpoint}{path}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
    }


@pytest.mark.parametrize("way", SESSIONS)
def test_the_command_line(agent: Agent, key: str, way: str, tmp_path: Path) -> None:
    def aws(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = clean_environment(**variables(agent, way), HOME=str(tmp_path))
        return subprocess.run(
            [str(AWS), *arguments], capture_output=True, text=True, env=environment, check=False, timeout=60
        )

    (tmp_path / "hello").write_text("hello")
    allowed = aws("kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{tmp_path / 'hello'}")
    assert json.loads(allowed.stdout)["KeyId"] == key, allowed.stderr
    denied = aws("kms", "list-keys")
    assert denied.returncode != 0
    assert SESSIONS[way] in denied.stderr
    assert "is not authorized to perform: kms:ListKeys" in denied.stderr


@needs_javascript
@pytest.mark.parametrize("way", SESSIONS)
def test_the_javascript_sdk(agent: Agent, key: str, way: str) -> None:
    environment = clean_environment(**variables(agent, way), KEY=key)
    seen = node("credentials.mjs", environment)
    assert seen["encrypted"] == key
    assert SESSIONS[way] in seen["identity"]
    assert seen["denied"] == "AccessDeniedException"
    assert seen["same"], "the agent serves the same until they are due"
    assert seen["expires"] > time.time() + 3600


def test_the_walk_of_the_document(server: ServerProcess, tmp_path: Path) -> None:
    walked = blocks("docs/hosts.md")
    assert len(walked) == 3
    commands = {"aws": str(AWS), "bailiwick": f"{sys.executable} -m bailiwick"}
    walk(walked, tmp_path, commands, port=free_port(), timeout=120)


@pytest.mark.skipif(os.geteuid() != 0, reason="a program of another user wants root")
def test_a_program_of_another_user_gets_another_role(agent: Agent) -> None:
    def role(user: str | None) -> str:
        token = (
            "-X",
            "PUT",
            "-H",
            "X-aws-ec2-metadata-token-ttl-seconds: 60",
            f"{agent.endpoint}/latest/api/token",
        )
        path = f"{agent.endpoint}/latest/meta-data/iam/security-credentials/"
        shown = subprocess.run(["curl", "-s", *token], capture_output=True, text=True, check=True).stdout
        command = ["curl", "-s", "-H", f"X-aws-ec2-metadata-token: {shown}", path]
        return subprocess.run(command, capture_output=True, text=True, check=True, user=user).stdout

    assert (role(None), role("nobody")) == ("web", "batch")
    assert "404 - Not Found" in role("daemon")


@pytest.mark.parametrize("way", ["metadata", "container"])
def test_boto3_gets_and_renews(agent: Agent, key: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kms, credentials = _boto3(agent, way, monkeypatch)
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    with pytest.raises(ClientError, match="AccessDeniedException"):
        kms.list_keys()
    first = credentials.access_key
    # The operator ends what was given: the agent gets new credentials within its poll, and boto3 when it is due.
    (host,) = agent.server.client("ec2").describe_instances()["Reservations"]
    bailiwick(
        *("instance", "revoke-credentials", host["Instances"][0]["InstanceId"]),
        *("--data", str(agent.server.data)),
    )
    with pytest.raises(ClientError, match="ExpiredToken"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    deadline = time.monotonic() + 20
    while _renewed(credentials) in (None, first):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # until the agent has asked again
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


def test_boto3_in_a_pod(agent: Agent, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kms, credentials = _boto3(agent, "pod", monkeypatch)
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    with pytest.raises(ClientError, match="AccessDeniedException"):
        kms.list_keys()
    first = credentials.access_key
    assert _renewed(credentials) == first, "the agent serves the same for a while"
    whole = agent.pod.read_text()
    agent.pod.write_text(whole[:-4])  # its signature
    try:
        with pytest.raises(CredentialRetrievalError, match="InvalidTokenException"):
            _boto3(agent, "pod", monkeypatch)[1].access_key  # noqa: B018  (it is what asks)
    finally:
        agent.pod.write_text(whole)


def _boto3(agent: Agent, way: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A KMS client, and the credentials that it found."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in variables(agent, way).items():
        monkeypatch.setenv(name, value)
    core = botocore.session.Session()
    return boto3.Session(botocore_session=core).client("kms"), core.get_credentials()


def _renewed(credentials: Any) -> str | None:
    """The key after a renewal that is due; None while there is none."""
    credentials._expiry_time = credentials._time_fetcher()  # as if time had passed
    try:
        return str(credentials.access_key)
    except CredentialRetrievalError:
        return None
