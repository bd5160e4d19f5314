"""docs/kms/hsm.md and docs/kms/xks.md as they stand: their commands with the real `aws` CLI, their files, their policy.

What is changed in them: /etc/bailiwick is a folder of the test's, `bailiwick serve` is the server of the test with those
flags on a free port, nothing is installed, and the address of the proxy is that of a server of the test.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clients_support import ServerProcess, clean_environment
from xks_support import Authority

import softhsm

pytestmark = [pytest.mark.clients, pytest.mark.slow]

DOCS = Path(__file__).parents[2] / "docs" / "kms"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
AWS = Path(sys.executable).parent / "aws"


class Page:
    """The blocks of a page, in their order, with a folder in the place of /etc/bailiwick."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder, self.etc, self.bin = folder, folder / "etc", folder / "bin"
        for each in (self.etc, self.bin):
            each.mkdir()
        for command, is_really in (("aws", str(AWS)), ("bailiwick", f"{sys.executable} -m bailiwick")):
            (self.bin / command).write_text(f'#!/bin/sh\nexec {is_really} "$@"\n')
            (self.bin / command).chmod(0o755)
        text = (DOCS / name).read_text(encoding="utf-8").replace("/etc/bailiwick", str(self.etc))
        self.blocks = FENCE.findall(text)

    def take(self, kind: str) -> str:
        """The next block, which is of this kind."""
        found, block = self.blocks.pop(0)
        assert found == kind, block
        return str(block)

    def run(self, **variables: str) -> str:
        """Run the next block as a person would who types what is after each `$`. Returns what it printed."""
        lines = self.take("console").splitlines()
        typed = "\n".join(line.removeprefix("$ ") for line in lines)
        assert all(line.startswith(("$ ", "    ")) for line in lines), typed
        typed = typed.replace("apt-get install", ": apt-get install")
        typed, served = re.subn(r"^bailiwick serve (.*)$", ": told apart", typed, flags=re.MULTILINE)
        assert served == 0 or ": told apart" in typed
        environment = clean_environment(PATH=f"{self.bin}:/usr/bin:/bin", HOME=str(self.folder), **variables)
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", typed],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def flags(self) -> tuple[str, ...]:
        """With what the next block starts a server."""
        _, block = self.blocks[0]
        (found,) = re.findall(r"^\$ bailiwick serve (.*)$", block, re.MULTILINE)
        return tuple(found.split())


def variables(server: ServerProcess, region: str) -> dict[str, str]:
    """What the `aws` CLI is told by."""
    keys = server.root()
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
    }


@softhsm.needed
def test_hsm(tmp_path: Path) -> None:
    page = Page("hsm.md", tmp_path)
    page.run()
    (page.etc / "hsm.toml").write_text(page.take("toml"))
    flags = page.flags()
    page.run()
    module = {"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}
    server = ServerProcess(tmp_path / "data", arguments=flags, variables=module).start()
    try:
        (tmp_path / "customerCA.crt").write_text("any, for the file of tokens has none to compare")
        (tmp_path / "secret.txt").write_text("a secret that rests in a token")
        assert page.run(**variables(server, "us-east-1")) == "a secret that rests in a token"
        assert server.stop() == 0

        told = {"BAILIWICK_DATA": str(server.data), "BAILIWICK_HSM": str(page.etc / "hsm.toml")}
        assert "cluster-frankfurthsm" in page.run(**module, **told)
        assert not (server.data / "root.key").exists()
        assert page.blocks == []
        server.start()
        opened = server.client("kms").decrypt(CiphertextBlob=(tmp_path / "secret.encrypted").read_bytes())
        assert opened["Plaintext"] == b"a secret that rests in a token"
    finally:
        server.kill()


def test_xks(tmp_path: Path) -> None:
    page, authority = Page("xks.md", tmp_path), Authority(tmp_path)
    commands = page.blocks.pop(0)
    places = page.take("toml")
    clients = page.take("toml")
    (page.etc / "xks.toml").write_text(clients)
    for name, file in zip(("tls.pem", "tls.key"), authority.certificate("localhost"), strict=True):
        file.rename(page.etc / name)
    flags = page.flags()
    page.run()
    for house in ("there", "here"):
        (tmp_path / house).mkdir()
    keeper = ServerProcess(
        tmp_path / "there" / "data",
        arguments=(*flags, "--account-id", "123456789012", "--region", "us-east-1"),
        authority=authority.file,
    )
    assert places.count("https://10.1.2.3:8443") == 1
    (tmp_path / "here" / "xks.toml").write_text(
        places.replace("https://10.1.2.3:8443", f"https://localhost:{keeper.port}")
    )
    house = ServerProcess(
        tmp_path / "here" / "data",
        arguments=(
            *("--xks", str(tmp_path / "here" / "xks.toml")),
            *("--account-id", "111122223333", "--region", "eu-central-1"),
        ),
        variables={"SSL_CERT_FILE": str(authority.file)},
    )
    try:
        keeper.start()
        house.start()
        statement = json.loads(page.take("json"))
        assert page.blocks == []
        there = keeper.client("kms")
        external = there.create_key(Policy=json.dumps(policy(statement)))["KeyMetadata"]["KeyId"]
        page.blocks.append(commands)
        printed = page.run(
            **variables(house, "eu-central-1"),
            ID="ABCDEFGHIJKLMNOPQRST",
            SECRET=(page.etc / "xks-secret").read_text().strip(),
            XKS_KEY=external,
        )
        assert printed.startswith("arn:aws:kms:eu-central-1:111122223333:key/")
        (entry,) = house.client("kms", region="eu-central-1").describe_custom_key_stores()["CustomKeyStores"]
        assert entry["ConnectionState"] == "CONNECTED"
    finally:
        for each in (house, keeper):
            if each.process:
                each.kill()


def policy(statement: dict[str, object]) -> dict[str, object]:
    """A key policy with the statement of the page, and with what the page says beside it."""
    root = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "kms:*", "Resource": "*"}
    described = {name: part for name, part in statement.items() if name != "Condition"} | {
        "Action": "kms:DescribeKey"
    }
    return {"Version": "2012-10-17", "Statement": [root, statement, described]}
