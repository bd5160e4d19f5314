"""What the agent asks of the server: signed with the host's key, over TLS or to this machine. Blocking."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from bailiwick import __version__
from bailiwick.app.agent.state import AgentError
from bailiwick.app.agent.token_key import TokenKey
from bailiwick.core import host_proof
from bailiwick.core.errors import HsmUnavailable
from bailiwick.core.loopback import is_here
from bailiwick.core.message import Request

_TARGET = "BailiwickHosts."
_TIMEOUT = 15.0
_MOST_ANSWER = 1 << 20


class Refused(Exception):
    """What the server refused: its code, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Unreachable(Exception):
    """The server cannot be asked now: later it may answer."""

    what = "the server"


class KeyAway(Unreachable):
    """The token with the host's key cannot be asked now, and so the server cannot either."""

    what = "the token with this host's key"


class Client:
    """One server, asked as one instance; as nobody yet if `instance` is empty."""

    def __init__(
        self, endpoint: str, key: PrivateKeyTypes | TokenKey, instance: str = "", ca_file: str | None = None
    ) -> None:
        """Raises AgentError for an address to which nothing secret is sent."""
        parts = urlsplit(endpoint)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or port == -1:
            raise AgentError(f"`{endpoint}` is not the address of a server, such as https://iam.example.org")
        if parts.scheme == "http" and not is_here(parts.hostname):
            raise AgentError(f"`{endpoint}` would send credentials in plain text; give an https address")
        self.key, self.instance = key, instance
        self._host, self._port, self.authority = parts.hostname, port, parts.netloc
        self.path = parts.path or "/"
        self._context: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=ca_file)
            except OSError as error:
                raise AgentError(f"{ca_file}: {error.strerror or error}") from None

    def ask(self, operation: str, values: dict[str, Any], also: PrivateKeyTypes | None = None) -> dict[str, Any]:
        """The answer to an operation. `also` is the key of a certificate, which signs as well.

        Raises Refused, Unreachable, KeyAway.
        """
        body, target = msgspec.json.encode(values), _TARGET + operation
        now, nonce = str(int(time.time())), base64.urlsafe_b64encode(os.urandom(18)).decode("ascii")
        text = host_proof.text(self.authority, target, self.instance, now, nonce, body)
        headers = {
            "host": self.authority,
            "content-type": "application/x-amz-json-1.1",
            "user-agent": f"bailiwick-agent/{__version__}",
            "x-amz-target": target,
            host_proof.HOST: self.instance,
            host_proof.TIME: now,
            host_proof.NONCE: nonce,
            host_proof.PROOF: self._proof(text),
        }
        if also is not None:
            headers[host_proof.CERTIFICATE_PROOF] = host_proof.sign(also, text)
        status, _, told = self._post(self.path, body, headers)
        if status == 200:
            return told
        code, message = str(told.get("__type", "")).rpartition("#")[2], str(told.get("message", ""))
        if status >= 500 or status == 429 or not code or code.startswith("Throttling"):
            raise Unreachable(f"the server answers {status} {code}")
        raise Refused(code, message)

    def _proof(self, text: bytes) -> str:
        if not isinstance(self.key, TokenKey):
            return host_proof.sign(self.key, text)
        try:
            return self.key.prove(text)
        except HsmUnavailable as error:
            raise KeyAway(str(error)) from None

    def post(self, request: Request) -> tuple[int, str, dict[str, Any]]:
        """The status, the code of the refusal, if it is one, and the body with which a request is answered.

        Raises Unreachable.
        """
        headers = {**dict(request.headers), "user-agent": f"bailiwick-agent/{__version__}"}
        return self._post(request.path, request.body, headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, dict[str, Any]]:
        connection: http.client.HTTPConnection
        if self._context is not None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_TIMEOUT, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            code = (answer.getheader("x-amzn-errortype") or "").partition(":")[0]
            return answer.status, code, msgspec.json.decode(answer.read(_MOST_ANSWER), type=dict[str, Any])
        except (http.client.HTTPException, msgspec.DecodeError):
            raise Unreachable("the server does not answer as a Bailiwick server does") from None
        except OSError as error:
            raise Unreachable(f"the server cannot be reached: {error.strerror or error}") from None
        finally:
            connection.close()


def certificates_in(path: Path) -> list[str]:
    """The certificates of a PEM file as base64 DER, the host's first. Raises AgentError, OSError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise AgentError(f"{path} holds no certificate in PEM") from None
    return [base64.b64encode(each.public_bytes(Encoding.DER)).decode("ascii") for each in chain]
