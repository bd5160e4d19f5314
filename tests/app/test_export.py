"""Exports of the audit trail: nothing is lost over an outage, nothing is sent elsewhere, the lag is seen."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bailiwick.app.export import Exporter, exporters
from bailiwick.app.settings import Settings, SettingsError, load
from bailiwick.app.sinks import FileSink, SyslogSink, syslog_message
from bailiwick.app.sinks_http import Endpoint, OtlpSink, WebhookSink
from bailiwick.trail.files import Files

BEGIN = datetime(2026, 11, 24, 4, tzinfo=UTC)


def record(number: int, **more: Any) -> bytes:
    told = {"eventTime": "2026-11-24T04:00:00Z", "eventName": "Encrypt", "eventID": f"e-{number}", **more}
    return json.dumps(told).encode()


class Receiver:
    """A sink that refuses when told to."""

    name = "test"

    def __init__(self) -> None:
        self.refuses = False
        self.got: list[str] = []

    def send(self, records: list[bytes], batch: str) -> None:
        if self.refuses:
            raise OSError("no")
        self.got += [json.loads(each)["eventID"] for each in records]

    def close(self) -> None:
        """Nothing is open."""


def run_out(exporter: Exporter) -> float:
    """Step until there is nothing to do; returns the pause that the last step asked for."""
    while True:
        pause = exporter.step()
        if pause:
            return pause


def test_every_record_once_from_all_segments_as_they_grow(tmp_path: Path) -> None:
    shelf, sink = Files(tmp_path), Receiver()
    one, two = shelf.begin(BEGIN), shelf.begin(BEGIN)
    exporter = Exporter(sink, shelf, now=BEGIN.timestamp)
    for number in range(0, 3000, 3):
        one.append([record(number), record(number + 1)])
        two.append([record(number + 2)])
        if number % 900 == 0:
            run_out(exporter)
    run_out(exporter)
    assert sorted(sink.got, key=lambda name: int(name[2:])) == [f"e-{n}" for n in range(3000)]
    assert (exporter.sent, exporter.failures, exporter.lag.bytes) == (3000, 0, 0)
    one.close()
    two.close()
    exporter.close()
    exporter._follower.release()


def test_after_an_outage_it_catches_up_and_the_lag_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [BEGIN.timestamp() + 5]
    shelf, sink = Files(tmp_path), Receiver()
    made = shelf.begin(BEGIN)
    exporter = Exporter(sink, shelf, now=lambda: clock[0])
    sink.refuses = True
    made.append([record(0)])
    pauses = [exporter.step() for _ in range(8)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert (exporter.failures, exporter.lag.seconds) == (8, 5.0)
    clock[0] += 120
    made.append([record(n) for n in range(1, 1200)])
    exporter.step()
    assert exporter.lag.seconds == 125.0
    assert exporter.lag.bytes == made.state.bytes
    assert "an export of the audit trail lags" in capsys.readouterr().out
    sink.refuses = False
    run_out(exporter)
    assert sink.got == [f"e-{n}" for n in range(1200)]
    assert exporter.lag.bytes == exporter.lag.seconds == 0
    exporter._follower.release()
    made.close()


def test_the_next_process_goes_on_where_this_one_ended(tmp_path: Path) -> None:
    shelf, first, second = Files(tmp_path), Receiver(), Receiver()
    made = shelf.begin(BEGIN)
    made.append([record(0)])
    one, two = Exporter(first, shelf, now=BEGIN.timestamp), Exporter(second, shelf, now=BEGIN.timestamp)
    run_out(one)
    assert two.step() == 5.0, "one process exports, the others stand by"
    one._follower.release()
    made.append([record(1)])
    made.close()
    run_out(two)
    assert (first.got, second.got) == (["e-0"], ["e-1"])
    two._follower.release()


def test_what_a_crash_cut_short_is_left_and_what_retention_took_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf, sink = Files(tmp_path), Receiver()
    made = shelf.begin(BEGIN)
    made.append([record(0)])
    made.close()
    path = tmp_path / made.name
    path.write_bytes(path.read_bytes() + record(1)[:20])
    exporter = Exporter(sink, shelf, now=BEGIN.timestamp)
    run_out(exporter)
    assert (sink.got, exporter.lag.bytes) == (["e-0"], 0)
    sink.refuses = True
    late = shelf.begin(BEGIN)
    late.append([record(2)])
    late.close()
    exporter.step()
    shelf.remove(late.name)
    exporter.step()
    assert "removed before they were exported" in capsys.readouterr().out
    exporter._follower.release()


def test_a_thread_sends_what_is_left_when_it_ends(tmp_path: Path) -> None:
    shelf, sink = Files(tmp_path), Receiver()
    made = shelf.begin(BEGIN)
    exporter = Exporter(sink, shelf)
    exporter.start()
    made.append([record(0)])
    exporter.close()
    made.close()
    assert sink.got == ["e-0"]


def test_files_are_whole_lines_and_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FileSink(tmp_path / "copy", rotate_bytes=200)
    for number in range(6):
        sink.send([record(number)], "b")
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if len(data) > 40:
            return real(descriptor, data[:40])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            sink.send([record(6)], "b")
    sink.send([record(6)], "b")
    sink.close()
    files = sorted((tmp_path / "copy").iterdir())
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    assert lines == [record(number) for number in range(7)]
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


# -- Syslog -------------------------------------------------------------------------------------------------


def test_a_syslog_message() -> None:
    head, _, body = syslog_message(record(1)).partition(b" - ")
    assert head.split(b" ")[:2] == [b"<110>1", b"2026-11-24T04:00:00Z"]
    assert head.split(b" ")[3:] == [b"bailiwick", str(os.getpid()).encode(), b"Encrypt"]
    assert body == record(1)
    assert syslog_message(record(1, errorCode="AccessDenied")).startswith(b"<108>1 ")
    assert syslog_message(record(1, eventName="a b\n")).split(b" ")[5] == b"ab"
    long = syslog_message(record(1, x="y" * 70_000), 60_000)
    assert json.loads(long.partition(b" - ")[2])["eventID"] == "e-1"


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_syslog_by_datagrams(kind: str, tmp_path: Path) -> None:
    family = socket.AF_INET if kind == "udp" else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.settimeout(5)
        server.bind(("127.0.0.1", 0) if kind == "udp" else str(tmp_path / "log"))
        url = f"udp://127.0.0.1:{server.getsockname()[1]}" if kind == "udp" else f"unix://{tmp_path}/log"
        with closing(SyslogSink(url)) as sink:
            sink.send([record(0), record(1)], "b")
            for number in range(2):
                assert server.recv(65536).endswith(b" - " + record(number))


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_syslog_by_a_stream(kind: str, tmp_path: Path) -> None:
    family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
    with socket.socket(family) as server:
        server.settimeout(5)
        server.bind(("127.0.0.1", 0) if kind == "tcp" else str(tmp_path / "log"))
        server.listen()
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}" if kind == "tcp" else f"unix://{tmp_path}/log"
        with closing(SyslogSink(url)) as sink:
            sink.send([record(0), record(1)], "b")
            connection, _ = server.accept()
        with closing(connection), connection.makefile("rb") as stream:
            for number in range(2):
                size = b""
                while not size.endswith(b" "):
                    size += stream.read(1)
                assert stream.read(int(size)).endswith(b" - " + record(number))


def test_a_syslog_that_is_not_there(tmp_path: Path) -> None:
    sink = SyslogSink(f"unix://{tmp_path}/none")
    with pytest.raises(OSError, match="No such file"):
        sink.send([record(0)], "b")


# -- HTTP ---------------------------------------------------------------------------------------------------


class Web:
    """A server that answers what it is told to, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                web.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, told = web.answers.pop(0) if web.answers else (200, {}, b"{}")
                self.send_response(status)
                for name, value in {"content-length": str(len(told)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


def test_a_webhook_is_signed(web: Web) -> None:
    sink = WebhookSink(f"{web.url}/hook?a=b", b"s" * 16, now=BEGIN.timestamp)
    for _ in range(2):
        sink.send([record(0), record(1)], "segment:0")
    (path, headers, body), (_, again, _) = web.got
    assert path == "/hook?a=b"
    assert [each["eventID"] for each in json.loads(body)["Records"]] == ["e-0", "e-1"]
    stamp, delivery = headers["x-bailiwick-timestamp"], headers["x-bailiwick-delivery"]
    signed = f"{stamp}.{delivery}.".encode() + body
    assert headers["x-bailiwick-signature"] == "v1=" + hmac.new(b"s" * 16, signed, hashlib.sha256).hexdigest()
    assert stamp == str(int(BEGIN.timestamp()))
    assert again["x-bailiwick-delivery"] == delivery


@pytest.mark.parametrize("status", [301, 302, 307, 400, 429, 500, 503])
def test_whatever_is_not_2xx_is_a_refusal_and_no_redirect_is_followed(web: Web, status: int) -> None:
    web.answers = [(status, {"location": f"{web.url}/elsewhere"}, b"")]
    with pytest.raises(OSError, match=f"answered {status}"):
        WebhookSink(web.url, b"s" * 16).send([record(0)], "b")
    assert len(web.got) == 1


def test_opentelemetry_logs(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    web.answers = [(200, {}, b'{"partialSuccess":{"rejectedLogRecords":"1"}}')]
    told = record(0, errorCode="AccessDenied", userIdentity={"arn": "arn:u"}, recipientAccountId="123456789012")
    OtlpSink(f"{web.url}/v1/logs").send([told], "b")
    ((path, headers, body),) = web.got
    assert (path, headers["content-type"]) == ("/v1/logs", "application/json")
    (resource,) = json.loads(body)["resourceLogs"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "bailiwick"}}]
    (log,) = resource["scopeLogs"][0]["logRecords"]
    assert log["timeUnixNano"] == str(int(BEGIN.timestamp()) * 10**9)
    assert (log["severityNumber"], log["severityText"]) == (13, "WARN")
    assert json.loads(log["body"]["stringValue"])["eventID"] == "e-0"
    attributes = {each["key"]: each["value"]["stringValue"] for each in log["attributes"]}
    assert attributes["event.name"] == "Encrypt"
    assert attributes["user.id"] == "arn:u"
    assert "refused audit records for good" in capsys.readouterr().out


def test_who_does_not_speak_http_is_a_refusal() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 smtp ready\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(OSError, match="does not speak HTTP"):
            Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}").post(b"{}", {})
        thread.join()


# -- Settings -----------------------------------------------------------------------------------------------


def test_the_settings_make_exports(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 16 + b"\n")
    secret.chmod(0o600)
    settings = load(
        {
            "audit_export_files": str(tmp_path / "copy"),
            "audit_export_syslog": "udp://127.0.0.1:514",
            "audit_export_otlp": "https://collector:4318/v1/logs",
            "audit_export_webhook": "http://127.0.0.1:9/",
            "audit_export_webhook_secret": str(secret),
        },
        {},
    )
    assert [each.name for each in exporters(settings, Files(tmp_path))] == ["files", "syslog", "otlp", "webhook"]
    assert exporters(Settings(), Files(tmp_path)) == []
    secret.write_bytes(b"short")
    with pytest.raises(SettingsError, match="too short"):
        exporters(settings, Files(tmp_path))
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match="open to other users"):
        exporters(settings, Files(tmp_path))


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"audit_export_webhook": "https://h/"}, "belong together"),
        ({"audit_export_otlp": "http://collector:4318/v1/logs"}, "without TLS"),
        ({"audit_export_otlp": "ftp://collector"}, "audit_export_otlp"),
        ({"audit_export_otlp": "https://user:secret@collector/"}, "audit_export_otlp"),
        ({"audit_export_syslog": "udp://h/path"}, "audit_export_syslog"),
    ],
)
def test_settings_that_cannot_be(flags: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load(flags, {})
