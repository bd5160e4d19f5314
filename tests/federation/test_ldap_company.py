"""The connector against a directory that can misbehave: who gets in, who does not, and what a bad server can do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import DirectoryUnavailable
from bailiwick.core.identity import Identity
from bailiwick.federation.ldap import Company, read
from bailiwick.federation.ldap.connection import Connection
from bailiwick.federation.ldap.pool import Pool
from ldap_fake import GROUPS, PEOPLE, SERVICE, Authority, FakeDirectory, company, mapping
from ports import free_port

ALICE = f"uid=alice,{PEOPLE}"
Make = Callable[..., Company]


@pytest.fixture
def fake() -> Iterator[FakeDirectory]:
    server = FakeDirectory(company())
    yield server
    server.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Company] = []

    def one(*urls: str, **more: str) -> Company:
        made.append(Company(read(mapping(tmp_path, *urls, **more), Path.read_bytes)))
        return made[-1]

    yield one
    for each in made:
        each.close()


def test_a_person_comes_in(fake: FakeDirectory, make: Make) -> None:
    assert make(fake.url()).identify("Alice", "alice's password") == Identity(
        provider="company",
        subject=ALICE,
        name="alice",
        mail="alice@example.org",
        groups=(f"cn=admins,{GROUPS}", f"cn=staff,{GROUPS}"),
        attributes={"uid": ("alice",), "mail": ("alice@example.org",), "departmentnumber": ("R&D",)},
    )


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice", "wrong"),
        ("alice", "bob's password"),
        ("nobody", "alice's password"),
        ("alice", ""),
        ("", "alice's password"),
        ("", ""),
        ("*", "alice's password"),
        ("a*", "alice's password"),
        ("alice)(uid=*", "alice's password"),
        ("*)(|(uid=*", "alice's password"),
        ("alice\0", "alice's password"),
        ("alice\n2026-01-01 [info] bob is let in", "alice's password"),
        ("al\u00adice", "alice's password"),
        ("alice", "alice's password\0"),
        ("twin", "twin"),
        ("a" * 257, "x"),
        ("alice", "x" * 1025),
    ],
)
def test_nobody_else_does(fake: FakeDirectory, make: Make, user: str, password: str) -> None:
    assert make(fake.url()).identify(user, password) is None


def test_an_empty_password_is_never_sent(fake: FakeDirectory, make: Make) -> None:
    """The fake accepts it, as careless servers do."""
    assert make(fake.url()).identify("alice", "") is None
    template = make(fake.url(), user=f'dn = "uid={{user}},{PEOPLE}"')
    assert template.identify("alice", "") is None
    assert fake.accepted == 0


def test_one_who_does_not_exist_costs_a_bind_too(fake: FakeDirectory, make: Make) -> None:
    directory = make(fake.url())
    directory.identify("alice", "wrong")
    known = len(fake.binds)
    directory.identify("nobody", "wrong")
    assert len(fake.binds) == known + 1
    assert fake.binds[-1].startswith("cn=nobody-")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeDirectory, Company]]:
    fake = FakeDirectory(company())
    directory = Company(read(mapping(tmp_path_factory.mktemp("shared"), fake.url()), Path.read_bytes))
    yield fake, directory
    directory.close()
    fake.close()


@given(user=st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(str.isprintable))
def test_whatever_is_typed_is_searched_for_as_a_value(shared: tuple[FakeDirectory, Company], user: str) -> None:
    fake, directory = shared
    assert directory.identify(user, "no password") is None
    assert fake.seen[-1] == ("equal", "uid", user.encode())


def test_names_by_template(fake: FakeDirectory, make: Make) -> None:
    directory = make(fake.url(), user=f'dn = "uid={{user}},{PEOPLE}"')
    found = directory.identify("alice", "alice's password")
    assert found is not None
    assert found.subject == ALICE
    assert SERVICE not in fake.binds
    assert directory.identify("alice,ou=x", "alice's password") is None
    assert fake.binds[-1] == f"uid=alice\\2cou\\3dx,{PEOPLE}"


def test_groups_by_search(fake: FakeDirectory, make: Make) -> None:
    group = f'base = "{GROUPS}"\nfilter = "(member={{dn}})"'
    found = make(fake.url(), group=group).identify("alice", "alice's password")
    assert found is not None
    assert found.groups == (f"cn=admins,{GROUPS}",)
    nested = make(fake.url(), group=f"{group}\nnested = true").identify("alice", "alice's password")
    assert nested is not None
    assert nested.groups == (f"cn=admins,{GROUPS}", f"cn=staff,{GROUPS}")


def test_more_groups_than_are_read_are_refused(fake: FakeDirectory, make: Make) -> None:
    group = f'base = "{GROUPS}"\nfilter = "(member={{dn}})"\nnested = true\nmost = 1'
    with pytest.raises(DirectoryUnavailable, match="more than 1 groups"):
        make(fake.url(), group=group).identify("alice", "alice's password")


def test_groups_elsewhere_do_not_count(fake: FakeDirectory, make: Make) -> None:
    fake.entries[ALICE]["memberOf"] = ["cn=admins,ou=mine,dc=example,dc=org", "not a name", f"cn=staff,{GROUPS}"]
    found = make(fake.url(), group=f'attribute = "memberOf"\nbase = "{GROUPS}"').identify(
        "alice", "alice's password"
    )
    assert found is not None
    assert found.groups == (f"cn=staff,{GROUPS}",)


@pytest.mark.parametrize("code", [19, 32, 48, 50, 53])
def test_a_refusal_is_a_refusal(fake: FakeDirectory, make: Make, code: int) -> None:
    fake.answer_bind = lambda dn: code if dn == ALICE else None
    assert make(fake.url()).identify("alice", "alice's password") is None


@pytest.mark.parametrize("code", [1, 8, 13, 14, 51, 52, 80])
def test_what_is_no_refusal_is_told_apart(fake: FakeDirectory, make: Make, code: int) -> None:
    fake.answer_bind = lambda dn: code if dn == ALICE else None
    with pytest.raises(DirectoryUnavailable, match=f"does not bind: {code}"):
        make(fake.url()).identify("alice", "alice's password")


def test_a_service_account_that_is_refused(fake: FakeDirectory, make: Make) -> None:
    fake.entries[SERVICE]["userPassword"] = ["changed"]
    with pytest.raises(DirectoryUnavailable, match="refuses the service account: 49"):
        make(fake.url()).identify("alice", "alice's password")


# -- Servers that fail ------------------------------------------------------------------------------------


def test_the_next_server_is_asked(fake: FakeDirectory, make: Make) -> None:
    directory = make(f"ldap://127.0.0.1:{free_port()}", fake.url())
    assert directory.identify("alice", "alice's password") is not None


def test_no_server_answers(make: Make) -> None:
    directory = make(f"ldap://127.0.0.1:{free_port()}", f"ldap://localhost:{free_port()}")
    with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
        directory.identify("alice", "alice's password")
    with pytest.raises(DirectoryUnavailable, match="is left alone after it failed"):
        directory.identify("alice", "alice's password")


def test_a_server_that_failed_is_tried_again(fake: FakeDirectory, make: Make) -> None:
    configuration = make(fake.url()).configuration
    (address,) = configuration.addresses
    now, tried = [0.0], list[float]()

    def connect(_: object) -> Connection:
        tried.append(now[0])
        if now[0] < 100:
            raise DirectoryUnavailable("down")
        return Connection(address, None, False, 5.0)

    pool = Pool((address,), connect, 1, lambda: now[0])
    while now[0] < 140:
        try:
            pool.run(lambda connection: None)
        except DirectoryUnavailable:
            now[0] += 0.5
        else:
            break
    assert tried == [0, 1, 3, 7, 15, 31, 61, 91, 121]
    pool.close()


def test_a_connection_that_died_is_made_again(fake: FakeDirectory, make: Make) -> None:
    directory = make(fake.url())
    assert directory.identify("alice", "alice's password") is not None
    assert fake.accepted == 2  # one for searches, one for people
    assert directory.identify("bob", "bob's password") is not None
    assert fake.accepted == 2
    fake.drop()
    assert directory.identify("alice", "alice's password") is not None


def test_a_server_that_says_nothing(make: Make, fake: FakeDirectory, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        directory = Company(
            read(_quick(mapping(tmp_path, f"ldap://127.0.0.1:{silent.getsockname()[1]}")), Path.read_bytes)
        )
        with pytest.raises(DirectoryUnavailable, match="does not answer in time"):
            directory.identify("alice", "alice's password")


def _quick(file: Path) -> Path:
    file.write_text(file.read_text().replace("timeout = 5.0", "timeout = 0.05"))
    return file


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x0c\x02\x01\x09\x61\x07\x0a\x01\x00\x04\x00\x04\x00",  # success, for another question
        b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00",  # notice of disconnection
        b"\x30\x07\x02\x01\x01\x73\x02\x04\x00",
        b"",
    ],
)
def test_what_is_no_answer_is_no_success(fake: FakeDirectory, make: Make, garbage: bytes) -> None:
    def answer(connection: socket.socket) -> bool:
        connection.sendall(garbage)
        return False

    fake.before_answer = answer
    with pytest.raises(DirectoryUnavailable):
        make(fake.url()).identify("alice", "alice's password")


def test_a_hanging_directory_takes_so_many_threads_and_no_more(fake: FakeDirectory, make: Make) -> None:
    configuration = make(fake.url()).configuration
    pool = Pool(configuration.addresses, lambda address: Connection(address, None, False, 5.0), 1)

    def inner(_: Connection) -> None:
        with pytest.raises(DirectoryUnavailable, match=r"server\.connections"):
            pool.run(lambda connection: None)

    pool.run(inner)
    pool.run(lambda connection: None)
    pool.close()


# -- TLS --------------------------------------------------------------------------------------------------


def secure(folder: Path, authority: Authority, *subjects: str, at_once: bool) -> FakeDirectory:
    server = FakeDirectory(company(), authority.context(*subjects))
    server.secure = at_once
    return server


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("subjects", "other_authority", "reason"),
    [
        (("127.0.0.1",), False, None),
        (("ldap.example.org",), False, "certificate is refused"),
        (("127.0.0.1",), True, "certificate is refused"),
    ],
)
def test_certificates(
    make: Make, tmp_path: Path, at_once: bool, subjects: tuple[str, ...], other_authority: bool, reason: str | None
) -> None:
    authority = Authority(tmp_path)
    server = secure(
        tmp_path, Authority(tmp_path, "other") if other_authority else authority, *subjects, at_once=at_once
    )
    tls = f'ca_file = "{authority.file}"\nstart_tls = {str(not at_once).lower()}'
    directory = make(server.url("ldaps" if at_once else "ldap"), server=tls)
    if reason is None:
        assert directory.identify("alice", "alice's password") is not None
    else:
        with pytest.raises(DirectoryUnavailable, match=reason):
            directory.identify("alice", "alice's password")
        assert server.binds == []  # no password was sent
    directory.close()
    server.close()


def test_a_server_without_starttls_is_sent_nothing(fake: FakeDirectory, make: Make) -> None:
    with pytest.raises(DirectoryUnavailable, match="refuses StartTLS"):
        make(fake.url(), server="start_tls = true").identify("alice", "alice's password")
    assert fake.binds == []


def test_what_is_slipped_in_before_tls_is_noticed(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = secure(tmp_path, authority, "127.0.0.1", at_once=False)
    server.injected = b"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00"  # "the bind succeeded"
    with pytest.raises(DirectoryUnavailable, match="between StartTLS and TLS"):
        make(server.url(), server=f'start_tls = true\nca_file = "{authority.file}"').identify("alice", "x")
    server.close()


def test_no_password_in_what_is_printed(
    fake: FakeDirectory, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make(fake.url())
    directory.identify("alice", "alice's password")
    directory.identify("alice", "my secret guess")
    directory.identify("nobody", "my secret guess")
    told = "".join(capsys.readouterr())
    assert "alice" in told
    shown = told + repr(directory.configuration) + str(directory.configuration)
    assert "service secret" not in shown
    assert "guess" not in shown
    assert "alice's password" not in shown
