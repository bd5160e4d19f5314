"""What a peer's message must be, and what a peer may not say: the rest is refused, and nothing is changed by it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers_support import Net, peer, refused

from bailiwick.core import peers
from bailiwick.core.errors import SealError
from bailiwick.core.peers import Peer, Peers
from bailiwick.services.kms import peer_messages, peer_snapshots
from bailiwick.services.kms.peer_messages import Material, Snapshot
from world import ACCOUNT

HEADERS = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.SynchronizeMultiRegionKey"}
US, EU = "us-east-1", "eu-west-1"
SHARED = frozenset({ACCOUNT})
NOW = 1_790_000_000.0


def entropy(size: int) -> bytes:
    return b"e" * size


TO_EU, TO_US = peer(US, EU, SHARED), peer(EU, US, SHARED)


def test_a_message_opens_for_the_peer_as_what_it_is() -> None:
    ask = peers.seal(TO_EU, "ask", US, b"text", NOW, entropy)
    sealed = peers.read(ask)
    assert peers.opened(TO_US, "ask", sealed, NOW + 299) == b"text"
    answer = peers.read(peers.seal(TO_US, "answer", EU, b"yes", NOW, entropy, sealed.once))
    assert peers.opened(TO_EU, "answer", answer, NOW, sealed.once) == b"yes"
    for kind, of, at, answers in (
        ("answer", TO_US, NOW, b""),  # of another kind
        ("ask", TO_EU, NOW, b""),  # sent back to whom it came from
        ("ask", TO_US, NOW + 301, b""),
        ("ask", TO_US, NOW - 301, b""),
        ("ask", TO_US, NOW, b"x"),
        ("ask", msgspec.structs.replace(TO_US, secret=b"x" * 32), NOW, b""),
    ):
        with pytest.raises(SealError):
            peers.opened(of, kind, sealed, at, answers)  # type: ignore[arg-type]
    with pytest.raises(SealError):
        peers.opened(TO_EU, "answer", answer, NOW, b"another" * 4)


@given(st.integers(0, 130), st.integers(1, 255))
def test_no_byte_of_a_message_can_be_another(place: int, change: int) -> None:
    whole = peers.seal(TO_EU, "ask", US, b"text" * 20, NOW, entropy)
    altered = bytearray(whole)
    altered[place] ^= change
    if place in range(1, 9):
        assert peers.read(bytes(altered)).secret_id != TO_EU.id
        return
    with pytest.raises(SealError):
        peers.opened(TO_US, "ask", peers.read(bytes(altered)), NOW)


@given(st.binary(max_size=120))
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        peers.opened(TO_US, "ask", peers.read(data), NOW)


def test_two_peers_are_not_one() -> None:
    with pytest.raises(ValueError, match="same region"):
        Peers([TO_EU, msgspec.structs.replace(TO_EU, name="b", secret=b"b" * 32)])
    with pytest.raises(ValueError, match="same secret"):
        Peers([TO_EU, msgspec.structs.replace(TO_EU, name="b", regions=frozenset({"x"}))])


@pytest.fixture
def net() -> Net:
    return Net()


def shared(net: Net) -> str:
    key_id: str = net[0].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    net[0].kms.replicate_key(KeyId=key_id, ReplicaRegion=EU)
    net.settle()
    return key_id


def snapshot(net: Net, key_id: str, **changes: Any) -> Snapshot:
    """What the first side would tell the second, with changes."""
    environment = net[0].world.environment
    with net[0].world.store.transaction() as transaction:
        found = peer_snapshots.compose(transaction, environment, ACCOUNT, key_id, TO_EU)
    assert found is not None
    return msgspec.structs.replace(found, **changes)


def told(net: Net, what: Snapshot | bytes, by: Peer = TO_EU, sender: str = US) -> tuple[int, str]:
    """The status and message with which the second side answers."""
    plain = what if isinstance(what, bytes) else peer_messages.encoded(what)
    environment = net[0].world.environment
    return sent(net, peers.seal(by, "ask", sender, plain, environment.now(), environment.entropy))


def sent(net: Net, message: bytes) -> tuple[int, str]:
    body = json.dumps({"Message": base64.b64encode(message).decode()}).encode()
    status, answer = net.deliver(EU, body, HEADERS)
    return status, refused(answer)


def test_a_message_is_good_once(net: Net) -> None:
    shared(net)
    for home, body in net.sent:
        assert home == EU
        status, answer = net.deliver(EU, body, HEADERS)
        assert (status, refused(answer)) == (400, "The message was sent before: it is good once.")


def test_a_message_that_was_lost_and_comes_late_changes_nothing(net: Net) -> None:
    key_id = shared(net)
    old = snapshot(net, key_id)
    net[0].kms.update_primary_region(KeyId=key_id, PrimaryRegion=EU)
    net.settle()
    assert told(net, old)[0] == 200
    assert (net[0].type(key_id), net[1].type(key_id)) == ("REPLICA", "PRIMARY")


def test_strangers_are_refused(net: Net) -> None:
    key_id = shared(net)
    good = snapshot(net, key_id, epoch=5, primary=EU)
    stranger = msgspec.structs.replace(TO_EU, secret=b"s" * 32)
    assert told(net, good, by=stranger) == (400, "The message is not one of a peer.")
    assert (
        told(net, good, sender="ap-south-1")[1]
        == "The message is not one of a peer: it was sent by another deployment."
    )
    assert sent(net, b"x")[1] == "The message is not one of a peer: it is no message of a peer."
    assert net[1].type(key_id) == "REPLICA"
    assert [event.error is not None for event in net[1].world.events[-4:]] == [True, True, True, False]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account": "210987654321"}, "keys of account 210987654321 are not shared with us-east-1"),
        ({"partition": "aws-cn"}, "it is of the partition aws-cn"),
        ({"spec": "HMAC_256", "usage": "GENERATE_VERIFY_MAC"}, "the key is of another kind"),
        ({"material": "0" * 64, "revision": 9}, "the current material is missing"),
    ],
)
def test_what_is_not_for_a_peer_to_say_is_refused(net: Net, changes: dict[str, Any], reason: str) -> None:
    key_id = shared(net)
    before = net[1].kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert told(net, snapshot(net, key_id, **changes)) == (400, f"The message is refused: {reason}.")
    assert net[1].kms.describe_key(KeyId=key_id)["KeyMetadata"] == before


def test_material_of_another_kind_is_refused(net: Net) -> None:
    key_id = shared(net)
    fresh = Material(id="1" * 64, created=1.0, state="CURRENT", secret=b"short")
    what = snapshot(net, key_id, materials=[fresh], material=fresh.id, revision=9)
    assert told(net, what)[1] == "The message is refused: there is material that is none of such a key."


def test_a_key_that_is_not_shared_is_nobodys_business(net: Net) -> None:
    own = net[1].kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    theirs = snapshot(net, shared(net), id=own)
    assert told(net, theirs)[1] == "The message is refused: there is another key with this id."
    unknown = snapshot(net, shared(net), id="mrk-" + "0" * 32)
    assert told(net, unknown)[0] == 200  # and it is of no concern: nothing is kept of it
    assert net[1].kms.list_keys()["Keys"] != []
    with pytest.raises(net[1].kms.exceptions.NotFoundException):
        net[1].kms.describe_key(KeyId=unknown.id)


def plain(what: Snapshot) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(what, builtin_types=(bytes,))
    return made


def padded(what: Snapshot) -> bytes:
    return msgspec.msgpack.encode(plain(what) | {"materials": [{"id": "0" * 64}] * 7500})


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (lambda what: b"", "The message cannot be read"),
        (lambda what: msgspec.msgpack.encode(plain(what) | {"more": 1}), "unknown field"),
        (lambda what: msgspec.msgpack.encode(plain(what) | {"id": "../x"}), "matching regex"),
        (lambda what: msgspec.msgpack.encode(plain(what) | {"epoch": -1}), ">= 0"),
        (padded, "it is too large"),
    ],
)
def test_only_what_is_of_the_form_is_read(net: Net, bend: Callable[[Snapshot], bytes], reason: str) -> None:
    status, message = told(net, bend(snapshot(net, shared(net))))
    assert status == 400
    assert reason in message


def test_a_message_over_the_limit_is_not_opened(net: Net) -> None:
    status, message = told(net, b"x" * 600_000)
    assert status == 400
    assert "530000" in message


def test_nothing_shows_secrets(net: Net) -> None:
    key_id = shared(net)
    what = snapshot(net, key_id)
    (made,) = what.materials
    assert made.secret is not None
    for text in (repr(what), repr(made), repr(TO_EU), str(net[0].world.environment.peers)):
        assert repr(made.secret)[2:-1] not in text
        assert repr(TO_EU.secret)[2:-1] not in text
