"""kill -9 while a server makes and destroys keys in a real PKCS#11 token: none is lost, none is left in it forgotten.

A server dies of its own accord at a point between the database and the token, which `DIES_AT` names. Another then
serves the same folder and token. The token's keys are counted as the files that SoftHSM has of them.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.exceptions
import pytest
from clients_support import ServerProcess

import softhsm

pytestmark = [pytest.mark.clients, pytest.mark.slow, softhsm.needed]

CLUSTER = "cluster-frankfurthsm"
DAYS = 8
LATE = str(DAYS * 86400)

# A server as ever, but for its clock and its haste; and it dies by kill -9 where DIES_AT says.
PROGRAM = """
import os, signal, time
now, late = time.time, float(os.environ.get("CLOCK_IS_LATE", "0"))
time.time = lambda: now() - late

from bailiwick.app import environment, start
from bailiwick.app.hsm import Pkcs11Token
from bailiwick.services.kms import leftovers

environment._CHORES_PAUSE, leftovers.PATIENCE = 0.05, float(os.environ.get("PATIENCE", "600"))

def dying(what, name):
    def does(*arguments):
        if os.environ.get("DIES_AT") == f"before {name}":
            os.killpg(0, signal.SIGKILL)
        done = what(*arguments)
        if os.environ.get("DIES_AT") == f"after {name}":
            os.killpg(0, signal.SIGKILL)
        return done
    return does

Pkcs11Token.make = dying(Pkcs11Token.make, "make")
Pkcs11Token.destroy = dying(Pkcs11Token.destroy, "destroy")
leftovers.take = dying(leftovers.take, "take")
start.main()
"""


class Place:
    """A folder with a deployment, and a token."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tokens = folder, softhsm.folder() / "tokens"
        pin = folder / "pin"
        pin.write_text(softhsm.PIN)
        pin.chmod(0o600)
        (folder / "hsm.toml").write_text(
            f'[tokens.{CLUSTER}]\nmodule = "{softhsm.MODULE}"\ntoken = "third"\npin_file = "{pin}"\n'
        )
        self.others = self._objects()
        self.origin: dict[str, str] = {}
        self.blob = b""

    def _objects(self) -> set[Path]:
        return {path for path in self.tokens.glob("*/*.object") if path.name != "token.object"}

    def in_token(self) -> int:
        """How many keys the token has that were made since."""
        return len(self._objects() - self.others)

    def rows(self, table: str) -> int:
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "bailiwick.db")) as database:
            return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def told(self) -> list[str]:
        """What the trail says of deletions: whether the token has forgotten the key."""
        records = [
            json.loads(line)
            for path in sorted((self.folder / "data" / "audit").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        found = [each["additionalEventData"] for each in records if each["eventName"] == "DeleteKey"]
        return [json.loads(each["backingKeysDeletionStatus"])[0]["deletionStatus"] for each in found]

    def server(self, **variables: str) -> ServerProcess:
        configuration = str(self.tokens.parent / "softhsm2.conf")
        return ServerProcess(
            self.folder / "data",
            arguments=("--throttling", "off", "--hsm", str(self.folder / "hsm.toml")),
            variables={"SOFTHSM2_CONF": configuration, **variables},
            program=("-c", PROGRAM),
        )

    @contextlib.contextmanager
    def serving(self, **variables: str) -> Iterator[Any]:
        server = self.server(**variables).start()
        try:
            yield server.client("kms")
            assert server.stop() == 0
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()

    def dies(self, **variables: str) -> ServerProcess:
        """A server that will die by itself; it may be dead before it is seen to live."""
        server = self.server(**variables)
        with contextlib.suppress(AssertionError):
            server.start()
        return server

    def settled(self, keys: int) -> None:
        """Wait until nothing is left over, and the token has so many keys."""
        over = threading.Event()
        for _ in range(1000):
            if (self.rows("kms_left"), self.in_token()) == (0, keys):
                return
            over.wait(0.02)  # for another process
        raise AssertionError(f"{self.rows('kms_left')} keys are left, {self.in_token()} are in the token")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    with made.serving(CLOCK_IS_LATE=LATE) as kms, late():
        store = kms.create_custom_key_store(
            CustomKeyStoreName="hsm",
            CloudHsmClusterId=CLUSTER,
            TrustAnchorCertificate="anchor",
            KeyStorePassword=softhsm.PIN,
        )["CustomKeyStoreId"]
        kms.connect_custom_key_store(CustomKeyStoreId=store)
        made.origin = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}
        stays, goes = (kms.create_key(**made.origin)["KeyMetadata"]["Arn"] for _ in range(2))
        made.blob = kms.encrypt(KeyId=stays, Plaintext=b"stays")["CiphertextBlob"]
        kms.schedule_key_deletion(KeyId=goes, PendingWindowInDays=7)
    assert (made.in_token(), made.rows("kms_key"), made.rows("kms_left")) == (2, 2, 0)
    return made


@contextlib.contextmanager
def late() -> Iterator[None]:
    """Sign as the clock of a late server has it."""

    def signs(remove_tzinfo: bool = True) -> datetime.datetime:
        then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=DAYS)
        return then.replace(tzinfo=None) if remove_tzinfo else then

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", signs)
        yield


def ended(server: ServerProcess) -> int:
    assert server.process is not None
    return server.process.wait(30)


@pytest.mark.timeout(180)
def test_killed_while_keys_are_made_and_destroyed(place: Place) -> None:
    for number, (at, in_token) in enumerate((("before make", 2), ("after make", 3), ("after take", 4)), 1):
        server = place.dies(DIES_AT=at, CLOCK_IS_LATE=LATE)
        with late(), pytest.raises(botocore.exceptions.HTTPClientError):
            server.client("kms").create_key(**place.origin)
        assert ended(server) == -9, at
        assert (place.rows("kms_key"), place.rows("kms_left"), place.in_token()) == (2, number, in_token), at
    with place.serving(CLOCK_IS_LATE=LATE, PATIENCE="0"):
        place.settled(keys=2)
    assert place.told() == [], "of what never was a KMS key nothing is told"
    for at, in_token in (("before destroy", 2), ("after destroy", 1)):
        assert ended(place.dies(DIES_AT=at)) == -9, at
        assert (place.rows("kms_key"), place.rows("kms_left"), place.in_token()) == (1, 1, in_token), at
        assert place.told() == [], at
    with place.serving() as kms:
        place.settled(keys=1)
        assert kms.decrypt(CiphertextBlob=place.blob)["Plaintext"] == b"stays"
    assert (place.rows("kms_key"), place.told()) == (1, ["SUCCESS"])
