"""External key stores: our KMS asks a proxy for what its keys cannot do alone. The proxy is our own, in another world."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bailiwick.app.edge import Edge
from bailiwick.app.record import record_of
from bailiwick.app.xks import Client, XksError, XksProxy, clients, read
from bailiwick.core.message import Header, Request
from bailiwick.federation.breaker import Busy
from bailiwick.federation.fetch import FetchError
from softhsm import PIN, MemoryToken
from world import ACCOUNT, World

ENDPOINT, PATH = "https://ekm.example.org", "/kms/xks/v1"
KEY_ID, SECRET = "ABCDEFGHIJKLMNOPQRST", "a" * 43
STORE = {
    "CustomKeyStoreName": "ekm",
    "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
    "XksProxyUriEndpoint": ENDPOINT,
    "XksProxyUriPath": PATH,
    "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    "XksProxyAuthenticationCredential": {"AccessKeyId": KEY_ID, "RawSecretAccessKey": SECRET},
}


def refusal(operation: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    return str(caught.value.response["Error"]["Code"])


class Away:
    """The network between the two, which tests can spoil: by an error, or by what is done to an answer."""

    def __init__(self, proxy: XksProxy) -> None:
        self.proxy, self.error, self.answer = proxy, None, None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def post(
        self, endpoint: str, path: str, operation: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        assert endpoint == ENDPOINT
        self.asked.append((path + operation, json.loads(body)))
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return self.answer
        lines = tuple(Header(*line) for line in headers.items())
        answer = self.proxy(Request("POST", path + operation, "", lines, body))
        return answer.status, answer.body


def policy(**condition: Any) -> str:
    external = {
        "Effect": "Allow",
        "Principal": {"Service": "cks.kms.amazonaws.com"},
        "Action": ["kms:Encrypt", "kms:Decrypt"],
        "Resource": "*",
    }
    if condition:
        external["Condition"] = condition
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    describe = external | {"Action": "kms:DescribeKey"}
    describe.pop("Condition", None)
    return json.dumps({"Version": "2012-10-17", "Statement": [root, external, describe]})


class Houses:
    """One world that keeps keys, and one whose keys rest on them."""

    def __init__(self) -> None:
        self.keeper = World()
        client = Client(access_key_id=KEY_ID, secret_file="-", account=ACCOUNT, region="us-east-1")
        self.proxy = XksProxy(self.keeper.pipeline, {KEY_ID: (client, SECRET)})
        self.way = Away(self.proxy)
        self.world = World(key_proxies=self.way)
        self.kms, self.there = self.world.client("kms"), self.keeper.client("kms")
        self.store = self.kms.create_custom_key_store(**STORE)["CustomKeyStoreId"]
        self.kms.connect_custom_key_store(CustomKeyStoreId=self.store)
        self.external = self.there.create_key(Policy=policy())["KeyMetadata"]["KeyId"]
        self.origin = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": self.store}

    def key(self) -> str:
        return str(self.kms.create_key(**self.origin, XksKeyId=self.external)["KeyMetadata"]["Arn"])


@pytest.fixture
def houses() -> Houses:
    return Houses()


def test_both_are_needed_and_both_have_it_in_their_trails(houses: Houses) -> None:
    kms, key = houses.kms, houses.key()
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert described["XksKeyConfiguration"] == {"Id": houses.external}
    assert (described["Origin"], described["KeyState"]) == ("EXTERNAL_KEY_STORE", "Enabled")
    context = {"secret-project": "nile"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 4096, EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x" * 4096
    assert refusal(kms.decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    assert b"nile" not in json.dumps(houses.way.asked).encode()
    assert base64.b64encode(data_key["Plaintext"]).decode() not in json.dumps(houses.way.asked)
    told = json.loads(record_of(houses.keeper.events[-1], lambda size: bytes(size)))
    assert (told["eventName"], told["userIdentity"]["invokedBy"]) == ("Decrypt", "cks.kms.amazonaws.com")
    assert told["requestParameters"]["kmsKeyArn"] == key
    houses.there.rotate_key_on_demand(KeyId=houses.external)
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x" * 4096
    houses.there.disable_key(KeyId=houses.external)
    assert refusal(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context) == "KMSInvalidStateException"


def test_every_part_of_such_a_ciphertext_counts(houses: Houses) -> None:
    key = houses.key()
    blob = houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for place in (0, 4, 5, 6, 8, 20, 40, 70, 77, 80, 98, 105, 115, 140, len(blob) - 1):
        altered = bytearray(blob)
        altered[place] ^= 1
        code = refusal(houses.kms.decrypt, CiphertextBlob=bytes(altered), KeyId=key)
        assert code in ("InvalidCiphertextException", "IncorrectKeyException"), place


def test_external_keys_that_do_not_do(houses: Houses) -> None:
    create, there = houses.kms.create_key, houses.there
    assert refusal(create, **houses.origin, XksKeyId="no-such-key") == "XksKeyNotFoundException"
    assert refusal(create, **houses.origin) == "ValidationException"
    closed = there.create_key()["KeyMetadata"]["KeyId"]
    assert refusal(create, **houses.origin, XksKeyId=closed) == "CustomKeyStoreInvalidStateException"
    there.disable_key(KeyId=houses.external)
    assert refusal(create, **houses.origin, XksKeyId=houses.external) == "XksKeyInvalidConfigurationException"
    there.enable_key(KeyId=houses.external)
    houses.key()
    assert refusal(create, **houses.origin, XksKeyId=houses.external) == "XksKeyAlreadyInUseException"


def test_a_key_policy_says_for_which_keys(houses: Houses) -> None:
    key = houses.key()
    blob = houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    only = policy(ArnEquals={"aws:SourceArn": key})
    houses.there.put_key_policy(KeyId=houses.external, PolicyName="default", Policy=only)
    assert houses.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    other = policy(ArnEquals={"aws:SourceArn": key[:-1] + "x"})
    houses.there.put_key_policy(KeyId=houses.external, PolicyName="default", Policy=other)
    assert refusal(houses.kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"


@pytest.mark.parametrize(
    ("error", "made", "connected", "used"),
    [
        ("TimeoutError: it", "XksProxyUriUnreachableException", "XKS_PROXY_TIMED_OUT", "KMSInvalidStateException"),
        ("ConnectionRefusedError: no", "XksProxyUriUnreachableException", "XKS_PROXY_NOT_REACHABLE", "KMSInvalidStateException"),
        ("TLS: bad", "XksProxyInvalidConfigurationException", "XKS_PROXY_INVALID_TLS_CONFIGURATION", "KMSInvalidStateException"),
        ((200, b"no JSON"), "XksProxyInvalidResponseException", "XKS_PROXY_INVALID_RESPONSE", "KMSInvalidStateException"),
        ((401, b'{"errorName":"AuthenticationFailedException"}'), "XksProxyIncorrectAuthenticationCredentialException", "XKS_PROXY_ACCESS_DENIED", "KMSInvalidStateException"),
        ((404, b"not found"), "XksProxyUriUnreachableException", "XKS_PROXY_INVALID_CONFIGURATION", "KMSInvalidStateException"),
        ((429, b'{"errorName":"ThrottlingException"}'), "XksProxyInvalidResponseException", "XKS_PROXY_INVALID_RESPONSE", "ThrottlingException"),
    ],
)  # fmt: skip
def test_troubles_of_a_proxy(houses: Houses, error: Any, made: str, connected: str, used: str) -> None:
    kms, key = houses.kms, houses.key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    if isinstance(error, str):
        houses.way.error = FetchError(error, reached=False)
    else:
        houses.way.answer = error
    assert refusal(kms.decrypt, CiphertextBlob=blob) == used
    other = STORE | {"CustomKeyStoreName": "other", "XksProxyUriPath": "/other/kms/xks/v1"}
    assert refusal(kms.create_custom_key_store, **other) == made
    kms.disconnect_custom_key_store(CustomKeyStoreId=houses.store)
    kms.connect_custom_key_store(CustomKeyStoreId=houses.store)
    (entry,) = kms.describe_custom_key_stores()["CustomKeyStores"]
    assert (entry["ConnectionState"], entry["ConnectionErrorCode"]) == ("FAILED", connected)
    houses.way.error = houses.way.answer = None
    kms.disconnect_custom_key_store(CustomKeyStoreId=houses.store)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Unavailable"
    kms.connect_custom_key_store(CustomKeyStoreId=houses.store)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_proxy_that_too_many_ask_throttles(houses: Houses) -> None:
    key = houses.key()
    blob = houses.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    houses.way.error = Busy("too many ask it at once", reached=True)
    assert refusal(houses.kms.decrypt, CiphertextBlob=blob) == "ThrottlingException"
    assert refusal(houses.kms.create_key, **houses.origin, XksKeyId="other") == "ThrottlingException"


def test_what_a_proxy_calls_its_trouble_is_told_if_it_is_short(houses: Houses) -> None:
    key = houses.key()
    for name, told in (
        ("SomethingElse", " (SomethingElse)."),
        ("x" * 65, "as it should."),
        ("<b>", "as it should."),
    ):
        houses.way.answer = 500, json.dumps({"errorName": name}).encode()
        with pytest.raises(ClientError) as caught:
            houses.kms.encrypt(KeyId=key, Plaintext=b"x")
        assert caught.value.response["Error"]["Message"].endswith(told)


def test_a_proxy_makes_no_random_bytes(houses: Houses) -> None:
    asked = {"NumberOfBytes": 1, "CustomKeyStoreId": houses.store}
    assert refusal(houses.kms.generate_random, **asked) == "UnsupportedOperationException"


def test_a_proxy_is_in_one_store_and_its_credential_is_kept(houses: Houses) -> None:
    kms = houses.kms
    (entry,) = kms.describe_custom_key_stores()["CustomKeyStores"]
    assert entry["XksProxyConfiguration"] == {
        "Connectivity": "PUBLIC_ENDPOINT",
        "AccessKeyId": KEY_ID,
        "UriEndpoint": ENDPOINT,
        "UriPath": PATH,
    }
    assert (
        refusal(kms.create_custom_key_store, **STORE | {"CustomKeyStoreName": "o"}) == "XksProxyUriInUseException"
    )
    wrong = {"XksProxyAuthenticationCredential": {"AccessKeyId": KEY_ID, "RawSecretAccessKey": "b" * 43}}
    told = "XksProxyIncorrectAuthenticationCredentialException"
    assert refusal(kms.update_custom_key_store, CustomKeyStoreId=houses.store, **wrong) == told
    vpc = {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}
    none = "XksProxyVpcEndpointServiceNotFoundException"
    assert refusal(kms.update_custom_key_store, CustomKeyStoreId=houses.store, **vpc) == none
    there = b"".join(record_of(event, lambda size: bytes(size)) for event in houses.world.events)
    assert SECRET.encode() not in there


# -- The proxy, with requests that are signed by hand ---------------------------------------------------------


def signed(path: str, document: Any, *, key_id: str = KEY_ID, secret: str = SECRET, service: str = "kms-xks-proxy") -> Request:  # fmt: skip
    """A request as the specification has it: host and x-amz-date are signed."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/eu-west-3/{service}/aws4_request"
    canonical = "\n".join(
        ["POST", path, "", "host:ekm.example.org", f"x-amz-date:{stamp}", "", "host;x-amz-date", hashlib.sha256(body).hexdigest()]
    )  # fmt: skip
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    )
    lines = (("host", "ekm.example.org"), ("x-amz-date", stamp), ("content-type", "application/json"), ("authorization", credential))  # fmt: skip
    return Request("POST", path, "", tuple(Header(*line) for line in lines), body)


WHO = {
    "awsPrincipalArn": "arn:aws:iam::111122223333:user/Alice",
    "kmsKeyArn": "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "kmsOperation": "Encrypt",
    "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
}


def ask(houses: Houses, path: str, document: Any, **how: Any) -> tuple[int, dict[str, Any]]:
    answer = houses.proxy(signed(path, document, **how))
    return answer.status, json.loads(answer.body)


def test_health_needs_a_credential_only(houses: Houses) -> None:
    health = {"requestMetadata": {"kmsRequestId": "1", "kmsOperation": "CreateCustomKeyStore"}}
    status, told = ask(houses, "/kms/xks/v1/health", health)
    assert (status, told["ekmFleetDetails"][0]["healthStatus"]) == (200, "ACTIVE")
    failed = (401, {"errorName": "AuthenticationFailedException"})
    assert ask(houses, "/kms/xks/v1/health", health, secret="b" * 43) == failed
    assert ask(houses, "/kms/xks/v1/health", health, key_id="A" * 20) == failed
    assert ask(houses, "/kms/xks/v1/health", health, service="kms") == failed
    assert ask(houses, "/other/kms/xks/v1/health", health) == failed
    assert houses.proxy(Request("GET", "/kms/xks/v1/health", "", (), b"")).status == 405
    assert houses.proxy(Request("POST", "/kms/xks/v1/health", "", (), b"{}")).status == 401
    assert ask(houses, "/kms/xks/v1/nothing", health)[0] == 404
    assert ask(houses, "/kms/xks/v1/health", b"no JSON")[0] == 400


def test_what_is_encrypted_is_decrypted_with_all_of_it_alone(houses: Houses) -> None:
    base = f"/kms/xks/v1/keys/{houses.external}"
    assert ask(houses, f"{base}/metadata", {"requestMetadata": WHO}) == (
        200,
        {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"},
    )
    text, aad = secrets.token_bytes(4300), secrets.token_bytes(8192)
    asked = {
        "requestMetadata": WHO,
        "plaintext": base64.b64encode(text).decode(),
        "encryptionAlgorithm": "AES_GCM",
        "additionalAuthenticatedData": base64.b64encode(aad).decode(),
        "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
    }
    status, made = ask(houses, f"{base}/encrypt", asked)
    assert status == 200
    parts = {name: base64.b64decode(value) for name, value in made.items()}
    digest = hashlib.sha256(aad + parts["ciphertextMetadata"] + parts["initializationVector"] + parts["ciphertext"] + parts["authenticationTag"]).digest()  # fmt: skip
    assert parts.pop("ciphertextDataIntegrityValue") == digest
    assert len(parts["ciphertext"]) == len(text)
    assert (len(parts["initializationVector"]), len(parts["authenticationTag"])) == (12, 16)
    assert len(parts["ciphertextMetadata"]) <= 20
    parts["additionalAuthenticatedData"] = aad

    def opened(changed: dict[str, bytes]) -> tuple[int, dict[str, Any]]:
        coded = {name: base64.b64encode(value).decode() for name, value in changed.items()}
        return ask(houses, f"{base}/decrypt", {"requestMetadata": WHO, "encryptionAlgorithm": "AES_GCM", **coded})

    assert opened(parts) == (200, {"plaintext": base64.b64encode(text).decode()})
    for name, value in parts.items():
        altered = value[:-1] + bytes((value[-1] ^ 1,))
        assert opened({**parts, name: altered}) == (400, {"errorName": "InvalidCiphertextException"}), name


def test_an_external_key_in_a_token_is_waited_for_where_nobody_else_waits() -> None:
    threads: list[str] = []

    class Noting(MemoryToken):
        def _answers(self) -> None:
            threads.append(threading.current_thread().name)

    world = World(hsms={"cluster-frankfurthsm": Noting()})
    kms = world.client("kms")
    store = kms.create_custom_key_store(
        CustomKeyStoreName="hsm",
        CloudHsmClusterId="cluster-frankfurthsm",
        TrustAnchorCertificate="anchor",
        KeyStorePassword=PIN,
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    made = kms.create_key(Policy=policy(), Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
    client = Client(access_key_id=KEY_ID, secret_file="-", account=ACCOUNT, region="us-east-1")
    proxy = XksProxy(world.pipeline, {KEY_ID: (client, SECRET)})
    path = f"/kms/xks/v1/keys/{made['KeyMetadata']['KeyId']}/encrypt"
    asked = {"requestMetadata": WHO, "plaintext": "aGVsbG8=", "encryptionAlgorithm": "AES_GCM"}
    world.events.clear()
    threads.clear()
    with closing(Edge(world.pipeline, max_body=65536, xks=proxy)) as edge:
        answer = edge.begin(signed(path, asked))
        assert isinstance(answer, Future)
        told = answer.result(20)
    assert (told.status, json.loads(told.body)["ciphertextMetadata"]) == (200, base64.b64encode(b"\2").decode())
    assert [name.partition("_")[0] for name in threads] == ["outward"]
    assert [event.route and event.route.operation.name for event in world.events] == ["Encrypt"]


def test_what_a_proxy_refuses(houses: Houses) -> None:
    base = f"/kms/xks/v1/keys/{houses.external}"
    asked = {"requestMetadata": WHO, "plaintext": "aGVsbG8=", "encryptionAlgorithm": "AES_GCM"}
    invalid = (400, {"errorName": "ValidationException"})
    assert ask(houses, f"{base}/encrypt", asked | {"encryptionAlgorithm": "AES_CBC"}) == invalid
    assert ask(houses, f"{base}/encrypt", asked | {"requestMetadata": {}}) == invalid
    assert ask(houses, f"{base}/encrypt", asked | {"plaintext": 5}) == invalid
    missing = "/kms/xks/v1/keys/12345678-1234-1234-1234-123456789012/encrypt"
    assert ask(houses, missing, asked) == (404, {"errorName": "KeyNotFoundException"})
    closed = houses.there.create_key()["KeyMetadata"]["KeyId"]
    assert ask(houses, f"/kms/xks/v1/keys/{closed}/encrypt", asked) == (403, {"errorName": "AccessDeniedException"})
    houses.there.disable_key(KeyId=houses.external)
    assert ask(houses, f"{base}/encrypt", asked) == (400, {"errorName": "InvalidStateException"})
    rsa = houses.there.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Policy=policy())["KeyMetadata"][
        "KeyId"
    ]
    unsupported = (501, {"errorName": "UnsupportedOperationException"})
    assert ask(houses, f"/kms/xks/v1/keys/{rsa}/metadata", {"requestMetadata": WHO}) == unsupported


def test_the_file(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret", tmp_path / "xks.toml"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    client = f'access_key_id = "{KEY_ID}"\nsecret_file = "{secret}"\naccount = "{ACCOUNT}"\nregion = "us-east-1"\n'
    path.write_text(f'timeout = 0.5\n[proxies]\n"https://e.org" = "http://127.0.0.1:1"\n[[clients]]\n{client}')
    found = read(path)
    assert (found.timeout, found.proxies) == (0.5, {"https://e.org": "http://127.0.0.1:1"})
    assert clients(found)[KEY_ID][1] == SECRET
    secret.chmod(0o644)
    with pytest.raises(XksError, match="open to other users"):
        clients(found)
    secret.chmod(0o600)
    secret.write_text("short")
    with pytest.raises(XksError, match="is no secret"):
        clients(found)
    secret.write_text(SECRET)
    path.write_text(f"[[clients]]\n{client}[[clients]]\n{client}")
    with pytest.raises(XksError, match="two clients"):
        clients(read(path))
    path.write_text("clients = 5")
    with pytest.raises(XksError, match="Expected"):
        read(path)
