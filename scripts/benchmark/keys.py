"""KMS while it fills: keys in the store, and grants on the one key that is asked for."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
import uuid
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert, select

from bailiwick import services
from bailiwick.app import home
from bailiwick.app.settings import Settings
from bailiwick.core.message import Request
from bailiwick.services.kms import grants, records, tables
from bailiwick.services.kms.grants import Constraints
from bailiwick.store import Store
from benchmark.calls import REGION, Credentials, encrypt, request_of, signed
from benchmark.load import cpu_seconds, load, megabytes, raw
from benchmark.report import Report
from benchmark.servers import Running, bailiwick, client, furnished, root_of

GRANTS = 49_999  # and one more: AWS's quota
_BATCH = 5_000
_TOUCHED = 10_000  # different keys, each asked for once
_COLUMNS = ("stored", "CPU us/request", "CPU us of one not in memory", "memory MB")
_NOTE = (
    "KMS Encrypt, medians of rounds that took turns; then {touched:,} others, each once: other keys, or the "
    "contexts of other grants. The grantee has no policy, only grants: one for each context, or many the same."
)


def keys(report: Report, sizes: list[int], seconds: float, connections: int, rounds: int) -> None:
    """One server for each size and kind of grants, all at once, and loads that take turns."""
    with ExitStack() as stack:
        sides = [_with_keys(stack, size) for size in sizes]
        sides += [
            _with_grants(stack, count, same=same) for count, same in ((1, False), (GRANTS, False), (GRANTS, True))
        ]
        found: list[list[float]] = [[] for _ in sides]
        for _ in range(rounds):
            for place, side in enumerate(sides):
                running = side.running
                found[place].append(load(running.host, side.request, running.pids, seconds, connections).cpu_us)
        rows = []
        for side, each in zip(sides, found, strict=True):
            cold = _cold(side) if side.others else None
            rows.append(
                (
                    side.name,
                    f"{statistics.median(each):.1f}",
                    f"{cold:.1f}" if cold is not None else "",
                    f"{megabytes(side.running.pid):.0f}",
                )
            )
    report.part("keys", "Growth with KMS keys and grants", _COLUMNS, rows, _NOTE.format(touched=_TOUCHED))


class _Side:
    """A server, the request that is sent over and over, and others that are sent once."""

    def __init__(self, name: str, running: Running, request: Request, others: list[Request]) -> None:
        self.name, self.running, self.request, self.others = name, running, request, others


def _cold(side: _Side) -> float:
    before = cpu_seconds(side.running.pids)
    asyncio.run(send(side.running.host, side.others))
    return (cpu_seconds(side.running.pids) - before) / len(side.others) * 1e6


async def send(host: str, requests: list[Request]) -> None:
    """Send each of them once, over four connections. Raises SystemExit for a refusal."""
    address, _, port = host.partition(":")
    waiting = iter(requests)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address, int(port))
        for request in waiting:
            writer.write(raw(request))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {body.decode()}")
        writer.close()

    await asyncio.gather(*(one() for _ in range(4)))


def _begun(stack: ExitStack) -> tuple[Path, Running, Credentials, str]:
    """A server, a user who may do everything, and a key."""
    data = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
    running = stack.enter_context(bailiwick(data))
    user, key = furnished(running.host, root_of(data))
    return data, running, user, key


def _with_keys(stack: ExitStack, size: int) -> _Side:
    data, running, user, key = _begun(stack)
    every = fill_keys(data, key, size)
    others = [encrypt(each, running.host, user) for each in every[:_TOUCHED]]
    return _Side(f"{size:,} keys", running, encrypt(key, running.host, user), others)


def fill_keys(data: Path, like: str, size: int) -> list[str]:
    """Add keys like one that is there, each with material of its own; returns some of their ARNs."""
    found = home.open_home(data, Settings(), {})
    environment, store = found.deployment.environment(found.ring), Store(found.database)
    with store.transaction(write=False) as reading:
        row = reading.one(select(tables.key).where(tables.key.c.arn == like))
    assert row is not None
    prefix, kept, places = like.rpartition("/")[0], list[str](), iter(range(size))
    every = max(1, size // _TOUCHED)
    while batch := list(islice(places, _BATCH)):
        rows: list[dict[str, Any]] = []
        materials: list[dict[str, Any]] = []
        for place in batch:
            key_id, material = str(uuid.uuid4()), os.urandom(32).hex()
            arn = f"{prefix}/{key_id}"
            rows.append({**row._mapping, "arn": arn, "id": key_id, "material": material})
            sealed = records.seal_material(environment, arn, material, os.urandom(32))
            materials.append({"key_arn": arn, "id": material, "sealed": sealed, "created": row.created})
            if place % every == 0:
                kept.append(arn)
        with store.transaction(write=True) as transaction:
            transaction.run(insert(tables.key), rows)
            transaction.run(insert(tables.material), materials)
    store.close()
    return kept


def _with_grants(stack: ExitStack, count: int, *, same: bool) -> _Side:
    data, running, user, key = _begun(stack)
    iam = client("iam", running.host, user)
    unique = iam.create_user(UserName="grantee")["User"]
    made = iam.create_access_key(UserName="grantee")["AccessKey"]
    grantee = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    kms = client("kms", running.host, user)
    # One of them by the front door, so that the server knows that there are grants.
    kms.create_grant(KeyId=key, GranteePrincipal=unique["Arn"], Operations=["DescribeKey"])
    fill_grants(data, key, {unique["Arn"]: unique["UserId"]}, count, same=same)

    def asking(place: int) -> Request:
        body = {"KeyId": key, "Plaintext": "eHh4" * 11, "EncryptionContext": {"volume": f"v{place}"}}
        return signed(request_of("kms", "Encrypt", body, running.host), "kms", grantee)

    others = [asking(place) for place in range(1, min(count, _TOUCHED + 1))]
    name = f"{count + 1:,} grants of the caller, " + ("all the same" if same else "a context each")
    return _Side("2 grants of the caller" if count == 1 else name, running, asking(0), others)


def fill_grants(data: Path, key: str, grantee: dict[str, str], count: int, *, same: bool) -> None:
    """Give one user (ARN and unique id) many grants on a key: the same, or one for each encryption context."""
    _ = services.ALL
    found = home.open_home(data, Settings(), {})
    store, account, now = Store(found.database), key.split(":")[4], time.time()
    (arn,) = grantee
    places = iter(range(count))
    while batch := list(islice(places, _BATCH)):
        rows: list[dict[str, Any]] = []
        for place in batch:
            constraints = Constraints() if same else Constraints(subset={"volume": f"v{place}"})
            rows.append(
                {
                    "key_arn": key,
                    "id": os.urandom(32).hex(),
                    "region": REGION,
                    "grantee": arn,
                    "pins": json.dumps(grantee),
                    "issuer": account,
                    "created": now + place,
                    "operations": '["Encrypt","Decrypt"]',
                    "narrow": grants.narrow(constraints),
                    "constraints": msgspec.json.encode(constraints).decode(),
                }
            )
        with store.transaction(write=True) as transaction:
            transaction.run(insert(tables.grant), rows)
    store.close()
