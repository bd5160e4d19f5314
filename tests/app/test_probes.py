"""`/readyz` and `/healthz`: what makes a process not ready, what is told of it, and how seldom it is asked."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest
from edge_support import answers, running

from bailiwick.app import environment
from bailiwick.app.audit import Trail
from bailiwick.app.probes import Ready, of_store
from bailiwick.app.settings import Settings
from bailiwick.core.message import Request, Response
from bailiwick.store import Store, StoreUnavailable
from bailiwick.trail.files import Files

REQUEST = b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def told(answer: Response | Future[Response]) -> tuple[int, str]:
    response = answer if isinstance(answer, Response) else answer.result(20)
    return response.status, response.body.decode()


def test_every_part_is_told_of_but_not_why(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise RuntimeError("planted")

    with closing(
        Ready({"store": lambda: None, "audit": lambda: "disk /dev/sdb1 is full", "more": broken})
    ) as ready:
        assert told(ready()) == (503, "store: ok\naudit: not ready\nmore: not ready\n")
    logged = capsys.readouterr().out
    assert "disk /dev/sdb1 is full" in logged
    assert "RuntimeError: planted" in logged


def test_it_is_looked_at_once_a_second_and_changes_are_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    now, looks, trouble = [100.0], [0], ["gone"]

    def look() -> str | None:
        looks[0] += 1
        return trouble[0] or None

    with closing(Ready({"store": look}, clock=lambda: now[0])) as ready:
        assert [told(ready())[0] for _ in range(5)] == [503] * 5
        now[0] += 0.9
        assert (told(ready())[0], looks[0]) == (503, 1)
        now[0] += 0.2
        assert (told(ready())[0], looks[0]) == (503, 2)
        trouble[0] = ""
        now[0] += 1.1
        assert [told(ready()), told(ready())] == [(200, "store: ok\n")] * 2
    logged = capsys.readouterr().out
    assert (logged.count("not ready"), logged.count("ready again")) == (1, 1)


def test_who_asks_while_it_is_looked_at_waits_for_the_same_answer() -> None:
    gate, looks = threading.Event(), []

    def look() -> None:
        looks.append(1)
        assert gate.wait(20)

    with closing(Ready({"store": look})) as ready:
        first, second = ready(), ready()
        gate.set()
        assert (told(first), told(second), len(looks)) == ((200, "store: ok\n"), (200, "store: ok\n"), 1)


def test_a_database_that_is_gone_is_found_out(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        check = of_store(store)
        assert check() is None
        database = tmp_path / "bailiwick.db"
        database.write_bytes(os.urandom(4096))
        (tmp_path / "bailiwick.db-wal").write_bytes(b"")
        store._backend.engine.dispose()
        assert check() is not None


def test_a_database_that_does_not_answer_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.in_memory()

    def unreachable() -> None:
        raise StoreUnavailable("the database has not answered for 11 seconds")

    monkeypatch.setattr(store, "refresh", unreachable)
    assert of_store(store)() == "the database has not answered for 11 seconds"


def test_a_postgres_that_was_stopped_is_found_out() -> None:
    from postgres_server import PostgresServer, binaries

    if binaries() is None:
        pytest.skip("no PostgreSQL here: its initdb was not found")
    server = PostgresServer()
    try:
        with closing(Store(server.new_database())) as store:
            check = of_store(store)
            assert check() is None
            server.kill()
            assert check() is not None
    finally:
        server.close()


def test_a_trail_that_cannot_be_written_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = Trail(Files(tmp_path / "audit"))
    assert (trail.trouble(), trail.lag, trail.refusals) == (None, 0.0, 0)
    monkeypatch.setattr(trail, "_capacity", 0)
    assert trail.trouble() == "the queue of the audit trail is full"
    trail.close()
    assert trail.trouble() == "the thread that writes the audit trail has ended"


def test_a_disk_that_refuses_is_found_out_and_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = Trail(Files(tmp_path / "audit"))
    refuses, seen = [True], []

    def store(records: list[bytes]) -> bool:
        return not refuses[0]

    def pause(seconds: float) -> None:
        seen.append((trail.trouble(), trail.lag > 0.0, trail.refusals))
        refuses[0] = False

    monkeypatch.setattr(trail, "_store", store)
    monkeypatch.setattr("bailiwick.app.audit.time.sleep", pause)
    trail._store_surely([b"{}"])
    assert seen == [(f"the audit trail cannot be written to {tmp_path / 'audit'}", True, 1)]
    assert (trail.trouble(), trail.lag) == (None, 0.0)
    trail.close()


def test_a_world_is_ready() -> None:
    settings = Settings(ephemeral=True)
    made = environment.in_memory(settings)
    with closing(made.world), closing(made.world.edge(settings)) as edge:
        for path, text in (("/readyz", "store: ok\n"), ("/healthz", "ok\n")):
            assert told(edge.begin(Request("GET", path, "", (), b""))) == (200, text)


@pytest.mark.parametrize("direct", [True, False])
def test_a_server_that_drains_says_so_and_still_answers(direct: bool) -> None:
    with running(direct=direct, drain_delay=600.0) as server:
        ((status, _, _),) = answers(server.ask(REQUEST))
        assert status == 200
        server.server.drain()
        ((status, headers, body),) = answers(server.ask(REQUEST))
        assert (status, body) == (503, b"draining\n")
        assert headers["x-amzn-requestid"]
        ((status, _, _),) = answers(server.ask(REQUEST.replace(b"/readyz", b"/healthz")))
        assert status == 200
        ((status, _, _),) = answers(server.ask(REQUEST.replace(b"/readyz", b"/quick")))
        assert (status, server.server.should_exit) == (200, False)
        server.server.drain()
        assert server.server.should_exit


def test_without_a_delay_a_drain_begins_at_once() -> None:
    with running() as server:
        server.server.drain()
        assert server.server.should_exit
