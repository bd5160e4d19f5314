"""The servers that are measured, each a process on a free port with a user whose policy allows the calls."""

from __future__ import annotations

import configparser
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.calls import REGION, Credentials
from benchmark.load import children

TOP = Path(__file__).parents[2]
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
"""The interpreter that Bailiwick runs on: what scripts/serve would take."""

_PEERS = {"moto_server": "moto[server]", "ministack": "ministack"}
_EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


class Running(NamedTuple):
    """A server that answers."""

    host: str
    pid: int
    began: float  # seconds from process start to the first answer
    folder: Path

    @property
    def pids(self) -> list[int]:
        """Every process of it."""
        return [self.pid, *children(self.pid)]


@contextmanager
def process(command: list[str], host: str, path: str, folder: Path, **variables: str) -> Iterator[Running]:
    """Run a server until the block ends; it has begun when it answers at `path`."""
    # Without a PYTHONDONTWRITEBYTECODE of this machine, with which every start would compile every module.
    ours = ("AWS_", "BAILIWICK_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    start = time.perf_counter()
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env={**kept, **variables}, cwd=folder)
    try:
        while not _answers(host, path):
            if server.poll() is not None:
                raise SystemExit(f"{command[0]} did not start: {(folder / 'output').read_text()[-2000:]}")
            time.sleep(0.002)
        yield Running(host, server.pid, time.perf_counter() - start, folder)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(host: str, path: str) -> bool:
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def free_host() -> str:
    """An address with a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def bailiwick(data: Path, *arguments: str) -> Iterator[Running]:
    """Bailiwick on a data folder."""
    host = free_host()
    port = host.partition(":")[2]
    command = [PYTHON, "-m", "bailiwick", "serve", "--data", str(data), "--port", port, *arguments]
    with tempfile.TemporaryDirectory() as folder, process(command, host, "/healthz", Path(folder)) as running:
        yield running


def root_of(data: Path) -> Credentials:
    """The root user's key of a data folder."""
    found = configparser.ConfigParser()
    found.read(data / "root-credentials")
    return Credentials(found["default"]["aws_access_key_id"], found["default"]["aws_secret_access_key"])


@contextmanager
def peer(name: str) -> Iterator[tuple[Running, Credentials]]:
    """`moto_server` or `ministack`, authorizing, and the key that it believes without being told to."""
    python, host = _installed(name), free_host()
    port = host.partition(":")[2]
    root = Credentials("test", "test")
    with tempfile.TemporaryDirectory() as folder:
        if name == "moto_server":
            command = [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
            with process(command, host, "/moto-api/", Path(folder)) as running:
                yield running, root
        else:
            command = [str(python), "-m", "ministack"]
            variables = {"AUTH": "true", "GATEWAY_PORT": port, "HOME": folder}
            with process(command, host, "/_ministack/health", Path(folder), **variables) as running:
                yield running, root


def enforce(name: str, running: Running) -> None:
    """Have moto begin to ask for permissions; before that it takes any credentials."""
    if name == "moto_server":
        plain = {"content-type": "text/plain"}  # of anything else it would look for a form
        address = f"http://{running.host}/moto-api/reset-auth"
        asked = urllib.request.Request(address, data=b"0", headers=plain, method="POST")
        urllib.request.urlopen(asked).close()


def _installed(name: str) -> Path:
    """The interpreter of an environment with a peer in it, under .bench/ and in no requirements of ours."""
    folder = TOP / ".bench" / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([PYTHON, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", _PEERS[name]], check=True)
    return python


def client(service: str, host: str, credentials: Credentials) -> Any:
    """A boto3 client."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=f"http://{host}",
        region_name=REGION,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret,
    )


def furnished(host: str, root: Credentials, name: str = "bench") -> tuple[Credentials, str]:
    """A user who may do everything by a policy of her own, her key, and the ARN of a KMS key."""
    iam = client("iam", host, root)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=_EVERYTHING)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    user = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    return user, client("kms", host, user).create_key()["KeyMetadata"]["Arn"]


def role_and_blob(host: str, user: Credentials, key: str, plaintext: bytes) -> tuple[str, bytes]:
    """The ARN of a role that anyone of the account may take, and a ciphertext under the key."""
    everyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
    role = client("iam", host, user).create_role(RoleName="bench", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    sealed = client("kms", host, user).encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext={"a": "b"})
    return role, sealed["CiphertextBlob"]
