"""`bailiwick instance`: tokens that are shown once, authorities, and what ends at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from bailiwick.app import home
from bailiwick.app.cli import app
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.directory import instances, join_lists, joining
from bailiwick.directory.instances import Instance
from bailiwick.directory.role_tables import instance_profile
from bailiwick.store import Store
from join_authority import JoinAuthority

Run = Callable[..., Result]
HOST = "i-0123456789abcdef0"


@pytest.fixture
def account(tmp_path: Path) -> str:
    """The account of a deployment that has a host and two profiles."""
    number = home.open_home(tmp_path, Settings(data=tmp_path), {}).deployment.account_id
    with closing(Store(tmp_path)) as store, store.transaction(write=True) as transaction:
        for name in ("web", "batch"):
            row = {
                "id": f"AIPA{name}",
                "account": number,
                "name": name,
                "folded": name,
                "path": "/",
                "created": 1.0,
            }
            transaction.run(instance_profile.insert().values(**row))
        made = Instance(
            id=HOST,
            account=number,
            region="us-east-1",
            zone="us-east-1a",
            launched=1.0,
            seen=1.0,
            public_key="",
            address="10.0.0.7",
        )
        instances.create(transaction, made, {})
    return number


@pytest.fixture
def run(account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("BAILIWICK_DATA", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, ["instance", *arguments])


def ended(tmp_path: Path) -> tuple[str, int]:
    with closing(Store(tmp_path)) as store, store.transaction() as transaction:
        found = instances.find(transaction, HOST)
        assert found is not None
        return found.state, found.refused_until


def test_the_life_of_a_token(run: Run, tmp_path: Path, account: str) -> None:
    data = tmp_path / "user-data"
    data.write_text("#!/bin/sh")
    more = ("--tag", "team=a", "--further", "batch", "--user-data", str(data), "--vpc", "vpc-1")
    made = run("join-token", "create", "--profile", "web", "--expires", "30m", *more)
    assert made.exit_code == 0, made.output
    token = made.output.strip()
    with closing(Store(tmp_path)) as store, store.transaction() as transaction:
        admitted = joining.token(transaction, token, 0.0)
        assert admitted is not None
        assert admitted.grants == joining.Grants(
            *("us-east-1", "us-east-1a", "web", ("batch",), {"team": "a"}, "vpc-1", "IyEvYmluL3No")
        )
    listed = run("join-token", "list").output
    assert account in listed
    assert token not in listed
    assert run("join-token", "revoke", listed.split()[0]).exit_code == 0
    assert run("join-token", "list").output == ""
    assert "no token" in str(run("join-token", "revoke", "0" * 12).exception)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--expires", "8d"), "60s to 7d"),
        (("--expires", "soon"), "60s to 7d"),
        (("--tag", "x"), "KEY=VALUE"),
        (("--tag", "aws:x=y"), "KEY=VALUE"),
        (("--profile", "none"), "there is no instance profile none"),
        (("--account-id", "000000000000"), "there is no account"),
        (("--region", "X"), "small letters"),
    ],
)
def test_tokens_that_are_not_made(run: Run, arguments: tuple[str, ...], text: str) -> None:
    result = run("join-token", "create", *arguments)
    assert isinstance(result.exception, (SettingsError, home.HomeError)), result.output
    assert text in str(result.exception)
    assert run("join-token", "list").output == ""


def test_profiles_of_a_host(run: Run, tmp_path: Path) -> None:
    assert run("associate", HOST, "web").exit_code == 0
    assert run("associate", HOST, "batch", "--further").exit_code == 0
    assert f"{HOST}  running  us-east-1  10.0.0.7  -  web  " in run("list").output
    assert run("associate", HOST, "batch").exit_code == 0  # in place of the first, and no further one any more
    assert "  batch  " in run("list").output
    assert "no instance profile x" in str(run("associate", HOST, "x").exception)
    assert run("disassociate", HOST).exit_code == 0
    assert ended(tmp_path) == ("running", 0)
    assert "no such profile" in str(run("disassociate", HOST, "--revoke").exception)
    run("associate", HOST, "web")
    assert run("disassociate", HOST, "web", "--revoke").exit_code == 0
    assert ended(tmp_path)[1] > 0


def test_what_ends_at_once(run: Run, tmp_path: Path) -> None:
    assert run("revoke-credentials", HOST).exit_code == 0
    state, until = ended(tmp_path)
    assert (state, until > 0) == ("running", True)
    assert run("revoke", HOST).exit_code == 0
    assert ended(tmp_path)[0] == "terminated"
    for arguments in (("revoke", HOST), ("associate", HOST, "web"), ("revoke", "i-0")):
        assert "there is no host" in str(run(*arguments).exception)


def test_authorities_and_the_certificate(run: Run, tmp_path: Path, account: str) -> None:
    pem = run("certificate").output
    assert pem == run("certificate").output
    assert x509.load_pem_x509_certificate(pem.encode()).subject
    file = tmp_path / "ca.pem"
    file.write_text(pem)
    assert account in run("authority", "add", "company", str(file), "--profile", "web").output
    assert "already" in str(run("authority", "add", "company", str(file)).exception)
    assert run("authority", "list").output.startswith(f"company  {account}  web  20")
    assert run("authority", "remove", "company").exit_code == 0
    assert "there is no authority" in str(run("authority", "remove", "company").exception)
    file.write_text("x")
    assert "no certificate in PEM" in str(run("authority", "add", "company", str(file)).exception)
    assert "no name" in str(run("authority", "add", "a/b", str(file)).exception)


def test_lists_of_what_an_authority_revoked(run: Run, tmp_path: Path, account: str) -> None:
    now = time.time()
    ca = JoinAuthority(now)
    below = JoinAuthority(now, "Issuing CA", ca)
    (tmp_path / "ca.pem").write_text(ca.pem)
    (tmp_path / "below.pem").write_text(below.pem)
    run("authority", "add", "company", str(tmp_path / "ca.pem"))
    gone = [ca.issue(ec.generate_private_key(ec.SECP256R1()), f"host-{number}") for number in range(2)]
    with closing(Store(tmp_path)) as store, store.transaction(write=True) as transaction:
        first = instances.find(transaction, HOST)
        assert first is not None
        other = msgspec.structs.replace(first, id=HOST[:-1] + "1")
        instances.create(transaction, other, {})
        for number, each in enumerate((HOST, other.id)):
            held = join_lists.issued("company", gone[number])
            join_lists.remember(transaction, each, msgspec.structs.replace(held, is_key=each == HOST))
    file = tmp_path / "list.crl"
    file.write_bytes(ca.revoking(*gone))
    told = run("authority", "crl", "add", "company", str(file)).output.splitlines()
    assert "number 1  of " in told[0]
    assert "2 revoked" in told[0]
    assert told[1] == f"{HOST} is terminated: its key is that of a revoked certificate"
    assert told[2].endswith(f"bailiwick instance revoke {other.id}")
    assert ended(tmp_path)[0] == "terminated"
    assert run("authority", "crl", "list", "company").output.splitlines() == told[:1]
    again = run("authority", "crl", "add", "company", str(file)).output.splitlines()
    assert again == [told[0], told[2]]  # who was terminated is told once
    file.write_bytes(x509.load_der_x509_crl(below.revoking()).public_bytes(Encoding.PEM))
    assert "did not sign" in str(run("authority", "crl", "add", "company", str(file)).exception)
    added = ("authority", "crl", "add", "company", str(file), "--issuer", str(tmp_path / "below.pem"))
    assert run(*added).exit_code == 0
    assert len(run("authority", "crl", "list", "company").output.splitlines()) == 2
    for arguments, why in (
        (("add", "nobody", str(file)), "there is no authority"),
        (("add", "company", str(file), "--issuer", str(file)), "no certificate in PEM"),
        (("list", "nobody"), "there is no authority"),
        (("remove", "company", "a"), "at least 8 digits"),
        (("remove", "company", "0" * 12), "has no list"),
    ):
        assert why in str(run("authority", "crl", *arguments).exception)
    assert run("authority", "crl", "remove", "company", told[0][:12]).output == "removed\n"
