"""A warm request reads nothing from the database of a data folder but whether anything was committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bailiwick.directory import accounts
from bailiwick.store import Store
from bailiwick.store.sqlite import Folder
from world import World


class Statements(list[str]):
    """Every statement that a store on a folder sends: by its transactions, and by its looks for changes."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        backend = store._backend
        assert isinstance(backend, Folder)
        event.listen(backend.engine, "before_cursor_execute", lambda *given: self.append(given[2]))
        backend._watch.set_trace_callback(self.append)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world on a data folder."""
    with closing(Store(tmp_path)) as store:
        yield World(store=store)


def test_a_warm_request_reads_nothing_but_whether_something_changed(world: World, tmp_path: Path) -> None:
    statements = Statements(world.store)
    iam, key = world.client("iam"), world.client("kms").create_key()["KeyMetadata"]["Arn"]
    iam.create_user(UserName="u")
    iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    of_user = world.keys_of("u")
    session = world.client("sts", of_user).get_session_token()["Credentials"]
    of_session = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    clients: list[tuple[Any, Any]] = [
        (world.client("sts", credentials), world.client("kms", credentials))
        for credentials in (of_user, of_session)
    ]

    def ask() -> list[str]:
        statements.clear()
        for sts, kms in clients:
            assert sts.get_caller_identity()["Arn"].endswith(":user/u")
            assert kms.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
        return list(statements)

    assert any(statement.startswith("SELECT kms_key") for statement in ask())  # cold: it is these that are seen
    assert [statement for statement in ask() if statement != "PRAGMA data_version"] == []

    with closing(Store(tmp_path)) as other, other.transaction(write=True) as transaction:
        accounts.create(transaction, "210987654321", "other", 0.0)
    assert {statement.partition(" ")[0] for statement in ask()} == {"PRAGMA", "SELECT"}  # the table of changes
    assert [statement for statement in ask() if statement != "PRAGMA data_version"] == []


def test_a_warm_assume_role_reads_and_writes_nothing_but_its_audit_record(world: World) -> None:
    trust = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}'
    )
    iam = world.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.create_user(UserName="u")
    iam.attach_user_policy(UserName="u", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    statements, sts = Statements(world.store), world.client("sts", world.keys_of("u"))

    def ask() -> list[str]:
        statements.clear()
        world.events.clear()
        assert sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]["SessionToken"]
        return [statement for statement in statements if statement != "PRAGMA data_version"]

    assert any(statement.startswith("SELECT") for statement in ask())  # cold: it is these that are seen
    assert ask() == []
    assert [event.route and event.route.operation.name for event in world.events] == ["AssumeRole"]
