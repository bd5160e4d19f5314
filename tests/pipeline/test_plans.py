"""No statement of any operation reads a whole table or a whole index, on either database.

Every operation of the matrix is called, and each statement that this sends is explained by the database: a step
that narrows nothing down fails, or narrows it to an account where that is not the question (the counts behind
quotas). A new operation is covered as soon as the matrix has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from sqlalchemy import event
from test_matrix import CALLS, Scene

from bailiwick.store import Store
from world import World

# Lists in their second page and with every filter, beyond the plain calls of the matrix.
MORE: list[tuple[str, str, dict[str, Any]]] = [
    ("iam", "ListPolicies", {"OnlyAttached": True}),
    ("iam", "ListPolicies", {"PolicyUsageFilter": "PermissionsPolicy", "Scope": "Local"}),
    ("iam", "ListPolicies", {"PolicyUsageFilter": "PermissionsBoundary", "PathPrefix": "/a/"}),
    ("iam", "ListEntitiesForPolicy", {"PolicyArn": "POLICY"}),
    ("iam", "ListEntitiesForPolicy", {"PolicyArn": "POLICY", "PolicyUsageFilter": "PermissionsBoundary"}),
    ("iam", "ListEntitiesForPolicy", {"PolicyArn": "POLICY", "EntityFilter": "User", "PathPrefix": "/a/"}),
    ("iam", "ListUsers", {"PathPrefix": "/a/", "MaxItems": 1}),
    ("iam", "ListRoles", {"PathPrefix": "/a/", "MaxItems": 1}),
    ("kms", "ListAliases", {"KeyId": "KEY"}),
    ("kms", "ListAliases", {"Limit": 1}),
    ("kms", "ListKeys", {"Limit": 1}),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "sqlite":
        made = Store.in_memory()
    else:
        made = Store(request.getfixturevalue("postgres_server").new_database())
    with closing(made):
        yield made


def test_no_statement_reads_a_whole_table(store: Store) -> None:
    engine = store._backend.engine
    sent: dict[str, Any] = {}

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and "pg_" not in statement:
            sent.setdefault(statement, parameters[0] if many else parameters)

    event.listen(engine, "before_cursor_execute", note)
    call_everything(store)
    event.remove(engine, "before_cursor_execute", note)
    assert len(sent) > 80, "the operations have sent what they send"
    explain = _postgresql if engine.dialect.name == "postgresql" else _sqlite
    with engine.connect().execution_options(bailiwick_write=False) as connection:
        whole = [
            f"{step}: {statement}"
            for statement, parameters in sent.items()
            for step in explain(connection, statement, parameters)
            if not any(f" {table}" in step for table in SMALL)
        ]
    assert whole == [], "\n".join(whole)


def call_everything(store: Store) -> None:
    scene = Scene(World(store=store))
    last = sorted(set(CALLS) - {REPORT}, key=lambda name: ("Delete" in name or "Remove" in name, name))
    for name in last:
        scene.error(name, "admin")
        store.cache.clear()
    stand_ins = {"KEY": scene.key, "POLICY": "arn:aws:iam::aws:policy/AdministratorAccess"}
    for service, operation, given in MORE:
        parameters = {k: stand_ins.get(v, v) if isinstance(v, str) else v for k, v in given.items()}
        try:
            getattr(scene.world.client(service), xform_name(operation))(**parameters)
        except ClientError as error:
            raise AssertionError(f"{operation}: {error}") from error
    scene.world.directory.usage.flush(store)


# Reads an account by its nature, when it is asked to, and keeps what it found.
REPORT = "iam:GenerateCredentialReport"
# A handful of rows in all, or for each account.
SMALL = ("sts_outbound_key", "iam_account_alias", "org_handshake", "iam_oidc_provider")
_GIVEN = ("SCAN CONSTANT ROW", "SCAN anon_", "SCAN (subquery")


def _sqlite(connection: Any, statement: str, parameters: Any) -> Iterator[str]:
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        # What a subquery gave is read whole; the steps of the subquery itself are told as well.
        whole = row.detail.startswith("SCAN") and not row.detail.startswith(_GIVEN)
        is_count = statement.startswith("SELECT count(*)")
        of_account = row.detail.endswith("(account=?)") and " AND " in statement and not is_count
        if whole or of_account:
            yield row.detail


def _postgresql(connection: Any, statement: str, parameters: Any) -> Iterator[str]:
    # The tables are tiny: without this a good plan is to read them whole.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    ((found,),) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).all()
    yield from _steps(found[0]["Plan"])


def _steps(node: dict[str, Any]) -> Iterator[str]:
    kind = node["Node Type"]
    if kind == "Seq Scan" or ("Index" in kind and "Index Cond" not in node):
        yield f"{kind} on {node.get('Relation Name')} {node.get('Index Name', '')}"
    for below in node.get("Plans", ()):
        yield from _steps(below)
