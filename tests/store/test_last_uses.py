"""When keys and actions were last used, as two processes write it: the later use stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from bailiwick.api import Caller
from bailiwick.core.policy.question import Principal, PrincipalKind
from bailiwick.directory import last_access, tables
from bailiwick.directory.usage import Usage
from bailiwick.services import ALL  # noqa: F401  (declares every table)
from bailiwick.store import Store
from bailiwick.store.schema import change

KEY = "AKIAIOSFODNN7EXAMPLE"
CALLER = Caller(
    Principal(PrincipalKind.USER, "aws", "123456789012", *["arn:aws:iam::123456789012:user/u"] * 2, "AIDAU"),
    user_id="AIDAU",
    access_key_id=KEY,
)


@pytest.fixture(params=["folder", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    here = tmp_path if request.param == "folder" else request.getfixturevalue("postgres_server").new_database()
    with closing(Store(here)) as made:
        row = {"id": KEY, "account": "123456789012", "owner_id": "AIDAU", "secret": b"", "status": "Active"}
        with made.transaction(write=True) as transaction:
            transaction.run(insert(tables.access_key), {**row, "created": 0.0})
        yield made


def told(store: Store) -> tuple[tuple[float, str, str], set[last_access.Use]]:
    """What is written of the key, and of the actions."""
    column = tables.access_key.c
    with store.transaction() as transaction:
        row = transaction.one(select(column.last_used, column.last_used_service, column.last_used_region))
        assert row is not None
        return (row[0], row[1], row[2]), set(last_access.of(transaction, ["AIDAU"]))


def test_the_later_use_stays_whoever_writes_first(store: Store) -> None:
    one, other = Usage(), Usage()
    one.note(CALLER, "kms", "Encrypt", "eu-west-1", 100.0)
    other.note(CALLER, "kms", "Decrypt", "us-east-1", 150.0)
    other.note(CALLER, "kms", "Encrypt", "us-east-1", 200.0)
    other.flush(store)
    one.flush(store)
    encrypt = last_access.Use("AIDAU", "kms", "Encrypt", 200.0, "us-east-1")
    decrypt = last_access.Use("AIDAU", "kms", "Decrypt", 150.0, "us-east-1")
    assert told(store) == ((200.0, "kms", "us-east-1"), {encrypt, decrypt})
    one.note(CALLER, "sts", "GetCallerIdentity", "eu-west-1", 300.0)
    one.note(CALLER, "kms", "Encrypt", "eu-west-1", 300.0)
    one.flush(store)
    key, actions = told(store)
    assert key == (300.0, "kms", "eu-west-1")
    assert {use for use in actions if use.time == 300.0} == {
        last_access.Use("AIDAU", "kms", "Encrypt", 300.0, "eu-west-1"),
        last_access.Use("AIDAU", "sts", "GetCallerIdentity", 300.0, "eu-west-1"),
    }


def test_what_is_in_use_is_not_written_every_time(store: Store) -> None:
    usage = Usage()
    written = []
    for second in range(130):
        usage.note(CALLER, "kms", "Encrypt", "us-east-1", float(second))
        usage.flush(store, float(second))
        written.append(told(store)[0][0])
    assert sorted(set(written)) == [0.0, 60.0, 120.0]
    usage.flush(store)
    assert told(store)[0][0] == 129.0
    with store.transaction() as transaction:
        assert transaction.all(select(change)) == []  # nobody's memory depends on it
