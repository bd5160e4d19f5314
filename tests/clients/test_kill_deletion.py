"""kill -9 at the end of a waiting period, while a server deletes keys: each is whole or gone, and none without a record.

The keys are made, and their deletion is asked for, by a server whose clock stands eight days ago. Servers with the right
clock then die while they delete: at a point of their own choosing, which is a statement, the commit or the record;
and, in the long form, at any moment.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import random
import shutil
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from clients_support import ServerProcess
from test_kill_kms import Key, import_material

pytestmark = [pytest.mark.clients, pytest.mark.slow]

LONG = bool(os.environ.get("FAULTS_LONG"))
KILLS = int(os.environ.get("FAULTS_KILLS") or 0) if LONG else 0
DUE = 60 if LONG else 6
DAYS = 8

# A server as ever, but for its clock and its haste; and it dies by kill -9 where DIES_AT says.
PROGRAM = """
import os, signal, sys, threading, time
now, late = time.time, float(os.environ.get("CLOCK_IS_LATE", "0"))
time.time = lambda: now() - late

from sqlalchemy.sql.dml import Delete

from bailiwick.app import environment, happenings, start
from bailiwick.app.happenings import Happenings
from bailiwick.store.transaction import Transaction

environment._CHORES_PAUSE, happenings._LEFT = 0.05, 0.0
place, _, number = os.environ.get("DIES_AT", "").partition(":")
left = [int(number or 1)]

def passed(at):
    if at == place and threading.current_thread().name == "chores":
        left[0] -= 1
        if not left[0]:
            os.killpg(0, signal.SIGKILL)

run, ended, forget = Transaction.run, Transaction.__exit__, Happenings._forget

def ran(self, statement, parameters=None):
    done = run(self, statement, parameters)
    if isinstance(statement, Delete) and statement.table.name.startswith("kms_"):
        self.deleted = True
        passed("statement")
    return done

def exits(self, *error):
    ended(self, *error)
    if getattr(self, "deleted", False):
        passed("commit")

def forgets(self):
    if self._told:
        passed("record")
    forget(self)

Transaction.run, Transaction.__exit__, Happenings._forget = ran, exits, forgets
start.main()
"""


class World:
    """Keys whose waiting period is over, and neighbours of theirs that must stay as they are, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.due: list[str] = []
        self.stays: dict[str, tuple[str, bytes]] = {}  # the state of each neighbour, and a ciphertext of it
        self.blobs: list[bytes] = []
        server = self.server(CLOCK_IS_LATE=str(DAYS * 86400)).start()
        try:
            self._fill(server)
            assert server.stop() == 0
        finally:
            ended(server)
        self.before = self.rows()

    def server(self, **variables: str) -> ServerProcess:
        return ServerProcess(
            self.folder / "data", arguments=("--throttling", "off"), variables=variables, program=("-c", PROGRAM)
        )

    def copied(self, to: Path) -> World:
        """The same, elsewhere."""
        made = World.__new__(World)
        made.__dict__.update(self.__dict__)
        made.folder = to
        shutil.copytree(self.folder, to)
        return made

    def rows(self) -> dict[str, Counter[str]]:
        """How many rows each key has in each table, as the database has them."""
        found: dict[str, Counter[str]] = {}
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "bailiwick.db")) as database:
            tables = {"kms_key": "arn"} | dict.fromkeys(
                ("kms_material", "kms_alias", "kms_tag", "kms_grant", "kms_last_use"), "key_arn"
            )
            for table, column in tables.items():
                for arn, count in database.execute(f"SELECT {column}, count(*) FROM {table} GROUP BY {column}"):
                    found.setdefault(arn, Counter())[table] = count
        return found

    def deletions(self) -> Counter[str]:
        """How many records of the trail say of each key that it was deleted."""
        found: Counter[str] = Counter()
        for path in sorted((self.folder / "data" / "audit").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                record = json.loads(line)
                if record["eventName"] == "DeleteKey":
                    assert record["eventType"] == "AwsServiceEvent"
                    found[record["resources"][0]["ARN"]] += 1
        return found

    def kept(self) -> Counter[str]:
        """How often the database has kept for the trail that a key was deleted."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "bailiwick.db")) as database:
            events = [json.loads(event) for (event,) in database.execute("SELECT event FROM audit_happened")]
        return Counter(event[4] for event in events)

    def check(self) -> int:
        """Each key is whole, or gone with all that is its, on record or about to be; returns how many are gone."""
        now, told = self.rows(), self.deletions() + self.kept()
        for arn in self.stays:
            assert now[arn] == self.before[arn]
        assert told.keys() <= set(self.due), "no neighbour is told of as deleted"
        gone = [arn for arn in self.due if arn not in now]
        for arn in self.due:
            if arn in gone:
                assert told[arn] >= 1, f"{arn} is gone without a record"
            else:
                assert now[arn] == self.before[arn], f"{arn} is in parts"
        return len(gone)

    def end(self) -> None:
        """With a server that nobody kills: what is due goes, and the neighbours work."""
        server = self.server().start()
        try:
            kms = server.client("kms")
            until_gone(self)
            for arn in self.due:
                assert code(kms.describe_key, KeyId=arn) == "NotFoundException"
            assert {code(kms.decrypt, CiphertextBlob=blob) for blob in self.blobs} == {"AccessDeniedException"}
            for arn, (state, blob) in self.stays.items():
                assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == state
                if state == "PendingDeletion":
                    kms.cancel_key_deletion(KeyId=arn)
                    kms.enable_key(KeyId=arn)
                assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"stays"
            names = {alias["AliasName"] for alias in kms.list_aliases()["Aliases"] if "TargetKeyId" in alias}
            assert names == {f"alias/stays-{number}" for number in range(len(self.stays))}
            assert server.stop() == 0
        finally:
            ended(server)
        assert self.check() == len(self.due)
        assert (self.deletions().keys(), self.kept()) == (set(self.due), Counter())

    def _fill(self, server: ServerProcess) -> None:
        kms = server.client("kms")
        for number in range(DUE):
            arn = self._made(kms, number, f"alias/goes-{number}")
            self.blobs.append(kms.encrypt(KeyId=arn, Plaintext=b"goes")["CiphertextBlob"])
            kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
            self.due.append(arn)
        for number, state in enumerate(("Enabled", "Enabled", "PendingDeletion")):
            arn = self._made(kms, number, f"alias/stays-{number}")
            blob = kms.encrypt(KeyId=arn, Plaintext=b"stays")["CiphertextBlob"]
            if state == "PendingDeletion":
                kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=30)
            self.stays[arn] = state, blob

    def _made(self, kms: Any, number: int, alias: str) -> str:
        """A key with everything that a key can have: of its own material, or with material that was brought."""
        if number % 3 == 1:
            key = Key(kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"], material=os.urandom(32))
            import_material(kms, key)
            arn = key.arn
        else:
            arn = str(kms.create_key()["KeyMetadata"]["Arn"])
            for _ in range(2):
                kms.rotate_key_on_demand(KeyId=arn)
        kms.create_alias(AliasName=alias, TargetKeyId=arn)
        kms.tag_resource(KeyId=arn, Tags=[{"TagKey": "k", "TagValue": "v"}])
        kms.create_grant(
            KeyId=arn, GranteePrincipal=f"arn:aws:iam::{arn.split(':')[4]}:root", Operations=["Decrypt"]
        )
        return arn


def ended(server: ServerProcess) -> None:
    if server.process is not None and server.process.poll() is None:
        server.kill()


def how_it_ends(server: ServerProcess) -> int:
    """The exit status of a server that dies by itself."""
    with contextlib.suppress(AssertionError):  # it may be dead before it was seen to live
        server.start()
    assert server.process is not None
    return server.process.wait(30)


def code(operation: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    return str(caught.value.response["Error"]["Code"])


def until_gone(world: World) -> None:
    """Until the server has deleted what is due."""
    over = threading.Event()
    for _ in range(1000):
        if not set(world.due) & world.rows().keys() and not world.kept():
            return
        over.wait(0.02)  # for another process
    raise AssertionError("the keys that are due are not deleted")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    def then() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=DAYS)

    def signs(remove_tzinfo: bool = True) -> datetime.datetime:
        return then().replace(tzinfo=None) if remove_tzinfo else then()

    folder = tmp_path_factory.mktemp("deletion") / "template"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", signs)
        made = World(folder)
    rows = made.before[made.due[0]]
    assert rows == {
        "kms_key": 1,
        "kms_material": 3,
        "kms_alias": 1,
        "kms_tag": 1,
        "kms_grant": 1,
        "kms_last_use": 1,
    }
    return made


@pytest.mark.timeout(120)
def test_killed_at_a_statement_at_the_record_and_at_the_commit(template: World, tmp_path: Path) -> None:
    world = template.copied(tmp_path / "world")
    last = DUE * 6
    for place, gone in (
        ("statement:1", 0),
        (f"statement:{last // 2}", 0),
        *(((f"statement:{last}", 0),) if LONG else ()),
        ("commit", DUE),
        ("record", DUE),
    ):
        assert how_it_ends(world.server(DIES_AT=place)) == -9, place
        assert world.check() == gone, place
    assert set(world.deletions().values()) == set(world.kept().values()) == {1}
    world.end()
    assert set(world.deletions().values()) == {2}, "one for the death between the record and its being noted"


@pytest.mark.skipif(not KILLS, reason="the long form: scripts/faults")
@pytest.mark.timeout(30 * max(KILLS, 1))
def test_killed_at_any_moment(template: World, tmp_path: Path) -> None:
    chance, over = random.Random(20261125), threading.Event()
    found: Counter[str] = Counter()
    for number in range(KILLS):
        world = template.copied(tmp_path / f"world-{number}")
        server = world.server().start()
        over.wait(chance.uniform(0, 0.6))
        server.kill()
        gone = world.check()
        found["whole" if not gone else "gone"] += 1
        assert gone in (0, len(world.due))
        if number % 10 == 0:
            world.end()
        shutil.rmtree(world.folder)
    print(f"{KILLS} kills while {DUE} keys were deleted: {dict(found)}")
