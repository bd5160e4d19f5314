"""Two hosts in network namespaces, a neighbour of the first, and who is one hop further away. Wants root.

server -- one -- neighbour -- far
   \\----- two
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clients_support import clean_environment
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PORT = 4577
SERVER = f"https://10.213.1.1:{PORT}"
IMDS = "http://169.254.169.254/latest"
LINKS = (("server", "one", 1), ("server", "two", 2), ("one", "neighbour", 3), ("neighbour", "far", 4))
BIND = {"StringNotEqualsIfExists": {"aws:SourceIp": "${aws:Ec2InstanceSourcePrivateIPv4}"}}


def namespaces() -> str | None:
    """Why there are no network namespaces here; None if there are."""
    if os.geteuid() != 0:
        return "network namespaces want root"
    if shutil.which("ip") is None or shutil.which("curl") is None:
        return "ip or curl is not on this machine"
    name = f"bw{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    works = made and subprocess.run(["ip", "netns", "exec", name, "true"], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None if works else "network namespaces cannot be made here"


REASON = namespaces()
pytestmark = [pytest.mark.clients, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


class Net:
    """Namespaces, and the processes in them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.prefix = folder, f"bw{os.getpid()}-"
        self.names = list(dict.fromkeys(name for link in LINKS for name in link[:2]))
        self.running: list[subprocess.Popen[bytes]] = []

    def up(self) -> None:
        for name in self.names:
            _ip("netns", "add", self.prefix + name)
            self._in(name, "ip", "link", "set", "lo", "up")
        for left, right, number in LINKS:
            ends = (f"{self.prefix}{number}a", f"{self.prefix}{number}b")
            _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
            for name, end, last in ((left, ends[0], 1), (right, ends[1], 2)):
                _ip("link", "set", end, "netns", self.prefix + name)
                self._in(name, "ip", "address", "add", f"10.213.{number}.{last}/24", "dev", end)
                self._in(name, "ip", "link", "set", end, "up")
        for name in ("one", "two"):
            self._in(name, "ip", "address", "add", "169.254.169.254/32", "dev", "lo")
        self._in("two", "ip", "route", "add", "10.213.1.0/24", "via", "10.213.2.1")
        self._in("neighbour", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._in("neighbour", "ip", "route", "add", "169.254.169.254/32", "via", "10.213.3.1")
        self._in("far", "ip", "route", "add", "default", "via", "10.213.4.1")
        self._in("one", "ip", "route", "add", "10.213.4.0/24", "via", "10.213.3.2")

    def down(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", self.prefix + name], capture_output=True, check=False)

    def start(self, name: str, *arguments: str) -> None:
        command = ["ip", "netns", "exec", self.prefix + name, sys.executable, "-m", "bailiwick", *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment()))

    def run(self, name: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.prefix + name, *command],
            capture_output=True,
            text=True,
            env=clean_environment(**variables),
            timeout=60,
            check=False,
        )

    def bailiwick(self, name: str, *arguments: str) -> str:
        done = self.run(name, sys.executable, "-m", "bailiwick", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def curl(self, name: str, *arguments: str) -> tuple[int, str]:
        """Status and body; status 0 where nothing came back."""
        done = self.run(name, "curl", "-s", "-m", "2", "-w", "\n%{http_code}", *arguments)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def token(self, name: str, *more: str) -> tuple[int, str]:
        ttl = ("-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")
        return self.curl(name, "-X", "PUT", *ttl, *more, f"{IMDS}/api/token")

    def credentials(self, name: str) -> dict[str, str]:
        """What a program on a host gets."""
        path = f"{IMDS}/meta-data/iam/security-credentials/web"
        status, body = self.curl(name, "-H", f"X-aws-ec2-metadata-token: {self.token(name)[1]}", path)
        assert status == 200, body
        found: dict[str, str] = json.loads(body)
        return found

    def until(self, name: str, wanted: int, *more: str) -> None:
        deadline = time.monotonic() + 30
        while self.token(name, *more)[0] != wanted:
            assert time.monotonic() < deadline, (self.folder / f"{name}.log").read_text()
            time.sleep(0.05)  # until another process has come so far

    def _in(self, name: str, *command: str) -> None:
        done = self.run(name, *command)
        assert done.returncode == 0, (command, done.stderr)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def certificate(folder: Path) -> None:
    """A certificate of the server's addresses, which is its own authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    addresses = [x509.IPAddress(ipaddress.ip_address("10.213.1.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pem").chmod(0o600)


CALL = """
import boto3, botocore.exceptions, json, sys
sts = boto3.client("sts", region_name="us-east-1", endpoint_url=sys.argv[1], verify=sys.argv[2])
kms = boto3.client("kms", region_name="us-east-1", endpoint_url=sys.argv[1], verify=sys.argv[2])
seen = {}
for name, call in (("who", lambda: sts.get_caller_identity()["Arn"]), ("keys", lambda: len(kms.list_keys()["Keys"]))):
    try:
        seen[name] = call()
    except botocore.exceptions.ClientError as error:
        seen[name] = error.response["Error"]["Code"]
    except botocore.exceptions.NoCredentialsError:
        seen[name] = "none"
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """The server and two hosts whose agents listen where every SDK looks. The first lets its neighbours ask."""
    folder = tmp_path_factory.mktemp("net")
    made = Net(folder)
    certificate(folder)
    data, tls = str(folder / "data"), ("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    try:
        made.up()
        made.start("server", "serve", "--data", data, "--host", "0.0.0.0", "--port", str(PORT), *tls)
        deadline = time.monotonic() + 30
        while made.curl("one", "-k", f"{SERVER}/healthz")[0] != 200:
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            time.sleep(0.05)  # until the server has opened its port
        role(made, folder)
        for name, more in (("one", ("--allow", "10.213.3.0/24", "--allow", "10.213.4.0/24")), ("two", ())):
            token = folder / f"token-{name}"
            token.write_text(
                made.bailiwick("server", "instance", "join-token", "create", "--data", data, "--profile", "web")
            )
            token.chmod(0o600)
            state = ("--state", str(folder / name))
            told = ("--endpoint", SERVER, "--ca-file", str(folder / "cert.pem"), "--token-file", str(token))
            made.bailiwick(name, "agent", "join", *state, *told)
            made.start(name, "agent", "run", *state, "--poll", "1", *more)
        for name in ("one", "two"):
            made.until(name, 200)
        yield made
    finally:
        made.down()


def role(net: Net, folder: Path) -> None:
    """A role that may list keys, from the address of its own host."""
    code = f"""
import boto3, configparser, json
parser = configparser.ConfigParser(); parser.read({str(folder / "data" / "root-credentials")!r})
iam = boto3.client("iam", region_name="us-east-1", endpoint_url={SERVER!r}, verify={str(folder / "cert.pem")!r},
                   **{{name: parser["default"][name] for name in ("aws_access_key_id", "aws_secret_access_key")}})
statement = {{"Effect": "Allow", "Principal": {{"Service": "ec2.amazonaws.com"}}, "Action": "sts:AssumeRole"}}
iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps({{"Version": "2012-10-17", "Statement": statement}}))
statements = [{{"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}},
              {{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {BIND!r}}}]
iam.put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=json.dumps({{"Version": "2012-10-17", "Statement": statements}}))
iam.create_instance_profile(InstanceProfileName="web")
iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
"""
    done = net.run("server", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


def called(net: Net, name: str, **variables: str) -> dict[str, Any]:
    """What a program with boto3 and no credentials of its own can do there."""
    own = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_CONFIG_FILE": os.devnull, "HOME": str(net.folder)}
    own |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, **variables}
    done = net.run(name, sys.executable, "-c", CALL, SERVER, str(net.folder / "cert.pem"), **own)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_host_has_its_own_credentials(net: Net) -> None:
    one, two = called(net, "one"), called(net, "two")
    assert ":assumed-role/web/i-" in one["who"]
    assert ":assumed-role/web/i-" in two["who"]
    assert one["who"] != two["who"]
    assert one["keys"] == two["keys"] == 0  # which is no refusal


def test_credentials_are_refused_from_another_host(net: Net) -> None:
    stolen = net.credentials("one")
    seen = called(
        net,
        "two",
        AWS_ACCESS_KEY_ID=stolen["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=stolen["SecretAccessKey"],
        AWS_SESSION_TOKEN=stolen["Token"],
    )
    assert seen["keys"] == "AccessDeniedException"


def test_a_token_of_one_host_is_refused_on_the_other(net: Net) -> None:
    path = f"{IMDS}/meta-data/instance-id"
    token = net.token("one")[1]
    assert net.curl("one", "-H", f"X-aws-ec2-metadata-token: {token}", path)[0] == 200
    assert net.curl("two", "-H", f"X-aws-ec2-metadata-token: {token}", path)[0] == 401


def test_what_came_through_a_proxy_gets_nothing(net: Net) -> None:
    assert net.token("one", "-H", "X-Forwarded-For: 10.213.3.2")[0] == 403


def test_a_neighbour_gets_nothing_unless_it_was_let_in(net: Net) -> None:
    assert net.token("neighbour")[0] == 200  # --allow
    # The server's namespace is a neighbour of the second host, which lets nobody in.
    net.run("server", "ip", "route", "add", "169.254.169.254/32", "via", "10.213.2.2")
    assert net.token("server")[0] == 0
    net.run("server", "ip", "route", "replace", "169.254.169.254/32", "via", "10.213.1.2")
    assert net.token("server")[0] == 0  # a neighbour of the first, of a network that was not let in


def test_a_hop_too_many_gets_nothing(net: Net) -> None:
    assert net.token("far")[0] == 0
    instance = net.credentials("one")  # the agent is well meanwhile
    assert instance["Code"] == "Success"
    _hops(net, 2)
    net.until("far", 200)
    _hops(net, 1)
    net.until("far", 0)


def _hops(net: Net, hops: int) -> None:
    code = f"""
import boto3, configparser
parser = configparser.ConfigParser(); parser.read({str(net.folder / "data" / "root-credentials")!r})
ec2 = boto3.client("ec2", region_name="us-east-1", endpoint_url={SERVER!r}, verify={str(net.folder / "cert.pem")!r},
                   **{{name: parser["default"][name] for name in ("aws_access_key_id", "aws_secret_access_key")}})
for reservation in ec2.describe_instances()["Reservations"]:
    for each in reservation["Instances"]:
        ec2.modify_instance_metadata_options(InstanceId=each["InstanceId"], HttpPutResponseHopLimit={hops})
"""
    done = net.run("server", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
