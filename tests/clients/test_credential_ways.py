"""Credentials from a web identity file and from a process (Roles Anywhere): the aws CLI, boto3, the JavaScript SDK.

Nothing is configured but what the way itself needs. Each client does what its role allows, is refused what it does
not, and gets new credentials when it asks again. The ways of a host are in test_hosts_clients.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from clients_support import ServerProcess, clean_environment, policy
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from javascript_support import needs_javascript, node

from bailiwick.testing_issuer import Issuer
from certificate_authority import issued, named

pytestmark = pytest.mark.clients

AWS = Path(sys.executable).parent / "aws"
WAYS = ["web identity", "process"]


class Place:
    """A server, a key that the role `worker` may encrypt with, and both ways to that role."""

    def __init__(self, folder: Path, issuer: Issuer) -> None:
        self.folder = folder
        self.server = ServerProcess(folder / "data").start()
        iam = self.server.client("iam")
        self.key = str(self.server.client("kms").create_key()["KeyMetadata"]["Arn"])
        provider = iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["shop"])
        people = {"Effect": "Allow", "Principal": {"Federated": provider["OpenIDConnectProviderArn"]}}
        people |= {"Action": "sts:AssumeRoleWithWebIdentity"}
        anywhere = {"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}}
        anywhere |= {"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}
        made = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=policy(people, anywhere))
        self.role = str(made["Role"]["Arn"])
        allowed = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": self.key}
        iam.put_role_policy(RoleName="worker", PolicyName="seal", PolicyDocument=policy(allowed))
        (folder / "token").write_text(issuer.token(sub="worker-1", aud="shop"))
        (folder / "config").write_text(f"[default]\ncredential_process = {self._process()}\n")

    def _process(self) -> str:
        """The command that signs with a certificate."""
        anywhere, now = self.server.client("rolesanywhere"), time.time()
        authority = issued(now, named("Example CA"), authority=True)
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": authority.pem}}
        anchor = anywhere.create_trust_anchor(name="company", source=source, enabled=True)["trustAnchor"]
        profile = anywhere.create_profile(name="workers", roleArns=[self.role], enabled=True)["profile"]
        worker = issued(now, named("worker-1"), authority)
        (self.folder / "worker.pem").write_text(worker.pem)
        key = self.folder / "worker.key"
        key.touch(mode=0o600)
        key.write_bytes(worker.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        options = {
            "certificate": self.folder / "worker.pem",
            "private-key": key,
            "trust-anchor-arn": anchor["trustAnchorArn"],
            "profile-arn": profile["profileArn"],
            "role-arn": self.role,
            "endpoint": self.server.endpoint,
        }
        words = [f"--{name} {value}" for name, value in options.items()]
        return " ".join([sys.executable, "-m", "bailiwick", "credential-process", *words])

    def variables(self, way: str) -> dict[str, str]:
        """What a program is told of where its credentials are."""
        common = {
            "AWS_ENDPOINT_URL": self.server.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        if way == "process":
            return {**common, "AWS_CONFIG_FILE": str(self.folder / "config")}
        files = {"AWS_CONFIG_FILE": os.devnull, "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.folder / "token")}
        return {**common, **files, "AWS_ROLE_ARN": self.role, "AWS_ROLE_SESSION_NAME": "worker-1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with Issuer() as issuer:
        made = Place(tmp_path_factory.mktemp("ways"), issuer)
        yield made
        made.server.stop()


@pytest.mark.parametrize("way", WAYS)
def test_the_command_line(place: Place, way: str, tmp_path: Path) -> None:
    def aws(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = clean_environment(**place.variables(way), HOME=str(tmp_path))
        return subprocess.run(
            [str(AWS), *arguments], capture_output=True, text=True, env=environment, check=False, timeout=60
        )

    (tmp_path / "hello").write_text("hello")
    allowed = aws("kms", "encrypt", "--key-id", place.key, "--plaintext", f"fileb://{tmp_path / 'hello'}")
    assert allowed.returncode == 0, allowed.stderr
    assert json.loads(allowed.stdout)["KeyId"] == place.key
    denied = aws("kms", "list-keys")
    assert "is not authorized to perform: kms:ListKeys" in denied.stderr
    assert ":assumed-role/worker/" in denied.stderr


@pytest.mark.parametrize("way", WAYS)
def test_boto3(place: Place, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in place.variables(way).items():
        monkeypatch.setenv(name, value)
    core = botocore.session.Session()
    kms, credentials = boto3.Session(botocore_session=core).client("kms"), core.get_credentials()
    assert kms.encrypt(KeyId=place.key, Plaintext=b"x")["KeyId"] == place.key
    with pytest.raises(ClientError, match="AccessDeniedException"):
        kms.list_keys()
    first = credentials.access_key
    credentials._expiry_time = credentials._time_fetcher()  # as if time had passed
    for provider in core.get_component("credential_provider").providers:
        getattr(provider, "cache", {}).clear()  # where botocore keeps what a role gave, until it expires
    assert kms.encrypt(KeyId=place.key, Plaintext=b"x")["KeyId"] == place.key
    assert credentials.access_key != first


@needs_javascript
@pytest.mark.parametrize("way", WAYS)
def test_the_javascript_sdk(place: Place, way: str) -> None:
    environment = clean_environment(**place.variables(way), KEY=place.key, AWS_SDK_LOAD_CONFIG="1")
    seen = node("credentials.mjs", environment)
    assert ":assumed-role/worker/" in seen["identity"]
    assert seen["encrypted"] == place.key
    assert seen["denied"] == "AccessDeniedException"
    assert not seen["same"]
    assert seen["expires"] > time.time()
