"""An OpenID Connect issuer on loopback, with real keys: what tokens it signs, well or badly, is up to the test.

with Issuer() as issuer:
    token = issuer.token(sub="system:serviceaccount:shop:till", aud="sts.amazonaws.com")
"""

from __future__ import annotations

import base64
import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

Signer = RSAKey | ECKey
ALL = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]


@cache
def rsa_key(name: str = "one", bits: int = 2048) -> RSAKey:
    """An RSA key for the whole run, by name."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return RSAKey(private, private, {"kid": name})


@cache
def curve_key(name: str, curve: str = "P-256") -> ECKey:
    """A key on a curve for the whole run, by name."""
    made = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[curve]
    private = ec.generate_private_key(made)
    return ECKey(private, private, {"kid": name})


def public(key: Signer, **more: Any) -> dict[str, Any]:
    """A key as a JWK set has it."""
    return {**key.as_dict(private=False), "use": "sig", **more}


def base64url(raw: bytes | str | dict[str, Any]) -> str:
    """Base64url without padding of bytes, text or an object as JSON."""
    if isinstance(raw, dict):
        raw = json.dumps(raw)
    return base64.urlsafe_b64encode(raw.encode() if isinstance(raw, str) else raw).rstrip(b"=").decode()


def signed(claims: dict[str, Any] | str, key: Signer, algorithm: str = "RS256", **header: Any) -> str:
    """A compact token over these claims."""
    named = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **header}
    named = {name: value for name, value in named.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=ALL, strict_check_header=False)
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    return jws.serialize_compact(named, payload, key, registry=registry)


class Issuer:
    """A server of discovery document and keys. `documents` are its answers by path, `asked` what it was asked for."""

    def __init__(self, path: str = "") -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, headers, body = outer.answer(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.scheme = "http"
        self.path = path
        self.asked: list[str] = []
        self.keys: list[dict[str, Any]] = [public(rsa_key())]
        self.raw: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Issuer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The issuer."""
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}{self.path}"

    @property
    def name(self) -> str:
        """The issuer without its scheme, as condition keys have it."""
        return self.url.partition("://")[2]

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What it answers to a path: what the test has put there, or what an issuer answers."""
        base = self.path.rstrip("/")
        found = {
            f"{base}/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url.rstrip('/')}/keys",
            },
            f"{base}/keys": {"keys": self.keys},
        }
        if path in self.raw:
            return self.raw[path]
        if path in found:
            return 200, {"content-type": "application/json"}, json.dumps(found[path]).encode()
        return 404, {}, b""

    def claims(self, now: float, **more: Any) -> dict[str, Any]:
        """The claims of a good token; None takes one away."""
        second = int(now)
        made = {"iss": self.url, "sub": "till-7", "aud": "bailiwick", "iat": second, "exp": second + 600, **more}
        return {name: value for name, value in made.items() if value is not None}

    def token(self, now: float, key: Signer | None = None, **more: Any) -> str:
        """A good token, signed with the key that the issuer began with."""
        return signed(self.claims(now, **more), key or rsa_key())
