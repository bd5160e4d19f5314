"""External keys between two real servers over TLS: the KMS of one asks the XKS proxy of the other, on good roads and bad."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from xks_support import CREDENTIAL, TIMEOUT, Houses, Road, described
from xks_support import houses as both

from bailiwick.federation.breaker import FAILURES

pytestmark = pytest.mark.clients

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
DRIPS = [HEAD, *(bytes((byte,)) for byte in b"x-slow: " + b"x" * 1000)]
UNREACHABLE = "XksProxyUriUnreachableException"


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    with both(tmp_path_factory.mktemp("xks")) as made:
        yield made


@pytest.fixture(scope="module")
def store(houses: Houses) -> str:
    made = houses.store("ekm")
    assert houses.connected(made) == ("CONNECTED", None)
    return made


@pytest.fixture(scope="module")
def key(houses: Houses, store: str) -> str:
    return houses.key(store, houses.external())


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error.get("Message", "")


def test_a_key_here_that_rests_on_a_key_there(houses: Houses, store: str, key: str) -> None:
    kms, context = houses.kms, {"purpose": "test"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096, EncryptionContext=context)["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x" * 4096, key)
    assert refusal(kms.decrypt, CiphertextBlob=blob)[0] == "InvalidCiphertextException"
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    bare = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=16)
    assert len(kms.decrypt(CiphertextBlob=bare["CiphertextBlob"])["Plaintext"]) == 16
    other = houses.key(store, houses.external())
    ours = kms.create_key()["KeyMetadata"]["Arn"]
    for destination in (other, ours, key):
        moved = kms.re_encrypt(
            CiphertextBlob=blob,
            SourceEncryptionContext=context,
            DestinationEncryptionContext=context,
            DestinationKeyId=destination,
        )
        blob = moved["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x" * 4096


def test_calls_go_over_the_same_connection(houses: Houses, key: str) -> None:
    blob = houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    before = houses.road.opened
    for _ in range(10):
        assert houses.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert houses.road.opened == before


def test_what_the_other_house_forbids(houses: Houses, store: str) -> None:
    external = houses.external()
    key = houses.key(store, external)
    blob = houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    houses.there.disable_key(KeyId=external)
    code, told = refusal(houses.kms.decrypt, CiphertextBlob=blob)
    assert (code, "InvalidStateException" in told) == ("KMSInvalidStateException", True)
    houses.there.enable_key(KeyId=external)
    assert houses.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    closed = houses.there.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match="CustomKeyStoreInvalidStateException"):
        houses.key(store, closed)
    with pytest.raises(ClientError, match="XksKeyNotFoundException"):
        houses.key(store, "no-such-key")


def test_credentials_and_paths_that_are_wrong(houses: Houses, store: str, key: str) -> None:
    wrong = CREDENTIAL | {"RawSecretAccessKey": "b" * 43}
    denied = "XksProxyIncorrectAuthenticationCredentialException"
    elsewhere = "/elsewhere/kms/xks/v1"
    assert refusal(houses.kms.create_custom_key_store, **described("other", elsewhere, wrong))[0] == denied
    assert refusal(houses.kms.create_custom_key_store, **described("other", elsewhere))[0] == denied
    parameters = {"CustomKeyStoreId": store, "XksProxyAuthenticationCredential": wrong}
    assert refusal(houses.kms.update_custom_key_store, **parameters)[0] == denied
    assert refusal(houses.kms.create_custom_key_store, **described("other"))[0] == "XksProxyUriInUseException"
    assert houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


@pytest.mark.parametrize(
    ("spoil", "made", "connecting", "told"),
    [
        pytest.param(Road.hangs_up, UNREACHABLE, "NOT_REACHABLE", "cannot be reached", id="hangs up"),
        pytest.param(Road.is_silent, UNREACHABLE, "TIMED_OUT", "in time", id="is silent"),
        pytest.param(lambda road: road.answers(*DRIPS), UNREACHABLE, "TIMED_OUT", "in time", id="drips"),
        pytest.param(
            lambda road: road.says(b"SSH-2.0-OpenSSH_9.9\r\n"),
            "XksProxyInvalidConfigurationException",
            "INVALID_TLS_CONFIGURATION",
            "no certificate that holds",
            id="no TLS",
        ),
        pytest.param(
            lambda road: road.answers(HEAD + b"\r\n", host="elsewhere.example"),
            "XksProxyInvalidConfigurationException",
            "INVALID_TLS_CONFIGURATION",
            "no certificate that holds",
            id="another's certificate",
        ),
        *(
            pytest.param(
                lambda road, answer=answer: road.answers(answer),
                "XksProxyInvalidResponseException",
                "INVALID_RESPONSE",
                "does not answer as it should",
                id=name,
            )
            for name, answer in {
                "no JSON": HEAD + b"content-length: 7\r\n\r\nrubbish",
                "no HTTP": b"rubbish\r\n\r\n",
                "other JSON": HEAD + b'content-length: 13\r\n\r\n{"other": []}',
                "deep JSON": HEAD + b"content-length: 30000\r\n\r\n" + b"[" * 30_000,
                "too large": HEAD + b"content-length: 2000000\r\n\r\n" + b"x" * 2_000_000,
                "chunks without end": HEAD
                + b"transfer-encoding: chunked\r\n\r\n"
                + b"4000\r\n"
                + b"x" * 16384
                + b"\r\n"
                + b"4000\r\n"
                + b"y" * 16384
                + b"\r\n1\r\nz\r\n",
                "many headers": HEAD + b"x: y\r\n" * 1000 + b"\r\n",
                "a status beyond": b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}",
                "a move": b"HTTP/1.1 302 Moved\r\nlocation: https://localhost/\r\ncontent-length: 0\r\n\r\n",
            }.items()
        ),
    ],
)
def test_a_proxy_that_does_not_do_its_part(
    houses: Houses, store: str, key: str, spoil: Callable[[Road], None], made: str, connecting: str, told: str
) -> None:
    kms = houses.kms
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    spoil(houses.road)
    try:
        begun = time.monotonic()
        code, message = refusal(kms.decrypt, CiphertextBlob=blob)
        assert (code, told in message) == ("KMSInvalidStateException", True), message
        assert time.monotonic() - begun < TIMEOUT + 2
        assert refusal(kms.create_custom_key_store, **described("another", "/other/kms/xks/v1"))[0] == made
        assert houses.connected(store) == ("FAILED", f"XKS_PROXY_{connecting}")
    finally:
        houses.road.leads_to(houses.keeper.port)
    assert houses.connected(store) == ("CONNECTED", None)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_proxy_that_is_gone_is_left_alone_for_a_while(houses: Houses, store: str, key: str) -> None:
    kms = houses.kms
    shown = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]["XksProxyConfiguration"]
    proxy = f'proxy="{shown["UriEndpoint"]}{shown["UriPath"]}"'
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    houses.road.is_silent()
    try:
        with ThreadPoolExecutor(FAILURES) as several:
            told = list(several.map(lambda _: refusal(kms.decrypt, CiphertextBlob=blob), range(FAILURES)))
        assert {code for code, _ in told} == {"KMSInvalidStateException"}
        opened, begun = houses.road.opened, time.monotonic()
        again = refusal(kms.decrypt, CiphertextBlob=blob)
        assert (again, again in told) == (told[0], True)
        assert (houses.road.opened, time.monotonic() - begun < TIMEOUT) == (opened, True)
        assert houses.measured("bailiwick_key_proxies_left_alone", proxy) == 1
        assert houses.measured("bailiwick_key_proxy_requests_total", proxy, 'outcome="spared"') >= 1
    finally:
        houses.road.leads_to(houses.keeper.port)
    assert houses.connected(store) == ("CONNECTED", None)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert houses.measured("bailiwick_key_proxies_left_alone", proxy) == 0


def test_the_other_house_falls_and_rises(houses: Houses, key: str) -> None:
    blob = houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    houses.keeper.kill()
    assert refusal(houses.kms.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
    ours = houses.kms.create_key()["KeyMetadata"]["Arn"]
    assert houses.kms.encrypt(KeyId=ours, Plaintext=b"x")["CiphertextBlob"]
    houses.keeper.start()
    assert houses.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
