"""A server on a disk that fills up, cannot be written or rots: clear refusals, nothing lost, and doctor names it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from clients_support import ServerProcess, clean_environment, keys_of

pytestmark = [pytest.mark.clients, pytest.mark.slow]


WRITES = 200 if os.environ.get("FAULTS_LONG") else 15


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def doctor(data: Path) -> str:
    command = [sys.executable, "-m", "bailiwick", "doctor", "--data", str(data)]
    nowhere = clean_environment(BAILIWICK_PORT="1", COLUMNS="400")
    done = subprocess.run(command, capture_output=True, text=True, env=nowhere)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[int, str, str | None]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    metadata = caught.value.response["ResponseMetadata"]
    code = caught.value.response["Error"]["Code"]
    return metadata["HTTPStatusCode"], code, metadata["HTTPHeaders"].get("retry-after")


def test_a_full_disk_refuses_writes_clearly_and_the_server_goes_on_when_there_is_room(disk: Path) -> None:
    server = ServerProcess(disk / "data").start()
    try:
        iam, acknowledged, told = server.client("iam"), [], None
        with (disk / "filler").open("wb", buffering=0) as filler:
            space = os.statvfs(disk)
            filler.write(b"x" * (space.f_bavail * space.f_bsize - 300_000))
        for number in range(400):
            try:
                iam.create_role(RoleName=f"r{number}", Description="d" * 900, AssumeRolePolicyDocument=TRUST)
            except ClientError as error:
                headers = error.response["ResponseMetadata"]["HTTPHeaders"]
                told = (error.response["Error"]["Code"], headers.get("retry-after"))
                break
            acknowledged.append(f"r{number}")
        assert told == ("ServiceUnavailable", "1")
        assert acknowledged
        assert server.client("sts").get_caller_identity()["Arn"].endswith(":root"), "reading goes on"
        assert "make room" in doctor(disk / "data")
        assert "the disk is full; make room" in (disk / "server.log").read_text() or log_is_full(disk)
        (disk / "filler").unlink()
        until(lambda: iam.create_user(UserName="after"))
        assert roles(iam) == set(acknowledged)
        server.kill()
        server.start()
        assert roles(server.client("iam")) == set(acknowledged)
    finally:
        server.kill()


TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)


def log_is_full(disk: Path) -> bool:
    """The log lies on the same disk, so that it may have had no room either."""
    return b"the disk is full" not in (disk / "server.log").read_bytes()


def roles(iam: Any) -> set[str]:
    pages = iam.get_paginator("list_roles").paginate()
    return {role["RoleName"] for page in pages for role in page["Roles"]}


def until(call: Callable[[], Any]) -> None:
    """Call again, as an SDK would, until it succeeds."""
    end = time.monotonic() + 10
    while True:
        try:
            call()
            return
        except ClientError:
            assert time.monotonic() < end


def test_a_data_folder_that_cannot_be_written_is_said_at_the_start_and_by_doctor(
    disk: Path, tmp_path: Path
) -> None:
    server = ServerProcess(disk / "data", arguments=("--audit-first",)).start()
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    secret = tmp_path / "secret"
    secret.write_bytes(server.client("kms").encrypt(KeyId=key, Plaintext=b"disaster")["CiphertextBlob"])
    server.kill()  # so that what is newest is in the log beside the database
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    root = (disk / "data" / "root-credentials").read_text().partition("aws_access_key_id = ")[2].split()[0]
    for arguments, told in (
        (("kms", "decrypt-offline", str(secret)), "disaster"),
        (("audit", "verify"), "The trail is as it was written."),
        (("trace", root), "active, of the root user"),
    ):
        command = [sys.executable, "-m", "bailiwick", *arguments, "--data", str(disk / "data")]
        assert told in subprocess.run(command, stdout=subprocess.PIPE, text=True, env=clean_environment()).stdout
    command = [sys.executable, "-m", "bailiwick", "serve", "--data", str(disk / "data"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Read-only file system" in done.stderr
    assert str(disk) in done.stderr
    assert "cannot be written: its file system is mounted read-only" in doctor(disk / "data")
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    server.start()
    assert server.stop() == 0


def test_a_damaged_page_is_refused_and_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start()
    iam = server.client("iam")
    for number in range(25):
        iam.create_role(RoleName=f"r{number}", Description="d" * 900, AssumeRolePolicyDocument=TRUST)
    assert server.stop() == 0
    database = tmp_path / "data" / "bailiwick.db"
    whole = bytearray(database.read_bytes())
    page = whole.index(b"d" * 900) // 4096 * 4096
    whole[page : page + 4096] = bytes(4096)
    database.write_bytes(whole)

    server.start()
    try:
        assert server.client("sts").get_caller_identity()["Arn"].endswith(":root")
        status, code, _ = refused(server.client("iam").list_roles)
        assert (status, code) == (503, "ServiceUnavailable")
        assert "the database is damaged; stop the server" in (tmp_path / "server.log").read_text()
    finally:
        assert server.stop() == 0
    told = doctor(tmp_path / "data")
    assert "damaged" in told
    assert "restore a backup" in told


def test_two_workers_under_heavy_writing_refuse_nobody(tmp_path: Path) -> None:
    """Writers of two processes take turns; a policy that one changes is obeyed by both at the next request."""
    server = ServerProcess(tmp_path / "data", workers=2).start()
    failures: list[str] = []

    def write(name: str) -> None:
        iam = server.client("iam")
        for number in range(WRITES):
            try:
                iam.create_user(UserName=f"{name}-{number}")
            except ClientError as error:
                failures.append(str(error))

    try:
        threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        iam = server.client("iam")
        iam.create_user(UserName="u")
        key = keys_of(iam, "u")
        clients = [server.client("sts", key) for _ in range(6)]  # connections to both workers
        while any(thread.is_alive() for thread in threads):
            for status in ("Inactive", "Active"):
                iam.update_access_key(UserName="u", AccessKeyId=key["aws_access_key_id"], Status=status)
                for client in clients:
                    assert accepted(client) == (status == "Active"), "obeyed at once"
        for thread in threads:
            thread.join()
        assert failures == []
        pages = iam.get_paginator("list_users").paginate()
        assert sum(len(page["Users"]) for page in pages) == 6 * WRITES + 1
        assert (tmp_path / "data" / "bailiwick.db-wal").stat().st_size < 40 << 20
    finally:
        assert server.stop() == 0


def accepted(client: Any) -> bool:
    try:
        client.get_caller_identity()
    except ClientError as error:
        return error.response["Error"]["Code"] != "InvalidClientTokenId"
    return True
