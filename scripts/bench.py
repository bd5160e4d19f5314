"""What a request costs, stage by stage in this process, and what a whole server does under load.

Nothing here asserts a time: figures from one run are compared with each other. The machine's noise is shown
by the spread between the best and the median of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import configparser
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bailiwick import wire
from bailiwick.api import Environment
from bailiwick.app.audit import Trail
from bailiwick.app.noise import noise
from bailiwick.authorization import context_of
from bailiwick.core.message import Header, Request
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers, decide
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.patterns import resource_name
from bailiwick.core.policy.question import Principal, PrincipalKind, Question
from bailiwick.core.seal import KeyRing
from bailiwick.core.sigv4 import sign, verify
from bailiwick.core.sigv4.claim import read
from bailiwick.directory import access_keys, accounts
from bailiwick.directory.snapshot import Directory
from bailiwick.pipeline import Pipeline
from bailiwick.services import ALL
from bailiwick.store import Store
from bailiwick.trail.files import Files

ACCOUNT, REGION = "123456789012", "us-east-1"
ROUNDS, PER_ROUND = 15, 400

console = Console()


def request_of(service: str, operation: str, body: dict[str, Any], host: str = "127.0.0.1:4577") -> Request:
    """An unsigned request as the SDKs form it."""
    common = (Header("host", host), Header("user-agent", "aws-cli/2.31 md/Botocore"), Header("accept", "*/*"))
    if service == "kms":
        kind = (
            Header("content-type", "application/x-amz-json-1.1"),
            Header("x-amz-target", f"TrentService.{operation}"),
        )
        return Request("POST", "/", "", common + kind, json.dumps(body).encode())
    form = f"Action={operation}&Version=2011-06-15".encode()
    kind = (Header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    return Request("POST", "/", "", common + kind, form)


class Bench:
    """A server's inside on a data folder, with a role session that may encrypt under one key."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        ring = KeyRing(os.urandom(32))
        self.environment = Environment("aws", REGION, ring, time.time, os.urandom, noise)
        self.directory = Directory(self.store, self.environment)
        self.trail = Trail(Files(folder / "audit"))
        self.pipeline = Pipeline(ALL, self.environment, self.store, self.directory, self.trail.write)
        with self.store.transaction(write=True) as transaction:
            accounts.create(transaction, ACCOUNT, "bench", time.time())
            self.root = access_keys.create(transaction, self.environment, ACCOUNT, ACCOUNT, time.time())

    def signed(self, request: Request, service: str, credentials: tuple[str, ...]) -> Request:
        """The request, signed now."""
        token = credentials[2] if len(credentials) > 2 else None
        return sign.sign(
            request,
            access_key_id=credentials[0],
            secret=credentials[1],
            token=token,
            region=REGION,
            service=service,
            now=time.time(),
        )

    def ask(self, service: str, body: bytes, credentials: tuple[str, ...], target: str = "") -> Any:
        """Send one form or JSON body through the pipeline; returns the response's text."""
        kind = "application/x-amz-json-1.1" if target else "application/x-www-form-urlencoded"
        headers = [Header("host", "127.0.0.1"), Header("content-type", kind)]
        if target:
            headers.append(Header("x-amz-target", f"TrentService.{target}"))
        response = self.pipeline.handle(
            self.signed(Request("POST", "/", "", tuple(headers), body), service, credentials)
        )
        if response.status != 200:
            raise SystemExit(f"{service} refused: {response.body.decode()}")
        return response.body.decode()


def measure(function: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of one call: the median of the rounds, and the best."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(PER_ROUND):
            function()
        rounds.append((time.perf_counter_ns() - start) / PER_ROUND / 1000)
    return statistics.median(rounds), min(rounds)


def stages(bench: Bench, title: str, request: Request) -> None:
    """The table of stages for one signed request."""
    pipeline = bench.pipeline
    received = pipeline.receive(request)
    route = received.route
    if route is None or received.claim is None:
        raise SystemExit("the request names no operation")
    caller = pipeline.authenticate(received, route)
    values = wire.parse(route.model, request, route.input)
    call = pipeline.call(received, route, caller, values)
    target = route.operation.find(call, values)
    question = Question(
        caller.principal, route.operation.action, target.arn, target.account, context_of(call, target), target.rule
    )
    layers = Layers(caller.identity, caller.boundary, caller.session_policy, target.policy)
    output = route.operation.handler(call, values, target.record)
    claim, now = received.claim, received.now
    events: list[Any] = []
    quiet = Pipeline(ALL, bench.environment, bench.store, bench.directory, events.append)
    quiet.handle(request)
    credential = bench.directory.credential(claim.access_key_id, claim.token, now)

    def authenticate() -> None:
        verify.check_scope(claim, service=route.service.signing_name, now=now)
        bench.store.refresh()
        bench.directory.credential(claim.access_key_id, claim.token, now)
        verify.verify(request, claim, credential.secret)

    rows: list[tuple[str, Callable[[], object]]] = [
        ("claim", lambda: read(request)),
        ("identify", lambda: wire.identify(request, claim.service)),
        ("authenticate", authenticate),
        ("parse", lambda: wire.parse(route.model, request, route.input)),
        ("find", lambda: route.operation.find(call, values)),
        ("context", lambda: context_of(call, target)),
        ("decide", lambda: decide(question, layers)),
        ("execute", lambda: route.operation.handler(call, values, target.record)),
        ("audit", lambda: bench.trail.write(events[-1])),
        ("answer", lambda: wire.answer(route.model, output, request, received.request_id)),
    ]
    table = Table(title=title)
    for column in ("stage", "median us", "best us"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    total = 0.0
    for name, function in rows:
        median, best = measure(function)
        total += median
        table.add_row(name, f"{median:.1f}", f"{best:.1f}")
    median, best = measure(lambda: pipeline.handle(request))
    table.add_section()
    table.add_row("sum of stages", f"{total:.1f}", "")
    table.add_row("whole, as handle() does it", f"{median:.1f}", f"{best:.1f}")
    console.print(table)


def in_process(folder: Path) -> None:
    """Stage tables for GetCallerIdentity and KMS Encrypt, both as a role session on a warm server."""
    bench = Bench(folder)
    key = json.loads(bench.ask("kms", b"{}", bench.root, "CreateKey"))["KeyMetadata"]["Arn"]
    session = role_session(bench, key)
    body = {"KeyId": key, "Plaintext": "eHh4" * 11, "EncryptionContext": {"a": "b"}}
    encrypt = request_of("kms", "Encrypt", body)
    identity = request_of("sts", "GetCallerIdentity", {})
    for title, request, service in (
        ("KMS Encrypt, a role session", encrypt, "kms"),
        ("STS GetCallerIdentity, a role session", identity, "sts"),
    ):
        signed = bench.signed(request, service, session)
        for _ in range(200):
            bench.pipeline.handle(signed)
        stages(bench, title, signed)
    bench.trail.close()


def role_session(bench: Bench, key: str) -> tuple[str, str, str]:
    """The credentials of a session of a role with ten policies, one of which allows the key."""
    from urllib.parse import quote

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
    user = (pick(made, "AccessKeyId"), pick(made, "SecretAccessKey"))
    form = f"Action=AssumeRole&Version=2011-06-15&RoleSessionName=bench&RoleArn=arn:aws:iam::{ACCOUNT}:role/bench"
    assumed = bench.ask("sts", form.encode(), user)
    return (
        pick(assumed, "AccessKeyId"),
        pick(assumed, "SecretAccessKey").replace("&#x2F;", "/"),
        pick(assumed, "SessionToken"),
    )


# -- Decisions --------------------------------------------------------------------------------------------

LETTERS = "ABCDEFGHIJ"
USER = f"arn:aws:iam::{ACCOUNT}:user/bench"
WHO = Principal(PrincipalKind.USER, "aws", ACCOUNT, USER, USER, "AIDABENCH")
ALICE = {"StringEquals": {"aws:username": "alice"}}


def policies(write: Callable[[int, int], dict[str, Any]], count: int = 10) -> list[dict[str, Any]]:
    """So many documents of ten statements each."""
    return [
        {"Version": "2012-10-17", "Statement": [write(policy, place) for place in range(10)]}
        for policy in range(count)
    ]


def allow(action: str, resource: str, **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def decisions() -> None:
    """What a decision costs when compiled, beside the slow reference and the number of statements asked."""
    everywhere = "arn:aws:s3:::bucket"
    others = policies(lambda p, s: allow(f"service{p}:Get{s}*", "*"), 100)
    last = policies(lambda p, s: allow(f"s3:Get{LETTERS[p]}{s}", f"{everywhere}-{p}-{s}/*"))
    cases = (
        ("10 x 10 statements, each its own action; the last matches", last, "s3:GetJ9"),
        ("the same and 1,000 statements of other services", others + last, "s3:GetJ9"),
        (
            "10 x 10 statements on one action, each its own resource; the last matches",
            policies(lambda p, s: allow("s3:GetObject", f"{everywhere}-{p}-{s}/*")),
            "s3:GetObject",
        ),
        (
            "the same, with a variable in each resource",
            policies(lambda p, s: allow("s3:GetObject", f"{everywhere}-{p}-{s}/${{aws:username}}/*")),
            "s3:GetObject",
        ),
        (
            "10 x 10 statements on one action and everything, told apart by a condition",
            policies(
                lambda p, s: allow(
                    "s3:GetObject", "*", Condition=ALICE if (p, s) == (9, 9) else {"Null": {"a:b": "false"}}
                )
            ),
            "s3:GetObject",
        ),
    )
    table = Table(title="a decision, compiled, beside the reference evaluator")
    for column in ("policies", "median us", "best us", "asked", "reference us", "compile us", "bytes a policy"):
        table.add_column(column, justify="left" if column == "policies" else "right")
    for title, documents, action in cases:
        question = Question(WHO, action, f"{everywhere}-9-9/alice/key", ACCOUNT, {"aws:username": "alice"})
        texts = [json.dumps(document) for document in documents]
        seconds, size = compiling(texts)
        layer = Layer(Attached(compile_policy(text), str(place)) for place, text in enumerate(texts))
        if not decide(question, Layers(layer)).allowed:
            raise SystemExit(f"refused: {title}")
        asked = sum(map(len, layer.candidates(action.lower(), resource_name(question.resource))))
        median, best = measure(lambda: decide(question, Layers(layer)))  # noqa: B023
        slow = reference(question, documents)
        cells = (f"{median:.1f}", f"{best:.1f}", asked, f"{slow:,.0f}", f"{seconds * 1e6:.0f}", f"{size:,.0f}")
        table.add_row(title, *map(str, cells))
    console.print(table)


def compiling(texts: list[str]) -> tuple[float, float]:
    """Seconds and bytes that it takes to compile a policy, on average over these."""
    again = [text + " " for text in texts]  # not in the memory of compiled policies
    start = time.perf_counter()
    for text in again:
        compile_policy(text)
    seconds = (time.perf_counter() - start) / len(texts)
    once_more = [text + "  " for text in texts]
    tracemalloc.start()
    kept = [compile_policy(text) for text in once_more]
    size = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()
    return seconds, size


def reference(question: Question, documents: list[dict[str, Any]]) -> float:
    """Microseconds that the tests' slow evaluator takes for the same question."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from reference.evaluator import evaluate

    asked = {
        "principal": {**msgspec.to_builtins(question.principal)},
        "action": question.action,
        "resource": question.resource,
        "account": question.account,
        "context": dict(question.context),
        "rule": "ordinary",
        "policies": {"identity": documents, "scp": [], "rcp": []},
    }
    start = time.perf_counter()
    for _ in range(20):
        evaluate(asked)
    return (time.perf_counter() - start) / 20 * 1e6


# -- A whole server ---------------------------------------------------------------------------------------


def whole_server(seconds: float, connections: int) -> None:
    """Requests a second, latency and CPU of one worker on a data folder, audit trail included, over loopback."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        data = Path(folder) / "data"
        command = [
            sys.executable,
            "-m",
            "bailiwick",
            "serve",
            "--data",
            str(data),
            "--port",
            host.partition(":")[2],
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(host, server)
            credentials = configparser.ConfigParser()
            credentials.read(data / "root-credentials")
            told = {"endpoint": f"http://{host}", **credentials["default"]}
            table = Table(title=f"one worker, {connections} connections, {seconds:.0f} s each, over loopback")
            for column in ("operation", "requests/s", "p50 ms", "p99 ms", "CPU us/request"):
                table.add_column(column, justify="left" if column == "operation" else "right")
            for name, body in server_requests(told, host):
                before = cpu_seconds(server.pid)
                times = asyncio.run(load(host, body, seconds, connections))
                used = cpu_seconds(server.pid) - before
                times.sort()
                table.add_row(
                    name,
                    f"{len(times) / seconds:,.0f}",
                    f"{times[len(times) // 2] * 1000:.2f}",
                    f"{times[len(times) * 99 // 100] * 1000:.2f}",
                    f"{used / len(times) * 1e6:.0f}",
                )
            console.print(table)
        finally:
            server.terminate()
            server.wait(20)


def wait_for(host: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the server answers."""
    while True:
        try:
            with urllib.request.urlopen(f"http://{host}/healthz", timeout=1):
                return
        except OSError:
            if server.poll() is not None:
                raise SystemExit("the server did not start") from None
            time.sleep(0.02)


def server_requests(told: dict[str, str], host: str) -> list[tuple[str, bytes]]:
    """The bytes of one signed request of each kind, as an administrator."""
    import boto3

    options = {
        "endpoint_url": told["endpoint"],
        "region_name": REGION,
        "aws_access_key_id": told["aws_access_key_id"],
        "aws_secret_access_key": told["aws_secret_access_key"],
    }
    key = boto3.client("kms", **options).create_key()["KeyMetadata"]["Arn"]
    encrypt = {"KeyId": key, "Plaintext": "eHh4" * 11, "EncryptionContext": {"a": "b"}}
    padding = b"".join(b"x-%d: %b\r\n" % (n, b"y" * 60) for n in range(8))
    floor = f"GET /healthz HTTP/1.1\r\nhost: {host}\r\n".encode() + padding
    found = [("the floor: /healthz with as large a head", floor + b"\r\n")]
    for name, service, request in (
        ("KMS Encrypt", "kms", request_of("kms", "Encrypt", encrypt, host)),
        ("STS GetCallerIdentity", "sts", request_of("sts", "GetCallerIdentity", {}, host)),
    ):
        signed = sign.sign(
            request,
            access_key_id=told["aws_access_key_id"],
            secret=told["aws_secret_access_key"],
            token=None,
            region=REGION,
            service=service,
            now=time.time(),
        )
        head = "".join(f"{n}: {v}\r\n" for n, v in signed.headers)
        found.append(
            (name, f"POST / HTTP/1.1\r\n{head}content-length: {len(signed.body)}\r\n\r\n".encode() + signed.body)
        )
    return found


async def load(host: str, request: bytes, seconds: float, connections: int) -> list[float]:
    """Send the same bytes over and over on each connection; returns the seconds that each answer took."""
    address, _, port = host.partition(":")
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address, int(port))
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head.decode()}")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            times.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return times


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each load lasts")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", choices=["stages", "decisions", "server"])
    chosen = parser.parse_args()
    if chosen.only in (None, "stages"):
        with tempfile.TemporaryDirectory() as folder:
            in_process(Path(folder))
    if chosen.only in (None, "decisions"):
        decisions()
    if chosen.only in (None, "server"):
        whole_server(chosen.seconds, chosen.connections)


if __name__ == "__main__":
    main()
