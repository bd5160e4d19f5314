"""Replicas at peers, as whoever calls here asks for them."""

from __future__ import annotations

from bailiwick.api import Call
from bailiwick.core.peers import Peer
from bailiwick.services.kms import families, imported, peer_snapshots, records, shapes
from bailiwick.services.kms.families import GONE, PRESENT, WANTED, Member
from bailiwick.services.kms.records import EXTERNAL, Key
from bailiwick.services.kms.shapes import AlreadyExistsException, UnsupportedOperationException


def check_region(call: Call) -> None:
    """Refuse to make here what belongs to a peer. Raises UnsupportedOperationException, which says where to ask."""
    peer = call.environment.peers.of_region(call.region)
    if peer is not None:
        raise UnsupportedOperationException(f"Keys in {call.region} are made at {peer.url}.")


def wish(call: Call, key: Key, peer: Peer, region: str, request: shapes.ReplicateKeyRequest, policy: str) -> None:
    """Have a replica made at a peer, which is told as soon as this is written.

    Raises AlreadyExistsException, and UnsupportedOperationException for an account that is not shared with it.
    """
    if key.account not in peer.accounts:
        raise UnsupportedOperationException(
            f"Keys of account {key.account} are not shared with the deployment that has {region}."
        )
    if families.begin(call.transaction, call.environment, key) and key.origin == EXTERNAL:
        imported.share(call.transaction, call.environment, key)
    known = families.members(call.transaction, key.account, key.id).get(region)
    if known is not None and known.state != GONE:
        raise AlreadyExistsException(f"A multi-Region key with this ID already exists in Region {region}: {key.id}")
    pairs = [(tag.TagKey, tag.TagValue) for tag in request.Tags or ()]
    wanted = Member(
        region=region,
        here=False,
        version=known.version if known is not None else 0,
        epoch=0,
        state=WANTED,
        wish=peer_snapshots.wish(policy, request.Description or "", pairs),
    )
    families.put(call.transaction, key.account, key.id, wanted)
    families.changed(call.transaction, call.environment, key.account, key.id)
    call.transaction.changed(records.topic(key.arn))


def is_made(call: Call, key: Key, region: str) -> bool:
    """Whether a peer, with which the key is shared still, has made the replica in this region."""
    peer = call.environment.peers.of_region(region)
    if peer is None or key.account not in peer.accounts:
        return False
    known = families.members(call.transaction, key.account, key.id).get(region)
    return known is not None and not known.here and known.state == PRESENT
