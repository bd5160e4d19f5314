"""An OpenID Connect issuer for tests: on a free port of this machine, with a real key.

    with Issuer() as issuer:
        token = issuer.token(sub="system:serviceaccount:shop:till", aud="sts.amazonaws.com")

It stands in for GitHub, GitLab, a Kubernetes cluster, Keycloak or Google in a test of what their tokens may do
(docs/federation/). Whoever reaches the port can read its keys; only the test has the private one.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from bailiwick.core.assertion import jwt


class Issuer:
    """An issuer, as long as the `with` block lasts."""

    def __init__(self, path: str = "", algorithm: str = "RS256") -> None:
        """Take the path of the issuer's URL, such as `/realms/shop`, and RS256 or ES384."""
        secret, self._public = jwt.new_key(algorithm, uuid.uuid4().hex)
        self._key = jwt.signing_key(secret, self._public["kid"], algorithm)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._path = path
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="issuer", daemon=True
        )

    def __enter__(self) -> Issuer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The issuer, as CreateOpenIDConnectProvider takes it."""
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    @property
    def name(self) -> str:
        """The issuer without its scheme: what condition keys begin with."""
        return self.url.partition("://")[2]

    def token(self, *, sub: str, aud: str | list[str], seconds: int = 600, **claims: Any) -> str:
        """A token about `sub` for `aud`, valid for `seconds` from now; further claims may replace these."""
        now = int(time.time())
        said = {"iss": self.url, "sub": sub, "aud": aud, "iat": now, "exp": now + seconds, **claims}
        return jwt.sign(json.dumps(said).encode(), self._key)

    def document(self, path: str) -> dict[str, Any] | None:
        """What is served at a path, None where there is nothing."""
        found: dict[str, dict[str, Any]] = {
            f"{self._path}/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            f"{self._path}/keys": {"keys": [self._public]},
        }
        return found.get(path)


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.document(self.path)
            self.send_response(404 if found is None else 200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
