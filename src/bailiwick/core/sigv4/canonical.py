"""The canonical request: the one text that signer and verifier must agree on.

Rules: facts/sigv4.md section 2. Everything is made from the bytes on the wire; nothing is decoded but the query,
whose encoding clients vary. `%2F` never becomes a slash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from bailiwick.core.message import Line, Request

_BLANKS = re.compile("[ \t\r\n]+")
_UNRESERVED = "-_.~"


def request(
    message: Request,
    signed_headers: tuple[str, ...],
    payload_hash: str,
    *,
    s3: bool = False,
    leave_out: frozenset[str] = frozenset(),
) -> str:
    """The canonical request of `message` with exactly these headers signed.

    `s3` takes the path as it stands. `leave_out` names query parameters that were added after signing.
    """
    return "\n".join(
        (
            message.method,
            message.path if message.path == "/" else uri(message.path, s3=s3),
            message.query and query(message.query, leave_out),
            _headers_once(message.fields, signed_headers)
            if not message.repeats
            else headers(message.headers, signed_headers),
            _joined(signed_headers),
            payload_hash,
        )
    )


def uri(path: str, *, s3: bool = False) -> str:
    """The canonical URI: dot segments removed, then encoded once more as it stands.

    For S3 a path is the name of an object: nothing is removed, and its encoding is only made uniform.
    """
    if path in ("/", ""):
        return "/"
    raw = path.encode("latin-1")
    if not path.startswith("/"):
        return quote(raw, safe=_UNRESERVED)  # no path at all; nothing to make it one
    if s3:
        return "/".join(quote(unquote_to_bytes(part), safe=_UNRESERVED) for part in raw.split(b"/"))
    return quote(normalized(path).encode("latin-1"), safe="/" + _UNRESERVED)


def normalized(path: str) -> str:
    """The path without dot segments and doubled slashes (RFC 3986 section 5.2.4); a trailing slash stays."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def query(text: str, leave_out: frozenset[str] = frozenset()) -> str:
    """The canonical query string: each name and value encoded anew, sorted by encoded name, then value."""
    if not text:
        return ""
    fields = []
    for field in text.split("&"):
        name, _, value = field.partition("=")
        if field and name not in leave_out:
            fields.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(fields))


def headers(present: tuple[Line, ...], signed: tuple[str, ...]) -> str:
    """The canonical headers; one that is signed and not there counts as empty."""
    values = dict.fromkeys(signed, "")
    seen: set[str] = set()
    for name, value in present:
        if name in values:
            folded = _folded(value)
            values[name] = f"{values[name]},{folded}" if name in seen else folded
            seen.add(name)
    return "".join(f"{name}:{value}\n" for name, value in values.items())


def _headers_once(present: Mapping[str, str], signed: tuple[str, ...]) -> str:
    """The same where no header is repeated. Most need no folding, which one look at all of them together tells."""
    text = "".join([f"{name}:{present.get(name, '')}\n" for name in signed])
    if "  " not in text and "\t" not in text and ": " not in text and " \n" not in text:
        return text
    return "".join([f"{name}:{_folded(present.get(name, ''))}\n" for name in signed])


@lru_cache(maxsize=64)
def _joined(signed: tuple[str, ...]) -> str:
    return ";".join(signed)


def _folded(value: str) -> str:
    if "  " in value or "\t" in value:
        return _BLANKS.sub(" ", value.strip(" \t\r\n"))
    return value.strip(" ")


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe=_UNRESERVED)
