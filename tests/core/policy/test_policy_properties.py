"""What must hold of every decision, whatever the policies; and what no input may do."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cases import (
    AWAY,
    EVERY_PRINCIPAL,
    FEDERATED_ARN,
    HOME,
    KEY,
    PROVIDER_ARN,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION_ARN,
    USER_ARN,
    USER_ID,
    layer,
    policy,
)

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import conditions
from bailiwick.core.policy.decide import Layers, decide
from bailiwick.core.policy.document import (
    Document,
    check_identity,
    check_key,
    check_managed,
    check_session,
    check_trust,
)
from bailiwick.core.policy.layer import Layer
from bailiwick.core.policy.question import Decision, PrincipalKind, Question, Rule
from bailiwick.core.policy.refusal import access_denied

# A small world, so that statements and questions meet often.
ACTIONS = ["kms:Decrypt", "kms:Encrypt", "s3:GetObject"]
RESOURCES = [KEY, f"arn:aws:kms:us-east-1:{AWAY}:key/abc", "arn:aws:s3:::b/alice", "*"]
ACTION_PATTERNS = [*ACTIONS, "*", "kms:*", "KMS:d?crypt", "s3:", "s3:Get*"]
RESOURCE_PATTERNS = [*RESOURCES, "arn:aws:kms:*:*:key/*", "arn:aws:s3", "arn:aws:s3:::b/${aws:username}"]
VALUES = ["alice", "a*", "10", "true", "2026-01-01", "10.0.0.0/8", "10.1.1.1", KEY, "${aws:username}", ""]
CONDITION_KEYS = ["aws:username", "aws:TagKeys", "t:x"]
AWS_PRINCIPALS = ["*", HOME, AWAY, ROOT_ARN, USER_ARN, USER_ID, ROLE_ARN, SESSION_ARN, FEDERATED_ARN]


def some(values: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


operators = st.builds(
    lambda quantifier, operator, suffix: quantifier + operator.name + ("" if operator.name == "Null" else suffix),
    st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]),
    st.sampled_from(list(conditions.OPERATORS.values())),
    st.sampled_from(["", "", "IfExists"]),
)
blocks = st.dictionaries(
    operators, st.dictionaries(st.sampled_from(CONDITION_KEYS), some(VALUES), max_size=2), max_size=2
)
principal_elements = st.just("*") | st.fixed_dictionaries(
    {},
    optional={
        "AWS": some(AWS_PRINCIPALS),
        "Service": some([SERVICE.arn, "ec2.amazonaws.com"]),
        "Federated": some([PROVIDER_ARN]),
    },
)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None, of_resource: bool = False) -> dict[str, Any]:
    def negatable(name: str, texts: list[str]) -> dict[str, Any]:
        return {draw(st.sampled_from([name, name, f"Not{name}"])): draw(some(texts))}

    found: dict[str, Any] = {
        "Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        **negatable("Action", ACTION_PATTERNS),
        **negatable("Resource", RESOURCE_PATTERNS),
    }
    if draw(st.booleans()):
        found["Condition"] = draw(blocks)
    if of_resource:
        found[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = draw(principal_elements)
    return found


identity_statements = st.lists(statements(), min_size=1, max_size=3)
resource_statements = st.lists(statements(of_resource=True), min_size=1, max_size=3)
contexts = st.dictionaries(
    st.sampled_from([key.lower() for key in CONDITION_KEYS]),
    st.sampled_from(VALUES) | st.lists(st.sampled_from(VALUES), max_size=3).map(tuple),
    max_size=3,
)
questions = st.builds(
    Question,
    st.sampled_from(EVERY_PRINCIPAL),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.sampled_from([HOME, HOME, AWAY]),
    contexts,
    st.sampled_from([Rule.ORDINARY, Rule.KEY, Rule.TRUST]),
)

Written = dict[str, Any]  # the statements of each layer, by the layer's name; None: no such layer
FIELDS = {
    "identity": identity_statements,
    "boundary": identity_statements,
    "session": identity_statements,
    "resource": resource_statements,
}
written = st.fixed_dictionaries({name: st.none() | strategy for name, strategy in FIELDS.items()})
organized = st.fixed_dictionaries({
    **{name: st.none() | strategy for name, strategy in FIELDS.items()},
    "scps": st.lists(identity_statements, max_size=2),
    "rcps": st.lists(resource_statements, max_size=2),
})  # fmt: skip


def layers(found: Written) -> Layers:
    def level(texts: Any) -> Layer | None:
        return None if texts is None else layer(policy(*texts))

    return Layers(
        **{name: level(found[name]) for name in FIELDS},
        scps=tuple(layer(policy(*each)) for each in found.get("scps", ())),
        rcps=tuple(layer(policy(*each)) for each in found.get("rcps", ())),
    )


def answer(question: Question, found: Written) -> Decision:
    return decide(question, layers(found))


@given(questions, organized)
def test_a_decision_is_always_made_and_told(question: Question, found: Written) -> None:
    decision = answer(question, found)
    assert decision.allowed or decision.layer is not None
    assert not (decision.allowed and decision.explicit)
    assert (decision.match is not None) is (decision.explicit or (decision.allowed and decision.layer is not None))
    if not decision.allowed:
        told = access_denied(question, decision)
        if question.principal.kind is PrincipalKind.PROVIDER:  # who has no ARN of her own yet
            assert told == f"Not authorized to perform {question.action}"
        else:
            assert told.startswith(f"User: {question.principal.arn} is not ")


@given(questions, written)
def test_deny_overrides(question: Question, found: Written) -> None:
    everything = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    for name in FIELDS:
        deny = {**everything, "NotPrincipal": {}} if name == "resource" else everything
        refused = answer(question, {**found, name: [*(found[name] or []), deny]})
        assert not refused.allowed
        assert refused.explicit


@given(questions, written)
def test_default_deny(question: Question, found: Written) -> None:
    def denies(texts: Any) -> Any:
        return None if texts is None else [each for each in texts if each["Effect"] == "Deny"] or None

    without_allows = {name: denies(texts) for name, texts in found.items()}
    root_at_home = question.principal is ROOT and question.account == HOME and question.rule is Rule.ORDINARY
    assert not answer(question, without_allows).allowed or root_at_home


@given(questions, written, st.sampled_from(list(FIELDS)), st.data())
def test_an_allow_more_never_removes_access(
    question: Question, found: Written, name: str, data: st.DataObject
) -> None:
    before = answer(question, found)
    if found[name] is not None or name in ("identity", "resource"):
        allow = data.draw(statements(effect="Allow", of_resource=name == "resource"))
        after = answer(question, {**found, name: [*(found[name] or []), allow]})
        assert after.allowed or not before.allowed


@given(questions, written, st.sampled_from(list(FIELDS)), st.data())
def test_a_deny_more_never_adds_access(question: Question, found: Written, name: str, data: st.DataObject) -> None:
    if found[name] is not None:
        deny = data.draw(statements(effect="Deny", of_resource=name == "resource"))
        before = answer(question, found)
        after = answer(question, {**found, name: [*found[name], deny]})
        assert before.allowed or not after.allowed


@given(questions, written, identity_statements, st.sampled_from(["boundary", "session"]))
def test_a_boundary_or_session_policy_never_adds_access(
    question: Question, found: Written, texts: list[Any], name: str
) -> None:
    before = answer(question, {**found, name: None})
    after = answer(question, {**found, name: texts})
    # a federated session without a session policy is one whose policy grants nothing
    if not (name == "session" and question.principal.kind == "federated"):
        assert before.allowed or not after.allowed


@given(questions, organized, identity_statements, resource_statements)
def test_a_level_of_control_policies_more_never_adds_access(
    question: Question, found: Written, scp: list[Any], rcp: list[Any]
) -> None:
    before = answer(question, found)
    for name, level in (("scps", scp), ("rcps", rcp)):
        after = answer(question, {**found, name: [*(found.get(name) or []), level]})
        assert before.allowed or not after.allowed


@given(questions, written, st.data())
def test_order_and_duplication_never_matter(question: Question, found: Written, data: st.DataObject) -> None:
    def shuffled(texts: Any) -> Any:
        return None if texts is None else data.draw(st.permutations([*texts, *texts[:1]]))

    before = answer(question, found)
    after = answer(question, {name: shuffled(texts) for name, texts in found.items()})
    assert (after.allowed, after.layer, after.explicit) == (before.allowed, before.layer, before.explicit)


@given(questions, written)
def test_several_policies_are_as_one(question: Question, found: Written) -> None:
    def split(texts: Any) -> Layer | None:
        return None if texts is None else layer(*(policy(each) for each in texts))

    pooled = answer(question, found)
    apart = decide(question, Layers(**{name: split(texts) for name, texts in found.items()}))
    assert (apart.allowed, apart.layer, apart.explicit) == (pooled.allowed, pooled.layer, pooled.explicit)


@given(questions, written)
def test_the_case_of_actions_and_of_condition_names_never_matters(question: Question, found: Written) -> None:
    def shouted(texts: Any) -> Any:
        if texts is None:
            return None
        return [
            {name: _shout(value) if name in ("Action", "NotAction") else value for name, value in each.items()}
            | ({"Condition": _shout_keys(each["Condition"])} if "Condition" in each else {})
            for each in texts
        ]

    assert answer(question, {name: shouted(texts) for name, texts in found.items()}) == answer(question, found)


def _shout(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else [each.upper() for each in value]


def _shout_keys(block: Any) -> Any:
    return {
        operator.upper(): {key.upper(): value for key, value in keys.items()} for operator, keys in block.items()
    }


@given(questions, written)
def test_the_same_question_has_the_same_answer(question: Question, found: Written) -> None:
    compiled = layers(found)
    assert decide(question, compiled) == decide(question, compiled) == answer(question, found)


# --- no input does anything but be accepted or refused

CHECKS = (check_identity, check_managed, check_trust, check_session, check_key)
WORDS = [
    "Version", "2012-10-17", "Statement", "Effect", "Allow", "Deny", "Principal", "NotPrincipal", "AWS",
    "Service", "Federated", "Action", "NotAction", "Resource", "NotResource", "Condition", "Sid", "Id",
    "StringLike", "ArnLike", "DateLessThan", "IpAddress", "Null", "sts:AssumeRole", "*", "arn:aws:s3:::b",
    "${aws:username}", "${", "", "::", USER_ARN,
]  # fmt: skip
words = st.sampled_from(WORDS) | st.text(max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5),
    max_leaves=15,
)
almost_statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]) | json_values},
    optional={name: json_values for name in WORDS if name.endswith(("Action", "Resource", "Principal"))}
    | {"Sid": words, "Condition": st.dictionaries(operators, st.dictionaries(words, json_values, max_size=2))},
)
almost_policies = st.fixed_dictionaries(
    {"Version": st.just("2012-10-17"), "Statement": almost_statements | st.lists(almost_statements, max_size=3)}
)
texts = (
    st.text()
    | json_values.map(json.dumps)
    | almost_policies.map(json.dumps)
    | st.tuples(almost_policies.map(json.dumps), st.integers(0, 200), st.text(max_size=3)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]
    )
)


@settings(max_examples=300)
@given(texts)
def test_any_text_is_a_document_or_a_policy_error(text: str) -> None:
    for check in CHECKS:
        try:
            found = check(text)
        except PolicyError:
            continue
        assert isinstance(found, Document)
        assert layer(text).candidates("s3:getobject") is not None
        assert all(isinstance(values, tuple) for values in found.principals().values())
        assert len({key.lower() for key in found.condition_keys()}) == len(found.condition_keys())


@settings(max_examples=300)
@given(texts, questions, st.dictionaries(words.map(str.lower), words | st.lists(words).map(tuple)))
def test_any_stored_text_and_any_question_give_a_decision(
    text: str, question: Question, context: dict[str, Any]
) -> None:
    asked = Question(
        question.principal, question.action, question.resource, question.account, context, question.rule
    )
    compiled = layer(text)
    for filled in (Layers(identity=compiled), Layers(resource=compiled), Layers(compiled, compiled, compiled)):
        assert isinstance(decide(asked, filled), Decision)
