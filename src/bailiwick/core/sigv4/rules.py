"""What one service accepts of Signature Version 4 and what it does not. Refusing is the rule.

Source: facts/sigv4.md sections 2, 4, 5 and 8.
"""

from __future__ import annotations

import msgspec


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one service.

    `window` is how many seconds the signer's clock may differ. `s3` marks the services whose paths are taken as
    they stand, whose presigned URLs leave the payload unsigned and are valid for as long as they say (everyone
    else's live as long as the window). `unsigned_payload` and `chunked` allow the literals that say so in place of
    a payload's hash. `asymmetric` allows SigV4A. `late_token` allows a session token in a URL that was added after
    signing. `regions` are those that this server answers for; None is any.
    """

    window: int = 15 * 60
    s3: bool = False
    unsigned_payload: bool = False
    chunked: bool = False
    asymmetric: bool = False
    late_token: bool = False
    regions: frozenset[str] | None = None


STRICT = Rules()
"""IAM, STS, KMS and most others: the whole request is signed, at once."""

S3 = Rules(s3=True, unsigned_payload=True, chunked=True, asymmetric=True)
"""Amazon S3 and what speaks like it."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
CHUNKED_PREFIX = "STREAMING-"
