"""A real OpenLDAP: people come in through it and use a key; wrong, unknown and injected names do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from bailiwick.core.errors import DirectoryUnavailable
from bailiwick.federation.ldap import Company, read
from ldap_fake import Authority
from ports import free_port
from slapd_server import GROUPS, PEOPLE, SUFFIX, SlapdServer, missing
from world import ACCOUNT, World

RULES = f"""
[[rule]]
group = "cn=admins,{GROUPS}"
roles = ["arn:aws:iam::{ACCOUNT}:role/admin"]
"""
SEARCH = f'base = "{PEOPLE}"\nfilter = "(&(objectClass=inetOrgPerson)(uid={{user}}))"'
MEMBER = f'base = "{GROUPS}"\nfilter = "(&(objectClass=groupOfNames)(member={{dn}}))"'


@pytest.fixture(scope="module")
def slapd() -> Iterator[SlapdServer]:
    why = missing()
    if why is not None:
        pytest.skip(why)
    server = SlapdServer()
    yield server
    server.close()


def directory(folder: Path, urls: list[str], server: str = "", user: str = SEARCH, group: str = MEMBER) -> Company:
    secret = folder / "password"
    secret.write_text("service secret\n")
    file = folder / "ldap.toml"
    file.write_text(
        f'name = "company"\n[server]\nurls = {json.dumps(urls)}\ntimeout = 5.0\n{server}\n'
        f'bind_dn = "cn=bailiwick,{SUFFIX}"\nbind_password_file = "password"\n'
        f"[user]\n{user}\n[group]\n{group}\n{RULES}"
    )
    return Company(read(file, Path.read_bytes))


def ways(slapd: SlapdServer) -> dict[str, tuple[list[str], str]]:
    trusted = f'ca_file = "{slapd.authority.file}"'
    return {
        "plain": ([f"ldap://127.0.0.1:{slapd.port}"], ""),
        "starttls": ([f"ldap://127.0.0.1:{slapd.port}"], f"start_tls = true\n{trusted}"),
        "ldaps": ([f"ldaps://127.0.0.1:{slapd.secure_port}"], trusted),
        "by name": ([f"ldaps://localhost:{slapd.secure_port}"], trusted),
    }


@pytest.mark.parametrize("way", ["plain", "starttls", "ldaps", "by name"])
@pytest.mark.parametrize("group", [MEMBER, 'attribute = "memberOf"'])
def test_alice(slapd: SlapdServer, tmp_path: Path, way: str, group: str) -> None:
    urls, tls = ways(slapd)[way]
    company = directory(tmp_path, urls, tls, group=group)
    found = company.identify("alice", "alice's password")
    assert found is not None
    assert (found.subject, found.name, found.mail) == (f"uid=alice,{PEOPLE}", "alice", "alice@example.org")
    # slapd's overlay writes memberOf only for groups that were made while it ran, and these were there before.
    assert sorted(found.groups) == ([f"cn=admins,{GROUPS}", f"cn=staff,{GROUPS}"] if group == MEMBER else [])
    company.close()


@pytest.mark.parametrize("user", [SEARCH, f'dn = "uid={{user}},{PEOPLE}"'])
def test_nobody_else(slapd: SlapdServer, tmp_path: Path, user: str) -> None:
    company = directory(tmp_path, *ways(slapd)["ldaps"], user=user, group="" if "dn =" in user else MEMBER)
    for name, password in (
        *(("alice", "wrong"), ("nobody", "alice's password"), ("alice", ""), ("*", "alice's password")),
        *(("al*", "alice's password"), ("alice)(objectClass=*", "alice's password"), ("bob", "alice's password")),
        *((f"alice,{PEOPLE}", "alice's password"), ("alice+cn=Alice", "x"), ("", ""), ("\\2a", "alice's password")),
    ):
        assert company.identify(name, password) is None, name
    found = company.identify("alice", "alice's password")
    assert found is not None
    odd = company.identify("o,(x)*", "odd")
    assert odd is not None
    assert odd.name == "o,(x)*"
    assert "dn =" in user or odd.groups == (f"cn=staff,{GROUPS}",)
    company.close()


@pytest.mark.parametrize("start", ["starttls", "ldaps"])
def test_a_wrong_certificate(slapd: SlapdServer, tmp_path: Path, start: str) -> None:
    other = Authority(tmp_path, "other")
    urls, tls = ways(slapd)[start]
    company = directory(tmp_path, urls, tls.replace(str(slapd.authority.file), str(other.file)))
    with pytest.raises(DirectoryUnavailable, match="certificate is refused"):
        company.identify("alice", "alice's password")
    company.close()


def test_a_server_that_is_down_and_comes_back(slapd: SlapdServer, tmp_path: Path) -> None:
    urls, tls = ways(slapd)["ldaps"]
    company = directory(tmp_path, [f"ldaps://127.0.0.1:{free_port()}", *urls], tls)
    assert company.identify("alice", "alice's password") is not None
    slapd.stop()
    slapd.start()
    assert company.identify("alice", "alice's password") is not None  # over new connections
    company.close()


def test_a_person_uses_a_key(slapd: SlapdServer, tmp_path: Path) -> None:
    company = directory(tmp_path, *ways(slapd)["ldaps"])
    world = World(people=company)
    iam, kms = world.client("iam"), world.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:ldap-provider/company"},
        "Action": "sts:AssumeRoleWithLDAPIdentity",
    }
    allow = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key}
    iam.create_role(
        RoleName="admin", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )
    iam.put_role_policy(
        RoleName="admin", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow})
    )
    sts = world.client("sts")
    answer = sts.assume_role_with_ldap_identity(LDAPUsername="alice", LDAPPassword="alice's password")[
        "Credentials"
    ]
    mine = {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }
    assert world.client("kms", mine).encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for name, password in (("alice", "wrong"), ("nobody", "alice's password"), ("alice", "")):
        with pytest.raises(ClientError, match="IDPRejectedClaim"):
            sts.assume_role_with_ldap_identity(LDAPUsername=name, LDAPPassword=password)
    with pytest.raises(ClientError, match="No role is given"):
        sts.assume_role_with_ldap_identity(LDAPUsername="bob", LDAPPassword="bob's password")
    company.close()
