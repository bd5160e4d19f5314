"""For many calls: every request id is in the audit trail exactly once, and a bit that is flipped is seen."""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bailiwick.api import Environment
from bailiwick.app.audit import Trail
from bailiwick.core.message import Header, Request
from bailiwick.core.seal import KeyRing
from bailiwick.core.sigv4.sign import sign
from bailiwick.directory import access_keys, accounts
from bailiwick.directory.snapshot import Directory
from bailiwick.pipeline import Pipeline
from bailiwick.services import ALL
from bailiwick.store import Store
from bailiwick.trail.digest import Signer
from bailiwick.trail.files import Files
from bailiwick.trail.keeping import Keeper
from bailiwick.trail.search import Query, Search
from bailiwick.trail.segment import Broken, check
from bailiwick.trail.verify import verify

ACCOUNT, REGION = "123456789012", "us-east-1"


class Found(msgspec.Struct):
    """What came of it; times in seconds."""

    calls: int
    missing: int
    doubled: int
    strange: int
    problems: list[str]
    flips: int
    unseen: int
    calling: float
    verifying: float


class _Named(msgspec.Struct):
    request_id: str = msgspec.field(name="requestID")


def run(folder: Path, calls: int, flips: int, *, rotate_bytes: int = 64 << 20) -> Found:
    """Make the calls, half of them to an operation that is refused; read the trail; flip bits in copies of it."""
    begun = time.perf_counter()
    answered, signer = _called(folder, calls, rotate_bytes)
    called = time.perf_counter()
    shelf = Files(folder)
    report = verify(shelf, signer.public)
    verified = time.perf_counter()
    decoder, left, strange, doubled = msgspec.json.Decoder(_Named), set(answered), 0, 0
    assert len(left) == len(answered), "the server gave an id twice"
    told: set[str] = set()
    for kept in shelf.segments():
        for line in shelf.lines(kept.name):
            name = decoder.decode(line).request_id
            doubled += name in told
            told.add(name)
            strange += name not in left
    for name in random.Random(1).sample(answered, min(len(answered), 100)):
        (_,) = Search(shelf).find(Query((f"requestID={name}",)))
    return Found(
        calls=calls,
        missing=len(left - told),
        doubled=doubled,
        strange=strange,
        problems=report.problems,
        flips=flips,
        unseen=_unseen(shelf, flips),
        calling=called - begun,
        verifying=verified - called,
    )


def _called(folder: Path, calls: int, rotate_bytes: int) -> tuple[list[str], Signer]:
    """The request ids of the answers."""
    now = time.time()
    store, signer, shelf = Store.in_memory(), Signer(os.urandom(32)), Files(folder)
    environment = Environment("aws", REGION, KeyRing(os.urandom(32)), lambda: now, os.urandom, os.urandom)
    with store.transaction(write=True) as transaction:
        accounts.create(transaction, ACCOUNT, "main", now)
        key = access_keys.create(transaction, environment, ACCOUNT, ACCOUNT, now)
    trail = Trail(shelf, rotate_bytes=rotate_bytes, keeper=Keeper(shelf, signer))
    pipeline = Pipeline(ALL, environment, store, Directory(store, environment), trail.write)
    requests = [_signed(key, name, now) for name in ("GetCallerIdentity", "GetAccessKeyInfo")]
    answered = []
    for number in range(calls):
        if number % (calls // 8 + 1) == 0:
            trail.flush()  # so that few calls make several blocks and segments as well
        trail.wait()
        response = pipeline.handle(requests[number % 2])
        answered.append(next(value for name, value in response.headers if name.lower() == "x-amzn-requestid"))
    trail.close()
    store.close()
    return answered, signer


def _signed(key: tuple[str, str], name: str, now: float) -> Request:
    host = Header("host", "sts.bailiwick.test")
    form = Header("content-type", "application/x-www-form-urlencoded")
    body = f"Action={name}&Version=2011-06-15".encode()
    request = Request("POST", "/", "", (host, form), body)
    access_key_id, secret = key
    return sign(
        request, access_key_id=access_key_id, secret=secret, token=None, region=REGION, service="sts", now=now
    )


def _unseen(shelf: Files, flips: int) -> int:
    """How many of so many flipped bits a look at the chain of their segment does not see."""
    draw, unseen = random.Random(2), 0
    segments = shelf.segments()
    for _ in range(flips):
        name = draw.choice(segments).name
        lines = list(shelf.lines(name))
        at = draw.randrange(len(lines))
        line = bytearray(lines[at])
        bit = draw.randrange(len(line) * 8)
        line[bit // 8] ^= 1 << (bit % 8)
        data = b"".join((*lines[:at], bytes(line), *lines[at + 1 :]))
        try:
            for _state in check(name, io.BytesIO(data)):
                pass
            unseen += 1
        except Broken:
            continue
    return unseen


def main() -> int:
    given = [int(value) for value in sys.argv[1:3]]
    calls, flips = [*given, *(1_000_000, 100)[len(given) :]]
    with tempfile.TemporaryDirectory(prefix="bailiwick-audit-") as folder:
        found = run(Path(folder), calls, flips)
    print(msgspec.json.format(msgspec.json.encode(found)).decode())
    return 1 if found.missing or found.doubled or found.strange or found.problems or found.unseen else 0


if __name__ == "__main__":
    sys.exit(main())
