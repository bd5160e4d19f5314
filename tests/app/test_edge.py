"""The edge and its limits, asked through raw sockets: whatever is sent, it answers clearly and lives on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
from edge_support import Echo, Running, answers, everything, running

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LAST = b"GET /quick/last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


@pytest.fixture(scope="module", params=[True, False], ids=["direct", "asgi"])
def direct(request: pytest.FixtureRequest) -> bool:
    """Each test goes through both ways in."""
    return bool(request.param)


@pytest.fixture(scope="module")
def server(direct: bool) -> Iterator[Running]:
    with running(direct=direct, max_body=4096, max_headers=50, max_header_bytes=8192, max_url=1024) as made:
        yield made


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


def alive(server: Running) -> bool:
    return answers(server.ask(LAST))[0][0] == 200


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"GET /a/%2F/b?x=%20&y HTTP/1.1", b"GET /a/%2F/b x=%20&y 0"),
        (b"GET http://other/quick?q HTTP/1.1", b"GET /quick q 0"),
        (b"OPTIONS / HTTP/1.1", b"OPTIONS /  0"),
        (b"DELETE // HTTP/1.1", b"DELETE //  0"),
        (b"GET /.. HTTP/1.0", b"GET /..  0"),
    ],
)
def test_method_path_and_query_arrive_as_sent(server: Running, sent: bytes, told: bytes) -> None:
    ((status, headers, body),) = answers(server.ask(head(sent, b"host: a", b"connection: close")))
    assert (status, body) == (200, told)
    assert headers["server"] == "bailiwick"
    assert headers["date"].endswith("GMT")


def test_headers_keep_their_order_and_lose_case_and_blanks(server: Running) -> None:
    server.ask(head(b"GET /quick/h HTTP/1.1", b"Host: a", b"X-B:  two \t", b"x-b: \xe9", b"connection: close"))
    request = next(r for r in server.pipeline.requests if r.path == "/quick/h")
    assert request.headers == (("host", "a"), ("x-b", "two"), ("x-b", "é"), ("connection", "close"))
    assert (request.source, request.secure) == ("127.0.0.1", False)


def test_quick_requests_stay_on_the_loop_and_others_leave_it(direct: bool) -> None:
    with running(direct=direct) as made:
        made.ask(LAST)
        loop = made.thread.name
        assert made.pipeline.threads == {loop}
        made.ask(head(b"GET /else HTTP/1.1", b"host: a", b"connection: close"))
        assert made.pipeline.threads == {loop, "work_0"}


def test_head_has_no_body_but_its_length(server: Running) -> None:
    stream = server.ask(head(b"HEAD /quick HTTP/1.1", b"host: a", b"connection: close"))
    assert stream.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 14\r\n" in stream
    assert stream.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_health_needs_no_signature(server: Running, method: bytes) -> None:
    before = len(server.pipeline.requests)
    stream = server.ask(head(method + b" /healthz HTTP/1.1", b"host: a", b"connection: close"))
    assert stream.startswith(b"HTTP/1.1 200 OK\r\n")
    assert UUID.search(stream.decode())
    assert stream.endswith(b"ok\n" if method == b"GET" else b"\r\n\r\n")
    assert len(server.pipeline.requests) == before


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: 5\r\n\r\nhello",
        b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ],
)
def test_both_framings_of_a_body(server: Running, body: bytes) -> None:
    stream = server.ask(b"POST /quick/body HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + body)
    assert answers(stream)[0][2] == b"POST /quick/body  5"
    assert server.pipeline.requests[-1].body == b"hello"


def test_a_trailer_never_becomes_a_header(server: Running) -> None:
    trailer = b"transfer-encoding: chunked\r\n\r\n0\r\nx-amz-security-token: x\r\n\r\n"
    stream = server.ask(b"POST /quick/trailer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + trailer)
    assert answers(stream)[0][0] == 200
    assert server.pipeline.requests[-1].path == "/quick/trailer"
    assert server.pipeline.requests[-1].header("x-amz-security-token") is None


BASE = (b"GET /quick HTTP/1.1", b"host: a")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(head(*BASE, *(b"x-%d: y" % n for n in range(10_000))), 431, id="ten thousand headers"),
        pytest.param(head(*BASE, *(b"x-%d: y" % n for n in range(50))), 431, id="one header too many"),
        pytest.param(head(*BASE, b"x: " + b"y" * 9000), 431, id="a large header"),
        pytest.param(head(*BASE, b"x: " + b"y" * 5_000_000), 431, id="a huge header"),
        pytest.param(head(*BASE, b"x" * 200_000 + b": y"), 431, id="a huge header name"),
        pytest.param(head(b"GET /" + b"a" * 1024 + b" HTTP/1.1", b"host: a"), 414, id="a long target"),
        pytest.param(head(b"GET /" + b"a" * 3_000_000 + b" HTTP/1.1", b"host: a"), 414, id="a huge target"),
        pytest.param(head(b"GET /quick#part HTTP/1.1", b"host: a"), 400, id="a fragment"),
        pytest.param(head(b"OPTIONS * HTTP/1.1", b"host: a"), 400, id="no path"),
        pytest.param(head(b"CONNECT other:443 HTTP/1.1", b"host: a"), 400, id="a proxy request"),
        pytest.param(head(b"GET /\xc3\xa9 HTTP/1.1", b"host: a"), 400, id="a target that is not ASCII"),
        pytest.param(b"hello\r\n\r\n", 400, id="not HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(head(*BASE, b" folded: x"), 400, id="a folded header"),
        pytest.param(head(*BASE, b"x : y"), 400, id="a blank before the colon"),
        pytest.param(head(*BASE, b"x: a\x00b"), 400, id="a null"),
        pytest.param(b"GET / HTTP/1.1\nhost: a\n\n", 400, id="bare line feeds"),
        pytest.param(head(*BASE, b"content-length: -1"), 400, id="a negative length"),
        pytest.param(head(*BASE, b"content-length: 1_0"), 400, id="a length that int() would take"),
        pytest.param(head(*BASE, b"content-length: 99999999999999999999"), 400, id="a length beyond 64 bits"),
        pytest.param(head(*BASE, b"content-length: 1", b"content-length: 1") + b"x", 400, id="two lengths"),
        pytest.param(head(*BASE, b"content-length: 1, 1") + b"x", 400, id="a list of lengths"),
        pytest.param(
            head(*BASE, b"content-length: 5", b"transfer-encoding: chunked") + b"0\r\n\r\n", 400, id="CL and TE"
        ),
        pytest.param(
            head(*BASE, b"transfer-encoding: chunked", b"content-length: 5") + b"0\r\n\r\n", 400, id="TE and CL"
        ),
        pytest.param(
            head(*BASE, b"transfer-encoding: gzip, chunked") + b"0\r\n\r\n", 400, id="an encoding before chunked"
        ),
        pytest.param(
            head(*BASE, b"transfer-encoding: chunked", b"transfer-encoding: chunked") + b"0\r\n\r\n",
            400,
            id="chunked twice",
        ),
        pytest.param(head(*BASE, b"transfer-encoding: chunked") + b"zz\r\n", 400, id="a broken chunk"),
    ],
)
def test_what_is_refused_gets_a_clear_answer_and_the_server_lives_on(
    server: Running, data: bytes, status: int
) -> None:
    told = answers(server.ask(data))
    last, headers, body = told[-1]
    assert last == status
    assert UUID.fullmatch(headers["x-amzn-requestid"])
    assert headers["connection"] == "close"
    assert headers["server"] == "bailiwick"
    assert headers["date"].endswith("GMT")
    assert body.startswith((b"The ", b"Too many requests"))
    assert all(answer[0] == 200 for answer in told[:-1])
    assert alive(server)


def test_a_head_at_the_limits_passes(server: Running) -> None:
    lines = [b"x-%d: y" % number for number in range(48)]
    assert answers(server.ask(head(*BASE, b"connection: close", *lines[:47])))[0][0] == 200
    long = b"GET /quick" + b"a" * (1024 - 6) + b" HTTP/1.1"
    assert answers(server.ask(head(long, b"host: a", b"connection: close")))[0][0] == 200


@pytest.mark.parametrize("size", [4097, 60_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_by_the_pipeline(server: Running, size: int, chunked: bool) -> None:
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % size
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size) if chunked else b"x" * size
    ((status, headers, text),) = answers(server.ask(head(b"POST /quick/big HTTP/1.1", b"host: a", framing) + body))
    assert (status, text) == (413, b"The request body is larger than 4096 bytes.")
    assert headers["connection"] == "close"
    assert server.pipeline.requests[-1].body == b""
    assert alive(server)


def test_a_body_at_the_limit_passes(server: Running) -> None:
    data = head(b"POST /quick HTTP/1.1", b"host: a", b"connection: close", b"content-length: 4096") + b"x" * 4096
    assert answers(server.ask(data))[0][2] == b"POST /quick  4096"


def test_a_body_far_over_the_limit_is_not_read(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(head(b"POST / HTTP/1.1", b"host: a", b"content-length: 99999999"))
        assert answers(everything(connection))[0][0] == 413


def test_expect_continue(server: Running) -> None:
    lines = (b"POST /quick HTTP/1.1", b"host: a", b"expect: 100-continue", b"connection: close")
    with server.connect() as connection:
        connection.sendall(head(*lines, b"content-length: 5"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert answers(everything(connection))[0][2] == b"POST /quick  5"
    with server.connect() as connection:
        connection.sendall(head(*lines, b"content-length: 5000"))
        assert answers(everything(connection))[0][0] == 413  # and never a 100


def test_an_upgrade_is_not_taken(server: Running) -> None:
    data = head(*BASE, b"connection: upgrade", b"upgrade: h2c") + LAST
    told = answers(server.ask(data))
    assert [(status, body) for status, _, body in told] == [(200, b"GET /quick  0")]
    assert told[0][1]["connection"] == "close"


def test_pipelined_requests_are_answered_in_order(direct: bool) -> None:
    with running(direct=direct) as made:
        data = b"".join(head(b"GET /%s%d HTTP/1.1" % (kind, n), b"host: a") for n in range(4) for kind in KINDS)
        made.pipeline.gate.set()
        told = [body.split()[1] for _, _, body in answers(made.ask(data + LAST))]
        assert told == [b"/%s%d" % (kind, n) for n in range(4) for kind in KINDS] + [b"/quick/last"]


KINDS = (b"quick", b"slow", b"else")


def test_too_many_requests_at_once_are_refused(direct: bool) -> None:
    with running(direct=direct) as made, made.connect() as connection:
        slow = head(b"GET /slow HTTP/1.1", b"host: a")
        connection.sendall(slow + LAST.replace(b"connection: close\r\n", b"") * 40)
        made.pipeline.gate.set()
        told = [status for status, _, _ in answers(everything(connection))]
        assert told == [200] * 33 + [400]


def test_a_client_that_does_not_read_is_not_served_on(direct: bool) -> None:
    echo = Echo()
    with running(echo, direct=direct) as made, made.connect() as connection:
        connection.setblocking(False)
        request = b"GET /quick/" + b"x" * 8000 + b" HTTP/1.1\r\nhost: a\r\n\r\n"
        sent = total = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += connection.send((request * 4)[sent % len(request) :])
        served = lambda: sum(len(request.path) > 1000 for request in echo.requests)  # noqa: E731
        while total != (total := served()):
            assert alive(made)
        assert total < sent // len(request)  # some still wait to be read, though everything was sent that could be
        connection.setblocking(True)
        connection.settimeout(20)
        connection.shutdown(1)
        assert len(answers(everything(connection))) >= total


def test_a_refusal_waits_for_the_answers_before_it(direct: bool) -> None:
    with running(direct=direct) as made, made.connect() as connection:
        connection.sendall(head(b"GET /slow HTTP/1.1", b"host: a") + LAST.replace(b"close", b"keep-alive"))
        connection.sendall(b"nonsense\r\n\r\n")
        made.pipeline.gate.set()
        assert [status for status, _, _ in answers(everything(connection))] == [200, 200, 400]


def test_a_request_that_is_refused_midway_is_never_executed(direct: bool) -> None:
    with running(direct=direct) as made:
        data = head(b"POST /quick/half HTTP/1.1", b"host: a", b"transfer-encoding: chunked") + b"2\r\nhexx"
        assert [status for status, _, _ in answers(made.ask(data))] == [400]
        with made.connect() as connection:
            connection.sendall(head(b"POST /quick/gone HTTP/1.1", b"host: a", b"content-length: 5") + b"he")
        assert alive(made)
        assert [request.path for request in made.pipeline.requests] == ["/quick/last"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", [], id="silence"),
        pytest.param(b"GET /quick HTTP/1.1\r\nhost: a\r\n", [408], id="a head that does not end"),
        pytest.param(b"GET /quick HTTP/1.1\r\nx: " + b"y" * 100, [408], id="a header that does not end"),
        pytest.param(head(b"POST / HTTP/1.1", b"host: a", b"content-length: 5") + b"he", [408], id="half a body"),
        pytest.param(head(*BASE), [200], id="an idle connection"),
        pytest.param(head(*BASE) + b"GET", [200, 408], id="a second head that does not end"),
    ],
)
def test_slow_clients_are_not_waited_for(direct: bool, data: bytes, expected: list[int]) -> None:
    with running(direct=direct, header_timeout=0.05, body_timeout=0.05, idle_timeout=0.05) as made:
        assert [status for status, _, _ in answers(made.ask(data))] == expected
        assert alive(made)


def test_a_trickle_does_not_buy_time(direct: bool) -> None:
    with running(direct=direct, header_timeout=0.2) as made, made.connect() as connection:
        connection.settimeout(0.01)
        connection.sendall(b"GET /quick HTTP/1.1\r\n")
        stream, sent = b"", 0
        while not stream:
            connection.sendall(b"x: y\r\n")
            sent += 1
            try:
                stream = connection.recv(1000)
            except TimeoutError:
                assert sent < 90, "the server still waits"
        assert answers(stream)[0][0] == 408


def test_a_failure_of_the_edge_is_answered_and_told_nothing(server: Running) -> None:
    ((status, headers, body),) = answers(
        server.ask(head(b"GET /broken HTTP/1.1", b"host: a", b"connection: close"))
    )
    assert status == 500
    assert b"planted" not in body
    assert UUID.fullmatch(headers["x-amzn-requestid"])


def test_what_is_in_flight_is_finished_at_shutdown(direct: bool) -> None:
    echo = Echo()
    with running(echo, direct=direct, drain_timeout=10.0) as made, made.connect() as busy, made.connect() as idle:
        busy.sendall(head(b"GET /slow HTTP/1.1", b"host: a"))
        while not echo.requests:
            assert alive(made)
        made.server.should_exit = True
        assert idle.recv(1) == b""  # closed at once
        echo.gate.set()
        ((status, headers, _),) = answers(everything(busy))
        assert status == 200
        assert headers.get("connection") == "close"
