"""The keys of issuers: discovered, kept, rotated; what is not asked, not followed, not believed."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bailiwick.core.assertion import jwt
from bailiwick.core.errors import IssuerUnreachable, TokenRefused
from bailiwick.federation.fetch import Fetcher, FetchError
from bailiwick.federation.oidc import FRESH, PAUSE, STALE, Issuers

sys.path.insert(0, str(Path(__file__).parent))
from issuer import Issuer, public, rsa_key

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
NOW = 1_790_000_000.0


class Setup:
    """An issuer, and what fetches its keys by a clock of the test's."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.clock = [0.0]
        self.fetcher = Fetcher(LOOPBACK, seconds=2.0)
        self.issuers = Issuers(self.fetcher, clock=lambda: self.clock[0])

    def ids(self, key: str = "one", thumbprints: tuple[str, ...] = ()) -> set[str | None]:
        token = jwt.read(self.issuer.token(NOW, rsa_key(key)))
        return {found.id for found in self.issuers.keys(token, self.issuer.url, thumbprints)}


@pytest.fixture
def setup() -> Iterator[Setup]:
    with Issuer() as issuer:
        yield Setup(issuer)


def put(setup: Setup, path: str, document: Any, status: int = 200, **headers: str) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    setup.issuer.raw[path] = (status, headers, body)


DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


def test_keys_are_asked_for_once(setup: Setup) -> None:
    assert setup.ids() == {"one"}
    assert setup.ids() == {"one"}
    assert setup.issuer.asked == [DISCOVERY, KEYS]
    setup.clock[0] += FRESH + 1
    assert setup.ids() == {"one"}
    assert len(setup.issuer.asked) == 4


def test_a_key_that_is_not_known_is_asked_for_but_seldom(setup: Setup) -> None:
    assert setup.ids() == {"one"}
    assert setup.ids("two") == {"one"}
    assert len(setup.issuer.asked) == 2  # they were asked for just now
    setup.clock[0] += PAUSE + 1
    setup.issuer.keys = [public(rsa_key("two"))]
    assert setup.ids("two") == {"two"}
    for _ in range(3):
        assert setup.ids("three") == {"two"}
    assert len(setup.issuer.asked) == 4


def test_an_issuer_that_is_away_for_a_while(setup: Setup) -> None:
    assert setup.ids() == {"one"}
    put(setup, DISCOVERY, b"", 500)
    setup.clock[0] += FRESH + 1
    assert setup.ids() == {"one"}
    setup.clock[0] += STALE
    with pytest.raises(TokenRefused, match="Couldn't retrieve verification key"):
        setup.ids()
    asked = len(setup.issuer.asked)
    with pytest.raises(TokenRefused):
        setup.ids()
    assert len(setup.issuer.asked) == asked  # and is left alone for a while
    del setup.issuer.raw[DISCOVERY]
    setup.clock[0] += PAUSE + 1
    assert setup.ids() == {"one"}


def test_only_a_few_ask_at_once(setup: Setup) -> None:
    assert setup.issuers._asking.acquire(blocking=False)
    assert setup.issuers._asking.acquire(blocking=False)
    with pytest.raises(IssuerUnreachable, match="Please try again"):
        setup.ids()
    setup.issuers._asking.release()
    assert setup.ids() == {"one"}
    setup.issuers._asking.acquire()
    setup.clock[0] += FRESH + 1
    assert setup.ids() == {"one"}  # what is known serves while others ask


@pytest.mark.parametrize(
    ("path", "document", "status", "headers"),
    [
        (DISCOVERY, b"<html>", 200, {}),
        (DISCOVERY, b"[" * 50_000, 200, {}),
        (DISCOVERY, {"issuer": "https://elsewhere.example", "jwks_uri": "http://127.0.0.1/keys"}, 200, {}),
        (DISCOVERY, b"", 302, {"location": "/elsewhere"}),
        (DISCOVERY, b"", 404, {}),
        (KEYS, b"", 301, {"location": "/elsewhere"}),
        (KEYS, {"keys": "none"}, 200, {}),
        (KEYS, {"keys": [{}] * 101}, 200, {}),
        (KEYS, b" " * 102_401, 200, {}),
        (KEYS, b"[" * 50_000, 200, {}),
    ],
)
def test_answers_that_are_of_no_use(setup: Setup, path: str, document: Any, status: int, headers: Any) -> None:
    put(setup, path, document, status, **headers)
    with pytest.raises(TokenRefused, match="Couldn't retrieve verification key"):
        setup.ids()
    assert "/elsewhere" not in setup.issuer.asked


@pytest.mark.parametrize(
    "where", [None, 7, "", "ftp://127.0.0.1/keys", "http://10.0.0.1/keys", "http://127.0.0.1:99999/keys", "/keys"]
)
def test_where_keys_cannot_be(setup: Setup, where: Any) -> None:
    put(setup, DISCOVERY, {"issuer": setup.issuer.url, "jwks_uri": where})
    with pytest.raises((TokenRefused, IssuerUnreachable)):
        setup.ids()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.0.1/",
        "https://[fe80::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fc00::1]/",
        "https://[2002:a00:1::]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://100.64.0.1/",
    ],
)
def test_addresses_that_are_not_asked(url: str) -> None:
    with pytest.raises(FetchError, match="may not be asked"):
        Fetcher([]).get(url)


def test_only_this_machine_is_asked_without_tls() -> None:
    with pytest.raises(FetchError, match="only https"):
        Fetcher([ipaddress.ip_network("10.0.0.0/8")]).get("http://10.0.0.1/")
    with pytest.raises(FetchError, match="only https"):
        Fetcher(LOOPBACK).get("file:///etc/passwd")


def test_an_answer_that_drips(setup: Setup) -> None:
    """The deadline is one for the whole of it: bytes that come one by one do not stretch it."""
    served = threading.Event()

    def drip(path: str) -> tuple[int, dict[str, str], bytes]:
        served.wait(2)
        return 200, {}, b""

    setup.issuer.answer = drip  # type: ignore[method-assign]
    with pytest.raises(FetchError, match="imeout|timed out|took too long"):
        Fetcher(LOOPBACK, seconds=0.2).get(setup.issuer.url)
    served.set()


def test_keys_from_a_file(tmp_path: Path, setup: Setup) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"https://airgap.example": {"keys": [public(rsa_key())]}}))
    issuers = Issuers(setup.fetcher, file)
    token = jwt.read(setup.issuer.token(NOW))
    assert {key.id for key in issuers.keys(token, "https://airgap.example", ())} == {"one"}
    assert setup.issuer.asked == []
    assert {key.id for key in issuers.keys(token, setup.issuer.url, ())} == {"one"}
    assert issuers.pinned("https://airgap.example", ()) is issuers.pinned(setup.issuer.url, ()) is None
    file.write_text("{")
    with pytest.raises(TokenRefused):
        issuers.keys(token, "https://airgap.example", ())


# -- TLS --------------------------------------------------------------------------------------------------


def certificate(name: str, signer: tuple[x509.Certificate, Any] | None = None) -> tuple[x509.Certificate, Any]:
    """A certificate for 127.0.0.1, signed by another one or by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above, signing = signer or (None, key)
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(signing, hashes.SHA256())
    )
    return built, key


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def thumbprint(made: x509.Certificate) -> str:
    return hashlib.sha1(made.public_bytes(serialization.Encoding.DER)).hexdigest()


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[Setup, x509.Certificate, x509.Certificate]]:
    """An issuer over TLS, with its own certificate and that of its authority."""
    authority = certificate("authority")
    own, key = certificate("issuer", authority)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "chain.pem").write_bytes(pem(own) + pem(authority[0]) + key.private_bytes(*form))
    issuer = Issuer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem")
    issuer.server.socket = context.wrap_socket(issuer.server.socket, server_side=True)
    issuer.scheme = "https"
    with issuer:
        yield Setup(issuer), own, authority[0]


def test_a_certificate_must_be_trusted(tls: tuple[Setup, x509.Certificate, x509.Certificate]) -> None:
    setup, _, _ = tls
    with pytest.raises(IssuerUnreachable):
        setup.ids()
    assert setup.issuer.asked == []


def test_a_certificate_may_be_pinned(tls: tuple[Setup, x509.Certificate, x509.Certificate]) -> None:
    setup, own, authority = tls
    assert setup.ids(thumbprints=(thumbprint(own).upper(),)) == {"one"}
    assert setup.ids(thumbprints=(thumbprint(authority), "f" * 40)) == {"one"}
    assert setup.issuers.pinned(setup.issuer.url, (thumbprint(own).upper(),)) is True
    assert setup.issuers.pinned(setup.issuer.url, ()) is None


def test_an_authority_that_is_trusted_speaks_for_the_issuer(
    tls: tuple[Setup, x509.Certificate, x509.Certificate], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    setup, own, authority = tls
    (tmp_path / "authorities.pem").write_bytes(pem(authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authorities.pem"))
    assert setup.ids(thumbprints=(thumbprint(own),)) == {"one"}
    assert setup.issuers.pinned(setup.issuer.url, (thumbprint(own),)) is False


def test_a_pinned_certificate_of_another_server_proves_nothing(
    tls: tuple[Setup, x509.Certificate, x509.Certificate],
) -> None:
    setup, _, _ = tls
    stranger, _ = certificate("stranger")
    with pytest.raises(TokenRefused, match="doesn't match configured thumbprint"):
        setup.ids(thumbprints=(thumbprint(stranger),))
    with pytest.raises(IssuerUnreachable):
        setup.ids()  # and what one account pins does not help another
    assert setup.issuer.asked == []
