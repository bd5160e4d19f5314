"""Bodies in signed chunks (aws-chunked): decoded and verified as they arrive (facts/sigv4.md section 6).

    signed     hex(length);chunk-signature=<64 hex>   data   ...   0;chunk-signature=<64 hex>   [trailers]
    unsigned   hex(length)   data   ...   0   [trailers]

Each part ends with CR LF, and so does the whole. INVARIANT: no byte of a signed chunk is given out before its
signature holds. Fed whole or byte by byte, the result is the same. Whatever arrives is decoded or refused with
SignatureError.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import Enum

import msgspec

from bailiwick.core.errors import IncompleteSignature, SignatureMismatch
from bailiwick.core.message import Request
from bailiwick.core.sigv4 import asymmetric, checksums
from bailiwick.core.sigv4.claim import SIGV4, SIGV4A, Claim
from bailiwick.core.sigv4.verify import signer

_EMPTY = hashlib.sha256(b"").hexdigest()
MAX_CHUNK = 16 << 20
_MAX_LINE = 1024
_MAX_TRAILERS = 16
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_SIGNED_LINE = re.compile(rb"([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f*]{16,160})")
_TRAILER = re.compile(r"([a-z0-9-]{1,64}):[ \t]*([\x21-\x7e][\x20-\x7e]{0,511})")
_SIGNATURE_TRAILER = "x-amz-trailer-signature"


class Mode(msgspec.Struct, frozen=True):
    """What an X-Amz-Content-Sha256 says of the body."""

    signed: bool
    trailer: bool
    algorithm: str


MODES = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Mode(True, False, SIGV4),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Mode(True, True, SIGV4),
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD": Mode(True, False, SIGV4A),
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER": Mode(True, True, SIGV4A),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Mode(False, True, SIGV4),
}


class _State(Enum):
    HEAD = "head"
    DATA = "data"
    END_OF_DATA = "end of data"
    TRAILERS = "trailers"
    DONE = "done"


class ChunkDecoder:
    """Decodes one body: `feed` what arrives, then `finish`. Both raise SignatureError for what is not good."""

    def __init__(self, request: Request, claim: Claim, secret: str) -> None:
        """Prepare for the body of a request whose own signature was verified.

        Raises IncompleteSignature where its headers do not describe such a body.
        """
        mode = MODES.get(request.header("x-amz-content-sha256") or "")
        length = request.header("x-amz-decoded-content-length") or ""
        if mode is None or (mode.signed and mode.algorithm != claim.scope.algorithm):
            raise IncompleteSignature("The value of x-amz-content-sha256 is not one that this server knows.")
        if not re.fullmatch("[0-9]{1,15}", length, re.ASCII):
            raise IncompleteSignature("You must provide the Content-Length HTTP header.")
        self._mode, self._claim, self._secret = mode, claim, secret
        self._left = int(length)
        self._previous = claim.signature
        self._state = _State.HEAD
        self._pending = bytearray()
        self._wanted = 0
        self._signature = ""
        self._expected = _declared_trailers(request) if mode.trailer else ()
        self._trailers: dict[str, str] = {}
        self._sums = {name: checksums.ALGORITHMS[name]() for name in self._expected if name in checksums.ALGORITHMS}

    def feed(self, data: bytes) -> bytes:
        """Take what has arrived; returns what of the body is verified by it."""
        self._pending += data
        out = bytearray()
        while self._step(out):
            pass
        return bytes(out)

    def finish(self) -> None:
        """Check that the body is complete."""
        if self._state is not _State.DONE or self._pending:
            raise IncompleteSignature("The request body terminated unexpectedly.")
        if self._left:
            raise IncompleteSignature("The body is shorter than x-amz-decoded-content-length says.")
        for name, checksum in self._sums.items():
            if not hmac.compare_digest(self._trailers.get(name, ""), checksums.encoded(checksum)):
                raise SignatureMismatch(f"Value for {name} header is invalid.")

    # -- One step of the state machine ------------------------------------------------------------------

    def _step(self, out: bytearray) -> bool:
        """Consume one line or chunk if it is here; whether it was."""
        if self._state is _State.DATA:
            return self._data(out)
        if self._state is _State.DONE:
            if self._pending:
                raise IncompleteSignature("Bytes follow the end of the body.")
            return False
        end = self._pending.find(b"\r\n", 0, _MAX_LINE + 2)
        if end < 0:
            if len(self._pending) > _MAX_LINE:
                raise IncompleteSignature("A line between the chunks of the body is too long.")
            return False
        line = bytes(self._pending[:end])
        del self._pending[: end + 2]
        if self._state is _State.HEAD:
            self._head(line)
        elif self._state is _State.END_OF_DATA:
            if line:
                raise IncompleteSignature("A chunk of the body is longer than it says.")
            self._state = _State.HEAD
        else:
            self._trailer(line)
        return True

    def _head(self, line: bytes) -> None:
        match = (_SIGNED_LINE if self._mode.signed else _SIZE).fullmatch(line)
        if match is None:
            raise IncompleteSignature("The head of a chunk is not well-formed.")
        size = match[1] if self._mode.signed else match[0]
        self._wanted = int(size, 16)
        if self._wanted > min(self._left, MAX_CHUNK):
            raise IncompleteSignature("A chunk is larger than what is left of the body, or than 16 MiB.")
        self._signature = match[2].decode("ascii") if self._mode.signed else ""
        if self._wanted:
            self._state = _State.DATA
        else:
            self._verify_chunk(b"")
            self._state = _State.TRAILERS

    def _data(self, out: bytearray) -> bool:
        if len(self._pending) < self._wanted:
            return False
        chunk = bytes(self._pending[: self._wanted])
        del self._pending[: self._wanted]
        self._verify_chunk(chunk)
        self._left -= len(chunk)
        for checksum in self._sums.values():
            checksum.update(chunk)
        out += chunk
        self._state = _State.END_OF_DATA
        return True

    def _trailer(self, line: bytes) -> None:
        if not line:
            self._end()
            return
        match = _TRAILER.fullmatch(line.decode("latin-1"))
        if match is None or not self._mode.trailer or len(self._trailers) >= _MAX_TRAILERS:
            raise IncompleteSignature("A trailer is not well-formed, or not expected.")
        name, value = match[1], match[2].rstrip(" \t")
        if name in self._trailers or (name != _SIGNATURE_TRAILER and name not in self._expected):
            raise IncompleteSignature(f"The trailer {name} was not declared, or is there twice.")
        self._trailers[name] = value

    def _end(self) -> None:
        signature = self._trailers.pop(_SIGNATURE_TRAILER, None)
        if set(self._trailers) != set(self._expected):
            raise IncompleteSignature("A declared trailer is missing.")
        if self._mode.trailer and self._mode.signed:
            canonical = "".join(f"{name}:{value}\n" for name, value in sorted(self._trailers.items()))
            digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
            self._check("TRAILER", signature or "", digest)
        elif signature is not None:
            raise IncompleteSignature("A trailer is signed whose chunks are not.")
        self._state = _State.DONE

    # -- Signatures -------------------------------------------------------------------------------------

    def _verify_chunk(self, chunk: bytes) -> None:
        if self._mode.signed:
            self._check("PAYLOAD", self._signature, f"{_EMPTY}\n{hashlib.sha256(chunk).hexdigest()}")
            self._previous = self._signature

    def _check(self, kind: str, signature: str, hashes: str) -> None:
        claim = self._claim
        to_sign = (
            f"{claim.scope.algorithm}-{kind}\n{claim.timestamp}\n{claim.scope.text}\n{self._previous}\n{hashes}"
        )
        if not _holds(claim, self._secret, signature, to_sign):
            raise SignatureMismatch(
                "The request signature we calculated does not match the signature you provided. Check your key and "
                "signing method.",
                string_to_sign=to_sign,
            )


def _holds(claim: Claim, secret: str, signature: str, to_sign: str) -> bool:
    scope = claim.scope
    if scope.algorithm == SIGV4A:
        plain = signature.rstrip("*")  # padded to one length, so that the size of a body can be known before
        if re.fullmatch("([0-9a-f]{2}){8,72}", plain, re.ASCII) is None:
            return False
        return asymmetric.holds(scope.access_key_id, secret, plain, to_sign)
    sign = signer(secret, scope.date, scope.region, scope.service)
    return hmac.compare_digest(sign(to_sign.encode("latin-1")).hex(), signature)


def _declared_trailers(request: Request) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in (request.header("x-amz-trailer") or "").split(","))
    if not all(names) or len(set(names)) != len(names) or len(names) > _MAX_TRAILERS:
        raise IncompleteSignature("The x-amz-trailer header must name the trailers of the body.")
    return names
