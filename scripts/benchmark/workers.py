"""Two workers on one data folder while a third process changes policies ten times a second."""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmark.calls import Credentials, identity, request_of, signed
from benchmark.load import load
from benchmark.report import Report
from benchmark.servers import Running, bailiwick, client, furnished, root_of

_PAUSE = 0.1
_COLUMNS = ("workers", "CPU us/request", "requests/s", "p50 ms", "p99 ms")


def workers(report: Report, seconds: float, connections: int, rounds: int) -> None:
    """One worker and two, taking turns, both under changes; every change must be obeyed at the next request."""
    with ExitStack() as stack:
        sides = []
        for count in (1, 2):
            data = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
            running = stack.enter_context(bailiwick(data, "--workers", str(count)))
            root = root_of(data)
            user, _ = furnished(running.host, root)
            changer = Changer(running, root)
            changer.start()
            stack.callback(changer.end)
            sides.append((count, running, identity(running.host, user), changer))
        found: dict[int, list[Any]] = {}
        for _ in range(rounds):
            for count, running, request, _ in sides:
                found.setdefault(count, []).append(load(running.host, request, running.pids, seconds, connections))
        changes = [changer.end() for *_, changer in sides]
    middle = {
        count: [statistics.median(column) for column in zip(*results, strict=True)]
        for count, results in found.items()
    }
    rows = [
        (str(count), f"{cpu:.1f}", f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}")
        for count, (_, rate, p50, p99, cpu) in middle.items()
    ]
    note = (
        f"GetCallerIdentity. Two workers cost {middle[2][4] / middle[1][4]:.2f} times the CPU of one. Meanwhile "
        f"{sum(changes)} changes of a policy were made, and each was obeyed by the next request on every worker."
    )
    report.part("workers", "Two workers on one data folder, under changes", _COLUMNS, rows, note)


class Changer(threading.Thread):
    """Allows and forbids a user of its own something, and asks at once on several connections if that is so."""

    def __init__(self, running: Running, root: Credentials) -> None:
        super().__init__(daemon=True)
        self._host = running.host
        self._iam = client("iam", running.host, root)
        self._iam.create_user(UserName="changing")
        made = self._iam.create_access_key(UserName="changing")["AccessKey"]
        self._user = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
        self._ended = threading.Event()
        self._changes = 0
        self._wrong: str | None = None

    def end(self) -> int:
        """How many changes there were. Raises SystemExit if one was not obeyed."""
        self._ended.set()
        if self.ident is not None:
            self.join()
        if self._wrong:
            raise SystemExit(self._wrong)
        return self._changes

    def run(self) -> None:
        # The kernel deals connections out to workers: among eight there is one of each, but for one time in 128.
        connections = [http.client.HTTPConnection(self._host) for _ in range(8)]
        while not self._ended.wait(_PAUSE) and self._wrong is None:
            allowed = self._changes % 2 == 0
            self._change("Allow" if allowed else "Deny")
            self._changes += 1
            for connection in connections:
                if (self._ask(connection) == 200) is not allowed:
                    self._wrong = f"change {self._changes} was not obeyed"
        for connection in connections:
            connection.close()

    def _change(self, effect: str) -> None:
        statement = {"Effect": effect, "Action": "kms:GenerateRandom", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_user_policy(UserName="changing", PolicyName="p", PolicyDocument=document)

    def _ask(self, connection: http.client.HTTPConnection) -> int:
        asked = request_of("kms", "GenerateRandom", {"NumberOfBytes": 8}, self._host)
        request = signed(asked, "kms", self._user)
        connection.request("POST", "/", request.body, dict(request.headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
