"""The index of a segment: which records have a word, without reading them.

A word is a member and its value, such as `userName=alice`; a record has a dozen. The records of a segment are
ranked by time, and then by their place. The index holds, sorted, one 64-bit number for each word of each record:
40 bits of the word's SHA-256, then 24 bits of the record's rank. Two words may share their 40 bits, so what is
found is looked at before it is told. It is kept in a file, which is mapped and not read, and can be thrown away.

    header    8 bytes `BWTIDX2\\n`, then as numbers of 8 bytes: records, words, size of the segment
    offsets   for each record, where its line begins
    times     for each record, its eventTime in epoch seconds
    words     the sorted numbers

The index of a segment that still grows is in memory, and grows with it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import msgspec

_MAGIC = b"BWTIDX2\n"
_HEADER = 32
_RANK_BITS = 24
_RANK = (1 << _RANK_BITS) - 1

WORDS = (
    *("eventID", "requestID", "sharedEventID", "eventName", "eventSource", "errorCode", "readOnly", "awsRegion"),
    *("sourceIPAddress", "account", "userName", "principal", "accessKeyId", "resource", "resourceType"),
)
"""What can be searched for."""


class _Identity(msgspec.Struct, rename="camel", frozen=True):
    user_name: str = ""
    principal_id: str = ""
    arn: str = ""
    access_key_id: str = ""


class _Resource(msgspec.Struct):
    arn: str = msgspec.field(name="ARN", default="")
    kind: str = msgspec.field(name="type", default="")


class _Credentials(msgspec.Struct, rename="camel", frozen=True):
    access_key_id: str = ""


class _Response(msgspec.Struct, frozen=True):
    credentials: _Credentials | None = None


class _Indexed(msgspec.Struct, rename="camel"):
    """The members of a record that can be searched for."""

    event_time: str = ""
    event_id: str = msgspec.field(name="eventID", default="")
    request_id: str = msgspec.field(name="requestID", default="")
    shared_event_id: str = msgspec.field(name="sharedEventID", default="")
    event_name: str = ""
    event_source: str = ""
    error_code: str = ""
    aws_region: str = ""
    read_only: bool = False
    source_ip_address: str = msgspec.field(name="sourceIPAddress", default="")
    recipient_account_id: str | None = None
    user_identity: _Identity = _Identity()
    response_elements: _Response | None = None
    resources: list[_Resource] = []


_decoder = msgspec.json.Decoder(_Indexed)


def words_of(line: bytes) -> tuple[int, list[str]]:
    """The time of a record, and its words. Raises msgspec.MsgspecError for what is no record."""
    record = _decoder.decode(line)
    identity = record.user_identity
    words = [
        f"eventID={record.event_id}",
        f"requestID={record.request_id}",
        f"eventName={record.event_name}",
        f"eventSource={record.event_source}",
        f"readOnly={'true' if record.read_only else 'false'}",
        f"awsRegion={record.aws_region}",
        f"sourceIPAddress={record.source_ip_address}",
        f"account={record.recipient_account_id or ''}",
        f"userName={user_of(identity.user_name, identity.arn)}",
        f"principal={identity.arn or identity.principal_id}",
        f"accessKeyId={identity.access_key_id}",
    ]
    if record.error_code:
        words.append(f"errorCode={record.error_code}")
    if record.shared_event_id:
        words.append(f"sharedEventID={record.shared_event_id}")
    if record.response_elements is not None and record.response_elements.credentials is not None:
        words.append(f"resource={record.response_elements.credentials.access_key_id}")
    for resource in record.resources:
        words += (f"resource={resource.arn}", f"resource={name_of(resource.arn)}", f"resourceType={resource.kind}")
    return _seconds(record.event_time), [word for word in words if word[-1] != "="]


def user_of(name: str, arn: str) -> str:
    """The user's name, else what an ARN says in its place: `root`, or the name of a session."""
    return name or arn.rpartition("/")[2].rpartition(":")[2]


def name_of(arn: str) -> str:
    """The last part of the ARN of a resource."""
    return arn.rpartition("/")[2]


@lru_cache(maxsize=4096)
def _seconds(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


@lru_cache(maxsize=65536)
def _number(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:5], "big") << _RANK_BITS


Found = tuple[int, int]
"""A record: its time, and where in the segment its line begins."""


class Index(Protocol):
    """The index of a segment."""

    def places(self, words: Iterable[str], since: float, until: float) -> Iterator[Found]:
        """The records that may have all of these words, of these times; the newest first."""


class Finished:
    """The index of a segment that will not grow, in memory or mapped from its file."""

    def __init__(self, offsets: Any, times: Any, words: Any) -> None:
        self._offsets = offsets
        self._times = times
        self._words = words

    def __len__(self) -> int:
        return len(self._offsets)

    def places(self, words: Iterable[str], since: float, until: float) -> Iterator[Found]:
        first, end = bisect_left(self._times, since), bisect_right(self._times, until)
        ranges = []
        for number in map(_number, words):
            begin = bisect_left(self._words, number | first)
            ranges.append((bisect_left(self._words, number + end, begin), begin, number))
        ranks: Iterable[int] = range(end - 1, first - 1, -1)
        if ranges:  # the rarest word is gone through; the others are only asked
            ranges.sort(key=lambda each: each[0] - each[1])
            last, begin, _ = ranges.pop(0)
            ranks = (self._words[at] & _RANK for at in range(last - 1, begin - 1, -1))
        for rank in ranks:
            if all(self._has(number | rank, begin, last) for last, begin, number in ranges):
                yield self._times[rank], self._offsets[rank]

    def _has(self, number: int, begin: int, end: int) -> bool:
        at = bisect_left(self._words, number, begin, end)
        return at < end and bool(self._words[at] == number)

    def save(self, path: Path, size: int) -> None:
        """Keep it beside its segment, which has this many bytes. Raises OSError."""
        header = array("Q", [len(self._offsets), len(self._words), size])
        part = path.with_suffix(f".{os.getpid()}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in (_MAGIC, header, self._offsets, self._times, self._words):
                file.write(piece)
        part.replace(path)


def load(path: Path, size: int) -> Finished | None:
    """The index that was kept for a segment of this many bytes; None if there is none that fits."""
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    if len(data) < _HEADER or len(data) % 8 or data[:8] != _MAGIC:
        return None
    numbers = data[8:].cast("Q")
    records, words, of = numbers[:3]
    if of != size or len(data) != _HEADER + 8 * (2 * records + words):
        return None
    return Finished(numbers[3 : 3 + records], numbers[3 + records : 3 + 2 * records], numbers[3 + 2 * records :])


class Growing:
    """The index of a segment that may grow, in the order of its lines."""

    def __init__(self) -> None:
        self.size = 0  # bytes of the segment that are in it
        self._offsets, self._times = array("Q"), array("Q")
        self._words = array("Q")  # of the first record, of the second, ...
        self._ends = array("Q")  # where in these the words of each record end

    def extend(self, lines: Iterable[bytes]) -> None:
        """Take the lines that follow. One that is no record has no words; one without its end is left for later."""
        for line in lines:
            if not line.endswith(b"\n"):
                return
            try:
                time, found = words_of(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                time, found = 0, []
            self._offsets.append(self.size)
            self._times.append(time)
            self._words.extend(map(_number, found))
            self._ends.append(len(self._words))
            self.size += len(line)

    def places(self, words: Iterable[str], since: float, until: float) -> Iterator[Found]:
        wanted = [_number(word) for word in words]
        times, offsets = self._times, self._offsets
        found = [
            (times[at], offsets[at])
            for at in (self._having(wanted) if wanted else range(len(times)))
            if since <= times[at] <= until
        ]
        found.sort(reverse=True)
        return iter(found)

    def _having(self, wanted: list[int]) -> Iterator[int]:
        at = 0
        while True:
            try:
                at = self._words.index(wanted[0], at)
            except ValueError:
                return
            record = bisect_right(self._ends, at)
            begin, end = (self._ends[record - 1] if record else 0), self._ends[record]
            if set(wanted) <= set(self._words[begin:end]):
                yield record
            at = end

    def finished(self) -> Finished:
        """The index of the segment as it is now, for good."""
        count = min(len(self._times), _RANK + 1)
        order = sorted(range(count), key=lambda at: (self._times[at], self._offsets[at]))
        rank = array("Q", bytes(8 * count))
        for place, at in enumerate(order):
            rank[at] = place
        words, begin = [], 0
        for at in range(count):
            end = self._ends[at]
            words += [number | rank[at] for number in self._words[begin:end]]
            begin = end
        words.sort()
        offsets, times = (array("Q", [values[at] for at in order]) for values in (self._offsets, self._times))
        return Finished(offsets, times, array("Q", words))
