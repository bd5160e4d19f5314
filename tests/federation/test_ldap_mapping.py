"""The mapping file: what is wrong with it is told at the start, and what its rules give."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick.core.identity import Identity, common_name
from bailiwick.federation.ldap import Company, read
from bailiwick.federation.ldap.configuration import ConfigurationError
from bailiwick.federation.ldap.mapping import granted
from ldap_fake import GROUPS, PEOPLE, RULES, mapping

URL = "ldaps://ldap.example.org"
ROLE = "arn:aws:iam::123456789012:role"


def text(folder: Path, **parts: str) -> Path:
    return mapping(folder, *parts.pop("urls", URL).split(), **parts)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"urls": "ldap://ldap.example.org"}, "ldap://ldap.example.org:389 would be sent passwords in plain text"),
        ({"urls": "ldaps://a ldap://b:99"}, "ldap://b:99 would be sent"),
        ({"urls": URL, "server": "start_tls = true"}, "`start_tls` is for ldap:// URLs"),
        ({"urls": "http://ldap.example.org"}, "is not a URL such as ldaps://"),
        ({"urls": "ldaps://"}, "is not a URL such as"),
        ({"urls": "ldaps://a:99999"}, "is not a URL such as"),
        ({"urls": "ldaps://cn=x:pw@a"}, "a URL has no user in it"),
        ({"server": 'ca_file = "nowhere.pem"'}, "`server.ca_file`: there is no file"),
        ({"server": "retries = 5"}, "unknown field `retries` - at `$.server`"),
        ({"server": "connections = 0"}, "`$.server.connections`"),
        ({"user": 'base = "x"\nfilter = "(uid={user})"'}, "`user.base`: `x` is no part of a distinguished name"),
        ({"user": 'filter = "(uid={user})"'}, "`user.filter` needs `user.base`"),
        ({"user": 'base = "dc=x"\nfilter = "(uid=%s)"'}, "`user.filter` has {user} in it"),
        ({"user": 'base = "dc=x"\nfilter = "(uid={user}"'}, "`user.filter`: `(uid={user}` is not a filter"),
        ({"user": 'base = "dc=x"'}, "`user` needs either `filter`"),
        ({"user": 'dn = "uid={user},dc=x"\nfilter = "(uid={user})"'}, "`user` needs either `filter`"),
        ({"user": 'dn = "uid=all,dc=x"'}, "`user.dn` has {user} in it"),
        ({"user": 'dn = "uid={user},ou={group},dc=x"'}, "and no other {...}"),
        ({"group": 'attribute = "memberOf"\nfilter = "(member={dn})"'}, "either `attribute` or `filter`"),
        ({"group": 'filter = "(member={dn})"'}, "`group.filter` needs `group.base`"),
        ({"group": 'base = "dc=x"\nfilter = "(member=x)"'}, "`group.filter` has {dn} or {user} in it"),
        ({"group": 'attribute = "memberOf"\nnested = true'}, "`group.nested` needs `group.filter`"),
        ({"group": 'base = "dc=x"\nfilter = "(memberUid={user})"\nnested = true'}, "has {dn} in it"),
        ({"group": 'attribute = "member Of"'}, "is the name of an attribute"),
        ({"rest": '[[rule]]\ngroup = "x"'}, "the rule for `x` gives neither"),
        ({"rest": '[[rule]]\nroles = ["admin"]'}, "`admin` is not the ARN of a role"),
        ({"rest": f'[[rule]]\ngroup = "cn=a,,dc=x"\nroles = ["{ROLE}/a"]'}, "`rule.group`"),
        ({"rest": "[[rule]]\ntags = { a = '<' }"}, "$.rule[0].tags"),
        ({"rest": ""}, "missing required field `rule`"),
        ({"rest": "[[rule"}, "is not TOML"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, parts: dict[str, str], told: str) -> None:
    file = text(tmp_path, **parts)
    with pytest.raises(ConfigurationError) as caught:
        read(file, Path.read_bytes)
    assert told in str(caught.value)
    assert "ldap.toml" in str(caught.value)
    assert "service secret" not in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*nothing\.toml: No such file"):
        read(tmp_path / "nothing.toml", Path.read_bytes)
    file = text(tmp_path)
    (tmp_path / "ldap-password").unlink()
    with pytest.raises(ConfigurationError, match=r"cannot read .*ldap-password"):
        read(file, Path.read_bytes)
    (tmp_path / "ldap-password").write_text("\n")
    with pytest.raises(ConfigurationError, match="is empty"):
        read(file, Path.read_bytes)


def test_a_search_needs_an_account(tmp_path: Path) -> None:
    file = text(tmp_path)
    without = [line for line in file.read_text().splitlines() if not line.startswith("bind_")]
    file.write_text("\n".join(without))
    with pytest.raises(ConfigurationError, match=r"`server\.bind_dn` must name an account"):
        read(file, Path.read_bytes)
    file.write_text("\n".join([*without[:2], f'bind_dn = "cn=x,{PEOPLE}"', *without[2:]]))
    with pytest.raises(ConfigurationError, match="belong together"):
        read(file, Path.read_bytes)


def test_authorities_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    configuration = read(text(tmp_path, server='ca_file = "ca.pem"'), Path.read_bytes)
    with pytest.raises(ConfigurationError, match=r"`server\.ca_file`"):
        Company(configuration)


def person(*groups: str, **attributes: str) -> Identity:
    found = {name.lower(): (value,) for name, value in attributes.items()}
    return Identity("company", f"uid=a,{PEOPLE}", "a", groups=groups, attributes=found)


def test_what_groups_give(tmp_path: Path) -> None:
    configuration = read(text(tmp_path), Path.read_bytes)
    admin = granted(configuration, person(f"CN=admins,{GROUPS}", departmentNumber="R&D"))
    assert admin.roles == (f"{ROLE}/admin",)
    assert admin.tags == {"team": "platform", "department": "R_D"}
    staff = granted(configuration, person(f"cn=Staff,{GROUPS}"))
    assert staff.first == f"{ROLE}/staff"
    assert staff.includes(f"{ROLE}/app-one")
    assert not staff.includes(f"{ROLE}/admin")
    assert not staff.includes(f"{ROLE}/x-app-one")
    assert granted(configuration, person("cn=admins,ou=mine,dc=example,dc=org")).first is None
    assert granted(configuration, person(f"cn=x,cn=staff,{GROUPS}", "cn=", "staff")).roles == ()


def test_a_rule_for_everyone_and_the_order_of_tags(tmp_path: Path) -> None:
    rules = RULES + f'[[rule]]\nroles = ["{ROLE}/all"]\ntags = {{ team = "none", floor = "1" }}\n'
    configuration = read(text(tmp_path, rest=rules), Path.read_bytes)
    found = granted(configuration, person(f"cn=admins,{GROUPS}", departmentNumber="x" * 300))
    assert found.roles == (f"{ROLE}/admin", f"{ROLE}/all")
    assert found.tags == {"team": "platform", "floor": "1", "department": "x" * 256}
    assert granted(configuration, person()).roles == (f"{ROLE}/all",)


@pytest.mark.parametrize(("group", "name"), [("cn=a b,dc=x", "a b"), ("not a name", "not a name"), ("", "")])
def test_what_a_group_is_called(group: str, name: str) -> None:
    assert common_name(group) == name
