"""Four nodes on one PostgreSQL: removals are obeyed by all, and the database may be killed under load.

The quick form is part of the run; FAULTS_LONG=1 (scripts/faults) makes it long, and prints what it measured.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import botocore.config
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from clients_support import ServerProcess, keys_of, session_of

from postgres_server import PostgresServer, binaries

pytestmark = [pytest.mark.clients, pytest.mark.slow]

LONG = bool(os.environ.get("FAULTS_LONG"))
NODES = 4
CRASHES = 10 if LONG else 1
REMOVALS = 10 if LONG else 1
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"sts:AssumeRole"}]}'
)
LIST_USERS = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"},'
    '{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}'
)


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    if binaries() is None:
        pytest.skip("no PostgreSQL here: its initdb was not found")
    server = PostgresServer(durable=True)
    yield server
    server.close()


@pytest.fixture(scope="module")
def nodes(database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServerProcess]]:
    top, url = tmp_path_factory.mktemp("nodes"), database.new_database()
    made: list[ServerProcess] = []
    with ExitStack() as stack:
        for number in range(NODES):
            node = ServerProcess(top / f"node{number}", arguments=("--database", url))
            if made:
                node.data.mkdir(mode=0o700)
                for name in ("root.key", "root-credentials"):
                    shutil.copy(made[0].data / name, node.data / name)
            made.append(node.start())
            stack.callback(node.kill)
        yield made


def eventually(refused: Callable[[], bool], seconds: float) -> float:
    """Seconds until it is so."""
    begun = time.monotonic()
    while not refused():
        assert time.monotonic() - begun < seconds, "not within the bound"
    return time.monotonic() - begun


def fails(call: Callable[[], Any], *codes: str) -> bool:
    try:
        call()
    except ClientError as refused:
        if refused.response["Error"]["Code"] not in codes:
            raise
        return True
    return False


def test_what_is_taken_away_on_one_node_is_refused_on_all_within_a_second(nodes: list[ServerProcess]) -> None:
    worst: dict[str, float] = {}
    for number in range(REMOVALS):
        here = nodes[number % NODES]
        for name, prepare in (("key", _key), ("role", _role), ("policy", _policy)):
            calls, remove, codes = prepare(here, nodes, f"{name}{number}")
            for call in calls:
                call()  # in the memory of every node
            remove()
            seconds = max(eventually(lambda: fails(call, *codes), 1.0) for call in calls)  # noqa: B023
            worst[name] = max(worst.get(name, 0.0), seconds)
    print("\nrefused on all nodes after, at most:", {name: f"{s * 1000:.0f} ms" for name, s in worst.items()})


Prepared = tuple[list[Callable[[], Any]], Callable[[], Any], tuple[str, ...]]


def _user(here: ServerProcess, name: str) -> tuple[Any, dict[str, str]]:
    iam = here.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=LIST_USERS)
    return iam, keys_of(iam, name)


def _key(here: ServerProcess, nodes: list[ServerProcess], name: str) -> Prepared:
    iam, key = _user(here, name)
    calls = [node.client("sts", key).get_caller_identity for node in nodes]

    def remove() -> None:
        iam.update_access_key(UserName=name, AccessKeyId=key["aws_access_key_id"], Status="Inactive")

    return calls, remove, ("InvalidClientTokenId",)


def _role(here: ServerProcess, nodes: list[ServerProcess], name: str) -> Prepared:
    iam, key = _user(here, name)
    account = here.client("sts").get_caller_identity()["Account"]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST % account)["Role"]["Arn"]
    session = session_of(here.client("sts", key).assume_role(RoleArn=role, RoleSessionName="session"))
    calls = [node.client("sts", session).get_caller_identity for node in nodes]
    return calls, lambda: iam.delete_role(RoleName=name), ("InvalidClientTokenId",)


def _policy(here: ServerProcess, nodes: list[ServerProcess], name: str) -> Prepared:
    iam, key = _user(here, name)
    calls = [node.client("iam", key).list_users for node in nodes]
    return calls, lambda: iam.delete_user_policy(UserName=name, PolicyName="may"), ("AccessDenied",)


class Load:
    """Writers, a patient writer, and readers on every node, until told to end."""

    def __init__(self, nodes: list[ServerProcess]) -> None:
        self.nodes = nodes
        self.ended = threading.Event()
        self.acknowledged: list[tuple[float, int, str]] = []  # when, through which node, and what
        self.wrong: list[str] = []
        self.refusals = 0
        self.iam = nodes[0].client("iam")
        for name in ("reader", "gone"):
            self.iam.create_user(UserName=name)
        self.reader, self.gone = keys_of(self.iam, "reader"), keys_of(self.iam, "gone")
        self.iam.update_access_key(UserName="gone", AccessKeyId=self.gone["aws_access_key_id"], Status="Inactive")
        self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(NODES)]
        self.threads += [threading.Thread(target=self._read, args=(number,)) for number in range(2)]
        self.threads.append(threading.Thread(target=self._write_patiently))

    def _write(self, number: int) -> None:
        iam, count = self.nodes[number].client("iam"), 0
        while not self.ended.is_set():
            count += 1
            self._create(iam, number, f"w{number}-{count}")
            self.ended.wait(0.01)

    def _create(self, iam: Any, number: int, name: str) -> None:
        try:
            iam.create_user(UserName=name)
        except ClientError as error:
            status, headers = _status(error)
            if status != 503 or headers.get("retry-after") != "1":
                self.wrong.append(f"{name}: {error}")
            self.refusals += 1
        except BotoCoreError as error:
            self.wrong.append(f"{name}: {error!r}")
        else:
            self.acknowledged.append((time.monotonic(), number, name))

    def _write_patiently(self) -> None:
        """An SDK with its retries rides over it."""
        retries = botocore.config.Config(retries={"mode": "standard", "max_attempts": 12})
        node = self.nodes[-1]
        iam = boto3.client(
            "iam", endpoint_url=node.endpoint, region_name="us-east-1", config=retries, **node.root()
        )
        count = 0
        while not self.ended.is_set():
            count += 1
            try:
                iam.create_user(UserName=f"p-{count}")
            except ClientError as error:
                # A commit whose answer was lost, found done by the second attempt.
                if error.response["Error"]["Code"] != "EntityAlreadyExists":
                    self.wrong.append(f"patient: {error}")
            self.acknowledged.append((time.monotonic(), -1, f"p-{count}"))
            self.ended.wait(0.02)

    def _read(self, number: int) -> None:
        good = self.nodes[number].client("sts", self.reader)
        bad = self.nodes[number].client("sts", self.gone)
        while not self.ended.is_set():
            try:
                if not good.get_caller_identity()["Arn"].endswith(":user/reader"):
                    self.wrong.append("another caller")
            except ClientError as error:
                if _status(error)[0] != 503:
                    self.wrong.append(f"reader: {error}")
            try:
                bad.get_caller_identity()
                self.wrong.append("a deactivated key was accepted")
            except ClientError as error:
                if _status(error)[0] not in (403, 503):
                    self.wrong.append(f"gone: {error}")
            self.ended.wait(0.02)


def _status(error: ClientError) -> tuple[int, dict[str, str]]:
    metadata = error.response["ResponseMetadata"]
    return metadata["HTTPStatusCode"], metadata["HTTPHeaders"]


def test_the_database_is_killed_and_started_again_under_load(
    nodes: list[ServerProcess], database: PostgresServer
) -> None:
    load = Load(nodes)
    for thread in load.threads:
        thread.start()
    recovered: list[float] = []
    try:
        for number in range(CRASHES):
            enough = len(load.acknowledged) + 12
            eventually(lambda: len(load.acknowledged) >= enough, 30)  # noqa: B023
            database.kill() if number % 2 == 0 else database.stop()
            refused = load.refusals + 8
            eventually(lambda: load.refusals >= refused, 10)  # noqa: B023
            database.start()
            again = time.monotonic()
            eventually(lambda: {n for at, n, _ in load.acknowledged if at > again} >= set(range(NODES)), 5.0)  # noqa: B023
            recovered.append(time.monotonic() - again)
    finally:
        load.ended.set()
        for thread in load.threads:
            thread.join(60)
    assert load.wrong == []
    pages = load.iam.get_paginator("list_users").paginate()
    present = {user["UserName"] for page in pages for user in page["Users"]}
    assert {name for _, _, name in load.acknowledged} - present == set()
    print(
        f"\n{len(load.acknowledged)} writes acknowledged, {load.refusals} refused, {CRASHES} crashes; "
        f"every node wrote again after {max(recovered):.2f} s at most"
    )
