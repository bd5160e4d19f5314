"""`/metrics`: on a port of its own, the sum over workers, every name that the documents use."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from edge_support import running
from prometheus_client.parser import text_string_to_metric_families
from test_serve import PATIENCE, Process, get

from bailiwick.app import environment, workers
from bailiwick.app.gauges import gathered
from bailiwick.app.home import RootKey, read_credentials
from bailiwick.app.metrics import METRICS, Sample
from bailiwick.app.protocol import refusals
from bailiwick.app.scrape import scraped
from bailiwick.app.server import ServerError, listen, server
from bailiwick.app.settings import Settings
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4.sign import sign

DOCS = Path(__file__).parents[2] / "docs"
SERIES = {name for metric in METRICS for name in metric.series}


def ask(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def values(port: int) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels in the order of their names."""
    status, text = ask(port)
    assert status == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_without_a_port_there_is_nothing() -> None:
    with scraped(Settings(), list) as port:
        assert port is None


def test_only_metrics_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    def gather() -> list[Sample]:
        if broken:
            raise RuntimeError("planted")
        return [Sample("bailiwick_connections", (), 3)]

    broken: list[int] = []
    with scraped(Settings(metrics_port=0), gather) as port:
        assert port is not None
        assert values(port) == {("bailiwick_connections",): 3}
        assert ask(port, "/metrics?x=y")[0] == 200
        assert ask(port, "/")[0] == 404
        assert ask(port, "/metrics", "POST")[0] == 501
        broken.append(1)
        status, text = ask(port)
        assert (status, "planted" in text) == (500, False)
        broken.clear()
        with closing(socket.create_connection(("127.0.0.1", port))) as rude:
            rude.sendall(b"GET /metrics HTT")
        assert ask(port)[0] == 200


def test_an_address_that_is_taken_is_named() -> None:
    with (
        closing(listen("127.0.0.1", 0)) as taken,
        pytest.raises(ServerError, match="the metrics: cannot listen on .*--metrics-port"),
        scraped(Settings(metrics_port=taken.getsockname()[1]), list),
    ):
        pass


def test_a_process_tells_every_metric(tmp_path: Path) -> None:
    settings = Settings(ephemeral=True, audit=tmp_path / "audit", audit_export_files=tmp_path / "copy")
    made = environment.in_memory(settings)
    with closing(made.world) as world, closing(world.edge(settings)) as edge:
        told = gathered(world, edge, server(edge, settings, lambda: None))
    names = {sample.name for sample in told}
    # The parent tells of its workers; a request must have been made for the others, or there must be others to ask.
    assert {metric.name for metric in METRICS} - names == {
        "bailiwick_worker_replacements",
        "bailiwick_requests",
        "bailiwick_errors",
        "bailiwick_hsm_requests",
        "bailiwick_key_proxy_requests",
        "bailiwick_key_proxies_left_alone",
        "bailiwick_throttled",
        "bailiwick_request_seconds",
        "bailiwick_peer_messages",
        "bailiwick_peer_silent_seconds",
    }
    by_name = {sample.name: sample for sample in told}
    assert by_name["bailiwick_resident_bytes"].value > 10_000_000
    assert by_name["bailiwick_open_files"].value > 2
    assert by_name["bailiwick_workers"].value == 1
    assert by_name["bailiwick_audit_export_lag_seconds"].labels == ("files",)


def test_what_is_no_acceptable_http_is_counted_by_reason() -> None:
    before = {refusal: tally.value for refusal, tally in refusals.items()}
    with running() as serving:
        serving.ask(b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n")
        serving.ask(b"nonsense\r\n\r\n")
    grown = {refusal.name for refusal, tally in refusals.items() if tally.value > before[refusal]}
    assert sum(tally.value for tally in refusals.values()) == sum(before.values()) + 2
    assert "MALFORMED" in grown


class _Line:
    """A pipe to a worker that answers, answers late, or is gone."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.closed = False

    def send(self, number: int) -> None:
        if self.answers == ["gone"]:
            raise BrokenPipeError

    def poll(self, seconds: float) -> bool:
        return bool(self.answers)

    def recv(self) -> Any:
        return self.answers.pop(0)

    def close(self) -> None:
        self.closed = True


def worker(line: Any) -> Any:
    made = workers._Worker.__new__(workers._Worker)
    made.line, made.ready, made.last, made._asked = line, True, [], 0
    made.process = type("Dead", (), {"pid": 1, "exitcode": -9})()
    return made


def records(value: float) -> Sample:
    return Sample("bailiwick_audit_records", (), value)


def test_a_late_answer_is_not_taken_for_a_new_one() -> None:
    asked = worker(_Line((1, [records(5)])))
    assert asked.samples() == [records(5)]
    assert asked.samples() == [records(5)]  # nothing came in time: the last ones stand
    asked.line.answers = [(2, [records(6)]), (3, [records(7)])]
    assert asked.samples() == [records(7)]
    asked.line.answers = ["gone"]
    assert asked.samples() == [records(7)]


def test_what_a_dead_worker_counted_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = Sample("bailiwick_connections", (), 9)
    fleet = workers._Fleet(Settings(workers=2), None, 0)  # type: ignore[arg-type]
    fleet.workers = [worker(_Line((1, [records(5), gauge]))), worker(_Line((1, [records(2)]), (2, [records(3)])))]
    assert sum(sample.value for sample in fleet.samples() if sample.name == records(0).name) == 7
    other = worker(_Line((1, [records(1)])))
    monkeypatch.setattr(workers, "_Worker", lambda *_: other)
    fleet.replace(0)
    told = fleet.samples()
    assert sum(sample.value for sample in told if sample.name == records(0).name) == 5 + 1 + 3
    assert [sample for sample in told if sample.name == gauge.name] == []
    assert Sample("bailiwick_worker_replacements", (), 1) in told


@pytest.fixture
def start() -> Iterator[Any]:
    started: list[Process] = []

    def one(*arguments: str) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield one
    for process in started:
        process.kill()


def call(endpoint: str, key: RootKey) -> int:
    host = Header("host", endpoint.removeprefix("http://"))
    request = Request("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15", (host,), b"")
    signed = sign(
        request,
        access_key_id=key.access_key_id,
        secret=key.secret,
        token=None,
        region="us-east-1",
        service="sts",
        now=time.time(),
    )
    return get(endpoint, "GET", f"/?{request.query}", dict(signed.headers))[0]


def test_two_workers_are_one_sum(start: Any, tmp_path: Path) -> None:
    with closing(listen("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start("--port", "0", "--data", str(tmp_path / "data"), "--workers", "2", "--metrics-port", str(port))
    endpoint = process.until_ready()
    key = read_credentials((tmp_path / "data" / "root-credentials").read_text(), "x")
    for _ in range(12):  # each on a connection of its own, which the kernel deals out
        assert call(endpoint, key) == 200
    found = values(port)
    assert found["bailiwick_requests_total", "GetCallerIdentity", "ok", "sts"] == 12
    assert found["bailiwick_request_seconds_count", "sts"] == 12
    assert found[("bailiwick_workers",)] == 2
    assert found["bailiwick_cache_hits_total", "signing_keys"] >= 10
    assert get(endpoint, "GET", "/readyz") == (200, b"store: ok\naudit: ok\nroot key: ok\n")
    status, _ = process.stop(signal.SIGTERM)
    assert status == 0


# -- Documents ----------------------------------------------------------------------------------------------


def test_the_documentation_has_every_metric_and_no_other() -> None:
    text = (DOCS / "operations.md").read_text()
    told = re.findall(r"^\| `(bailiwick_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", text, re.MULTILINE)
    assert [(name, kind, re.findall(r"`(\w+)`", labels), help.strip()) for name, kind, labels, help in told] == [
        (
            metric.series[0] if metric.kind != "histogram" else metric.name,
            metric.kind,
            list(metric.labels),
            metric.help,
        )
        for metric in METRICS
    ]


def test_the_documents_ask_only_for_metrics_that_there_are() -> None:
    known = SERIES | {metric.name for metric in METRICS if metric.kind == "histogram"}
    for path in (DOCS / "operations.md", DOCS / "grafana" / "bailiwick.json", DOCS / "grafana" / "alerts.yml"):
        named = set(re.findall(r"\bbailiwick_[a-z_]+\b", path.read_text()))
        assert (path.name, named - known) == (path.name, set())


def test_the_dashboard_asks_for_something_in_every_panel() -> None:
    dashboard = json.loads((DOCS / "grafana" / "bailiwick.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len(panels) >= 12
    for panel in panels:
        asked = [target["expr"] for target in panel["targets"]]
        assert asked, panel["title"]
        assert all(SERIES & set(re.findall(r"\w+", text)) for text in asked), panel["title"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
