"""While PostgreSQL is away: what is in memory answers for a bounded time, the rest is refused at once, and clearly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bailiwick.core.message import Response
from bailiwick.store import Store, postgres
from postgres_server import PostgresServer, binaries
from world import World, as_request


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    if binaries() is None:
        pytest.skip("no PostgreSQL here: its initdb was not found")
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def world(database: PostgresServer) -> Iterator[World]:
    with closing(Store(database.new_database())) as store:
        yield World(store=store)


def answer(world: World, client: Any, operation: str, **parameters: Any) -> Response:
    """The response as it leaves the pipeline, headers and all."""
    caught: list[Response] = []

    def send(request: Any, **_: Any) -> Any:
        caught.append(world.pipeline.handle(as_request(request)))
        raise StopIteration

    client.meta.events.register_first("before-send.*.*", send, unique_id="catch")
    try:
        getattr(client, operation)(**parameters)
    except StopIteration:
        pass
    finally:
        client.meta.events.unregister("before-send.*.*", unique_id="catch")
    return caught[0]


def test_what_is_remembered_answers_for_a_while_and_the_rest_is_refused_at_once(
    world: World, database: PostgresServer
) -> None:
    backend: Any = world.store._backend
    sts, iam, kms = (world.client(name) for name in ("sts", "iam", "kms"))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    settled(world.store)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    sts.get_caller_identity()
    database.kill()
    until(lambda: backend._listener.away)

    begun = time.monotonic()
    for refused in (answer(world, iam, "create_user", UserName="a"), answer(world, iam, "list_users")):
        assert (refused.status, dict(refused.headers).get("retry-after")) == (503, "1")
        assert b"<Code>ServiceUnavailable</Code>" in refused.body
    assert time.monotonic() - begun < 1.0, "nobody waits for what is known to be away"
    refused = answer(world, kms, "create_key")
    assert (refused.status, dict(refused.headers).get("retry-after")) == (503, "1")
    assert b"ServiceUnavailableException" in refused.body

    assert sts.get_caller_identity()["Account"] == "123456789012", "what is remembered goes on"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    backend._patience = 0.05
    until(lambda: answer(world, sts, "get_caller_identity").status == 503)
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        kms.decrypt(CiphertextBlob=blob)

    backend._patience = 10.0
    database.start()
    until(lambda: not backend._listener.away)
    iam.create_user(UserName="a")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_database_that_has_lost_commits_is_believed(world: World, database: PostgresServer) -> None:
    """After a failover to a node that was behind, what was remembered of the lost commits is forgotten."""
    iam, store = world.client("iam"), world.store
    iam.create_user(UserName="u")
    key = world.keys_of("u")
    sts = world.client("sts", key)
    settled(store)
    sts.get_caller_identity()
    with store._backend.engine.begin() as connection:  # type: ignore[attr-defined]  # as if it had never been
        connection.exec_driver_sql("DELETE FROM iam_access_key WHERE id = %s", (key["aws_access_key_id"],))
    sts.get_caller_identity()
    database.end_connections()
    until(lambda: answer(world, sts, "get_caller_identity").status == 403)


def test_a_database_that_hangs_holds_up_nobody_for_long(
    world: World, database: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine is there and it says nothing: known after a moment of silence, and over when it speaks again."""
    monkeypatch.setattr(postgres, "_SILENCE", 0.6)
    backend: Any = world.store._backend
    iam, sts = world.client("iam"), world.client("sts")
    settled(world.store)
    sts.get_caller_identity()
    database.freeze()
    heard = backend._listener.heard
    until(lambda: time.monotonic() - backend._listener.heard > 0.6)
    assert answer(world, iam, "create_user", UserName="a").status == 503
    assert sts.get_caller_identity()["Account"] == "123456789012"
    database.thaw()
    until(lambda: backend._listener.heard > heard + 0.6)
    iam.create_user(UserName="a")


def settled(store: Store) -> None:
    """Return when the notices of this node's own changes have come back to it."""
    backend: Any = store._backend
    with backend.engine.connect() as connection:
        last = connection.exec_driver_sql("SELECT max(seq) FROM change").scalar()
    until(lambda: backend._listener._position.last == last)


def until(holds: Any) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
