"""LDAP's names, filters and encodings: what people type is a value and nothing else, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import LdapError
from bailiwick.core.ldap import ber, filters, messages, names
from bailiwick.core.ldap.messages import Entry, Result, Scope
from ldap_fake import filter_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
HOSTILE = st.one_of(
    TEXT,
    st.sampled_from(
        ["*", "*)(uid=*", "alice)(|(uid=*", "\\2a", "a\0b", ")(", "admin)(!(&(1=0", "{dn}", "{user}", "(&", "a\\"]
    ),
    st.text("*()\\\0&|!={}ab", max_size=30),
)


def binary(found: filters.Filter) -> tuple[object, ...]:
    return filter_of(*ber.Reader(filters.encode(found)).element())


@given(HOSTILE)
def test_what_is_typed_is_a_value_in_the_filter(user: str) -> None:
    template = filters.parse("(&(objectClass=person)(|(uid={user})(mail={user}))(!(locked=TRUE)))")
    value = user.encode()
    assert binary(filters.filled(template, {"user": user, "dn": "cn=not this"})) == (
        "and",
        ("equal", "objectClass", b"person"),
        ("or", ("equal", "uid", value), ("equal", "mail", value)),
        ("not", ("equal", "locked", b"TRUE")),
    )


@given(HOSTILE)
def test_an_escaped_value_is_read_as_it_was(value: str) -> None:
    assert filters.parse(f"(uid={filters.escaped(value)})").pieces == (value.encode(),)


@given(HOSTILE)
def test_what_is_typed_is_a_value_in_a_name(user: str) -> None:
    built = f"uid={names.escaped(user)},ou=people,dc=example"
    assert names.parse(built) == ((("uid", user),), (("ou", "people"),), (("dc", "example"),))


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        names.normal(text)
    except LdapError:
        return


@given(st.text("()&|!=*:\\ab1~<>{}", max_size=60))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        found = filters.parse(text)
    except LdapError:
        return
    binary(found)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        messages.read(data)
    except LdapError:
        return


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(uid=a)", ("equal", "uid", b"a")),
        ("(cn=*)", ("present", "cn")),
        ("(cn=a*b*c)", ("substrings", "cn", ("initial", b"a"), ("any", b"b"), ("final", b"c"))),
        ("(cn=*b*)", ("substrings", "cn", ("any", b"b"))),
        ("(a>=5)", ("ge", "a", b"5")),
        ("(a<=5)", ("le", "a", b"5")),
        ("(a~=x)", ("approx", "a", b"x")),
        (r"(cn=\2a\28)", ("equal", "cn", b"*(")),
        ("(!(a=b))", ("not", ("equal", "a", b"b"))),
        ("(cn:dn:2.4.6:=x)", ("extensible", {"rule": b"2.4.6", "attribute": b"cn", "value": b"x", "dn": b"\xff"})),
        ("(:1.2:=x)", ("extensible", {"rule": b"1.2", "value": b"x"})),
    ],
)
def test_filters_in_binary(text: str, expected: tuple[object, ...]) -> None:
    assert binary(filters.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "uid=a",
            "(uid=a",
            "(uid=a))",
            "(&)",
            "(!(a=b)(c=d))",
            "(=x)",
            r"(a=\2)",
            "(a=b)(c=d)",
            "(:=x)",
            "()",
        ),
        "(!" * 20 + "(a=b)" + ")" * 20,
    ],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(LdapError):
        filters.parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Admins, OU=Groups,dc=x", "cn=admins,ou=groups,dc=x"),
        (r"cn=a\2cb", r"CN=A\,b"),
        ('cn="a,b"', r"cn=a\,b"),
        ("cn=a+sn=b,dc=x", "sn=B+cn=A,dc=x"),
        ("cn=a  b", "cn=A b"),
    ],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert names.normal(one) == names.normal(other)


def test_what_lies_below() -> None:
    group = names.normal("cn=a,ou=groups,dc=x")
    assert names.is_below(group, names.normal("OU=Groups,dc=x"))
    assert names.is_below(group, ())
    assert not names.is_below(group, names.normal("ou=other,dc=x"))
    assert not names.is_below(names.normal(r"cn=a\,ou=groups\,dc=x,dc=evil"), names.normal("ou=groups,dc=x"))


@pytest.mark.parametrize("text", ["a", "=b", "cn=a\\", "cn=a\\zz", "c n=a", "cn=a,", r"cn=\ff"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(LdapError):
        names.parse(text)


@pytest.mark.parametrize(("dn", "password"), [("", "x"), ("cn=a", ""), ("", "")])
def test_no_bind_without_name_or_password(dn: str, password: str) -> None:
    with pytest.raises(ValueError, match="proves nothing"):
        messages.bind(1, dn, password)


def test_a_search_in_bytes() -> None:
    """The octets of RFC 4511, counted by hand."""
    made = messages.search(2, "dc=x", Scope.TREE, filters.parse("(cn=*)"), ["cn"], 1, 5)
    assert made == bytes.fromhex("3024020102631f040464633d780a01020a0100020101020105010100") + (
        bytes.fromhex("8702636e30040402636e")
    )


def test_answers_are_read() -> None:
    assert messages.read(bytes.fromhex("300c02010161070a010004000400")) == Result(1, 0)
    entry = ber.encode(
        0x64,
        ber.octets("cn=a"),
        ber.encode(
            ber.SEQUENCE,
            ber.encode(ber.SEQUENCE, ber.octets("memberOf;range=0-1"), ber.encode(ber.SET, ber.octets("x"))),
        ),
    )
    message = ber.encode(ber.SEQUENCE, ber.integer(7), entry)
    assert messages.read(message) == Entry(7, "cn=a", {"memberof": (b"x",)})


@pytest.mark.parametrize("data", ["3080", "3084ffffffff", "30850000000001", "04", "020100", "30030201"])
def test_lengths_are_believed_within_bounds(data: str) -> None:
    with pytest.raises(LdapError):
        messages.read(bytes.fromhex(data))
    with pytest.raises(LdapError, match="larger"):
        ber.whole(bytes.fromhex("3084ffffffff"), 1 << 20)
