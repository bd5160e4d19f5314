"""One invariant: whatever arrives is read or refused with an error of our own, in bounded time and memory.

A seeded generator mutates genuine requests (bits, slices, doubled and swapped parts, letters that matter to some
parser) and feeds the reader of credentials, the canonical form, the identification of operations, the parsers of
their input, and the decoder of signed chunks; fuzz_assertions.py does the same to what people of other providers
send, and fuzz_inputs.py gives operations and pages what is well-formed and odd. Found inputs belong into the tests
as named cases.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache

import models as compiler
import msgspec

from bailiwick import wire
from bailiwick.api import ApiError
from bailiwick.core.errors import SignatureError
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.chunks import MODES, ChunkDecoder
from bailiwick.core.sigv4.claim import read
from bailiwick.core.sigv4.rules import S3, STRICT
from bailiwick.core.sigv4.sign import presign, sign
from bailiwick.pipeline import Pipeline
from bailiwick.services import ALL
from bailiwick.wire import cbor, models

KEY = {"access_key_id": "AKIDEXAMPLE", "secret": "secret", "token": "t" * 40, "region": "us-east-1", "now": 1.8e9}
SLOW_SECONDS = 0.25
MOST_GROWTH = 256 << 20

SPICE = [
    *(
        "",
        "\x00",
        "\xff",
        "%",
        "%0",
        "%zz",
        "%2F",
        "%00",
        "+",
        "&",
        "=",
        ";",
        ",",
        "/",
        "//",
        "/../",
        "?",
        "#",
        "\t",
        " ",
    ),
    *(
        "\r\n",
        "member",
        ".1",
        ".1.",
        ".member.1",
        ".entry.1.key",
        "Action=",
        "Version=",
        "X-Amz-Signature=",
        "{",
        "}",
    ),
    *(
        "[",
        "]",
        '"',
        "null",
        "true",
        "1e999",
        "-0",
        "\\ud800",
        "9" * 40,
        "A" * 300,
        "[" * 200,
        "Signature=",
        "SignedHeaders=",
    ),
    *(
        "Credential=",
        "AWS4-HMAC-SHA256 ",
        "AWS4-ECDSA-P256-SHA256 ",
        "host;",
        "STREAMING-",
        "UNSIGNED-PAYLOAD",
        "é",
        "﷐",
    ),
]


def corpus() -> list[tuple[str, Request]]:
    """Genuine requests of each kind, with the service they are signed for."""
    host = (Header("host", "h.test"),)
    form = (*host, Header("content-type", "application/x-www-form-urlencoded"))
    json = (
        *host,
        Header("content-type", "application/x-amz-json-1.1"),
        Header("x-amz-target", "TrentService.Encrypt"),
    )
    user = b"Action=CreateUser&Version=2010-05-08&UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v"
    role = (
        b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::1:role/r&RoleSessionName=s&DurationSeconds=900"
    )
    encrypt = (
        b'{"KeyId":"alias/a","Plaintext":"eHh4","EncryptionContext":{"a":"b"},"DryRun":false,"GrantTokens":["x"]}'
    )
    who = "Action=GetCallerIdentity&Version=2011-06-15"
    return [
        ("iam", sign(Request("POST", "/", "", form, user), service="iam", **KEY)),
        ("sts", sign(Request("POST", "/", "", form, role), service="sts", **KEY)),
        ("kms", sign(Request("POST", "/", "", json, encrypt), service="kms", **KEY)),
        ("sts", presign(Request("GET", "/", who, host, b""), service="sts", **KEY)),
        ("sts", sign(Request("GET", "/a/../b%20c", "x=1&y", host, b""), service="sts", region_set="*", **KEY)),
    ]


def foreign() -> list[Request]:
    """Requests in the protocols that no service here speaks yet."""
    host, cbor_type = Header("host", "h.test"), Header("content-type", "application/cbor")
    zone = (
        b'<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>a&amp;b</Name>'
        b"<VPC><VPCId>v</VPCId></VPC><CallerReference>r</CallerReference></CreateHostedZoneRequest>"
    )
    alarms = cbor.dumps({"AlarmNames": ["a", "b"], "StateValue": "OK", "MaxRecords": 5})
    data = cbor.dumps(
        {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": cbor.Time(1.5), "Value": 1.5}]}
    )
    smithy = (host, cbor_type, Header("smithy-protocol", "rpc-v2-cbor"))
    granite = "/service/GraniteServiceVersion20100801/operation/"
    form = (host, Header("content-type", "application/x-www-form-urlencoded"))
    run = b"Action=RunInstances&Version=2016-11-15&ImageId=i&MinCount=1&MaxCount=2&TagSpecification.1.Tag.1.Key=k"
    return [
        Request("POST", "/2013-04-01/hostedzone", "", (host,), zone),
        Request("GET", "/2013-04-01/hostedzone/Z1/rrset", "name=a&maxitems=3", (host,), b""),
        Request("POST", "/2015-03-31/functions/f%2Fg/aliases", "", (host,), b'{"Name":"a","FunctionVersion":"1"}'),
        Request(
            "POST",
            "/2015-03-31/functions/f/invocations",
            "Qualifier=1",
            (host, Header("x-amz-log-type", "Tail")),
            b"{}",
        ),
        Request("POST", granite + "DescribeAlarms", "", smithy, alarms),
        Request("POST", granite + "PutMetricData", "", smithy, data),
        Request("POST", "/", "", form, run),
    ]


@cache
def foreign_models() -> models.Models:
    """The models that those requests are for, compiled in memory."""
    names = ("route53", "lambda", "cloudwatch", "ec2")
    return models.Models(models.from_table(compiler.table(name, compiler.load(name))) for name in names)


class Mutator:
    """Changes a request in one to four places."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def request(self, request: Request) -> Request:
        """A changed copy."""
        for _ in range(self.chance.randrange(1, 5)):
            part = self.chance.choice(("method", "path", "query", "headers", "headers", "headers", "body", "body"))
            if part == "headers":
                request = msgspec.structs.replace(request, headers=self.headers(request.headers))
            elif part == "body":
                request = msgspec.structs.replace(
                    request, body=self.text(request.body.decode("latin-1")).encode("latin-1")
                )
            else:
                request = msgspec.structs.replace(request, **{part: self.text(getattr(request, part))})
        return request

    def headers(self, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        """Header lines with one changed, doubled, moved or gone."""
        lines = list(headers)
        index = self.chance.randrange(len(lines))
        name, value = lines[index]
        match self.chance.randrange(6):
            case 0:
                del lines[index]
            case 1:
                lines.insert(self.chance.randrange(len(lines)), lines[index])
            case 2:
                lines[index] = Header(self.text(name).lower(), value)
            case _:
                lines[index] = Header(name, self.text(value))
        return tuple(lines) or headers

    def text(self, text: str) -> str:
        """Latin-1 text with a slice changed."""
        start = self.chance.randrange(len(text) + 1)
        end = min(len(text), start + self.chance.choice((0, 0, 1, 1, 4, 30)))
        match self.chance.randrange(5):
            case 0:
                new = self.chance.choice(SPICE)
            case 1:
                new = chr(self.chance.randrange(256))
            case 2:
                new = text[start:end] * self.chance.randrange(3)
            case 3:
                other = self.chance.randrange(len(text) + 1)
                new = text[other : other + 20]
            case _:
                new = "".join(chr(ord(letter) ^ (1 << self.chance.randrange(7))) for letter in text[start:end])
        return (text[:start] + new + text[end:]).encode("latin-1", "replace").decode("latin-1")[:20_000]


def targets(
    pipeline_inputs: dict[tuple[str, str], type[msgspec.Struct]],
) -> dict[str, Callable[[str, Request], object]]:
    """What is fed. Each may raise SignatureError or ApiError, and nothing else."""

    def credential(service: str, request: Request) -> None:
        claim = read(request)
        verify.check_scope(claim, service=service, now=KEY["now"])
        verify.waste(request, claim, STRICT)
        verify.waste(request, claim, S3)

    def operation(service: str, request: Request) -> None:
        model = wire.identify(request, service)
        kind = pipeline_inputs.get((model.service, model.name))
        if kind is not None:
            wire.parse(model, request, kind)

    def chunks(service: str, request: Request) -> None:
        mode = list(MODES)[len(request.body) % len(MODES)]
        headers = (
            *request.headers,
            Header("x-amz-content-sha256", mode),
            Header("x-amz-decoded-content-length", "64"),
            Header("x-amz-trailer", "x-amz-checksum-crc32"),
        )
        claim = read(request)
        decoder = ChunkDecoder(msgspec.structs.replace(request, headers=headers), claim, "secret")
        head = b"10;chunk-signature=" + b"0" * 64 if MODES[mode].signed else b"10"
        decoder.feed(head + b"\r\n" + b"x" * 16 + b"\r\n" + request.body)
        decoder.finish()

    def protocols(_service: str, request: Request) -> None:
        wire.plain(wire.identify(request, None, foreign_models()), request)

    return {"credential": credential, "operation": operation, "chunks": chunks, "protocols": protocols}


def inputs() -> dict[tuple[str, str], type[msgspec.Struct]]:
    """The input type of every operation that is served."""
    routes = Pipeline(ALL, None, None, None, lambda event: None).routes  # type: ignore[arg-type]
    return {name: route.input for name, route in routes.items()}


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(count: int, seed: int) -> Counter[str]:
    """Feed `count` requests; returns how often what happened. Raises whatever is not an error of our own."""
    mutator, genuine, others, seen = Mutator(seed), corpus(), foreign(), Counter[str]()
    fed = list(targets(inputs()).items())
    foreign_models()  # so that reading the models is no growth
    before = peak_memory()
    for number in range(count):
        service, request = genuine[number % len(genuine)]
        name, target = fed[number % len(fed)]
        changed = mutator.request(others[number // len(fed) % len(others)] if name == "protocols" else request)
        start = time.perf_counter()
        try:
            target(service, changed)
            outcome = "value"
        except (SignatureError, ApiError) as error:
            outcome = type(error).__name__
        except Exception:
            print(f"seed {seed}, number {number}, fed to {name}:\n{changed!r}", file=sys.stderr)
            raise
        if time.perf_counter() - start > SLOW_SECONDS:
            raise SystemExit(f"seed {seed}, number {number}: {name} took too long on\n{changed!r}")
        seen[f"{name}: {outcome}"] += 1
    if peak_memory() - before > MOST_GROWTH:
        raise SystemExit("the memory grew beyond its bound")
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    start = time.perf_counter()
    for outcome, times in sorted(run(chosen.count, chosen.seed).items()):
        print(f"{times:10,}  {outcome}")
    print(f"{chosen.count:,} requests in {time.perf_counter() - start:.0f} s; every one was read or refused")
    import fuzz_assertions

    for outcome, times in sorted(fuzz_assertions.run(chosen.count // 20, chosen.seed).items()):
        print(f"{times:10,}  {outcome}")
    print(f"{chosen.count // 20:,} assertions, metadata documents and tokens; every one was read or refused")
    import fuzz_inputs

    for outcome, times in sorted(fuzz_inputs.run(chosen.count // 20, chosen.seed).items()):
        print(f"{times:10,}  {outcome}")
    print(f"{chosen.count // 20:,} inputs for operations and pages; none made them fail")


if __name__ == "__main__":
    main()
