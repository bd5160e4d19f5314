"""Signature Version 4 in stages, so that a failing test says which step is wrong.

The figures of `get-vanilla` are in facts/sigv4.md section 3; the requests that follow are of our own making, and
what they must give is either in section 2 of the facts or computed by botocore.
"""

from __future__ import annotations

import hashlib

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.core.errors import (
    IncompleteSignature,
    MissingAuthentication,
    RequestSkewed,
    ScopeMismatch,
    SignatureError,
    SignatureMismatch,
)
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import canonical, verify
from bailiwick.core.sigv4.claim import SIGV4, Claim, Scope, read
from bailiwick.core.sigv4.rules import Rules
from bailiwick.core.sigv4.sign import sign

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
AT = 1440938160.0  # 2015-08-30T12:36:00Z
STAMP = "20150830T123600Z"
EMPTY = hashlib.sha256(b"").hexdigest()
SIGNATURE = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
VANILLA = Request(
    "GET",
    "/",
    "",
    (
        Header("host", "example.amazonaws.com"),
        Header("x-amz-date", STAMP),
        Header(
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={SIGNATURE}",
        ),
    ),
    b"",
)


def test_vanilla_canonical_request() -> None:
    text = canonical.request(VANILLA, ("host", "x-amz-date"), EMPTY)
    assert text == (f"GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:{STAMP}\n\nhost;x-amz-date\n{EMPTY}")
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"
    )


def test_vanilla_claim() -> None:
    scope = Scope(SIGV4, KEY, "20150830", "us-east-1", "service", "aws4_request", ("host", "x-amz-date"))
    assert read(VANILLA) == Claim(scope, SIGNATURE, STAMP, int(AT))


def test_vanilla_string_to_sign() -> None:
    text = canonical.request(VANILLA, ("host", "x-amz-date"), EMPTY)
    assert verify.string_to_sign(read(VANILLA), text) == (
        f"AWS4-HMAC-SHA256\n{STAMP}\n20150830/us-east-1/service/aws4_request\n"
        "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"
    )


def test_vanilla_signature() -> None:
    claim = read(VANILLA)
    verify.check_scope(claim, service="service", now=AT)
    assert verify.verify(VANILLA, claim, SECRET) is None


def test_vanilla_signed_by_us() -> None:
    bare = Request("GET", "/", "", VANILLA.headers[:1], b"")
    signed = sign(bare, access_key_id=KEY, secret=SECRET, token=None, region="us-east-1", service="service", now=AT)
    assert signed.headers == VANILLA.headers


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/example space/", "/example%20space/"),
        ("/\u00e1\u0088\u00b4", "/%E1%88%B4"),  # the three bytes of U+1234, as Latin-1
        ("//example//", "/example/"),
        ("/example/..", "/"),
        ("/./", "/"),
        ("/./example", "/example"),
        ("/a/b/../../c/./d", "/c/d"),
        ("/../../a", "/a"),
        ("/a%20b", "/a%2520b"),
        ("/a%2Fb", "/a%252Fb"),
        ("/-_.~*", "/-_.~%2A"),
        (".", "."),
        ("*", "%2A"),
    ],
)
def test_the_canonical_uri(path: str, uri: str) -> None:
    assert canonical.uri(path) == uri


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("Param2=value2&Param1=value1", "Param1=value1&Param2=value2"),
        ("Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "%E1%88%B4=Value1&Param=Value2&Param-3=Value3"),
        ("a=2&a=1", "a=1&a=2"),
        ("B=1&a=1", "B=1&a=1"),
        ("flag", "flag="),
        ("a=b=c", "a=b%3Dc"),
        ("a=%7e&b=%2f", "a=~&b=%2F"),
        ("a=1+2", "a=1%202"),
        ("&&a=1&", "a=1"),
    ],
)
def test_the_canonical_query(query: str, expected: str) -> None:
    assert canonical.query(query) == expected


@pytest.mark.parametrize(
    ("headers", "signed", "expected"),
    [
        ([("a", "x")], ("a",), "a:x\n"),
        ([("a", "  x   y  ")], ("a",), "a:x y\n"),
        ([("a", '"x   y"')], ("a",), 'a:"x y"\n'),
        ([("a", "x\t\ty")], ("a",), "a:x y\n"),
        ([("a", "2"), ("b", "z"), ("a", "2"), ("a", "1")], ("a",), "a:2,2,1\n"),
        ([("b", "z")], ("a", "b"), "a:\nb:z\n"),
        ([("a", "\u00e9\u00a0\u00a0x")], ("a",), "a:\u00e9\u00a0\u00a0x\n"),
    ],
)
def test_the_canonical_headers(headers: list[tuple[str, str]], signed: tuple[str, ...], expected: str) -> None:
    assert canonical.headers(tuple(Header(*header) for header in headers), signed) == expected


def claim_of(authorization: str, *more: tuple[str, str]) -> Claim:
    base = (Header("host", "h"), Header("x-amz-date", STAMP), Header("authorization", authorization))
    return read(Request("GET", "/", "", base + tuple(Header(*header) for header in more), b""))


GOOD = VANILLA.headers[2].value


@pytest.mark.parametrize(
    ("authorization", "error", "text"),
    [
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host",
            IncompleteSignature,
            "Authorization header requires 'Signature' parameter. (Hashed with SHA-256",
        ),
        (
            "AWS4-HMAC-SHA256 SignedHeaders=host",
            IncompleteSignature,
            "Authorization header requires 'Credential' parameter. "
            "Authorization header requires 'Signature' parameter. (Hashed",
        ),
        ("AWS4-HMAC-SHA256 Credential", IncompleteSignature, "Invalid key=value pair (missing equal-sign)"),
        ("Credential=a/b/c/d/e", IncompleteSignature, "Authorization header must begin with the algorithm name"),
        ("Bearer abc", IncompleteSignature, "Unsupported AWS 'algorithm': 'Bearer'."),
        (
            GOOD.replace("/service/", "/"),
            IncompleteSignature,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
            "'AKIDEXAMPLE/20150830/us-east-1/aws4_request'",
        ),
        (
            GOOD.replace("host;x-amz-date", "x-amz-date"),
            ScopeMismatch,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (GOOD.replace("host;x-amz-date", "x-amz-date;host"), IncompleteSignature, "The 'SignedHeaders' must be"),
        (GOOD.replace("host;x-amz-date", "host;host"), IncompleteSignature, "The 'SignedHeaders' must be"),
        (GOOD.replace("host;", "Host;"), IncompleteSignature, "The 'SignedHeaders' must be"),
        (GOOD + "0", IncompleteSignature, "The 'Signature' must be"),
        (GOOD[:-1] + "F", IncompleteSignature, "The 'Signature' must be"),
        (GOOD + ", Signature=" + SIGNATURE, IncompleteSignature, "unknown or repeated part 'Signature'"),
        (GOOD + ", Other=1", IncompleteSignature, "unknown or repeated part 'Other'"),
        (GOOD + " " * 5000, IncompleteSignature, "too long"),
    ],
)
def test_what_cannot_be_read(authorization: str, error: type[SignatureError], text: str) -> None:
    with pytest.raises(error) as caught:
        claim_of(authorization)
    assert text in str(caught.value)


def test_nothing_signed_and_presigned() -> None:
    with pytest.raises(MissingAuthentication, match="^Request is missing Authentication Token$"):
        read(Request("GET", "/", "", (Header("host", "h"),), b""))
    with pytest.raises(MissingAuthentication, match="^Missing Authentication Token$"):
        read(Request("GET", "/", "X-Amz-Algorithm=AWS9", VANILLA.headers[:2], b""))
    with pytest.raises(IncompleteSignature, match="in its query string and in its headers"):
        read(Request("GET", "/", "X-Amz-Algorithm=AWS4-HMAC-SHA256", VANILLA.headers, b""))


@pytest.mark.parametrize("name", ["authorization", "x-amz-date", "host", "x-amz-security-token", "x-amz-target"])
def test_what_may_be_there_once_only(name: str) -> None:
    with pytest.raises(IncompleteSignature, match=f"(?i)more than one '{name}'"):
        claim_of(GOOD, (name, "a"), (name, "a"))


@pytest.mark.parametrize("name", ["x-amz-security-token", "x-amz-target"])
def test_what_must_be_signed(name: str) -> None:
    with pytest.raises(IncompleteSignature, match=f"'{name}' must be a 'SignedHeader'"):
        claim_of(GOOD, (name, "a"))


@pytest.mark.parametrize("date", ["2015-08-30T12:36:00Z", "20150830T1236Z", "yesterday", "20151330T123600Z"])
def test_a_date_of_another_form(date: str) -> None:
    headers = (VANILLA.headers[0], Header("x-amz-date", date), VANILLA.headers[2])
    with pytest.raises(IncompleteSignature, match="Date must be in ISO-8601 'basic format'. Got"):
        read(Request("GET", "/", "", headers, b""))


def test_the_date_header_will_do() -> None:
    headers = (VANILLA.headers[0], Header("date", "Sun, 30 Aug 2015 12:36:00 GMT"), VANILLA.headers[2])
    assert read(Request("GET", "/", "", headers, b"")).timestamp == STAMP


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("us-east-1", "nowhere", "Credential should be scoped to a valid region, not 'nowhere'. "),
        ("/service/", "/other/", "Credential should be scoped to correct service: 'service'. "),
        (
            "aws4_request",
            "aws5_request",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. ",
        ),
        (
            "/20150830/",
            "/20150831/",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'20150831' != '20150830', from '{STAMP}'.",
        ),
    ],
)
def test_another_scope(old: str, new: str, text: str) -> None:
    with pytest.raises(ScopeMismatch) as caught:
        verify.check_scope(claim_of(GOOD.replace(old, new)), service="service", now=AT)
    assert str(caught.value) == text


def test_a_region_that_is_not_served() -> None:
    with pytest.raises(ScopeMismatch, match="valid region, not 'us-east-1'"):
        verify.check_scope(read(VANILLA), service="service", now=AT, rules=Rules(regions=frozenset({"eu-west-1"})))


@pytest.mark.parametrize(
    ("shift", "text"),
    [
        (901, f"Signature expired: {STAMP} is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"),
        (
            -901,
            f"Signature not yet current: {STAMP} is still later than 20150830T123559Z (20150830T122059Z + 15 min.)",
        ),
    ],
)
def test_another_time(shift: int, text: str) -> None:
    claim = read(VANILLA)
    verify.check_scope(claim, service="service", now=AT + shift - shift // abs(shift))
    with pytest.raises(RequestSkewed) as caught:
        verify.check_scope(claim, service="service", now=AT + shift)
    assert str(caught.value) == text


def test_another_secret_tells_what_was_computed() -> None:
    with pytest.raises(SignatureMismatch) as caught:
        verify.verify(VANILLA, read(VANILLA), "x")
    assert caught.value.canonical_request.startswith("GET\n/\n")
    assert caught.value.string_to_sign.startswith("AWS4-HMAC-SHA256\n")
    assert verify.waste(VANILLA, read(VANILLA)) is None


@pytest.mark.parametrize("declared", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64])
def test_a_declared_payload_hash_must_be_true(declared: str) -> None:
    body = Request("POST", "/", "", (Header("host", "h"), Header("x-amz-content-sha256", declared)), b"x")
    signed = sign(body, access_key_id=KEY, secret=SECRET, token=None, region="us-east-1", service="s", now=AT)
    with pytest.raises(SignatureMismatch):
        verify.verify(signed, read(signed), SECRET)


# -- botocore as the second opinion -----------------------------------------------------------------------

printable = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?&%+"), max_size=30)
segments = st.lists(st.sampled_from(["a", "..", ".", "", "b c", "ü", "%2F", "x~y", "€", "*"]), max_size=6)


@settings(max_examples=300)
@given(
    path=segments,
    query=st.dictionaries(printable.filter(bool), st.text(max_size=20).filter(str.isprintable), max_size=4),
    header=printable,
    body=st.binary(max_size=200),
    token=st.one_of(st.none(), st.just("t" * 40)),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
)
def test_what_botocore_signs_is_accepted(
    path: list[str], query: dict[str, str], header: str, body: bytes, token: str | None, method: str
) -> None:
    from urllib.parse import quote, urlencode, urlsplit

    wire = "/" + "/".join(segment if segment == "%2F" else quote(segment) for segment in path)
    url = f"http://example.test:8080{wire}"
    if query:
        url += "?" + urlencode(query, quote_via=quote, safe="-_.~")
    request = AWSRequest(method=method, url=url, data=body, headers={"X-Amz-Meta-Some": header})
    SigV4Auth(Credentials(KEY, SECRET, token), "service", "eu-west-1").add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    arrived = Request(
        method,
        parts.path,
        parts.query,
        (
            Header("host", "example.test:8080"),
            *(Header(name.lower(), str(value).strip()) for name, value in prepared.headers.items()),
        ),
        body,
    )
    claim = read(arrived)
    verify.check_scope(claim, service="service", now=claim.epoch)
    assert verify.verify(arrived, claim, SECRET) is None
    assert claim.token == token


anything = st.text(st.characters(max_codepoint=255), max_size=80)


@settings(max_examples=400)
@given(
    authorization=st.one_of(anything, anything.map(lambda t: GOOD + t), anything.map(lambda t: GOOD[:-66] + t)),
    date=st.one_of(anything, st.just(STAMP)),
    path=anything,
    query=anything,
    body=st.binary(max_size=50),
)
def test_whatever_arrives_is_read_or_refused_with_our_own_error(
    authorization: str, date: str, path: str, query: str, body: bytes
) -> None:
    headers = (Header("host", "h"), Header("x-amz-date", date), Header("authorization", authorization))
    request = Request("POST", path, query, headers, body)
    try:
        claim = read(request)
        verify.check_scope(claim, service="service", now=AT)
    except SignatureError:
        return
    with pytest.raises(SignatureMismatch):
        verify.verify(request, claim, "another secret")
