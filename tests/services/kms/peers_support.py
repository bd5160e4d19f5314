"""Deployments that share keys, in one process: each a whole house, between them a network that the test holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import update

from bailiwick.app.courier import Courier
from bailiwick.core.message import Header, Request
from bailiwick.core.peers import Peer, Peers
from bailiwick.federation.fetch import FetchError
from bailiwick.services.kms.family_tables import outbox
from world import ACCOUNT, World

HOMES = ("us-east-1", "eu-west-1", "ap-south-1")


class Side:
    """One of the deployments, with clients for its home region."""

    def __init__(self, home: str, peers: Peers, net: Net) -> None:
        self.home = home
        self.world = World(peers=peers, region=home, now=net.clock)
        self.kms = self.world.client("kms")
        self.courier = Courier(self.world.pipeline, net.post)

    def state(self, key_id: str) -> str:
        found: str = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
        return found

    def type(self, key_id: str) -> str:
        """PRIMARY or REPLICA."""
        found: str = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"][
            "MultiRegionKeyType"
        ]
        return found

    def regions(self, key_id: str) -> tuple[str, list[str]]:
        """Where the primary is, and where replicas are."""
        found = self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
        return found["PrimaryKey"]["Region"], [each["Region"] for each in found["ReplicaKeys"]]

    def encrypt(self, key_id: str, text: bytes = b"text") -> bytes:
        found: bytes = self.kms.encrypt(KeyId=key_id, Plaintext=text)["CiphertextBlob"]
        return found

    def decrypt(self, blob: bytes) -> bytes:
        found: bytes = self.kms.decrypt(CiphertextBlob=blob)["Plaintext"]
        return found


class Net:
    """Two or three deployments, each a peer of every other, and what goes between them."""

    def __init__(self, count: int = 2, clock: Any = None, accounts: frozenset[str] = frozenset({ACCOUNT})) -> None:
        import time

        self.clock = clock or time.time
        self.down: set[str] = set()  # homes that cannot be reached
        self.sent: list[tuple[str, bytes]] = []
        self.answers: list[bytes] = []
        self.lose_answers = False
        self.sides: dict[str, Side] = {}
        homes = HOMES[:count]
        for home in homes:
            self.sides[home] = Side(
                home, Peers([peer(home, other, accounts) for other in homes if other != home]), self
            )

    def __getitem__(self, number: int) -> Side:
        return self.sides[HOMES[number]]

    def post(self, to: Peer, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """What the courier of one side does to reach another."""
        if to.name in self.down:
            raise FetchError("it is down", reached=False)
        self.sent.append((to.name, body))
        status, answer = self.deliver(to.name, body, headers)
        if self.lose_answers:
            raise FetchError("the answer was lost", reached=True)
        return status, answer

    def deliver(self, home: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """A request as it reaches a side."""
        fields = tuple(Header(name, value) for name, value in headers.items())
        answer = self.sides[home].world.pipeline.handle(Request("POST", "/", "", fields, body))
        return answer.status, answer.body

    def settle(self) -> None:
        """Deliver until there is nothing left that is due."""
        rounds = 0
        while sum(side.courier.round() for side in self.sides.values()):
            rounds += 1
            assert rounds < 50, "they never stop telling each other"

    def again(self) -> None:
        """As `settle`, without waiting for what was put off."""
        for side in self.sides.values():
            with side.world.store.transaction(write=True) as transaction:
                transaction.run(update(outbox).values(due=0))
        self.settle()


def peer(home: str, other: str, accounts: frozenset[str]) -> Peer:
    """Another deployment, as the one at `home` has it in its settings."""
    secret = "|".join(sorted((home, other))).encode().ljust(32, b".")[:32]
    return Peer(
        name=other,
        url=f"https://{other}.bailiwick.test",
        regions=frozenset({other}),
        accounts=accounts,
        secret=secret,
    )


def refused(body: bytes) -> str:
    """The message of a refusal."""
    found: str = msgspec.json.decode(body).get("message", "")
    return found
