"""The same request while the store grows: access keys and principals in the store, policies of the principal."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bailiwick.app import home
from bailiwick.app.settings import Settings
from bailiwick.core import ids
from bailiwick.core.message import Request
from bailiwick.directory import access_keys, accounts, tables
from bailiwick.store import Store
from benchmark.calls import Credentials, encrypt, identity
from benchmark.load import Result, load, megabytes, raw
from benchmark.report import Report
from benchmark.servers import Running, bailiwick, client, furnished, root_of

_BATCH = 5_000
_KEYS_OF_EACH = 10
_USERS_OF_AN_ACCOUNT = 4_000
_TOUCHED = 40_000  # different keys that send a request, which is more than any memory holds
_DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
)
_COLUMNS = (
    "access keys",
    "principals",
    "CPU us/request",
    "after others",
    "start s",
    "memory MB",
    "after others MB",
)
_NOTE = (
    "GetCallerIdentity, medians of rounds that took turns. `after others`: when up to 40,000 other keys have sent "
    "requests, so that every memory is full."
)


def growth(report: Report, sizes: list[int], seconds: float, connections: int, rounds: int) -> None:
    """One server for each size, all at once, and loads that take turns."""
    with ExitStack() as stack:
        sides = [_filled(stack, size) for size in sizes]
        before = _rounds([(running, request) for running, request, _ in sides], seconds, connections, rounds)
        fresh = [megabytes(running.pid) for running, _, _ in sides]
        for running, _, others in sides:
            asyncio.run(_touch(running.host, others))
        after = _rounds([(running, request) for running, request, _ in sides], seconds, connections, rounds)
        rows = [
            (
                f"{size:,}",
                f"{size // _KEYS_OF_EACH:,}",
                f"{cold:.1f}",
                f"{warm:.1f}",
                f"{running.began:.2f}",
                f"{memory:.0f}",
                f"{megabytes(running.pid):.0f}",
            )
            for size, (running, _, _), cold, warm, memory in zip(sizes, sides, before, after, fresh, strict=True)
        ]
    report.part("growth", "Growth with what is stored", _COLUMNS, rows, _NOTE)
    report.bars("growth", "CPU of a request", [(f"{row[0]} access keys", float(row[3])) for row in rows], "us")


def _rounds(sides: list[tuple[Running, Request]], seconds: float, connections: int, rounds: int) -> list[float]:
    found: list[list[Result]] = [[] for _ in sides]
    for _ in range(rounds):
        for place, (running, request) in enumerate(sides):
            found[place].append(load(running.host, request, running.pids, seconds, connections))
    return [statistics.median(each.cpu_us for each in results) for results in found]


def _filled(stack: ExitStack, size: int) -> tuple[Running, Request, list[Credentials]]:
    """A server on a store with so many access keys, a request of one user, and other users' keys."""
    data = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
    others = fill(data, size)
    running = stack.enter_context(bailiwick(data))
    user, _ = furnished(running.host, root_of(data))
    return running, identity(running.host, user), others


def fill(data: Path, size: int) -> list[Credentials]:
    """Begin a data folder with that many access keys and a tenth as many users; returns some of the keys."""
    found = home.open_home(data, Settings(), {})
    environment = found.deployment.environment(found.ring)
    store, now, kept = Store(found.database), time.time(), list[Credentials]()
    every = max(1, size // _TOUCHED)
    keys = iter(range(size))
    while batch := list(islice(keys, _BATCH)):
        users: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for number in batch:
            account = f"{2 * 10**11 + number // (_KEYS_OF_EACH * _USERS_OF_AN_ACCOUNT)}"
            if number % _KEYS_OF_EACH == 0:
                users.append(_user(account, number // _KEYS_OF_EACH, now))
            key, secret = ids.access_key_id("AKIA", account, os.urandom), ids.secret_access_key(os.urandom)
            if number % every == 0:
                kept.append(Credentials(key, secret))
            rows.append(
                {
                    "id": key,
                    "account": account,
                    "owner_id": users[-1]["id"],
                    "secret": access_keys.sealed(environment, key, secret),
                    "status": "Active",
                    "created": now,
                }
            )
        policies = [{"owner_id": user["id"], "name": "p", "document": _DOCUMENT} for user in users]
        with store.transaction(write=True) as transaction:
            for account in {user["account"] for user in users}:
                if accounts.find(transaction, account) is None:
                    accounts.create(transaction, account, account, now)
            transaction.run(insert(tables.user), users)
            transaction.run(insert(tables.inline_policy), policies)
            transaction.run(insert(tables.access_key), rows)
    store.close()
    return kept[:_TOUCHED]


def _user(account: str, number: int, now: float) -> dict[str, Any]:
    name = f"user-{number}"
    unique = ids.unique_id("AIDA", account, os.urandom)
    return {"id": unique, "account": account, "name": name, "folded": name, "path": "/", "created": now}


async def _touch(host: str, others: list[Credentials]) -> None:
    """One request of each key, over a few connections."""
    address, _, port = host.partition(":")
    waiting = iter(others)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address, int(port))
        for credentials in waiting:
            writer.write(raw(identity(host, credentials)))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head.decode()}")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(one() for _ in range(4)))


def policies(report: Report, seconds: float, connections: int, rounds: int) -> None:
    """KMS Encrypt by users with one, five and ten inline policies."""
    counts = (1, 5, 10)
    with tempfile.TemporaryDirectory() as folder, bailiwick(Path(folder) / "data") as running:
        root = root_of(Path(folder) / "data")
        sides = []
        for count in counts:
            name = f"with-{count}"
            user, key = furnished(running.host, root, name)
            iam = client("iam", running.host, root)
            for number in range(count - 1):
                iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=_other(number))
            sides.append((running, encrypt(key, running.host, user)))
        found = _rounds(sides, seconds, connections, rounds)
    rows = [(str(count), f"{cpu:.1f}") for count, cpu in zip(counts, found, strict=True)]
    note = "KMS Encrypt; one policy allows it, the others are two statements each about another service."
    report.part("policies", "Growth with policies of the caller", ("inline policies", "CPU us/request"), rows, note)


def _other(number: int) -> str:
    statements = [
        {"Effect": "Allow", "Action": f"s3:Get{letter}*", "Resource": f"arn:aws:s3:::b{number}/*"}
        for letter in "AB"
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
