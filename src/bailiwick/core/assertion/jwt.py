"""JSON Web Tokens of OpenID Connect issuers (RFC 7515, 7518, 7519): read, and verified against given keys.

Only the compact form, only RS and ES with SHA-2: never `none`, never an HMAC, whose secret a public key could be
mistaken for. What a token says about where its key is (`jku`, `jwk`, `x5u`, `x5c`) is not looked at.

Source: facts/sts.md section 6.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from bailiwick.core.errors import TokenRefused

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey
    from joserfc.jws import JWSRegistry

MAX_TOKEN = 20_000
MAX_KEYS_DOCUMENT = 102_400
MAX_KEYS = 100
MAX_AGE = 24 * 3600
SKEW = 300  # by how many seconds the issuer's clock may be ahead of ours
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")

_NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_RSA_BITS = range(2048, 8193)
_EXPONENT_BITS = 33
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_MAX_WITHOUT_ID = 10  # how many keys are tried for a token that names none
_MAX_NAME, _MAX_LISTED = 255, 20  # what of a token stays with the session must be short


class Key(msgspec.Struct, frozen=True):
    """A public key of an issuer, with the algorithms that it may be used with."""

    id: str | None
    algorithms: tuple[str, ...]
    key: RSAKey | ECKey


class Token(msgspec.Struct, frozen=True):
    """A token as it was read: nothing of it is proven until `verify` was asked. Its repr shows no claims."""

    text: str
    algorithm: str
    key_id: str | None
    claims: dict[str, Any]

    @property
    def issuer(self) -> str:
        """The claim `iss`."""
        return str(self.claims["iss"])

    @property
    def subject(self) -> str:
        """The claim `sub`."""
        return str(self.claims["sub"])

    @property
    def audiences(self) -> tuple[str, ...]:
        """The claim `aud`, which is one text or several."""
        named = self.claims["aud"]
        return (named,) if isinstance(named, str) else tuple(named)

    @property
    def audience(self) -> str:
        """The client that the token was issued to: `azp` where there is one, else `aud`."""
        return str(self.claims.get("azp", self.audiences[0]))

    def __repr__(self) -> str:
        return f"Token({self.algorithm}, {self.key_id!r})"


class Issuers(Protocol):
    """The issuers of web identity tokens, as far as their keys are concerned. It may ask over the network."""

    def keys(self, token: Token, issuer: str, thumbprints: Sequence[str]) -> tuple[Key, ...]:
        """The keys of an issuer (a URL), of which `token` names one; `thumbprints` pin its certificate.

        Raises core.errors.IssuerUnreachable and TokenRefused.
        """

    def pinned(self, issuer: str, thumbprints: Sequence[str]) -> bool | None:
        """Whether it was a thumbprint that spoke for the server whose keys are known, not a certificate authority.

        None where nobody spoke: over plain HTTP on this machine, and for keys of the operator's file.
        """


def read(text: str) -> Token:
    """The token in this text, whose claims have the forms that they must have. Raises TokenRefused.

    Nothing is proven by this: the issuer is claimed, and tells whose keys to ask for.
    """
    parts = text.split(".")
    if len(text) > MAX_TOKEN or len(parts) != 3:
        raise TokenRefused("form", _NO_JWT)
    header, claims = _object(parts[0]), _object(parts[1])
    _bytes(parts[2])
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise TokenRefused("algorithm", f"The algorithm of the ID Token must be one of {', '.join(ALGORITHMS)}")
    if "crit" in header or "b64" in header or "enc" in header:
        raise TokenRefused("form", _NO_JWT)
    _check_forms(claims)
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenRefused("form", _NO_JWT)
    return Token(text, algorithm, key_id, claims)


def check_audience(token: Token, clients: Sequence[str]) -> None:
    """Raise TokenRefused unless the token is for one of these clients: `azp` if there is one, else `aud`."""
    named = (token.claims["azp"],) if "azp" in token.claims else token.audiences
    if not set(named) & set(clients):
        raise TokenRefused("audience", "Incorrect token audience")


def check_times(token: Token, now: float) -> None:
    """Raise TokenRefused unless the token is valid now: not expired, not of the future, under a day old."""
    claims, second = token.claims, int(now)
    if claims["exp"] <= second:
        raise TokenRefused(
            "expired",
            f"Token expired: current date/time {second} must be before the expiration date/time{claims['exp']}",
        )
    if claims.get("nbf", second) > second + SKEW:
        raise TokenRefused("not yet valid", f"Token is not valid before {claims['nbf']}")
    if claims["iat"] > second + SKEW:
        raise TokenRefused("not yet valid", "Token must have been issued in the past")
    age = second - claims["iat"]
    if age > MAX_AGE + SKEW:
        raise TokenRefused("too old", f"Token too old: {age}")


def verify(token: Token, keys: Iterable[Key]) -> None:
    """Raise TokenRefused unless one of these keys, of the token's algorithm and key id, signed it."""
    fitting = [key for key in keys if token.algorithm in key.algorithms]
    if token.key_id is not None:
        fitting = [key for key in fitting if key.id == token.key_id]
    if not fitting:
        raise TokenRefused("unknown key", "Unable to verify signature: the issuer has no such key")
    for key in fitting[:_MAX_WITHOUT_ID]:
        if _signed_by(token, key):
            return
    raise TokenRefused("signature", "Unable to verify signature")


def knows(token: Token, keys: Iterable[Key]) -> bool:
    """Whether the token's key is among these."""
    return any(token.key_id in (None, key.id) and token.algorithm in key.algorithms for key in keys)


def keys_of(document: bytes) -> tuple[Key, ...]:
    """The keys of a JWK set (RFC 7517) with which tokens may be signed; others in it are passed over.

    Raises ValueError for a document that is none, or has more than 102,400 bytes or 100 keys.
    """
    if len(document) > MAX_KEYS_DOCUMENT:
        raise ValueError(f"more than {MAX_KEYS_DOCUMENT} bytes")
    try:
        given = json.loads(document)
    except RecursionError:
        raise ValueError("too deep") from None
    listed = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError(f"no list of at most {MAX_KEYS} `keys`")
    made = [_key(each) for each in listed if isinstance(each, dict)]
    return tuple(key for key in made if key is not None)


def _key(jwk: dict[str, Any]) -> Key | None:
    """A key of a set; None for one that is not for signatures, is too short, or cannot be read."""
    from joserfc.errors import JoseError  # which takes a twentieth of a second: when there is a key to read
    from joserfc.jwk import ECKey, RSAKey

    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ("verify",)):
        return None
    public: dict[str, Any] = {
        name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if isinstance(jwk.get(name), str)
    }
    made: RSAKey | ECKey
    fitting: tuple[str, ...]
    try:
        if public.get("kty") == "RSA":
            if _bits(public["n"]) not in _RSA_BITS or _bits(public["e"]) > _EXPONENT_BITS:
                return None
            made = RSAKey.import_key({name: public[name] for name in ("kty", "n", "e")})
            fitting = ALGORITHMS[:3]
        elif public.get("kty") == "EC" and public.get("crv") in _CURVES:
            made = ECKey.import_key({name: public[name] for name in ("kty", "crv", "x", "y")})
            assert made.public_key is not None, "the point is on the curve"
            fitting = (_CURVES[str(public["crv"])],)
        else:
            return None
    except (JoseError, TokenRefused, ValueError, KeyError, TypeError):
        return None
    if isinstance(jwk.get("alg"), str):
        fitting = tuple(each for each in fitting if each == jwk["alg"])
    named = jwk.get("kid")
    return Key(named if isinstance(named, str) else None, fitting, made) if fitting else None


def _bits(number: str) -> int:
    """The length of a number in base64url."""
    return int.from_bytes(_bytes(number), "big").bit_length()


@cache
def _registry() -> JWSRegistry:
    from joserfc.jws import JWSRegistry

    return JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)


def _signed_by(token: Token, key: Key) -> bool:
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        compact = jws.extract_compact(token.text.encode("ascii"), registry=_registry())
        return jws.validate_compact(compact, key.key, algorithms=[token.algorithm], registry=_registry())
    except (JoseError, ValueError, TypeError):
        return False


def _check_forms(claims: dict[str, Any]) -> None:
    """Refuse claims of another form than they must have. Raises TokenRefused."""
    for name in ("iss", "sub"):
        value = claims.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
            raise TokenRefused("form", f"Missing a required claim: {name}")
    if "aud" not in claims:
        raise TokenRefused("form", "Missing a required claim: aud")
    for name in ("aud", "amr"):
        given = claims.get(name, "")
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not 0 < len(listed) <= _MAX_LISTED or not all(map(_is_name, listed)):
            raise TokenRefused("form", f"The claim {name} must be one text or a few")
    if isinstance(claims.get("id"), str | list) and not _is_name(claims["id"]):
        raise TokenRefused("form", f"The claim id must be one text of at most {_MAX_NAME} characters")
    if not _is_name(claims.get("azp", "")):
        raise TokenRefused("form", "The claim azp must be text")
    for name in ("exp", "iat", "nbf"):
        if (name in claims or name != "nbf") and type(claims.get(name)) is not int:
            raise TokenRefused("form", f"Missing a required claim: {name}")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_NAME


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise TokenRefused("form", _NO_JWT) from None
    if not isinstance(value, dict):
        raise TokenRefused("form", _NO_JWT)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name is given twice")
    return made


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _bytes(part: str) -> bytes:
    """Base64url without padding, in its one form. Raises TokenRefused."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefused("form", _NO_JWT) from None
    if not raw or base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise TokenRefused("form", _NO_JWT)
    return raw


# -- Tokens of our own ------------------------------------------------------------------------------------


class SigningKey(msgspec.Struct, frozen=True):
    """A private key that signs tokens. Its repr shows none of it."""

    id: str
    algorithm: str
    key: RSAKey | ECKey

    def __repr__(self) -> str:
        return f"SigningKey({self.id}, {self.algorithm})"


def new_key(algorithm: str, key_id: str) -> tuple[bytes, dict[str, Any]]:
    """A new private key (PEM) for RS256 or ES384, and its public half as a JWK."""
    from joserfc.jwk import ECKey, RSAKey

    made = RSAKey.generate_key(2048) if algorithm == "RS256" else ECKey.generate_key("P-384")
    public = {**made.as_dict(private=False), "kid": key_id, "use": "sig", "alg": algorithm}
    return made.as_pem(private=True), public


def signing_key(secret: bytes, key_id: str, algorithm: str) -> SigningKey:
    """The private key in a PEM of `new_key`."""
    from joserfc.jwk import ECKey, RSAKey

    made: RSAKey | ECKey = RSAKey.import_key(secret) if algorithm == "RS256" else ECKey.import_key(secret)
    return SigningKey(key_id, algorithm, made)


def sign(payload: bytes, key: SigningKey) -> str:
    """A compact token over `payload`, the claims as JSON."""
    from joserfc import jws

    header = {"alg": key.algorithm, "kid": key.id, "typ": "JWT"}
    return jws.serialize_compact(header, payload, key.key, registry=_registry())
