"""What services do by themselves, and which of them are loaded for it."""

from __future__ import annotations

import pytest

from bailiwick import services
from bailiwick.store.schema import metadata
from world import World


def test_exactly_the_services_with_chores_say_where_their_work_is() -> None:
    assert set(services._SWEPT) == {service.name for service in services.ALL if service.chores}
    assert {name for names in services._SWEPT.values() for name in names} <= set(metadata.tables)


@pytest.mark.parametrize("name", services._SWEPT)
def test_what_a_chore_changes_first_is_a_table_that_is_looked_at(name: str) -> None:
    world, seen = World(), set[str]()
    for chore in services.load(name).chores:
        with world.store.transaction(write=True) as transaction:
            run, read = transaction.run, transaction.all

            def noted(statement, *rest, do=run):  # type: ignore[no-untyped-def]
                seen.add(statement.table.name)
                return do(statement, *rest)

            def looked(statement, *rest, do=read):  # type: ignore[no-untyped-def]
                seen.update(each.name for each in statement.get_final_froms())
                return do(statement, *rest)

            transaction.run, transaction.all = noted, looked  # type: ignore[method-assign]
            chore(transaction, world.environment, world.now())
    assert seen <= {*services._SWEPT[name], *(("kms_material",) if name == "kms" else ())}  # material is of a key


def test_a_service_with_nothing_to_do_is_not_asked() -> None:
    world = World()
    with world.store.transaction() as transaction:
        assert services.chores(transaction) == ()
    world.client("kms").create_key()
    with world.store.transaction() as transaction:
        assert services.chores(transaction) == tuple(services.load("kms").chores)
