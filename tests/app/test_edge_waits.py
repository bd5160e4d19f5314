"""The event loop never waits: not for a database that hangs, and not for a disk that takes no audit records."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bailiwick.app import audit
from bailiwick.app.audit import Trail
from bailiwick.app.edge import Edge
from bailiwick.core.message import Header, Request, Response
from bailiwick.core.sigv4 import sign
from bailiwick.trail.files import Files
from world import ACCOUNT, REGION, World


class Hangs:
    """Stands before a function that then waits until it is let go; `reached` tells that somebody waits."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.reached, self.gone_on = threading.Event(), threading.Event()
        self.threads: set[str] = set()

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        self.reached.set()
        assert self.gone_on.wait(20)
        return self._function(*given, **named)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def edge(world: World) -> Iterator[Edge]:
    with closing(Edge(world.pipeline, max_body=4096)) as made:
        yield made


def asking(
    world: World, credentials: dict[str, str], action: str = "GetCallerIdentity", service: str = "sts"
) -> Request:
    version = "2011-06-15" if service == "sts" else "2010-05-08&UserName=made"
    headers = (Header("host", f"{service}.test"), Header("content-type", "application/x-www-form-urlencoded"))
    return sign.sign(
        Request("POST", "/", "", headers, f"Action={action}&Version={version}".encode()),
        access_key_id=credentials["aws_access_key_id"],
        secret=credentials["aws_secret_access_key"],
        token=None,
        region=REGION,
        service=service,
        now=world.now(),
    )


def later(answer: Response | Future[Response]) -> Future[Response]:
    assert isinstance(answer, Future)
    return answer


def test_what_is_not_in_memory_is_read_by_a_thread_while_others_are_answered(
    world: World, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.account("210987654321")
    warm, cold = asking(world, world.root), asking(world, other)
    assert later(edge.begin(warm)).result(20).status == 200
    world.events.clear()
    connect = Hangs(world.store._backend.connect)
    monkeypatch.setattr(world.store._backend, "connect", connect)

    waiting = later(edge.begin(cold))
    assert connect.reached.wait(20)
    answer = edge.begin(warm)
    assert isinstance(answer, Response)
    assert answer.status == 200
    assert not waiting.done()

    connect.gone_on.set()
    assert waiting.result(20).status == 200
    assert all(name.startswith("work") for name in connect.threads)
    assert [event.caller and event.caller.account for event in world.events] == [ACCOUNT, "210987654321"]
    answer = edge.begin(cold)
    assert isinstance(answer, Response)


def test_a_key_that_does_not_exist_is_looked_for_by_a_thread(world: World, edge: Edge) -> None:
    unknown = {"aws_access_key_id": "AKIAQAAAAAAAAAAAAAAA", "aws_secret_access_key": "x" * 40}
    refused = later(edge.begin(asking(world, unknown))).result(20)
    assert (refused.status, b"InvalidClientTokenId" in refused.body) == (403, True)
    assert len(world.events) == 1


class Slow:
    """A way to proxies that waits until it is let go."""

    def __init__(self) -> None:
        self.reached, self.gone_on = threading.Event(), threading.Event()
        self.threads: set[str] = set()

    def post(self, endpoint: str, path: str, operation: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if operation != "/health" or self.threads:
            self.threads.add(threading.current_thread().name)
            self.reached.set()
            assert self.gone_on.wait(20)
        fleet = [{"healthStatus": "ACTIVE"}]
        told = {
            "xksProxyFleetSize": 1,
            "xksProxyVendor": "",
            "xksProxyModel": "",
            "ekmVendor": "",
            "ekmFleetDetails": fleet,
        }
        metadata = {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}
        return 200, json.dumps(told | metadata).encode()


def test_who_waits_for_servers_of_others_keeps_nobody_waiting() -> None:
    slow = Slow()
    slow.gone_on.set()
    world = World(key_proxies=slow)
    kms = world.client("kms")
    credential = {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "a" * 43}
    store = kms.create_custom_key_store(
        CustomKeyStoreName="ekm",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyUriEndpoint="https://ekm.example.org",
        XksProxyUriPath="/kms/xks/v1",
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyAuthenticationCredential=credential,
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    origin = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store}
    key = kms.create_key(**origin, XksKeyId="one")["KeyMetadata"]["Arn"]
    world.events.clear()
    slow.threads.clear()
    slow.gone_on.clear()

    def asked(operation: str, parameters: dict[str, Any]) -> Request:
        headers = (
            Header("host", "kms.test"),
            Header("content-type", "application/x-amz-json-1.1"),
            Header("x-amz-target", f"TrentService.{operation}"),
        )
        return sign.sign(
            Request("POST", "/", "", headers, json.dumps(parameters).encode()),
            access_key_id=world.root["aws_access_key_id"],
            secret=world.root["aws_secret_access_key"],
            token=None,
            region=REGION,
            service="kms",
            now=world.now(),
        )

    with closing(Edge(world.pipeline, max_body=4096)) as edge:
        questions = [("Encrypt", {"KeyId": key, "Plaintext": "eA=="})] * 6
        questions += [("CreateKey", {**origin, "XksKeyId": f"k{number}"}) for number in range(6)]
        questions += [("ConnectCustomKeyStore", {"CustomKeyStoreId": store})]
        waiting = [later(edge.begin(asked(*question))) for question in questions]
        assert slow.reached.wait(20)
        assert later(edge.begin(asking(world, world.root, "CreateUser", "iam"))).result(20).status == 200
        assert not any(each.done() for each in waiting)
        assert [event.route and event.route.operation.name for event in world.events] == ["CreateUser"]
        slow.gone_on.set()
        answers = [each.result(20) for each in waiting]
    assert [answer.status for answer in answers] == [400] * 6 + [200] * 7  # the proxy encrypts nothing
    assert all(name.startswith("outward") for name in slow.threads)
    assert len(world.events) == 1 + len(waiting)


class Stuck:
    """A trail whose disk takes nothing, and whose queue has room for one record and is full."""

    def __init__(self, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit, "_TOGETHER", 1)
        self.trail = Trail(Files(folder), capacity=1)
        self.disk = Hangs(self.trail._store)
        monkeypatch.setattr(self.trail, "_store", self.disk)
        self.edge = Edge(world.pipeline, max_body=4096, gate=self.trail)
        later(self.edge.begin(asking(world, world.root))).result(20)
        (event,) = world.events
        self.trail.write(event)
        assert self.disk.reached.wait(20)
        self.trail.write(event)
        assert self.trail.shut
        world.events.clear()
        monkeypatch.setattr(world.pipeline, "audit", self.trail.write)

    def close(self) -> None:
        self.disk.gone_on.set()
        self.edge.close()
        self.trail.close()


def test_nothing_is_begun_that_the_trail_has_no_room_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Stuck(world, tmp_path, monkeypatch)) as stuck:
        waiting = later(stuck.edge.begin(asking(world, world.root, "CreateUser", "iam")))
        probed = stuck.edge.begin(Request("GET", "/healthz", "", (), b""))
        assert isinstance(probed, Response)  # nobody else waits
        assert not waiting.done()
        stuck.disk.gone_on.set()
        assert waiting.result(20).status == 200
        assert not stuck.trail.shut or stuck.trail.wait()
        stuck.trail.flush()
    assert len("".join(path.read_text() for path in tmp_path.glob("*.jsonl")).splitlines()) == 3


def test_after_a_while_they_are_refused_undone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_PATIENCE", 0.0)
    with closing(Stuck(world, tmp_path, monkeypatch)) as stuck:
        creating = asking(world, world.root, "CreateUser", "iam")
        refused = later(stuck.edge.begin(creating)).result(20)
        headers = dict(refused.headers)
        assert (refused.status, headers["retry-after"]) == (503, "1")
        assert b"<Code>ServiceUnavailable</Code>" in refused.body
        assert headers["x-amzn-requestid"].encode() in refused.body
        too_large = stuck.edge.too_large(creating)
        assert (too_large.status, dict(too_large.headers)["connection"]) == (503, "close")
        assert stuck.edge.turned_away.value == 2
        stuck.disk.gone_on.set()
        stuck.trail.flush()
        assert later(stuck.edge.begin(creating)).result(20).status == 200  # nothing had been done
        stuck.trail.flush()
    assert len("".join(path.read_text() for path in tmp_path.glob("*.jsonl")).splitlines()) == 3
