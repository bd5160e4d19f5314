"""What a host asks costs the server the same, however many hosts there are: the same few reads, each by an index.

scripts/hosts measures it with ten thousand hosts and a real server.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from bailiwick.directory import instances
from bailiwick.directory.instances import Instance
from hosts_support import FakeHost, joined, role_in_profile
from world import ACCOUNT, REGION, World

OPERATIONS = ("GetInstance", "GetInstanceCredentials", "GetInstanceDocument")


class Sent(list[tuple[str, Any]]):
    """The statements that were sent, with their parameters."""

    def __init__(self, world: World) -> None:
        super().__init__()
        event.listen(world.store._backend.engine, "before_cursor_execute", self._note)

    def _note(self, _c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        self.append((statement, parameters[0] if many else parameters))


@pytest.fixture
def world() -> World:
    made = World()
    role_in_profile(made)
    return made


def crowd(world: World, number: int) -> None:
    """So many further hosts."""
    with world.store.transaction(write=True) as transaction:
        for each in range(number):
            made = Instance(
                id=f"i-{each:017x}",
                account=ACCOUNT,
                region=REGION,
                zone=f"{REGION}a",
                launched=1.0,
                seen=1.0,
                public_key="",
                address="10.0.0.8",
            )
            instances.create(transaction, made, {"number": str(each)})


def asked(host: FakeHost, sent: Sent) -> list[int]:
    """How many statements each operation sends, once everything is warm."""
    counts = []
    for operation in OPERATIONS:
        host.ask(operation)
        sent.clear()
        host.ask(operation)
        counts.append(len(sent))
    return counts


def test_a_request_costs_the_same_among_many_hosts(world: World) -> None:
    host, sent = joined(world, profile="web"), Sent(world)
    among_few = asked(host, sent)
    crowd(world, 1000)
    assert asked(host, sent) == among_few
    assert max(among_few) <= 20


def test_no_statement_for_a_host_reads_a_whole_table(world: World) -> None:
    sent = Sent(world)
    host = joined(world, profile="web", further=("web",), tags={"a": "b"})
    for operation in OPERATIONS:
        host.ask(operation)
    ec2 = world.client("ec2")
    ec2.describe_instances(Filters=[{"Name": "tag:a", "Values": ["b"]}])
    ec2.describe_tags()
    ec2.describe_iam_instance_profile_associations()
    ec2.terminate_instances(InstanceIds=[host.id])
    kinds = ("SELECT", "UPDATE", "DELETE")
    statements = {
        statement: given for statement, given in sent if statement.startswith(kinds) and "ec2_" in statement
    }
    assert len(statements) > 10
    with world.store._backend.engine.connect() as connection:
        for statement, given in statements.items():
            if "document_key" in statement:  # of which there is one
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
            assert [step[3] for step in plan if step[3].startswith("SCAN")] == [], statement
