"""A worker's memory while callers come who have large policies, no two of them the same."""

from __future__ import annotations

import asyncio
import json
import string
import tempfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

from bailiwick.core.message import Request
from benchmark.calls import Credentials, request_of, signed
from benchmark.inside import Bench
from benchmark.keys import send
from benchmark.load import megabytes
from benchmark.report import Report
from benchmark.servers import bailiwick

_CALLERS, _EVERY = 1_000, 250  # as many roles as an account may have
_COLUMNS = ("callers so far", "memory MB")
_NOTE = (
    "One worker. Each caller is the session of a role with a policy of its own of {letters:,} letters, wildcards "
    "and conditions in nearly every statement, and calls once. It is to stay below 250 MB, however many they are."
)


def memory(report: Report) -> None:
    """Make the roles and their sessions, then have each call a server that was begun afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        calls = list(_calls(Path(folder)))
        with bailiwick(Path(folder) / "data") as running:
            rows = [("0", f"{megabytes(running.pid):.0f}")]
            for begin in range(0, _CALLERS, _EVERY):
                asyncio.run(send(running.host, calls[begin : begin + _EVERY]))
                rows.append((f"{begin + _EVERY:,}", f"{megabytes(running.pid):.0f}"))
    report.part("memory", "Memory with large policies", _COLUMNS, rows, _NOTE.format(letters=len(_policy(0))))


def _calls(folder: Path) -> Iterator[Request]:
    """One request of a session of each role, which it makes."""
    bench = Bench(folder)

    def ask(service: str, version: str, by: Credentials, **members: str) -> str:
        form = "&".join(f"{name}={quote(value, safe='')}" for name, value in members.items())
        return str(bench.ask(service, f"{form}&Version={version}".encode(), by))

    def iam(**members: str) -> str:
        return ask("iam", "2010-05-08", bench.root, **members)

    everyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": everyone})
    iam(Action="CreateUser", UserName="any")
    iam(Action="AttachUserPolicy", UserName="any", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    user = _credentials(iam(Action="CreateAccessKey", UserName="any"))
    for number in range(_CALLERS):
        name = f"r{number}"
        iam(Action="CreateRole", RoleName=name, AssumeRolePolicyDocument=trust)
        iam(Action="PutRolePolicy", RoleName=name, PolicyName="p", PolicyDocument=_policy(number))
        arn = f"arn:aws:iam::{bench.account}:role/{name}"
        taken = ask("sts", "2011-06-15", user, Action="AssumeRole", RoleArn=arn, RoleSessionName="bench")
        yield signed(request_of("kms", "ListAliases", {}), "kms", _credentials(taken))
    bench.world.close()


def _credentials(answer: str) -> Credentials:
    """The credentials in an answer of IAM or STS."""

    def told(tag: str) -> str | None:
        found = answer.partition(f"<{tag}>")[2].partition("<")[0]
        return unescape(found) or None

    return Credentials(told("AccessKeyId") or "", told("SecretAccessKey") or "", told("SessionToken"))


def _policy(number: int) -> str:
    """A policy like no other one."""
    statements: list[dict[str, object]] = [
        {
            "Effect": "Allow",
            "Action": [f"s3:Get{letter}*", f"sts:Get{letter}*"],
            "Resource": [f"arn:aws:s3:::b{number:04}-{letter}-{place}/*" for place in range(4)],
            "Condition": {"StringLike": {"aws:PrincipalTag/team": [f"{number:04}-{place}*" for place in range(3)]}},
        }
        for letter in string.ascii_letters[:36]
    ]
    statements.append({"Effect": "Allow", "Action": "kms:ListAliases", "Resource": "*"})
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
