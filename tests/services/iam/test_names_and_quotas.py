"""Properties of names, paths, quotas and markers; and two processes that want the same name at once."""

from __future__ import annotations

import os
import string
import threading
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from services_support import refusal

from bailiwick.directory import access_keys, accounts, quotas
from bailiwick.directory.snapshot import Directory
from bailiwick.pipeline import Pipeline
from bailiwick.services import ALL
from bailiwick.store import Store
from world import ACCOUNT, World

LETTERS = string.ascii_letters + string.digits + "_+=,.@-"
NAMES = st.text(LETTERS, min_size=1, max_size=64)
PATHS = st.lists(st.text(LETTERS, min_size=1, max_size=8), max_size=3).map(
    lambda parts: "/" + "".join(f"{part}/" for part in parts)
)
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
KINDS: dict[str, dict[str, str]] = {
    "User": {},
    "Group": {},
    "Role": {"AssumeRolePolicyDocument": TRUST},
    "Policy": {"PolicyDocument": DOCUMENT},
    "InstanceProfile": {},
}
LISTS = {
    "User": ("list_users", "Users"),
    "Group": ("list_groups", "Groups"),
    "Role": ("list_roles", "Roles"),
    "InstanceProfile": ("list_instance_profiles", "InstanceProfiles"),
    "Policy": ("list_policies", "Policies"),
}
TAKEN: set[tuple[str, str]] = set()  # by earlier examples
SNAKE = {kind: {"InstanceProfile": "instance_profile"}.get(kind, kind.lower()) for kind in KINDS}


def create(iam: Any, kind: str, name: str, **more: str) -> dict[str, Any]:
    made = getattr(iam, f"create_{SNAKE[kind]}")(**{f"{kind}Name": name}, **KINDS[kind], **more)
    return made[kind]  # type: ignore[no-any-return]


def remove(iam: Any, kind: str, name: str) -> None:
    getattr(iam, f"delete_{SNAKE[kind]}")(**{"PolicyArn" if kind == "Policy" else f"{kind}Name": name})


@cache
def iam_of(world: World) -> Any:
    return world.client("iam")  # which takes boto3 a while


@pytest.fixture(scope="module")
def town() -> World:
    return World()


@pytest.fixture(scope="module")
def crowd() -> Any:
    """An account that the properties fill: every quota is out of the way."""
    world = World()
    with world.store.transaction(write=True) as transaction:
        for name in quotas.DEFAULTS:
            quotas.put(transaction, name, 100_000)
    return world.client("iam")


@settings(max_examples=40)
@given(kind=st.sampled_from(sorted(KINDS)), name=NAMES, path=PATHS)
def test_a_name_is_taken_in_every_letter_case(crowd: Any, kind: str, name: str, path: str) -> None:
    folded = (kind, name.lower())
    assume(folded not in TAKEN)
    TAKEN.add(folded)
    made = create(crowd, kind, name, Path=path)
    assert (made[f"{kind}Name"], made["Path"]) == (name, path)
    shown = {"InstanceProfile": "instance-profile"}.get(kind, kind.lower())
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:{shown}{path}{name}"
    for other in {name.upper(), name.lower(), name.swapcase()}:
        told = refusal(getattr(crowd, f"create_{SNAKE[kind]}"), **{f"{kind}Name": other}, **KINDS[kind])
        assert told[0] == "EntityAlreadyExists"


@settings(max_examples=40)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    name=st.text(min_size=1, max_size=70).filter(lambda name: not set(name) <= set(LETTERS) or len(name) > 128),
)
def test_other_names_are_refused(crowd: Any, kind: str, name: str) -> None:
    told = refusal(getattr(crowd, f"create_{SNAKE[kind]}"), **{f"{kind}Name": name}, **KINDS[kind])
    assert told[0] in ("ValidationError", "InvalidClientTokenId", "SignatureDoesNotMatch", "MalformedInput")


@settings(max_examples=30)
@given(kind=st.sampled_from(sorted(KINDS)), prefix=PATHS, size=st.integers(1, 7))
def test_pages_of_any_size_under_any_path_make_the_whole_list(
    crowd: Any, kind: str, prefix: str, size: int
) -> None:
    operation, member = LISTS[kind]
    local = {"Scope": "Local"} if kind == "Policy" else {}

    def listed(**paging: Any) -> list[dict[str, Any]]:
        pages = crowd.get_paginator(operation).paginate(**local, **paging)
        return [each for page in pages for each in page[member]]

    whole = listed()
    under = listed(PathPrefix=prefix, PaginationConfig={"PageSize": size})
    assert [each["Arn"] for each in under] == [each["Arn"] for each in whole if each["Path"].startswith(prefix)]


@settings(max_examples=30)
@given(marker=st.text(string.ascii_letters + string.digits + "+/=-_", min_size=1, max_size=320))
def test_a_marker_that_was_not_given_out_is_none(crowd: Any, marker: str) -> None:
    for operation, _ in LISTS.values():
        assert refusal(getattr(crowd, operation), Marker=marker) == ("ValidationError", "Invalid Marker.")


@settings(max_examples=25)
@given(kind=st.sampled_from(sorted(KINDS)), allowed=st.integers(0, 4), steps=st.lists(st.booleans(), max_size=10))
def test_a_quota_is_exactly_that_many_at_any_time(town: World, kind: str, allowed: int, steps: list[bool]) -> None:
    iam, quota = iam_of(town), f"{kind}sPerAccount".replace("ys", "ies")
    with town.store.transaction(write=True) as transaction:
        quotas.put(transaction, quota, allowed, ACCOUNT)
    there: list[str] = []
    for number, creates in enumerate(steps):
        if creates and len(there) < allowed:
            made = create(iam, kind, f"n{number}")
            there.append(made["Arn"] if kind == "Policy" else f"n{number}")
        elif creates:
            told = refusal(getattr(iam, f"create_{SNAKE[kind]}"), **{f"{kind}Name": "more"}, **KINDS[kind])
            assert told == ("LimitExceeded", f"Cannot exceed quota for {quota}: {allowed}")
        elif there:
            remove(iam, kind, there.pop())
    for name in there:
        remove(iam, kind, name)


def two_processes(place: Path | str) -> tuple[list[Store], list[Any]]:
    """Two stores on one database, each with its own memory and connections, as two processes have them."""
    first = World()
    environment, stores = first.environment, [Store(place), Store(place)]
    with stores[0].transaction(write=True) as transaction:
        accounts.create(transaction, ACCOUNT, "account", first.now())
        key, secret = access_keys.create(transaction, environment, ACCOUNT, ACCOUNT, first.now())
    clients = []
    for store in stores:
        world = World()
        directory = Directory(store, environment)
        world.pipeline = Pipeline(ALL, environment, store, directory, world.events.append)
        clients.append(world.client("iam", {"aws_access_key_id": key, "aws_secret_access_key": secret}))
    return stores, clients


def at_once(*calls: Callable[[], Any]) -> list[str]:
    """What comes of calls that begin at the same time: `made`, or the code of the error."""
    gate, results = threading.Barrier(len(calls)), list[str]()

    def race(call: Callable[[], Any]) -> None:
        gate.wait()
        try:
            call()
            results.append("made")
        except ClientError as error:
            results.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=race, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_of_two_processes_that_want_a_name_at_once_one_gets_it(tmp_path: Path, kind: str) -> None:
    stores, clients = two_processes(tmp_path)
    for number in range(3):
        names = zip(clients, (f"name{number}", f"NAME{number}"), strict=True)
        calls = [partial(create, iam, kind, name) for iam, name in names]
        assert at_once(*calls) == ["EntityAlreadyExists", "made"]
    for store in stores:
        store.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_two_processes_that_want_the_last_place_at_once_one_gets_it(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    place: Any = tmp_path if database == "sqlite" else request.getfixturevalue("postgres_server").new_database()
    stores, clients = two_processes(place)
    for number in range(3):
        user = {"UserName": f"u{number}"}
        clients[0].create_user(**user)
        clients[0].create_access_key(**user)
        assert at_once(*(partial(iam.create_access_key, **user) for iam in clients)) == ["LimitExceeded", "made"]
    for store in stores:
        store.close()


def test_an_id_that_is_taken_is_not_given_again(town: World) -> None:
    """Ids have 39 random bits, and chance repeats itself: another is drawn."""
    draws = iter([b"\1" * 16, b"\1" * 16, b"\2" * 16])
    environment = msgspec.structs.replace(
        town.environment, entropy=lambda size: next(draws) if size == 16 else os.urandom(size)
    )
    with town.store.transaction(write=True) as transaction:
        made = [access_keys.create(transaction, environment, ACCOUNT, ACCOUNT, town.now())[0] for _ in range(2)]
    assert len(set(made)) == 2
    assert next(draws, None) is None
