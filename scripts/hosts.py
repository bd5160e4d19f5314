"""Many hosts ask a server for credentials: does the time for each grow with their number?

A server runs on a fresh data folder, into whose database the hosts are written. At 100, 1,000 ... hosts a number of
them, chosen by chance, ask for credentials over kept connections; at last every one asks once. Printed are the time
of a request (median and 99th in a hundred, in milliseconds) and how many were answered in a second. The exit status
is 1 if the median of the most hosts is more than half as long again as that of the fewest.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bailiwick.app import home
from bailiwick.app.settings import Settings
from bailiwick.core import host_proof, ids
from bailiwick.directory import instances, tables
from bailiwick.directory.instances import Association, Instance
from bailiwick.directory.role_tables import instance_profile
from bailiwick.store import Store

TARGET = "BailiwickHosts.GetInstanceCredentials"
TRUST = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}'  # noqa: E501


class Host(NamedTuple):
    """A host: its id and key."""

    id: str
    key: Ed25519PrivateKey


class Crowd:
    """Hosts of one account that have one profile, made a number at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hosts = folder, list[Host]()
        found = home.open_home(folder, Settings(data=folder), {})
        self.account, self.profile = found.deployment.account_id, ""

    def begin(self, store: Store) -> None:
        """Make the role and the profile."""
        role_id, profile_id = (ids.unique_id(kind, self.account, os.urandom) for kind in ("AROA", "AIPA"))
        named = {"account": self.account, "name": "web", "folded": "web", "path": "/", "created": 1.0}
        with store.transaction(write=True) as transaction:
            row = {**named, "id": role_id, "max_session": 3600, "trust": TRUST}
            transaction.run(tables.role.insert().values(**row))
            transaction.run(instance_profile.insert().values(**named, id=profile_id, role_id=role_id))
        self.profile = profile_id

    def grow(self, store: Store, most: int) -> None:
        """Have so many hosts."""
        arn = f"arn:aws:iam::{self.account}:instance-profile/web"
        while len(self.hosts) < most:
            with store.transaction(write=True) as transaction:
                for _ in range(min(1000, most - len(self.hosts))):
                    key, instance_id = Ed25519PrivateKey.generate(), instances.new_id("i", os.urandom)
                    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                    made = Instance(
                        id=instance_id,
                        account=self.account,
                        region="us-east-1",
                        zone="us-east-1a",
                        launched=1.0,
                        seen=1.0,
                        public_key=base64.b64encode(der).decode(),
                        address="127.0.0.1",
                    )
                    instances.create(transaction, made, {"number": str(len(self.hosts))})
                    each = instances.new_id("iip-assoc", os.urandom)
                    instances.associate(
                        transaction, Association(each, instance_id, self.account, self.profile, arn, True, 1.0)
                    )
                    self.hosts.append(Host(instance_id, key))


def ask(connection: http.client.HTTPConnection, authority: str, host: Host) -> float:
    """Ask for credentials; returns the seconds that it took."""
    now, nonce = str(int(time.time())), base64.urlsafe_b64encode(os.urandom(18)).decode()
    text = host_proof.text(authority, TARGET, host.id, now, nonce, b"{}")
    headers = {
        "host": authority,
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": TARGET,
        host_proof.HOST: host.id,
        host_proof.TIME: now,
        host_proof.NONCE: nonce,
        host_proof.PROOF: host_proof.sign(host.key, text),
    }
    started = time.perf_counter()
    connection.request("POST", "/", b"{}", headers)
    answer = connection.getresponse()
    told: dict[str, Any] = json.loads(answer.read())
    took = time.perf_counter() - started
    if answer.status != 200 or told.get("Code") != "Success":
        raise SystemExit(f"{host.id} was answered {answer.status}: {told}")
    return took


def round_of(port: int, hosts: Sequence[Host], connections: int) -> tuple[list[float], float]:
    """All of these ask, over a few connections at once; the seconds of each, and of all."""
    authority = f"127.0.0.1:{port}"

    def work(mine: Sequence[Host]) -> list[float]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return [ask(connection, authority, host) for host in mine]

    started = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        taken = [
            each for part in pool.map(work, [hosts[n::connections] for n in range(connections)]) for each in part
        ]
    return taken, time.perf_counter() - started


def told(name: str, taken: list[float], seconds: float) -> float:
    """Print a line; returns the median in milliseconds."""
    median, worst = statistics.median(taken) * 1e3, statistics.quantiles(taken, n=100)[98] * 1e3
    print(f"{name:>22}  {median:8.2f} ms  {worst:8.2f} ms  {len(taken) / seconds:8.0f}/s", flush=True)
    return median


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=1_000, help="in each round but the last")
    parser.add_argument("--connections", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bailiwick-hosts-") as name:
        folder = Path(name) / "data"
        crowd = Crowd(folder)
        with closing(Store(folder)) as store:
            crowd.begin(store)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            command = [sys.executable, "-m", "bailiwick", "serve", "--data", str(folder), "--port", str(port)]
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait(port)
                return measure(crowd, store, port, asked)
            finally:
                server.terminate()
                server.wait(20)


def measure(crowd: Crowd, store: Store, port: int, asked: argparse.Namespace) -> int:
    """Every round, and whether the time for each stayed what it was."""
    print(f"{'hosts':>22}  {'median':>11}  {'99 of 100':>11}  {'in a second':>10}")
    steps = sorted({min(asked.hosts, 10**power) for power in range(2, 9)} | {asked.hosts})
    medians = []
    for most in steps:
        crowd.grow(store, most)
        chosen = random.choices(crowd.hosts, k=asked.requests)
        round_of(port, chosen[:100], asked.connections)  # warm
        medians.append(told(f"{most:,}", *round_of(port, chosen, asked.connections)))
    told(f"{asked.hosts:,}, each once", *round_of(port, crowd.hosts, asked.connections))
    return int(medians[-1] > 1.5 * medians[0])


def wait(port: int) -> None:
    """Until the server answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not come up")


if __name__ == "__main__":
    sys.exit(main())
