"""The other forms of the signature: presigned URLs, S3's rules, SigV4A, signed chunks, POST policies.

Figures: facts/sigv4.md sections 3, 5, 6 and 7. botocore is the second opinion where it signs the form.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.core.errors import (
    IncompleteSignature,
    RequestSkewed,
    ScopeMismatch,
    SignatureError,
    SignatureMismatch,
)
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import asymmetric, canonical, checksums, post_policy, verify
from bailiwick.core.sigv4.chunks import MODES, ChunkDecoder
from bailiwick.core.sigv4.claim import Claim, read
from bailiwick.core.sigv4.rules import S3, STRICT, Rules
from bailiwick.core.sigv4.sign import presign, sign

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
AT = 1440938160.0
STAMP = "20150830T123600Z"
WHO = {"access_key_id": KEY, "secret": SECRET, "token": None, "region": "us-east-1", "now": AT}
HOST = (Header("host", "example.amazonaws.com"),)


def checked(request: Request, rules: Rules = STRICT, service: str = "service", now: float = AT) -> Claim:
    claim = read(request)
    verify.check_scope(claim, service=service, now=now, rules=rules)
    verify.verify(request, claim, SECRET, rules)
    return claim


# -- Presigned URLs ---------------------------------------------------------------------------------------


def test_the_figure_of_a_presigned_url() -> None:
    signed = presign(Request("GET", "/", "", HOST, b""), service="service", **WHO)
    assert signed.query.endswith("X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d")
    claim = checked(signed)
    assert (claim.presigned, claim.expires, claim.timestamp) == (True, 3600, STAMP)


def mutations(query: str) -> list[str]:
    """The query with one letter of each value changed, and with each parameter left out or doubled."""
    fields = query.split("&")
    found = []
    for index, field in enumerate(fields):
        name, _, value = field.partition("=")
        last = "1" if value[-1:] == "0" else "0"
        for changed in ([f"{name}={value[:-1]}{last}"], [], [field, field]):
            found.append("&".join(fields[:index] + changed + fields[index + 1 :]))
    return found


@pytest.mark.parametrize("number", range(21))
def test_a_changed_url_is_refused(number: int) -> None:
    signed = presign(Request("GET", "/", "a=1", HOST, b""), service="service", **WHO | {"token": "t" * 20})
    changed = mutations(signed.query)[number]
    with pytest.raises(SignatureError):
        checked(msgspec.structs.replace(signed, query=changed))


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders"])
def test_what_a_url_lacks(name: str) -> None:
    signed = presign(Request("GET", "/", "", HOST, b""), service="service", **WHO)
    query = "&".join(field for field in signed.query.split("&") if not field.startswith(name))
    with pytest.raises(
        IncompleteSignature, match=f"^AWS query-string parameters must include '{name}'. Re-examine"
    ):
        read(Request("GET", "/", query, HOST, b""))


def test_how_long_a_url_is_valid() -> None:
    """Query services honour the window, S3 the URL's own word (facts section 5)."""
    signed = presign(Request("GET", "/", "", HOST, b""), service="s", expires=60, **WHO)
    assert checked(signed, service="s", now=AT + 899).expires == 60
    with pytest.raises(RequestSkewed, match="^Signature expired"):
        checked(signed, service="s", now=AT + 901)
    of_s3 = presign(Request("GET", "/k", "", HOST, b""), service="s3", expires=7200, rules=S3, **WHO)
    assert checked(of_s3, S3, "s3", AT + 7200).expires == 7200
    with pytest.raises(RequestSkewed, match="^Request has expired$"):
        checked(of_s3, S3, "s3", AT + 7201)
    with pytest.raises(RequestSkewed, match="not yet current"):
        checked(of_s3, S3, "s3", AT - 901)
    week = presign(Request("GET", "/k", "", HOST, b""), service="s3", expires=604801, rules=S3, **WHO)
    with pytest.raises(RequestSkewed, match="X-Amz-Expires must be less than a week"):
        checked(week, S3, "s3")


def test_a_token_added_after_signing() -> None:
    signed = presign(Request("GET", "/", "", HOST, b""), service="s", **WHO)
    late = msgspec.structs.replace(signed, query=signed.query + "&X-Amz-Security-Token=t")
    with pytest.raises(SignatureMismatch):
        checked(late, service="s")
    assert checked(late, Rules(late_token=True), "s").token == "t"


texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x20FF, exclude_categories=["Cs"]), max_size=12)
keys = st.lists(st.one_of(texts, st.sampled_from(["..", ".", "", "a b", "%2F", "ü"])), min_size=1, max_size=4)


def arrived(prepared: Any, method: str, body: bytes) -> Request:
    parts = urlsplit(prepared.url)
    lines = [Header(n.lower(), str(v).strip()) for n, v in prepared.headers.items() if n.lower() != "host"]
    return Request(method, parts.path, parts.query, (Header("host", parts.netloc), *lines), body)


@settings(max_examples=150)
@given(
    path=keys, fields=st.dictionaries(texts.filter(bool), texts, max_size=3), token=st.sampled_from([None, "t" * 9])
)
def test_what_botocore_presigns_is_accepted(path: list[str], fields: dict[str, str], token: str | None) -> None:
    wire = "/" + "/".join(quote(part, safe="") for part in path)
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in fields.items())
    for signer, service, rules in ((SigV4QueryAuth, "service", STRICT), (S3SigV4QueryAuth, "s3", S3)):
        request = AWSRequest(method="GET", url=f"https://h.test{wire}" + (f"?{query}" if query else ""))
        signer(Credentials(KEY, SECRET, token), service, "eu-west-1", expires=600).add_auth(request)
        got = arrived(request.prepare(), "GET", b"")
        assert checked(got, rules, service, read(got).epoch).token == token


@settings(max_examples=150)
@given(path=keys, body=st.binary(max_size=60))
def test_what_botocore_signs_for_s3_is_accepted(path: list[str], body: bytes) -> None:
    wire = "/bucket/" + "/".join(quote(part, safe="~") for part in path)
    request = AWSRequest(method="PUT", url=f"http://h.test{wire}", data=body)
    S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-west-1").add_auth(request)
    got = arrived(request.prepare(), "PUT", body)
    assert checked(got, S3, "s3", read(got).epoch).service == "s3"
    with pytest.raises(SignatureMismatch):
        checked(msgspec.structs.replace(got, body=body + b"x"), S3, "s3", read(got).epoch)


def test_a_path_of_s3_stays_as_it_is() -> None:
    assert canonical.uri("//a/./b/../c%2Fd%20e", s3=True) == "//a/./b/../c%2Fd%20e"
    assert canonical.uri("/a+b", s3=True) == "/a%2Bb"


@pytest.mark.parametrize("declared", ["UNSIGNED-PAYLOAD", *MODES])
def test_an_unsigned_payload_only_where_a_service_has_it(declared: str) -> None:
    headers = (*HOST, Header("x-amz-content-sha256", declared))
    signed = sign(Request("PUT", "/", "", headers, b"x"), service="s3", rules=S3, **WHO)
    assert checked(signed, S3, "s3").service == "s3"
    with pytest.raises(SignatureMismatch):
        checked(signed, STRICT, "s3")


# -- SigV4A -----------------------------------------------------------------------------------------------


def test_the_figures_of_the_derived_key() -> None:
    number = asymmetric.private_number(KEY, SECRET)
    public = asymmetric.derived_key(KEY, SECRET).public_key().public_numbers()
    assert f"{number:064x}" == "7efc8c0e65a324242818c5a50c891c6060b6a00717b7ba3cbe3c5d765be9259c"
    assert f"{public.x:064x}" == "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1"
    assert f"{public.y:064x}" == "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518"


SIGV4A_RULES = Rules(asymmetric=True, regions=frozenset(("us-east-1",)))


@pytest.mark.parametrize("put", [sign, presign])
def test_sigv4a_in_headers_and_urls(put: Any) -> None:
    request = put(Request("GET", "/a", "b=c", HOST, b""), service="service", region_set="us-*", **WHO)
    claim = checked(request, SIGV4A_RULES)
    assert (claim.scope.text, claim.region_set) == ("20150830/service/aws4_request", ("us-*",))
    with pytest.raises(SignatureMismatch):
        checked(request, STRICT)
    with pytest.raises(SignatureMismatch):
        checked(msgspec.structs.replace(request, path="/b"), SIGV4A_RULES)
    with pytest.raises(ScopeMismatch, match="valid region"):
        checked(request, Rules(asymmetric=True, regions=frozenset(("eu-west-1",))))


@pytest.mark.parametrize(
    ("names", "region", "covered"),
    [
        ("*", "us-east-1", True),
        ("us-*", "us-west-2", True),
        ("us-*", "eu-west-1", False),
        ("us-east-1,eu-west-1", "eu-west-1", True),
        ("us-east-1", "us-east-10", False),
        ("u?-east-1", "us-east-1", False),
    ],
)
def test_region_sets(names: str, region: str, covered: bool) -> None:
    assert asymmetric.covers(tuple(names.split(",")), region) == covered


# -- Signed chunks ----------------------------------------------------------------------------------------


def chunked(
    data: list[bytes], mode: str, trailers: dict[str, str] | None = None, region_set: str | None = None
) -> tuple[Request, bytes]:
    """A request and its encoded body, as facts section 6 describes them."""
    length = str(sum(map(len, data)))
    headers = [*HOST, Header("x-amz-content-sha256", mode), Header("x-amz-decoded-content-length", length)]
    if trailers is not None:
        headers.append(Header("x-amz-trailer", ",".join(trailers)))
    request = sign(
        Request("PUT", "/k", "", tuple(headers), b""), service="s3", rules=S3, region_set=region_set, **WHO
    )
    claim = read(request)
    previous, out = claim.signature, b""

    def signature(kind: str, hashes: str) -> str:
        to_sign = f"{claim.scope.algorithm}-{kind}\n{STAMP}\n{claim.scope.text}\n{previous}\n{hashes}"
        if region_set is not None:
            return asymmetric.sign(KEY, SECRET, to_sign).ljust(144, "*")
        key = verify.signing_key(SECRET, "20150830", "us-east-1", "s3")
        return hmac.digest(key, to_sign.encode(), "sha256").hex()

    for chunk in [*data, b""]:
        head = f"{len(chunk):x}"
        if MODES[mode].signed:
            hashes = f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(chunk).hexdigest()}"
            previous = signature("PAYLOAD", hashes)
            head += f";chunk-signature={previous}"
        out += head.encode() + b"\r\n" + (chunk + b"\r\n" if chunk else b"")
    for name, value in (trailers or {}).items():
        out += f"{name}:{value}\r\n".encode()
    if trailers is not None and MODES[mode].signed:
        text = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        out += f"x-amz-trailer-signature:{signature('TRAILER', hashlib.sha256(text.encode()).hexdigest())}\r\n".encode()
    return request, out + b"\r\n"


def decoded(request: Request, body: bytes, step: int = 1 << 20) -> bytes:
    decoder = ChunkDecoder(request, read(request), SECRET)
    out = b"".join(decoder.feed(body[at : at + step]) for at in range(0, len(body), step))
    decoder.finish()
    return out


def checksum(name: str, data: bytes) -> str:
    made = checksums.ALGORITHMS[name]()
    made.update(data)
    return checksums.encoded(made)


FORMS = [
    ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", False, None),
    ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", True, None),
    ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", True, None),
    ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", False, "*"),
    ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", True, "*"),
]


@pytest.mark.parametrize(("mode", "has_trailer", "region_set"), FORMS)
@pytest.mark.parametrize("name", sorted(checksums.ALGORITHMS))
def test_chunks_are_decoded_in_whole_and_byte_by_byte(
    mode: str, has_trailer: bool, region_set: str | None, name: str
) -> None:
    data = [b"a" * 300, b"b", b"c" * 70]
    trailers = {name: checksum(name, b"".join(data))} if has_trailer else None
    request, body = chunked(data, mode, trailers, region_set)
    assert checked(request, S3, "s3").service == "s3"
    assert decoded(request, body) == decoded(request, body, 1) == b"".join(data)


@settings(max_examples=300)
@given(st.data(), st.sampled_from(FORMS[:3]))
def test_a_changed_byte_of_a_chunked_body_is_refused(
    data: st.DataObject, form: tuple[str, bool, str | None]
) -> None:
    mode, has_trailer, _ = form
    name = "x-amz-checksum-crc32c"
    content = [b"some data", b"and some more"]
    trailers = {name: checksum(name, b"".join(content))} if has_trailer else None
    request, body = chunked(content, mode, trailers)
    position = data.draw(st.integers(0, len(body) - 1))
    changed = (
        body[:position] + bytes((body[position] ^ (1 << data.draw(st.integers(0, 7))),)) + body[position + 1 :]
    )
    try:
        out = decoded(request, changed)
    except SignatureError:
        return
    # What may change without changing the meaning: the letter case of a length, and blanks around a value.
    assert out == b"".join(content)
    assert body[position : position + 1].isalpha() or body[position : position + 1] == b":"


@settings(max_examples=200)
@given(st.binary(max_size=200), st.sampled_from(FORMS[:3]), st.integers(1, 30))
def test_whatever_arrives_in_chunks_is_decoded_or_refused(
    body: bytes, form: tuple[str, bool, str | None], step: int
) -> None:
    trailers = {"x-amz-checksum-crc32": ""} if form[1] else None
    request, _ = chunked([b"x" * 40], form[0], trailers)
    outcomes = []
    for size in (step, 1 << 20):
        try:
            outcomes.append(decoded(request, body, size))
        except SignatureError as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda body: body[:-2], "terminated unexpectedly"),
        (lambda body: body + b"x", "follow the end"),
        (lambda body: b"ffffffff" + body[1:], "not well-formed|larger"),
        (lambda body: b"x" * 5000, "too long"),
    ],
)
def test_a_body_that_is_not_whole(change: Any, told: str) -> None:
    request, body = chunked([b"12345"], "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    with pytest.raises(SignatureError, match=told):
        decoded(request, change(body))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x-amz-checksum-crc32", "cbf43926"),
        ("x-amz-checksum-crc32c", "e3069283"),
        ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
        ("x-amz-checksum-sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
    ],
)
def test_checksums_of_the_usual_nine_digits(name: str, expected: str) -> None:
    assert base64.b64decode(checksum(name, b"123456789")).hex() == expected


# -- POST policies ----------------------------------------------------------------------------------------


def form(conditions: list[Any], expiration: str = "2015-08-30T13:00:00Z", **fields: str) -> dict[str, str]:
    policy = base64.b64encode(json.dumps({"expiration": expiration, "conditions": conditions}).encode()).decode()
    key = verify.signing_key(SECRET, "20150830", "us-east-1", "s3")
    return {
        "bucket": "b",
        "key": "user/a.jpg",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{KEY}/20150830/us-east-1/s3/aws4_request",
        "x-amz-date": STAMP,
        "policy": policy,
        "x-amz-signature": hmac.digest(key, policy.encode(), "sha256").hex(),
        **fields,
    }


CONDITIONS: list[Any] = [
    {"bucket": "b"},
    ["starts-with", "$key", "user/"],
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-credential": f"{KEY}/20150830/us-east-1/s3/aws4_request"},
    ["eq", "$x-amz-date", STAMP],
    ["content-length-range", 1, 10],
]


def posted(fields: dict[str, str], now: float = AT, length: int = 5) -> None:
    claim = post_policy.read(fields)
    verify.check_scope(claim, service="s3", now=now, rules=Rules())
    post_policy.verify(fields, claim, SECRET, now=now, length=length)


def test_a_form_that_keeps_to_its_policy() -> None:
    posted(form(CONDITIONS))
    posted(form(CONDITIONS, **{"x-ignore-this": "1", "file": ""}))


@pytest.mark.parametrize(
    ("fields", "now", "length", "told"),
    [
        (form(CONDITIONS, key="other/a"), AT, 5, "Policy Condition failed"),
        (form(CONDITIONS, bucket="c"), AT, 5, "Policy Condition failed"),
        (form(CONDITIONS, acl="public-read"), AT, 5, "Extra input fields: acl"),
        (form(CONDITIONS), AT, 11, "outside the size"),
        (form(CONDITIONS, "2015-08-30T12:00:00Z"), AT, 5, "Policy expired"),
        (form(CONDITIONS, "soon"), AT, 5, "Invalid 'expiration' value"),
        (form([["regex", "$key", "x"]]), AT, 5, "Invalid condition"),
        (form(CONDITIONS) | {"x-amz-signature": "0" * 64}, AT, 5, "does not match"),
        (form(CONDITIONS) | {"policy": "e30="}, AT, 5, "does not match"),
        (form(CONDITIONS) | {"x-amz-date": ""}, AT, 5, "must contain a field named 'x-amz-date'"),
    ],
)
def test_a_form_that_does_not(fields: dict[str, str], now: float, length: int, told: str) -> None:
    with pytest.raises(SignatureError, match=told):
        posted(fields, now, length)
