"""A whole server under a steady share of its peak, while keys and policies change: does it grow, does it err?

It measures the peak for a few seconds, then sends that share of it from keys that are replaced all the time, each
of which is checked to be refused once it is deleted. Memory is that of the server's processes (Pss, Linux), the
median of the last fifth of the time against that of the second; the first is for warming up.
"""

from __future__ import annotations

import argparse
import asyncio
import configparser
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import botocore.config
from botocore.exceptions import ClientError

from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4.sign import sign

REGION = "us-east-1"
USERS = 20
PEAK_SECONDS = 5.0
RESIGN = 120.0  # seconds that a signed request is sent again and again; a signature is good for 900
ALLOWED = 0.05
POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Encrypt"],"Resource":"*"},'
    '{"Effect":"Allow","Action":"s3:Get%d","Resource":"*"}]}'
)


class Server:
    """`bailiwick serve` in a folder of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data = folder / "data"
        command = [sys.executable, "-m", "bailiwick", "serve", "--data", str(self.data), "--port", str(self.port)]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([*command, "--workers", str(workers)], stdout=log, stderr=log)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1).close()
                break
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit((folder / "log").read_text()) from None
                time.sleep(0.05)
        parser = configparser.ConfigParser()
        parser.read(self.data / "root-credentials")
        self.root = dict(parser["default"])

    def client(self, service: str) -> Any:
        """A boto3 client as the root user."""
        config = botocore.config.Config(retries={"max_attempts": 0})
        endpoint = f"http://127.0.0.1:{self.port}"
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=config, **self.root)

    def memory(self) -> int:
        """Bytes of the server and its workers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        total = 0
        for each in (str(pid), *children):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


class Keys:
    """The access keys in use, two for each user, as signed requests; one is replaced at each `churn`."""

    def __init__(self, server: Server) -> None:
        self.server, self.iam = server, server.client("iam")
        self.key_id = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.requests: list[bytes] = []
        self.keys: list[tuple[str, str, str]] = []  # user, id, secret
        self.signed: list[float] = []
        self.refused = 0
        self.replaced = 0
        for number in range(USERS):
            self.iam.create_user(UserName=f"u{number}")
            self.iam.put_user_policy(UserName=f"u{number}", PolicyName="p", PolicyDocument=POLICY % 0)
            self._add(f"u{number}")

    def _add(self, user: str, place: int | None = None) -> None:
        made = self.iam.create_access_key(UserName=user)["AccessKey"]
        key = (user, made["AccessKeyId"], made["SecretAccessKey"])
        if place is None:
            self.keys.append(key)
            self.requests.append(b"")
            self.signed.append(0.0)
            place = len(self.keys) - 1
        self.keys[place] = key
        self._sign(place)

    def _sign(self, place: int) -> None:
        _, key_id, secret = self.keys[place]
        body = b'{"KeyId":"%b","Plaintext":"eHh4eHh4"}' % self.key_id.encode()
        headers = (
            Header("host", f"127.0.0.1:{self.server.port}"),
            Header("content-type", "application/x-amz-json-1.1"),
            Header("x-amz-target", "TrentService.Encrypt"),
        )
        request = Request("POST", "/", "", headers, body)
        signed = sign(
            request, access_key_id=key_id, secret=secret, token=None, region=REGION, service="kms", now=time.time()
        )
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers)
        self.requests[place] = f"POST / HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
        self.signed[place] = time.monotonic()

    def churn(self, ended: threading.Event, pause: float) -> None:
        """Replace keys and change policies until told to end; what is deleted must be refused."""
        number = 0
        while not ended.wait(pause):
            number += 1
            place = number % len(self.keys)
            user, old, _ = self.keys[place]
            before = self.requests[place]
            self._add(user, place)
            self.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=POLICY % number)
            ended.wait(0.3)  # what was sent with the old one is answered
            self.iam.delete_access_key(UserName=user, AccessKeyId=old)
            self.replaced += 1
            self.refused += self._is_refused(before)
            for other, at in enumerate(self.signed):
                if time.monotonic() - at > RESIGN:
                    self._sign(other)

    def _is_refused(self, request: bytes) -> bool:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall(request)
            return connection.recv(65536).startswith(b"HTTP/1.1 400")


class Load:
    """Requests from the keys' present ones over kept connections, as fast as it goes or at a rate."""

    def __init__(self, keys: Keys, connections: int) -> None:
        self.keys = keys
        self.connections = connections
        self.done = 0
        self.errors: list[str] = []

    async def run(self, seconds: float, rate: float | None) -> None:
        """Send for so many seconds."""
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._one(end, rate) for _ in range(self.connections)))

    async def _one(self, end: float, rate: float | None) -> None:
        chance, pause = random.Random(), self.connections / rate if rate else 0.0
        reader, writer = await asyncio.open_connection("127.0.0.1", self.keys.server.port)
        due = time.perf_counter() + chance.random() * pause
        while (now := time.perf_counter()) < end:
            if due > now:
                await asyncio.sleep(due - now)
            due += pause
            writer.write(chance.choice(self.keys.requests))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            self.done += 1
            if not head.startswith(b"HTTP/1.1 200"):
                self.errors.append(f"{head.splitlines()[0].decode()} {body[:300].decode()}")
        writer.close()


def soak(server: Server, seconds: float, share: float, connections: int, churn: float) -> bool:
    """Run it; returns whether all was well."""
    keys = Keys(server)
    peak = Load(keys, connections)
    asyncio.run(peak.run(PEAK_SECONDS, None))
    rate = peak.done / PEAK_SECONDS
    print(f"peak {rate:,.0f} requests/s on {connections} connections; {share:.0%} of it for {seconds:.0f} s")
    load, ended, failures = Load(keys, connections), threading.Event(), list[str]()
    samples: list[tuple[float, int]] = []
    begun = time.monotonic()

    def churns() -> None:
        try:
            keys.churn(ended, churn)
        except (ClientError, OSError) as error:
            failures.append(f"churn: {error}")

    def watches() -> None:
        while not ended.wait(min(5.0, seconds / 40)):
            samples.append((time.monotonic() - begun, server.memory()))

    threads = [threading.Thread(target=churns), threading.Thread(target=watches)]
    for thread in threads:
        thread.start()
    asyncio.run(load.run(seconds, rate * share))
    ended.set()
    for thread in threads:
        thread.join()
    return report(keys, load, peak.errors + load.errors + failures, samples, seconds)


def report(keys: Keys, load: Load, errors: list[str], samples: list[tuple[float, int]], seconds: float) -> bool:
    """Print what was measured; returns whether all was well."""
    fifth = seconds / 5
    early = statistics.median(size for at, size in samples if fifth <= at < 2 * fifth)
    late = statistics.median(size for at, size in samples if at >= 4 * fifth)
    growth = late / early - 1
    print(f"{load.done:,} requests, {load.done / seconds:,.0f}/s; {keys.replaced} keys and policies replaced")
    print(f"memory {early / 1e6:.1f} MB, then {late / 1e6:.1f} MB: {growth:+.1%} (allowed {ALLOWED:.0%})")
    missed = keys.replaced - keys.refused
    if missed:
        errors = [*errors, f"{missed} deleted keys were not refused"]
    print(f"{len(errors)} errors", *errors[:5], sep="\n  ")
    return growth <= ALLOWED and not errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (600)")
    parser.add_argument("--share", type=float, default=0.8, help="of the peak (0.8)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--churn", type=float, default=0.1, help="seconds between replacements (0.1)")
    chosen = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("AWS_", "BAILIWICK_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), chosen.workers)
        try:
            well = soak(server, chosen.seconds, chosen.share, chosen.connections, chosen.churn)
        finally:
            server.process.terminate()
            server.process.wait(30)
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
