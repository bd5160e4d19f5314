"""The index of a segment: which records have a word, without reading them.

A word is a member and its value, such as `userName=alice`; a record has a handful. The index holds, sorted, one
64-bit number for each word of each record: 40 bits of the word's SHA-256, then 24 bits of the record's place in its
segment. Two words may share their 40 bits, so what is found is looked at before it is told. The index of a segment
that will not grow again is kept beside it (`.index`); it can be thrown away at any time.

    header    8 bytes `BWTIDX1\\n`, then as numbers of 8 bytes: records, words, size of the segment
    offsets   for each record, where its line begins
    times     for each record, its eventTime in epoch seconds
    words     the sorted numbers
"""

from __future__ import annotations

import hashlib
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

_MAGIC = b"BWTIDX1\n"
_HEADER = 32
_PLACE_BITS = 24
_PLACE = (1 << _PLACE_BITS) - 1
SUFFIX = ".index"


class _Identity(msgspec.Struct, rename="camel", frozen=True):
    user_name: str = ""
    arn: str = ""
    access_key_id: str = ""


class _Resource(msgspec.Struct):
    arn: str = msgspec.field(name="ARN", default="")
    kind: str = msgspec.field(name="type", default="")


class _Indexed(msgspec.Struct, rename="camel"):
    """The members of a record that can be searched for."""

    event_time: str = ""
    event_id: str = msgspec.field(name="eventID", default="")
    request_id: str = msgspec.field(name="requestID", default="")
    event_name: str = ""
    event_source: str = ""
    error_code: str = ""
    read_only: bool = False
    source_ip_address: str = msgspec.field(name="sourceIPAddress", default="")
    recipient_account_id: str | None = None
    user_identity: _Identity = _Identity()
    resources: list[_Resource] = []


_decoder = msgspec.json.Decoder(_Indexed)


def words_of(line: bytes) -> tuple[int, list[str]]:
    """The time of a record, and its words. Raises msgspec.MsgspecError for what is no record."""
    record = _decoder.decode(line)
    identity = record.user_identity
    user = identity.user_name or identity.arn.rpartition("/")[2].rpartition(":")[2]
    words = [
        f"eventID={record.event_id}",
        f"requestID={record.request_id}",
        f"eventName={record.event_name}",
        f"eventSource={record.event_source}",
        f"errorCode={record.error_code}",
        f"readOnly={'true' if record.read_only else 'false'}",
        f"sourceIPAddress={record.source_ip_address}",
        f"account={record.recipient_account_id or ''}",
        f"userName={user}",
        f"principal={identity.arn}",
        f"accessKeyId={identity.access_key_id}",
        *(f"resource={resource.arn}" for resource in record.resources),
        *(f"resourceType={resource.kind}" for resource in record.resources),
    ]
    return _seconds(record.event_time), [word for word in words if not word.endswith("=")]


@lru_cache(maxsize=4096)
def _seconds(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


@lru_cache(maxsize=65536)
def _number(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:5], "big") << _PLACE_BITS


class Index:
    """The index of one segment, in memory or mapped from its file."""

    def __init__(self, offsets: Any, times: Any, words: Any) -> None:
        self.offsets = offsets
        self.times = times
        self._words = words

    def __len__(self) -> int:
        return len(self.offsets)

    def places(self, word: str) -> list[int]:
        """Where the records may be that have this word, in order."""
        number, found = _number(word), []
        at = bisect_left(self._words, number)
        while at < len(self._words) and self._words[at] & ~_PLACE == number:
            found.append(self._words[at] & _PLACE)
            at += 1
        return found

    def save(self, path: Path, size: int) -> None:
        """Keep it beside its segment, which has this many bytes. Raises OSError."""
        header = array("Q", [len(self.offsets), len(self._words), size])
        part = path.with_suffix(f".{os.getpid()}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in (_MAGIC, header, self.offsets, self.times, self._words):
                file.write(piece)
        part.replace(path)


def load(path: Path, size: int) -> Index | None:
    """The index that was kept for a segment of this many bytes; None if there is none that fits."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < _HEADER or data[:8] != _MAGIC:
        return None
    numbers = memoryview(data)[8 : len(data) - len(data) % 8].cast("Q")
    records, words, of = numbers[:3]
    if of != size or len(data) != _HEADER + 8 * (2 * records + words):
        return None
    return Index(numbers[3 : 3 + records], numbers[3 + records : 3 + 2 * records], numbers[3 + 2 * records :])


def build(lines: Iterator[bytes]) -> Index:
    """The index of the lines of a segment. A line that is no record has no words."""
    offsets, times, words, at = array("Q"), array("Q"), [], 0
    for place, line in enumerate(lines):
        if place > _PLACE:
            break
        try:
            time, found = words_of(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            time, found = 0, []
        offsets.append(at)
        times.append(time)
        words += [_number(word) | place for word in found]
        at += len(line)
    words.sort()
    return Index(offsets, times, array("Q", words))
