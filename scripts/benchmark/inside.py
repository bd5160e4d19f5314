"""What each stage of a request costs, in this process."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bailiwick import wire
from bailiwick.app import environment, home
from bailiwick.app.settings import Settings
from bailiwick.authorization import Authorizer
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.claim import read
from bailiwick.pipeline import Event
from benchmark.calls import REGION, Credentials, assume, encrypt, identity, signed
from benchmark.report import Report
from benchmark.servers import root_of

ROUNDS, PER_ROUND = 15, 400
_NOTE = "Stages run hot, in a loop of their own; within a whole request each of them costs somewhat more."


class Bench:
    """A server's inside on a data folder, with a role session that may encrypt under one key."""

    def __init__(self, folder: Path) -> None:
        found = home.open_home(folder / "data", Settings(region=REGION), {})
        self.world = environment.on_folder(found, Settings())
        self.pipeline = self.world.pipeline
        self.account = found.deployment.account_id
        self.root = root_of(folder / "data")

    def ask(self, service: str, body: bytes, credentials: Credentials, target: str = "") -> Any:
        """Send one form or JSON body through the pipeline; returns the response's text."""
        kind = "application/x-amz-json-1.1" if target else "application/x-www-form-urlencoded"
        headers = [Header("host", "127.0.0.1"), Header("content-type", kind)]
        if target:
            headers.append(Header("x-amz-target", f"TrentService.{target}"))
        response = self.pipeline.handle(
            signed(Request("POST", "/", "", tuple(headers), body), service, credentials)
        )
        if response.status != 200:
            raise SystemExit(f"{service} refused: {response.body.decode()}")
        return response.body.decode()


def measure(function: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of CPU of one call: the median of the rounds, and the best."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        for _ in range(PER_ROUND):
            function()
        rounds.append((time.thread_time_ns() - start) / PER_ROUND / 1000)
    return statistics.median(rounds), min(rounds)


def stages(bench: Bench, request: Request) -> list[tuple[str, str, str]]:
    """The rows of the table of stages for one signed request."""
    pipeline = bench.pipeline
    received = pipeline.receive(request)
    route = received.route
    if route is None or received.claim is None:
        raise SystemExit("the request names no operation")
    caller = pipeline.authenticate(received, route)
    values = wire.parse(route.model, request, route.input)
    call = pipeline.call(received, route, caller, values)
    target = route.operation.find(call, values)
    authorizer = Authorizer()
    output = route.operation.handler(call, values, target.record)
    claim, now = received.claim, received.now
    events: list[Event] = []
    writes, pipeline.audit = pipeline.audit, events.append
    pipeline.handle(fresh(request))
    pipeline.audit = writes
    store, directory = bench.world.store, bench.world.directory
    credential = directory.credential(claim.access_key_id, claim.token, now)

    def authenticate() -> None:
        verify.check_scope(claim, service=route.service.signing_name, now=now)
        store.refresh()
        directory.credential(claim.access_key_id, claim.token, now)
        verify.verify(request, claim, credential.secret)

    rows: list[tuple[str, Callable[[], object]]] = [
        ("claim", lambda: read(fresh(request))),
        ("identify", lambda: wire.identify(request, claim.service)),
        ("authenticate", authenticate),
        ("parse", lambda: wire.parse(route.model, request, route.input)),
        ("find", lambda: route.operation.find(call, values)),
        ("authorize", lambda: authorizer.authorize(call, target)),
        ("execute", lambda: route.operation.handler(call, values, target.record)),
        ("audit", lambda: pipeline.audit(events[-1])),
        ("answer", lambda: wire.answer(route.model, output, request, received.request_id)),
    ]
    table: list[tuple[str, str, str]] = []
    total = 0.0
    for name, function in rows:
        median, best = measure(function)
        total += median
        table.append((name, f"{median:.1f}", f"{best:.1f}"))
    median, best = measure(lambda: pipeline.handle(fresh(request)))
    table.append(("sum of stages", f"{total:.1f}", ""))
    table.append(("whole, as handle() does it", f"{median:.1f}", f"{best:.1f}"))
    return table


def in_process(folder: Path, report: Report) -> None:
    """Stage tables for GetCallerIdentity, AssumeRole and KMS Encrypt, all as a role session on a warm server."""
    bench = Bench(folder)
    key = json.loads(bench.ask("kms", b"{}", bench.root, "CreateKey"))["KeyMetadata"]["Arn"]
    session = role_session(bench, key)
    host = "127.0.0.1:4577"
    for name, title, request in (
        ("stages-encrypt", "Stages of KMS Encrypt, a role session", encrypt(key, host, session)),
        ("stages-identity", "Stages of STS GetCallerIdentity, a role session", identity(host, session)),
        (
            "stages-assume",
            "Stages of STS AssumeRole, a role session that takes a role",
            assume(f"arn:aws:iam::{bench.account}:role/bench", host, session),
        ),
    ):
        for _ in range(200):
            bench.pipeline.handle(fresh(request))
        report.part(name, title, ("stage", "median us", "best us"), stages(bench, request), _NOTE)
    bench.world.close()


def fresh(request: Request) -> Request:
    """The same request, of which nothing has been found out yet."""
    return Request(request.method, request.path, request.query, request.headers, request.body)


def role_session(bench: Bench, key: str) -> Credentials:
    """The credentials of a session of a role with ten policies, one of which allows the key."""

    def iam(action: str, **members: str) -> None:
        form = "&".join(f"{k}={quote(v)}" for k, v in members.items())
        bench.ask("iam", f"Action={action}&Version=2010-05-08&{form}".encode(), bench.root)

    def document(*statements: object) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    everyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam("CreateRole", RoleName="bench", AssumeRolePolicyDocument=document(everyone))
    for number in range(9):
        other = [
            {"Effect": "Allow", "Action": f"s3:Get{letter}*", "Resource": f"arn:aws:s3:::b{number}/*"}
            for letter in "ABCDEFGHIJ"
        ]
        iam("PutRolePolicy", RoleName="bench", PolicyName=f"p{number}", PolicyDocument=document(*other))
    allow = {
        "Effect": "Allow",
        "Action": ["kms:Encrypt", "kms:Decrypt"],
        "Resource": key,
        "Condition": {"StringEquals": {"kms:EncryptionContext:a": "b"}},
    }
    iam("PutRolePolicy", RoleName="bench", PolicyName="use-key", PolicyDocument=document(allow))
    iam("CreateUser", UserName="bench")
    iam("AttachUserPolicy", UserName="bench", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    made = bench.ask("iam", b"Action=CreateAccessKey&Version=2010-05-08&UserName=bench", bench.root)
    pick = lambda text, tag: text.split(f"<{tag}>")[1].split("<")[0]  # noqa: E731
    user = Credentials(pick(made, "AccessKeyId"), pick(made, "SecretAccessKey"))
    role = f"arn:aws:iam::{bench.account}:role/bench"
    form = f"Action=AssumeRole&Version=2011-06-15&RoleSessionName=bench&RoleArn={role}"
    assumed = bench.ask("sts", form.encode(), user)
    return Credentials(
        pick(assumed, "AccessKeyId"),
        pick(assumed, "SecretAccessKey").replace("&#x2F;", "/"),
        pick(assumed, "SessionToken"),
    )
