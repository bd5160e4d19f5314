"""Every operator with a missing key, one value, several, none; and with values that are not of its type.

The expectations are tables 2.3 and 2.4 of facts/policy.md; where AWS documents nothing, section 9 of it.
"""

from __future__ import annotations

import base64
import json

import pytest
from policy_cases import allows, layer, policy, statement

from bailiwick.core.policy import conditions, values
from bailiwick.core.policy.question import Context, Value

BINARY = base64.b64encode(b"secret").decode()
OTHER_BINARY = base64.b64encode(b"other").decode()
ARN = "arn:aws:sns:us-east-1:111111111111:topic"
OTHER_ARN = "arn:aws:sns:us-east-1:222222222222:topic"

# operator, value of the policy, a value that satisfies it, one that does not
OPERATORS = [
    ("StringEquals", "blue", "blue", "Blue"),
    ("StringNotEquals", "blue", "Blue", "blue"),
    ("StringEqualsIgnoreCase", "blue", "BLUE", "red"),
    ("StringNotEqualsIgnoreCase", "blue", "red", "BLUE"),
    ("StringLike", "bl?e/*", "blue/a:b", "Blue/a"),
    ("StringNotLike", "bl?e/*", "red", "blue/a"),
    ("NumericEquals", "10", "10.0", "11"),
    ("NumericNotEquals", "10", "11", "10.00"),
    ("NumericLessThan", "10", "9.99", "10"),
    ("NumericLessThanEquals", "10", "10", "10.01"),
    ("NumericGreaterThan", "-1", "0", "-1"),
    ("NumericGreaterThanEquals", "10", "10", "9"),
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:01Z"),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-02", "2026-01-01"),
    ("DateLessThan", "2026-01-01", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    ("DateLessThanEquals", "2026-01-01", "2026-01-01", "2026-01-02"),
    ("DateGreaterThan", "1767225600", "2026-01-01T00:00:01Z", "1767225600"),
    ("DateGreaterThanEquals", "2026-01-01", "1767225600", "1767225599"),
    ("Bool", "true", "True", "false"),
    ("BinaryEquals", BINARY, BINARY, OTHER_BINARY),
    ("IpAddress", "203.0.113.7/24", "203.0.113.200", "203.0.114.1"),
    ("NotIpAddress", "203.0.113.0/24", "203.0.114.1", "203.0.113.1"),
    ("ArnEquals", "arn:aws:sns:*:111111111111:*", ARN, OTHER_ARN),
    ("ArnLike", "arn:aws:sns:*:111111111111:*", ARN, OTHER_ARN),
    ("ArnNotEquals", "arn:aws:sns:*:111111111111:*", OTHER_ARN, ARN),
    ("ArnNotLike", "arn:aws:sns:*:111111111111:*", OTHER_ARN, ARN),
]
NEGATED = {name for name, *_ in OPERATORS if "Not" in name}


def holds(
    operator: str, wanted: object, value: Value | None, *, effect: str = "Allow", key: str = "test:Key"
) -> bool:
    """Whether the statement with this condition applies, as a decision shows it."""
    guarded = statement(effect, Condition={operator: {key: wanted}})
    context: Context = {} if value is None else {key.lower(): value}
    if effect == "Allow":
        return allows(identity=layer(policy(guarded)), context=context)
    return not allows(identity=layer(policy(statement(), guarded)), context=context)


def test_the_table_names_every_operator() -> None:
    assert {name.lower() for name, *_ in OPERATORS} | {"null"} == set(conditions.OPERATORS)


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(("operator", "wanted", "good", "bad"), OPERATORS)
class TestEveryOperator:
    def test_scalar(self, operator: str, wanted: str, good: str, bad: str, effect: str) -> None:
        negated = operator in NEGATED
        assert holds(operator, wanted, good, effect=effect)
        assert not holds(operator, wanted, bad, effect=effect)
        assert holds(operator, wanted, (good,), effect=effect)
        assert not holds(operator, wanted, (bad,), effect=effect)
        assert holds(operator, wanted, None, effect=effect) is negated
        assert holds(operator, wanted, (), effect=effect) is negated
        assert holds(operator, wanted, ("",), effect=effect) is negated
        several = negated and effect == "Deny"
        assert holds(operator, wanted, (good, good), effect=effect) is several
        assert holds(operator, wanted, (good, bad), effect=effect) is several

    def test_if_exists(self, operator: str, wanted: str, good: str, bad: str, effect: str) -> None:
        operator, negated = operator + "IfExists", operator in NEGATED
        assert holds(operator, wanted, good, effect=effect)
        assert not holds(operator, wanted, bad, effect=effect)
        assert holds(operator, wanted, None, effect=effect)
        assert holds(operator, wanted, (), effect=effect) is negated

    @pytest.mark.parametrize("suffix", ["", "IfExists"])
    def test_for_all_values(
        self, operator: str, wanted: str, good: str, bad: str, effect: str, suffix: str
    ) -> None:
        operator = f"ForAllValues:{operator}{suffix}"
        assert holds(operator, wanted, good, effect=effect)
        assert not holds(operator, wanted, bad, effect=effect)
        assert holds(operator, wanted, (good, good), effect=effect)
        assert not holds(operator, wanted, (good, bad), effect=effect)
        assert holds(operator, wanted, None, effect=effect)
        assert holds(operator, wanted, (), effect=effect)
        assert holds(operator, wanted, ("",), effect=effect)

    @pytest.mark.parametrize("suffix", ["", "IfExists"])
    def test_for_any_value(self, operator: str, wanted: str, good: str, bad: str, effect: str, suffix: str) -> None:
        operator = f"ForAnyValue:{operator}{suffix}"
        assert holds(operator, wanted, good, effect=effect)
        assert not holds(operator, wanted, bad, effect=effect)
        assert holds(operator, wanted, (bad, good), effect=effect)
        assert not holds(operator, wanted, (bad, bad), effect=effect)
        assert holds(operator, wanted, None, effect=effect) is bool(suffix)
        assert not holds(operator, wanted, (), effect=effect)

    def test_no_value_in_the_policy(self, operator: str, wanted: str, good: str, bad: str, effect: str) -> None:
        negated = operator in NEGATED
        assert holds(operator, [], good, effect=effect) is negated
        assert holds(operator, [], None, effect=effect) is negated
        assert holds(f"{operator}IfExists", [], good, effect=effect) is negated
        assert holds(f"{operator}IfExists", [], None, effect=effect)
        assert holds(f"ForAllValues:{operator}", [], good, effect=effect) is negated
        assert holds(f"ForAllValues:{operator}", [], None, effect=effect)
        assert not holds(f"ForAnyValue:{operator}", [], None, effect=effect)

    def test_names_ignore_case(self, operator: str, wanted: str, good: str, bad: str, effect: str) -> None:
        assert holds(operator.upper(), wanted, good, effect=effect, key="TEST:kEY")
        assert not holds(operator.lower(), wanted, bad, effect=effect)


@pytest.mark.parametrize(
    ("operator", "unparsable"),
    [
        ("NumericEquals", "ten"),
        ("NumericLessThan", "1e3"),
        ("NumericGreaterThan", ""),
        ("Bool", "yes"),
        ("BinaryEquals", "%%%"),
        ("IpAddress", "203.0.113.0/33"),
        ("IpAddress", "203.0.113.0/255.255.255.0"),
        ("ArnEquals", "topic"),
        ("ArnLike", "*"),
        ("ArnLike", "arn:aws:sns"),
        ("DateEquals", "tomorrow"),
    ],
)
def test_unparsable_never_satisfies_a_positive_operator(operator: str, unparsable: str) -> None:
    good = next(good for name, _, good, _ in OPERATORS if name == operator)
    wanted = next(wanted for name, wanted, *_ in OPERATORS if name == operator)
    for effect in ("Allow", "Deny"):
        assert not holds(operator, unparsable, good, effect=effect)
        assert not holds(operator, wanted, unparsable, effect=effect)
        assert holds(operator, [unparsable, wanted], good, effect=effect)


@pytest.mark.parametrize(
    ("operator", "unparsable"),
    [
        ("NumericNotEquals", "ten"),
        ("NotIpAddress", "nowhere"),
        ("ArnNotEquals", "topic"),
        ("ArnNotLike", "topic"),
        ("DateNotEquals", "tomorrow"),
    ],
)
def test_unparsable_closes_a_negated_operator(operator: str, unparsable: str) -> None:
    wanted, good, bad = next(row[1:] for row in OPERATORS if row[0] == operator)
    for effect, closed in (("Allow", False), ("Deny", True)):
        assert holds(operator, unparsable, good, effect=effect) is closed
        assert holds(operator, wanted, unparsable, effect=effect) is closed
        assert holds(f"ForAnyValue:{operator}", wanted, (unparsable,), effect=effect) is closed
        assert not holds(operator, [unparsable, wanted], bad, effect=effect)


@pytest.mark.parametrize(
    ("value", "null"),
    [
        (None, True),
        ((), True),
        (("",), True),
        ("", False),
        ("x", False),
        (("x",), False),
        (("x", "y"), False),
    ],
)
def test_null(value: Value | None, null: bool) -> None:
    for true, false in (("true", "false"), ("TRUE", "False"), (True, False)):
        assert holds("Null", true, value) is null
        assert holds("Null", false, value) is not null
    assert holds("ForAllValues:Null", "true", value)
    assert not holds("ForAnyValue:Null", "true", value)
    assert not holds("Null", "maybe", value)


def test_several_values_of_the_policy() -> None:
    assert holds("StringEquals", ["red", "blue"], "blue")
    assert not holds("StringEquals", ["red", "blue"], "green")
    assert holds("StringNotEquals", ["red", "blue"], "green")
    assert not holds("StringNotEquals", ["red", "blue"], "blue")
    assert holds("ForAllValues:StringEquals", ["red", "blue"], ("blue", "red"))
    assert not holds("ForAllValues:StringEquals", ["red", "blue"], ("blue", "green"))
    assert holds("ForAnyValue:StringNotEquals", ["red", "blue"], ("blue", "green"))
    assert not holds("ForAllValues:StringNotEquals", ["red", "blue"], ("blue", "green"))


def test_an_empty_text_among_others_is_a_value() -> None:
    assert not holds("ForAllValues:StringEquals", "blue", ("blue", ""))
    assert holds("ForAnyValue:StringEquals", "blue", ("blue", ""))
    assert holds("Null", "false", ("blue", ""))


def test_five_fields_are_no_arn() -> None:
    five = "arn:aws:sns:us-east-1:111111111111"
    for effect, closed in (("Allow", False), ("Deny", True)):
        assert not holds("ArnLike", five, five, effect=effect)
        assert holds("ArnNotLike", five, ARN, effect=effect) is closed
        assert holds("ArnNotLike", ARN, five, effect=effect) is closed


def test_every_pair_must_hold() -> None:
    block = {"StringEquals": {"a:x": "1", "a:y": "2"}, "StringLike": {"a:x": "?"}, "anything": {}}
    guarded = layer(policy(statement(Condition=block)))
    assert allows(identity=guarded, context={"a:x": "1", "a:y": "2"})
    assert not allows(identity=guarded, context={"a:x": "1"})
    assert not allows(identity=guarded, context={"a:x": "1", "a:y": "3"})


@pytest.mark.parametrize("block", [{}, {"DateGreaterThan": {}}, {"anything": {}}])
def test_an_empty_block_holds(block: dict[str, object]) -> None:
    assert allows(identity=layer(policy(statement(Condition=block))))


@pytest.mark.parametrize("value", ["", "x"], ids=["an empty tag value is a value", "and so is every other"])
def test_an_empty_text_is_a_value(value: str) -> None:
    assert holds("StringEquals", value, value, key="aws:RequestTag/k")
    assert holds("StringLike", "*", value, key="aws:RequestTag/k")


@pytest.mark.parametrize(("written", "value"), [(True, "true"), (10, "10"), (1.5, "1.5"), (-3, "-3")])
def test_numbers_and_booleans_are_compared_through_their_text(written: object, value: str) -> None:
    assert holds("StringEquals", written, value)


def test_numbers_are_decimals() -> None:
    assert holds("NumericEquals", "0.1", "0.10000000000000000000")
    assert not holds("NumericEquals", "9007199254740993", "9007199254740992")


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("0.0.0.0/0", "198.51.100.1", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:db8::/32", "2001:DB8:0:0::1", True),
        ("2001:db8::1", "2001:db8::1", True),
        ("::/0", "10.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
    ],
)
def test_addresses(network: str, address: str, inside: bool) -> None:
    for effect in ("Allow", "Deny"):
        assert holds("IpAddress", network, address, effect=effect) is inside
        assert holds("NotIpAddress", network, address, effect=effect) is not inside


def test_an_arn_is_compared_field_by_field() -> None:
    pattern = "arn:aws:svc:*:111122223333:finance/*"
    crossing = "arn:aws:svc:us-east-2:999999999999:store/abc:111122223333:finance/doc"
    assert holds("StringLike", pattern, crossing)
    assert not holds("ArnLike", pattern, crossing)
    assert holds("ArnLike", pattern, "arn:aws:svc:us-east-2:111122223333:finance/a:b/c")


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "context", "expected"),
    [
        ("StringEquals", "${aws:username}", "alice", {"aws:username": "alice"}, True),
        ("StringEquals", "${aws:username}", "bob", {"aws:username": "alice"}, False),
        ("StringEquals", "${aws:username}", "alice", {}, False),
        ("StringEquals", "${aws:username, 'bob'}", "bob", {}, True),
        ("StringNotEquals", "${aws:username}", "alice", {}, True),
        ("StringEquals", "u/${aws:username, 'bob'}", "u/alice", {"aws:username": "alice"}, True),
        ("StringLike", "${aws:username}/*", "alice/x", {"aws:username": "alice"}, True),
        ("StringLike", "${aws:username}/*", "bob/x", {"aws:username": "*"}, False),
        ("StringEqualsIgnoreCase", "${aws:username}", "ALICE", {"aws:username": "alice"}, True),
        ("StringNotEquals", "${aws:username}", "alice", {"aws:username": "alice"}, False),
        ("StringNotEqualsIgnoreCase", "${aws:username}", "ALICE", {"aws:username": "alice"}, False),
        ("StringNotLike", "${aws:username}*", "alice/x", {"aws:username": "alice"}, False),
        ("StringEquals", "${*}", "*", {}, True),
        ("StringLike", "${*}", "x", {}, False),
        ("Bool", "${a:flag}", "true", {"a:flag": "true"}, True),
        ("NumericEquals", "${a:n}", "1", {"a:n": "1"}, False),
        ("ArnLike", "arn:aws:iam::${a:id}:role/*", "arn:aws:iam::1:role/x", {"a:id": "1"}, True),
        ("ArnLike", "arn:aws:iam::${a:id}:role/*", "arn:aws:iam::2:role/x", {"a:id": "1"}, False),
        ("ArnLike", "arn:aws:iam::${a:id}:role/*", "arn:aws:iam::2:role/x", {"a:id": "*"}, False),
        ("ArnLike", "arn:aws:iam::${a:id}:x", "arn:aws:iam::1:role/e:x", {"a:id": "1:role/e"}, False),
        ("ArnLike", "arn:aws:iam::${a:id}:role/*", "arn:aws:iam::2:role/x", {}, False),
        ("ArnNotLike", "arn:aws:iam::${a:id}:role/*", "arn:aws:iam::2:role/x", {}, True),
        ("ArnEquals", "${a:arn}", ARN, {"a:arn": ARN}, True),
        ("ArnEquals", "${a:arn}", ARN, {"a:arn": "arn:aws:sns:*:*:*"}, False),
        ("ArnEquals", "${a:arn}", ARN, {}, False),
    ],
)
def test_variables(operator: str, wanted: str, value: str, context: dict[str, str], expected: bool) -> None:
    guarded = layer(policy(statement(Condition={operator: {"t:key": wanted}})))
    assert allows(identity=guarded, context={"t:key": value, **context}) is expected


def test_variables_are_text_before_2012() -> None:
    old = {
        "Version": "2008-10-17",
        "Statement": statement(Condition={"StringEquals": {"t:key": "${aws:username}"}}),
    }
    guarded = layer(json.dumps(old))
    assert not allows(identity=guarded, context={"t:key": "alice", "aws:username": "alice"})
    assert allows(identity=guarded, context={"t:key": "${aws:username}", "aws:username": "alice"})


@pytest.mark.parametrize(
    "name",
    [
        "",
        "NullIfExists",
        "StringEqual",
        "ForSomeValues:StringEquals",
        "IfExists",
        "Bool:ForAllValues",
        ":Bool",
    ],
)
def test_no_such_operator(name: str) -> None:
    assert conditions.written(name) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970", 0),
        ("1970-01", 0),
        ("1970-01-02", 86400),
        ("2000-02-29T00:00Z", 951782400),
        ("2024-02-29T12:30:45Z", 1709209845),
        ("2024-02-29t12:30:45z", 1709209845),
        ("2024-02-29T12:30:45+05:30", 1709209845 - 19800),
        ("2024-02-29T12:30:45-05", 1709209845 + 18000),
        ("2016-12-13t2:00:00+23", 1481594400 - 82800),
        ("1709209845", 1709209845),
        ("-5", -5),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("9999-12-31", 253402214400),
    ],
)
def test_instants(text: str, seconds: int) -> None:
    assert values.instant(text) == seconds * 10**9


@pytest.mark.parametrize("text", ["01T", "-292275054", "2016-12-13t2:00:00.593194+23"])
def test_odd_dates_that_aws_accepts(text: str) -> None:
    assert values.instant(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "T",
        "2024-13",
        "2024-02-30",
        "2023-02-29",
        "2024-01-01T25",
        "2024-01-01T00:60",
        "9223372036854775808",
        "99999999999999999999",
        "2024-01-01T00:00:00.0000000001Z",
        "2024-01-01 00:00",
        "٢٠٢٤-01-01",
        "1" * 200,
    ],
)
def test_no_instants(text: str) -> None:
    assert values.instant(text) is None


def test_a_fraction_of_a_second_counts() -> None:
    assert values.instant("1970-01-01T00:00:00.5Z") == 5 * 10**8
