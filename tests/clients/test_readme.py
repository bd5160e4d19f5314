"""The walks of the README and of docs/cross-account.md, run as pasted into bash with the real `aws` CLI against a server on a fresh data folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clients_support import ServerProcess, clean_environment
from walk_support import blocks, walk


def aws_clis() -> list[str]:
    """Every `aws` on this machine that a user might have: version 2 of the system, version 1 of our own."""
    own = Path(sys.executable).parent / "aws"
    found = [str(own)] if own.exists() else []
    system = shutil.which("aws", path="/usr/bin:/usr/local/bin")
    return [*found, system] if system else found


def version(aws: str) -> tuple[int, ...]:
    told = subprocess.run(
        [aws, "--version"], capture_output=True, text=True, check=True, env=clean_environment(), timeout=60
    )
    match = re.match(r"aws-cli/(\d+)\.(\d+)", told.stdout + told.stderr)
    assert match is not None
    return int(match[1]), int(match[2])


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("aws", aws_clis())
@pytest.mark.parametrize(("document", "least"), [("README.md", 7), ("docs/cross-account.md", 5)])
def test_the_walk_as_pasted(server: ServerProcess, aws: str, document: str, least: int, tmp_path: Path) -> None:
    walked = blocks(document)
    assert len(walked) >= least
    flag = "" if version(aws) >= (2, 13) or (1, 29) <= version(aws) < (2,) else "--endpoint-url " + server.endpoint
    walk(walked, tmp_path, {"aws": f"{aws} {flag}", "bailiwick": f"{sys.executable} -m bailiwick"})


@pytest.mark.clients
def test_the_audit_trail_holds_the_walk_and_no_secret(server: ServerProcess) -> None:
    iam = server.client("iam")
    iam.create_user(UserName="eve")
    secret = iam.create_access_key(UserName="eve")["AccessKey"]["SecretAccessKey"]
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"do-not-write-this-down", EncryptionContext={"purpose": "walk"})
    server.stop()
    text = "".join(path.read_text() for path in sorted((server.data / "audit").glob("*.jsonl")))
    records = [json.loads(line) for line in text.splitlines()]
    names = [record["eventName"] for record in records]
    assert names == ["CreateUser", "CreateAccessKey", "CreateKey", "Encrypt"]
    assert secret not in text
    assert "ZG8tbm90LXdyaXRlLXRoaXMtZG93bg" not in text
    assert "do-not-write" not in text
    assert records[3]["requestParameters"]["encryptionContext"] == {"purpose": "walk"}
    assert records[0]["userIdentity"]["type"] == "Root"
