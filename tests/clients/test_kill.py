"""What was acknowledged survives kill -9: a load of writes, a kill at a random moment, a start, and a count."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from clients_support import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ROUNDS = int(os.environ.get("FAULTS_KILLS") or 20)
WRITERS = 4


@pytest.mark.timeout(30 * ROUNDS)
def test_every_acknowledged_write_is_there_after_each_kill(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    acknowledged: list[str] = []
    chance = random.Random(20261124)
    for round_number in range(ROUNDS):
        server.start()
        enough = threading.Event()
        goal = len(acknowledged) + chance.randrange(5, 40)
        writers = [
            threading.Thread(target=_write, args=(server, f"r{round_number}w{n}", acknowledged, goal, enough))
            for n in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        assert enough.wait(60)
        server.kill()
        for writer in writers:
            writer.join(60)
    server.start()
    pages = server.client("iam").get_paginator("list_users").paginate()
    present = {user["UserName"] for page in pages for user in page["Users"]}
    assert set(acknowledged) - present == set()
    assert len(acknowledged) >= 5 * ROUNDS
    assert server.stop() == 0


def _write(server: ServerProcess, prefix: str, acknowledged: list[str], goal: int, enough: threading.Event) -> None:
    """Create users until the server dies under us; note each one whose creation was answered."""
    iam = server.client("iam")
    for number in range(10_000):
        name = f"{prefix}-{number}"
        try:
            iam.create_user(UserName=name)
        except (BotoCoreError, ClientError, ResponseParserError):  # the last: killed after the head of the answer
            return
        acknowledged.append(name)
        if len(acknowledged) >= goal:
            enough.set()
