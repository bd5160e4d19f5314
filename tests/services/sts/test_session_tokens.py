"""Session tokens: sizes, root keys that were replaced, and that no other token opens.

TEST_SESSION_TOKENS=1000000 tries as many altered, spliced and random ones as that.
"""

from __future__ import annotations

import base64
import os
import random
import string

import msgspec
import pytest
from services_support import ACCOUNT, document

from bailiwick.core.errors import SealError
from bailiwick.core.formats import Session, SessionKind, open_session, seal_session
from bailiwick.core.seal import KeyRing
from bailiwick.services.sts import session_policies
from bailiwick.services.sts.session_policies import SessionPolicies
from bailiwick.services.sts.session_tags import SessionTags
from bailiwick.services.sts.shapes import PackedPolicyTooLargeException

COUNT = int(os.environ.get("TEST_SESSION_TOKENS", "3000"))
RING = KeyRing(b"r" * 32)
PLAIN = Session(
    SessionKind.ROLE, ACCOUNT, "AROA" + "Q" * 17, "ASIA" + "Q" * 16, "s" * 40, 1, 3601, name="someone@x"
)


def sealed(session: Session, ring: KeyRing = RING) -> str:
    return seal_session(ring, session, os.urandom)


def test_no_other_token_opens() -> None:
    draw = random.Random(7)
    made = [sealed(msgspec.structs.replace(PLAIN, name=f"s{number}")) for number in range(8)]
    made.append(sealed(PLAIN, KeyRing(b"x" * 32)))
    letters = string.ascii_letters + string.digits + "+/="
    refused = 0
    for number in range(COUNT):
        one, two = draw.choice(made), draw.choice(made)
        place = draw.randrange(4, len(one))
        if number % 4 == 0:
            text = one[:place] + draw.choice(letters) + one[place + 1 :]
        elif number % 4 == 1:
            text = one[:place] + two[place:]
        elif number % 4 == 2:
            text = one[:place] + "".join(draw.choices(letters, k=len(one) - place))
        else:
            text = "BWK1" + base64.b64encode(draw.randbytes(draw.randrange(0, 400))).decode()
        if text in made[:-1]:
            continue
        with pytest.raises(SealError):
            open_session(RING, text)
        refused += 1
    assert refused > COUNT * 0.9
    with pytest.raises(SealError):
        open_session(RING, made[-1])


def test_a_token_outlives_the_root_key_that_sealed_it() -> None:
    token = sealed(PLAIN)
    assert open_session(KeyRing(b"n" * 32, b"r" * 32), token) == PLAIN
    with pytest.raises(SealError):
        open_session(KeyRing(b"n" * 32), token)


def fullest(draw: random.Random, length: int) -> tuple[SessionPolicies, SessionTags]:
    """50 tags and ten managed policies beside an inline one; the tags' values have `length` letters of chance."""
    tags = {f"team-{number}": "".join(draw.choices(string.ascii_letters, k=length)) for number in range(50)}
    arns = tuple(f"arn:aws:iam::{ACCOUNT}:policy/limits/only-{number}" for number in range(10))
    inline = document({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*"})
    return SessionPolicies((inline,), arns), SessionTags(tags, tuple(tags))


def token_of(policies: SessionPolicies, tags: SessionTags) -> str:
    full = msgspec.structs.replace(
        PLAIN,
        policies=policies.texts,
        policy_arns=policies.arns,
        tags=tags.tags,
        transitive=tags.transitive,
        source_identity="i" * 64,
        federated_provider=f"arn:aws:iam::{ACCOUNT}:oidc-provider/" + "p" * 100,
    )
    token = sealed(full)
    assert open_session(RING, token) == full
    return token


def test_sizes() -> None:
    """Tokens stay below 4,096 characters, however full: what is accepted is bounded by its packed size."""
    print(f"\nplain: {len(sealed(PLAIN))} characters")
    draw, largest = random.Random(3), 0
    for length in range(0, 60, 4):
        policies, tags = fullest(draw, length)
        try:
            packed = session_policies.packed_size(policies, tags)
        except PackedPolicyTooLargeException:
            break
        largest = len(token_of(policies, tags))
        print(f"50 tags of {length} letters, 10 policies: {packed} % packed, {largest} characters")
    else:
        pytest.fail("nothing was too large")
    assert 2000 < largest < 4096


def test_what_packs_well_is_a_short_token() -> None:
    """50 tags as long as they may be, all alike: 19,000 letters that pack into little."""
    tags = SessionTags({f"{number:0128d}": "v" * 256 for number in range(50)}, ())
    assert (session_policies.packed_size(SessionPolicies((), ()), tags) or 101) <= 100
    assert len(token_of(SessionPolicies((), ()), tags)) < 2000
