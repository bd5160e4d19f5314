"""The metrics' own address: a thread that answers GET /metrics and nothing else, one client at a time.

docs/decisions/ has why it is not the port of the API.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast

import structlog

from bailiwick.app.metrics import Sample, written
from bailiwick.app.server import ServerError, listen
from bailiwick.app.settings import Settings

log = structlog.get_logger()

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE = 5.0  # seconds that a client may take; the next one waits as long

Gather = Callable[[], Iterable[Sample]]


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server_version = "bailiwick"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        try:
            body = written(cast(_Server, self.server).gather())
        except Exception as error:  # a scrape that fails is seen by who scrapes, and must not end the thread
            log.error("the metrics cannot be told", exc_info=error)
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("content-type", CONTENT_TYPE)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: who scrapes comes every few seconds."""


class _Server(HTTPServer):
    def __init__(self, host: str, port: int, gather: Gather) -> None:
        self.gather = gather
        listener = listen(host, port)
        listener.setblocking(True)
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_port = listener.getsockname()[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no matter."""


@contextlib.contextmanager
def scraped(settings: Settings, gather: Gather) -> Iterator[int | None]:
    """Serve the metrics meanwhile, if there is a port for them; gives that port.

    Raises ServerError where the address cannot be had.
    """
    if settings.metrics_port is None:
        yield None
        return
    try:
        serving = _Server(settings.metrics_host, settings.metrics_port, gather)
    except ServerError as error:
        raise ServerError(f"the metrics: {str(error).replace('--port', '--metrics-port')}") from None
    thread = threading.Thread(target=serving.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        log.info("metrics are served", host=settings.metrics_host, port=serving.server_port)
        yield serving.server_port
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
