"""Two deployments that share keys, each a real server with TLS: replicate, rotate, promote; and kill -9 between."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clients_support import ServerProcess, clean_environment
from xks_support import Authority

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ACCOUNT = "111122223333"
US, EU = "us-east-1", "eu-west-1"
SECONDS = 30


class Side:
    """One of the deployments."""

    def __init__(self, folder: Path, region: str, authority: Authority, workers: int) -> None:
        certificate, key = authority.certificate("localhost")
        self.region, self.peers, self.config = region, folder / "peers.toml", folder / "config.toml"
        self.config.write_text(f'peers = "{self.peers}"\n')
        self.server = ServerProcess(
            folder / "data",
            workers,
            (
                *("--region", region, "--account-id", ACCOUNT, "--config", str(self.config)),
                *("--tls-cert", str(certificate), "--tls-key", str(key)),
            ),
            authority=authority.file,
        )

    def names(self, other: Side, secret: Path, authority: Authority) -> None:
        self.peers.write_text(
            f'[peers.other]\nurl = "{other.server.endpoint}"\nregions = ["{other.region}"]\n'
            f'accounts = ["{ACCOUNT}"]\nsecret_file = "{secret}"\nca_file = "{authority.file}"\n'
        )

    def start(self) -> None:
        self.server.start()
        self.kms: Any = self.server.client("kms", region=self.region)

    def key(self, key_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]
        return found

    def is_(self, key_id: str, kind: str, state: str = "Enabled") -> bool:
        try:
            found = self.key(key_id)
        except self.kms.exceptions.NotFoundException:
            return False
        return (found["MultiRegionConfiguration"]["MultiRegionKeyType"], found["KeyState"]) == (kind, state)


def bailiwick(*arguments: str) -> None:
    command = [sys.executable, "-m", "bailiwick", *arguments]
    subprocess.run(command, check=True, env=clean_environment(), timeout=60, capture_output=True)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what another process does by itself."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    authority, secret = Authority(tmp_path), tmp_path / "secret"
    bailiwick("peer", "key", str(secret))
    assert (secret.stat().st_mode & 0o777, secret.stat().st_size) == (0o600, 32)
    folders = [tmp_path / name for name in ("us", "eu")]
    for folder in folders:
        folder.mkdir()
    us, eu = Side(folders[0], US, authority, 1), Side(folders[1], EU, authority, 2)
    for side, other in ((us, eu), (eu, us)):
        side.names(other, secret, authority)
        side.start()
    yield us, eu
    for side in (us, eu):
        if side.server.process and side.server.process.poll() is None:
            side.server.kill()


def test_two_deployments_keep_a_key_in_step_whatever_dies(sides: tuple[Side, Side]) -> None:
    us, eu = sides
    blobs = []

    def sealed(side: Side) -> None:
        blobs.append(side.kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"])

    key = us.kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    us.kms.replicate_key(KeyId=key, ReplicaRegion=EU)
    eventually(lambda: eu.is_(key, "REPLICA"))
    sealed(us)
    old = us.key(key)["CurrentKeyMaterialId"]
    us.kms.rotate_key_on_demand(KeyId=key)
    eventually(lambda: us.key(key)["CurrentKeyMaterialId"] != old)
    sealed(us)
    assert eu.kms.decrypt(CiphertextBlob=blobs[-1])["Plaintext"] == b"text"

    # The primary is moved to a peer that is dead, by a server that dies as soon as it has answered.
    eu.server.kill()
    us.kms.update_primary_region(KeyId=key, PrimaryRegion=EU)
    us.server.kill()
    us.start()
    assert us.is_(key, "REPLICA", "Updating")
    sealed(us)
    eu.start()
    eventually(lambda: us.is_(key, "REPLICA") and eu.is_(key, "PRIMARY"))

    # A rotation, and each of them killed while it is on its way.
    for side in (us, eu):
        old = eu.key(key)["CurrentKeyMaterialId"]
        eu.kms.rotate_key_on_demand(KeyId=key)
        side.server.kill()
        side.start()
        eventually(lambda old=old: old not in (new := current(eu, us, key)) and len(new) == 1)  # type: ignore[misc]
        sealed(eu)

    # The primary is lost, and comes back.
    eu.server.kill()
    bailiwick(*("kms", "promote", us.key(key)["Arn"]), *("--data", str(us.server.data), "--config", str(us.config)))
    assert us.is_(key, "PRIMARY")
    old = us.key(key)["CurrentKeyMaterialId"]
    us.kms.rotate_key_on_demand(KeyId=key)
    eu.start()
    eventually(lambda: eu.is_(key, "REPLICA") and old not in current(eu, us, key))
    sealed(us)
    sealed(eu)
    for blob in blobs:
        assert [side.kms.decrypt(CiphertextBlob=blob)["Plaintext"] for side in sides] == [b"text", b"text"]


def current(one: Side, other: Side, key: str) -> set[str]:
    return {side.key(key)["CurrentKeyMaterialId"] for side in (one, other)}
