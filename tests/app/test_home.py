"""The data folder at its first start: whatever interrupts it, the next start has one whole deployment."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bailiwick.app import environment, home
from bailiwick.app.home import Deployment, HomeError, open_home, read_credentials
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.core.ids import account_of
from bailiwick.directory import access_keys
from bailiwick.store import Store, StoreError


def opened(folder: Path, **settings: str) -> home.Home:
    return open_home(folder, Settings(**settings), {})


def test_the_first_start_makes_a_deployment_and_the_second_finds_it(tmp_path: Path) -> None:
    first = opened(tmp_path / "d", account_id="123456789012", region="eu-central-1")
    assert (first.is_new, first.deployment) == (True, Deployment("123456789012", "eu-central-1", "aws"))
    key = read_credentials((tmp_path / "d" / "root-credentials").read_text(), "x")
    assert account_of(key.access_key_id) == "123456789012"
    second = opened(tmp_path / "d")
    assert (second.is_new, second.deployment, second.ring.primary) == (False, first.deployment, first.ring.primary)


@pytest.mark.parametrize("name", ["account_id", "region", "partition"])
def test_what_the_first_start_laid_down_does_not_change(tmp_path: Path, name: str) -> None:
    opened(tmp_path, account_id="123456789012")
    other = {"account_id": "210987654321", "region": "eu-north-1", "partition": "aws-cn"}[name]
    with pytest.raises(SettingsError, match=f"`{name}` is"):
        opened(tmp_path, **{name: other})


def test_the_first_account_has_a_random_id_of_twelve_digits() -> None:
    made = {home.new_account_id() for _ in range(50)}
    assert len(made) == 50
    assert all(len(number) == 12 and number.isdigit() and number[0] != "0" for number in made)


def test_a_first_start_that_was_cut_short_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "root-credentials")

    with monkeypatch.context() as patch:
        patch.setattr(home, "write_credentials", full)
        with pytest.raises(HomeError, match="No space left on device"):
            opened(tmp_path)
    found = opened(tmp_path)
    assert found.is_new
    key = read_credentials((tmp_path / "root-credentials").read_text(), "x")
    with closing(environment.on_folder(found, Settings())) as world:
        credential = world.directory.credential(key.access_key_id, None, world.environment.now())
        assert credential.secret == key.secret
        assert credential.caller.arn == f"arn:aws:iam::{found.deployment.account_id}:root"


def test_of_two_that_start_at_once_only_one_begins(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        homes = list(pool.map(lambda _: opened(tmp_path), range(4)))
    assert sorted(each.is_new for each in homes) == [False, False, False, True]
    assert len({(each.deployment.account_id, each.ring.primary) for each in homes}) == 1


def test_a_root_key_from_the_environment_leaves_no_file(tmp_path: Path) -> None:
    variables = {"BAILIWICK_ROOT_KEY": "A" * 43 + "="}
    assert open_home(tmp_path, Settings(), variables).is_new
    assert (variables, (tmp_path / "root.key").exists()) == ({}, False)
    with pytest.raises(RootKeyError, match="no root key"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot use the data folder"):
        opened(tmp_path / "file")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(HomeError, match="chmod 700"):
        opened(tmp_path / "open")
    (tmp_path / "damaged").mkdir(mode=0o700)
    (tmp_path / "damaged" / "bailiwick.db").write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match="not a database"):
        opened(tmp_path / "damaged")


def test_a_rotation_leaves_one_key(tmp_path: Path) -> None:
    found = opened(tmp_path, account_id="123456789012")
    world = found.deployment.environment(found.ring)
    store = Store(tmp_path)
    with closing(store), store.transaction(write=True) as transaction:
        access_keys.create(transaction, world, "123456789012", "123456789012", world.now())
        key, _ = home.rotate_root_key(transaction, world, "123456789012")
        ids = [row.id for row in transaction.all(home.select(home.tables.access_key.c.id))]
    assert ids == [key.access_key_id]


def test_a_config_that_is_right_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "aws-config"
    home.write_config(path, "us-east-1", "http://127.0.0.1:1")
    before = os.stat(path).st_ino
    home.write_config(path, "us-east-1", "http://127.0.0.1:1")
    assert os.stat(path).st_ino == before
    home.write_config(path, "us-east-1", "http://127.0.0.1:2")
    assert "127.0.0.1:2" in path.read_text()


def test_processes_of_a_deployment_count_failed_guesses_together(tmp_path: Path) -> None:
    found = opened(tmp_path)
    with closing(environment.on_folder(found, Settings())) as one:
        for _ in range(5):
            one.environment.attempts.failed("k", one.environment.now())
    with closing(environment.on_folder(found, Settings())) as later:
        deadline = time.monotonic() + 10
        while not later.environment.attempts.waits("k", later.environment.now()):
            assert time.monotonic() < deadline, "the count of the other process was not learned"
            time.sleep(0.01)  # for the thread that learns it
