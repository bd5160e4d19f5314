"""Requests of IAM and STS in a large account and in a small one, side by side in this process.

The small account has a page of users, one role and one policy. Every request is made in both in turns, so that the
machine's noise falls on both. What is large is written straight into the tables.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import insert

from bailiwick.core import ids
from bailiwick.core.message import Header, Request
from bailiwick.directory import access_keys, quotas, tables
from benchmark.calls import Credentials, signed
from benchmark.inside import Bench
from benchmark.report import Report

ROUNDS, PER_ROUND = 41, 12
PAGE = 100
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:*", "sts:*"], "Resource": "*"}]}
)


class Town:
    """A deployment whose account has so many of each; the last user has an access key."""

    def __init__(self, folder: Path, users: int, roles: int, policies: int) -> None:
        folder.mkdir()
        self.bench = Bench(folder)
        self.account = self.bench.account
        environment = self.bench.world.environment
        self.user, self.role, self.policy = f"user-{users:07}", f"role-{roles:07}", f"policy-{policies:07}"
        with self.bench.world.store.transaction(write=True) as transaction:
            for name, many in (("Users", users), ("Roles", roles), ("Policies", policies)):
                quotas.put(transaction, f"{name}PerAccount", 2 * many + 10_000)
            for table, rows in self._rows(users, roles, policies):
                for start in range(0, len(rows), 5_000):
                    transaction.run(insert(table), rows[start : start + 5_000])
            key = access_keys.create(transaction, environment, self.account, self.last_id, time.time())
        self.key = Credentials(*key)

    def _rows(self, users: int, roles: int, policies: int) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
        def entity(prefix: str, kind: str, number: int) -> dict[str, Any]:
            unique_id = ids.unique_id(prefix, self.account, self.bench.world.environment.noise)
            name = f"{kind}-{number:07}"
            common = {"account": self.account, "name": name, "folded": name, "path": "/", "created": 1.7e9}
            return {"id": unique_id, **common}

        people = [entity("AIDA", "user", number) for number in range(1, users + 1)]
        self.last_id = people[-1]["id"]
        yield tables.user, people
        root = {"AWS": f"arn:aws:iam::{self.account}:root"}
        statement = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        trusted = {"max_session": 3600, "trust": trust, "pins": "{}"}
        made = [entity("AROA", "role", number) | trusted for number in range(1, roles + 1)]
        yield tables.role, made
        given = [
            entity("ANPA", "policy", number)
            | {
                "arn": f"arn:aws:iam::{self.account}:policy/policy-{number:07}",
                "updated": 1.7e9,
                "default_version": 1,
                "next_version": 2,
            }
            for number in range(1, policies + 1)
        ]
        yield tables.policy, given
        yield (
            tables.policy_version,
            [{"policy_id": each["id"], "number": 1, "document": DOCUMENT, "created": 1.7e9} for each in given],
        )
        yield (
            tables.attachment,
            [
                {
                    "owner_id": each["id"],
                    "policy_arn": given[-1 - number % policies]["arn"],
                    "account": self.account,
                    "attached": 1.7e9,
                }
                for number, each in enumerate([*reversed(people), *reversed(made)])
            ],
        )

    def asking(self, service: str, **members: str) -> Callable[[], None]:
        """A function that makes one request, signed by the last user, all the way through the pipeline."""
        version = "2010-05-08" if service == "iam" else "2011-06-15"
        form = "&".join(
            f"{name}={quote(value, safe='')}" for name, value in {**members, "Version": version}.items()
        )
        headers = (Header("host", "127.0.0.1"), Header("content-type", "application/x-www-form-urlencoded"))
        request = signed(Request("POST", "/", "", headers, form.encode()), service, self.key)

        def ask() -> None:
            response = self.bench.pipeline.handle(request)
            if response.status != 200:
                raise SystemExit(f"{members['Action']} refused: {response.body.decode()}")

        return ask

    def marker(self, users: int) -> str:
        """The marker of the last page of users."""
        found = ""
        for _ in range((users - 1) // 1000):
            more = f"&Marker={quote(found, safe='')}" if found else ""
            body = self.bench.ask(
                "iam", f"Action=ListUsers&Version=2010-05-08&MaxItems=1000{more}".encode(), self.key
            )
            found = body.split("<Marker>")[1].split("<")[0].replace("&#x2F;", "/")
        return found


def questions(town: Town, marker: str) -> dict[str, Callable[[], None]]:
    """The requests that are compared."""
    page = {"Marker": marker} if marker else {}
    number = iter(range(10**9))
    made = lambda **members: town.asking("iam", **members)  # noqa: E731
    return {
        "a signed request by the last user": town.asking("sts", Action="GetCallerIdentity"),
        "GetUser, the last one": made(Action="GetUser", UserName=town.user),
        "ListUsers, the first page": made(Action="ListUsers", MaxItems=str(PAGE)),
        "ListUsers, the last page": made(Action="ListUsers", MaxItems=str(PAGE), **page),
        "ListRoles, one": made(Action="ListRoles", MaxItems="1"),
        "ListPolicies in use, one": made(Action="ListPolicies", MaxItems="1", Scope="Local", OnlyAttached="true"),
        "GetPolicy, the last one": made(
            Action="GetPolicy", PolicyArn=f"arn:aws:iam::{town.account}:policy/{town.policy}"
        ),
        "AssumeRole, the last one": town.asking(
            "sts",
            Action="AssumeRole",
            RoleSessionName="growth",
            RoleArn=f"arn:aws:iam::{town.account}:role/{town.role}",
        ),
        "CreateUser": lambda: made(Action="CreateUser", UserName=f"new-{next(number)}")(),
    }


def compared(small: Callable[[], None], large: Callable[[], None]) -> tuple[float, float]:
    """Microseconds of one request to each: the best of rounds that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for ask in (small, large):
        for _ in range(30):
            ask()
    for _ in range(ROUNDS):
        for ask, found in zip((small, large), times, strict=True):
            start = time.perf_counter_ns()
            for _ in range(PER_ROUND):
                ask()
            found.append((time.perf_counter_ns() - start) / PER_ROUND / 1000)
    return min(times[0]), min(times[1])


def large_accounts(report: Report, users: int = 100_000, roles: int = 10_000, policies: int = 5_000) -> None:
    """The table: each request in the small account and in the large one."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        small = Town(Path(folder) / "small", PAGE, 1, 1)
        large = Town(Path(folder) / "large", users, roles, policies)
        pairs = zip(questions(small, "").items(), questions(large, large.marker(users)).items(), strict=True)
        for (name, few), (_, many) in pairs:
            before, after = compared(few, many)
            rows.append((name, f"{before:,.0f}", f"{after:,.0f}", f"{after / before - 1:+.0%}"))
    note = (
        f"{users:,} users, {roles:,} roles and {policies:,} policies in one account; {PAGE}, 1 and 1 in the other. "
    )
    note += "Creating counts what there is, no further than the quota, which is raised here."
    report.part("accounts", "A large account", ("request", "small, us", "large, us", "difference"), rows, note)
