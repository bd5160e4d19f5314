"""Proofs of possession (DPoP, RFC 9449): a client shows with each request that it holds the key of its token.

Only ES256, as the `aws` CLI makes it. A proof says for which request it was made and when; it is attacked input.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from bailiwick.core.errors import TokenRefused

MAX_PROOF = 4096
WINDOW = 300
_ALGORITHM, _TYPE = "ES256", "dpop+jwt"


def proven(proof: str, *, method: str, path: str, hosts: frozenset[str], now: float) -> str:
    """The thumbprint (RFC 7638) of the key that signed a proof for this request, within five minutes of `now`.

    `hosts` are the names, with ports, under which this server is known. Raises TokenRefused.
    """
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey

    if len(proof) > MAX_PROOF or proof.count(".") != 2:
        raise TokenRefused("form", "The DPoP proof is not a JWT.")
    try:
        header = jws.extract_compact(proof.encode()).headers()
        given = header.get("jwk")
        if header.get("typ") != _TYPE or header.get("alg") != _ALGORITHM or not isinstance(given, dict):
            raise TokenRefused("form", "The DPoP proof must be of type dpop+jwt and signed with ES256.")
        if given.get("kty") != "EC" or given.get("crv") != "P-256" or "d" in given or "crit" in header:
            raise TokenRefused("key", "The key of the DPoP proof must be a public one on P-256.")
        key = ECKey.import_key({name: str(given.get(name)) for name in ("kty", "crv", "x", "y")})
        payload = jws.deserialize_compact(proof.encode(), key, algorithms=[_ALGORITHM]).payload
        claims = json.loads(payload)
    except (JoseError, ValueError, KeyError, TypeError, RecursionError):
        raise TokenRefused("signature", "The DPoP proof is not valid.") from None
    _check(claims, method, path, hosts, now)
    return str(key.thumbprint())


def _check(claims: Any, method: str, path: str, hosts: frozenset[str], now: float) -> None:
    if not isinstance(claims, dict) or not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise TokenRefused("form", "The DPoP proof has no id.")
    issued, address = claims.get("iat"), claims.get("htu")
    if isinstance(issued, bool) or not isinstance(issued, int | float) or abs(now - issued) > WINDOW:
        raise TokenRefused("time", "The DPoP proof is too old, or of the future.")
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        parts = None
    if claims.get("htm") != method or parts is None or parts.path != path or parts.netloc.lower() not in hosts:
        raise TokenRefused("request", "The DPoP proof is for another request.")
