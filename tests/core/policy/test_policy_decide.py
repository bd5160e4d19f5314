"""How layers combine: facts/policy.md sections 4.2 to 4.9, facts/kms.md section 11.1."""

from __future__ import annotations

from typing import Any

import pytest
from policy_cases import (
    ALLOW_ALL,
    ANONYMOUS,
    AWAY,
    DENY_ALL,
    EVERY_PRINCIPAL,
    FEDERATED,
    FEDERATED_ARN,
    HOME,
    KEY,
    PROVIDER,
    PROVIDER_ARN,
    ROLE,
    ROLE_ARN,
    ROLE_ID,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION_ARN,
    USER,
    USER_ARN,
    USER_ID,
    allows,
    decision,
    layer,
    policy,
    statement,
)

from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Decision, LayerKind, Match, Principal, PrincipalKind, Rule

ALLOW, DENY, EMPTY = layer(ALLOW_ALL), layer(DENY_ALL), Layer.EMPTY


def names(*aws: str, effect: str = "Allow", pins: dict[str, str] | None = None, **elements: Any) -> Layer:
    return layer(policy(statement(effect, Principal={"AWS": list(aws)}, **elements)), pins=pins)


def names_service(service: str, effect: str = "Allow") -> Layer:
    return layer(policy(statement(effect, Principal={"Service": service})))


# --- the table of section 4.3: what a grant to a principal of the same account bypasses

GRANTS = [
    # principal named, caller, bypasses: identity, boundary, session policy
    (USER_ARN, USER, True, True, True),
    (USER_ID, USER, True, True, True),
    (USER_ARN, FEDERATED, True, False, False),
    (ROLE_ARN, ROLE, True, False, False),
    (ROLE_ID, ROLE, True, False, False),
    (SESSION_ARN, ROLE, True, True, True),
    (FEDERATED_ARN, FEDERATED, True, True, True),
    *(("*", who, True, True, True) for who in (USER, ROLE, FEDERATED)),
    *((account, who, False, False, False) for account in (HOME, ROOT_ARN) for who in (USER, ROLE, FEDERATED)),
]


@pytest.mark.parametrize("rule", [Rule.ORDINARY, Rule.KEY, Rule.TRUST])
@pytest.mark.parametrize(("named", "caller", "identity", "boundary", "session"), GRANTS)
def test_what_a_resource_grant_bypasses(
    named: str, caller: Principal, identity: bool, boundary: bool, session: bool, rule: Rule
) -> None:
    def granted(**layers: Layer) -> bool:
        everything = {"identity": ALLOW, "boundary": ALLOW, "session": ALLOW, "resource": names(named)}
        return allows(principal=caller, rule=rule, **{**everything, **layers})

    assert granted()
    assert granted(identity=EMPTY) is identity
    assert granted(boundary=EMPTY) is boundary
    assert granted(session=EMPTY) is session
    for denying in ("identity", "boundary", "session"):
        assert not granted(**{denying: DENY})
    assert not granted(resource=layer(policy(statement("Deny", Principal="*"), statement(Principal="*"))))


@pytest.mark.parametrize(
    ("named", "caller"),
    [
        (f"arn:aws:iam::{HOME}:user/alice", USER),
        (f"arn:aws:iam::{HOME}:user/team/Alice", USER),
        (f"arn:aws:iam::{AWAY}:user/team/alice", USER),
        (f"arn:aws:sts::{HOME}:assumed-role/deployer/run2", ROLE),
        (f"arn:aws:sts::{HOME}:assumed-role/path/deployer/run1", ROLE),
        (f"arn:aws:iam::{HOME}:role/deployer", ROLE),
        (f"arn:aws:iam::{HOME}:user/*", USER),
        (f"arn:aws-cn:iam::{HOME}:root", ROLE),
        (AWAY, USER),
        (ROLE_ID, USER),
        ("alice", USER),
        (USER_ARN, ANONYMOUS),
        (ROOT_ARN, ANONYMOUS),
        ("anonymous", ANONYMOUS),
        ("lambda.amazonaws.com", SERVICE),
    ],
)
def test_names_that_do_not_name_the_caller(named: str, caller: Principal) -> None:
    assert not allows(principal=caller, rule=Rule.KEY, identity=ALLOW, resource=names(named))


def test_a_pinned_arn_is_the_entity_not_the_name() -> None:
    pinned = names(USER_ARN, pins={USER_ARN: USER_ID})
    assert allows(rule=Rule.KEY, resource=pinned)
    namesake = Principal(PrincipalKind.USER, "aws", HOME, USER_ARN, USER_ARN, "AIDA00000000000000NEW")
    assert not allows(principal=namesake, rule=Rule.KEY, resource=pinned)
    moved = f"arn:aws:iam::{HOME}:user/elsewhere/alicia"
    renamed = Principal(PrincipalKind.USER, "aws", HOME, moved, moved, USER_ID)
    assert allows(principal=renamed, rule=Rule.KEY, resource=pinned)


# --- default deny, explicit deny


@pytest.mark.parametrize("rule", [Rule.ORDINARY, Rule.KEY, Rule.TRUST])
@pytest.mark.parametrize("caller", EVERY_PRINCIPAL, ids=lambda who: who.kind.value)
def test_nothing_is_allowed_by_default(caller: Principal, rule: Rule) -> None:
    root_at_home = caller is ROOT and rule is Rule.ORDINARY
    assert allows(principal=caller, rule=rule) is root_at_home
    assert not allows(principal=caller, rule=rule, account=AWAY)


@pytest.mark.parametrize("where", ["identity", "boundary", "session", "resource", "scps", "rcps"])
@pytest.mark.parametrize("caller", [USER, ROLE, FEDERATED], ids=lambda who: who.kind.value)
def test_an_explicit_deny_in_any_layer_decides(caller: Principal, where: str) -> None:
    everyone = layer(policy(statement(Principal="*")))
    layers: dict[str, Any] = {
        "identity": ALLOW,
        "boundary": ALLOW,
        "session": ALLOW,
        "resource": everyone,
        "scps": (ALLOW,),
        "rcps": (everyone,),
    }
    assert allows(principal=caller, **layers)
    of_resource = where in ("resource", "rcps")
    denying = layer(policy(statement(Principal="*"), statement("Deny", Principal="*"))) if of_resource else DENY
    layers[where] = (denying,) if where.endswith("cps") else denying
    found = decision(principal=caller, **layers)
    assert (found.allowed, found.explicit) == (False, True)


def test_the_widest_explicit_deny_is_reported() -> None:
    denied = layer(policy(statement("Deny", Principal="*")))
    layers: dict[str, Any] = {
        "scps": (DENY,),
        "rcps": (denied,),
        "session": DENY,
        "boundary": DENY,
        "identity": DENY,
        "resource": denied,
    }
    reported = []
    while layers:
        reported.append(decision(**layers).layer)
        del layers[next(iter(layers))]
    assert reported == [
        LayerKind.SCP,
        LayerKind.RCP,
        LayerKind.SESSION,
        LayerKind.BOUNDARY,
        LayerKind.IDENTITY,
        LayerKind.RESOURCE,
    ]


# --- which layer a refusal names


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ({}, LayerKind.IDENTITY),
        ({"identity": EMPTY, "resource": EMPTY}, LayerKind.IDENTITY),
        ({"identity": ALLOW, "boundary": EMPTY}, LayerKind.BOUNDARY),
        ({"identity": ALLOW, "boundary": EMPTY, "session": EMPTY}, LayerKind.SESSION),
        ({"identity": ALLOW, "boundary": ALLOW, "session": EMPTY}, LayerKind.SESSION),
        ({"identity": ALLOW, "scps": (ALLOW, EMPTY)}, LayerKind.SCP),
        ({"identity": ALLOW, "rcps": (EMPTY,)}, LayerKind.RCP),
        ({"identity": ALLOW, "scps": (EMPTY,), "rcps": (EMPTY,)}, LayerKind.SCP),
        ({"account": AWAY, "identity": ALLOW}, LayerKind.RESOURCE),
        ({"account": AWAY, "identity": EMPTY}, LayerKind.RESOURCE),
        ({"account": AWAY, "identity": EMPTY, "resource": names("*")}, LayerKind.IDENTITY),
        ({"account": AWAY, "identity": ALLOW, "boundary": EMPTY, "resource": names("*")}, LayerKind.BOUNDARY),
        ({"rule": Rule.KEY, "identity": ALLOW}, LayerKind.RESOURCE),
        ({"rule": Rule.KEY, "identity": EMPTY}, LayerKind.IDENTITY),
        ({"rule": Rule.KEY, "identity": EMPTY, "resource": names(HOME)}, LayerKind.IDENTITY),
        ({"rule": Rule.TRUST, "identity": ALLOW}, LayerKind.TRUST),
        ({"principal": ROOT, "rule": Rule.KEY}, LayerKind.RESOURCE),
        ({"principal": SERVICE}, LayerKind.RESOURCE),
        ({"principal": ANONYMOUS, "identity": ALLOW}, LayerKind.RESOURCE),
    ],
)
def test_the_layer_that_lacks_an_allow(layers: dict[str, Any], expected: LayerKind) -> None:
    assert decision(**layers) == Decision(False, expected)


def test_the_layer_and_statement_that_allowed() -> None:
    managed = Layer(
        [
            Attached(compile_policy(policy(statement(Action="s3:*"))), "inline"),
            Attached(compile_policy(policy(statement(Action="s3:*"), statement(Sid="Two"))), "Managed", "arn:m"),
        ]
    )
    assert decision(identity=managed) == Decision(
        True, LayerKind.IDENTITY, match=Match("Managed", "arn:m", 1, "Two")
    )
    assert decision(resource=names("*")).layer is LayerKind.RESOURCE
    assert decision(principal=ROOT) == Decision(True, None)
    assert decision(principal=ROOT, rule=Rule.KEY, resource=names(HOME)).layer is LayerKind.RESOURCE
    assert decision(rule=Rule.TRUST, resource=names("*")).layer is LayerKind.TRUST
    assert decision(rule=Rule.NONE, identity=DENY) == Decision(True, None)


def test_the_statement_that_denied() -> None:
    found = decision(identity=layer(ALLOW_ALL, policy(statement(), statement("Deny", Sid="No"))))
    assert found == Decision(False, LayerKind.IDENTITY, explicit=True, match=Match("p1", None, 1, "No"))


# --- cross account


@pytest.mark.parametrize("rule", [Rule.ORDINARY, Rule.KEY, Rule.TRUST])
@pytest.mark.parametrize(
    ("named", "caller"),
    [(USER_ARN, USER), (HOME, USER), ("*", USER), (ROLE_ARN, ROLE), (SESSION_ARN, ROLE), (ROOT_ARN, ROLE)],
)
def test_from_another_account_both_sides_must_allow(named: str, caller: Principal, rule: Rule) -> None:
    ask: dict[str, Any] = {"principal": caller, "account": AWAY, "rule": rule}
    resource = names(named)
    assert allows(**ask, identity=ALLOW, resource=resource)
    assert not allows(**ask, identity=ALLOW)
    assert not allows(**ask, identity=EMPTY, resource=resource)
    assert not allows(**ask, resource=resource)
    assert not allows(**ask, identity=ALLOW, resource=names(AWAY))
    assert not allows(**ask, identity=ALLOW, boundary=EMPTY, resource=resource)
    assert not allows(**ask, identity=ALLOW, session=EMPTY, resource=resource)
    assert not allows(**ask, identity=ALLOW, scps=(EMPTY,), resource=resource)
    assert not allows(**ask, identity=ALLOW, rcps=(EMPTY,), resource=resource)


def test_a_root_user_of_another_account_needs_the_resource_only() -> None:
    assert allows(principal=ROOT, account=AWAY, resource=names(HOME))
    assert not allows(principal=ROOT, account=AWAY)
    assert not allows(principal=ROOT, account=AWAY, resource=names(HOME), scps=(EMPTY,))


# --- the rules of keys and roles


@pytest.mark.parametrize("rule", [Rule.KEY, Rule.TRUST])
@pytest.mark.parametrize(
    ("caller", "resource", "identity", "expected"),
    [
        (USER, None, ALLOW, False),
        (USER, EMPTY, ALLOW, False),
        (USER, names(HOME), None, False),
        (USER, names(HOME), EMPTY, False),
        (USER, names(HOME), ALLOW, True),
        (USER, names(USER_ARN), EMPTY, True),
        (USER, names(ROLE_ARN), ALLOW, False),
        (USER, names(HOME, Action="s3:*"), ALLOW, False),
        (USER, names(HOME, Condition={"Bool": {"a:b": "true"}}), ALLOW, False),
        (ROOT, None, None, False),
        (ROOT, names(USER_ARN), None, False),
        (ROOT, names(HOME), None, True),
        (ROOT, names(AWAY), None, False),
    ],
)
def test_a_key_or_role_gives_nobody_a_right_its_policy_does_not(
    caller: Principal, resource: Layer | None, identity: Layer | None, expected: bool, rule: Rule
) -> None:
    assert allows(principal=caller, rule=rule, resource=resource, identity=identity) is expected


def test_an_ordinary_resource_needs_no_delegation() -> None:
    assert allows(identity=ALLOW)
    assert allows(identity=ALLOW, resource=names(AWAY))
    assert not allows(resource=names(HOME))


def test_a_statement_without_resource_counts_only_in_a_trust_policy() -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*"}
    assert allows(rule=Rule.TRUST, resource=layer(policy(trust)))
    assert not allows(rule=Rule.KEY, resource=layer(policy(trust)))
    assert not allows(resource=layer(policy(trust)))
    inert = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*"}
    assert not allows(rule=Rule.KEY, resource=layer(policy(inert)))


def test_a_deny_of_an_identity_policy_counts_for_a_key() -> None:
    assert not allows(rule=Rule.KEY, identity=DENY, resource=names("*"))


# --- root, federated sessions, services, providers, strangers


def test_root_has_its_account_but_not_against_a_deny_or_a_filter() -> None:
    assert allows(principal=ROOT)
    assert not allows(principal=ROOT, resource=names("*", effect="Deny"))
    assert not allows(principal=ROOT, resource=names(HOME, effect="Deny"))
    assert not allows(principal=ROOT, scps=(ALLOW, EMPTY))
    assert not allows(principal=ROOT, rcps=(EMPTY,))
    assert not allows(principal=ROOT, session=EMPTY)


def test_a_federated_session_has_only_what_its_session_policy_passes() -> None:
    assert allows(principal=FEDERATED, identity=ALLOW, session=ALLOW)
    assert not allows(principal=FEDERATED, identity=ALLOW, session=EMPTY)
    assert not allows(principal=FEDERATED, identity=ALLOW)
    assert allows(principal=FEDERATED, resource=names(FEDERATED_ARN))


@pytest.mark.parametrize("rule", [Rule.ORDINARY, Rule.KEY, Rule.TRUST])
def test_a_service_must_be_named(rule: Rule) -> None:
    service = SERVICE.arn
    assert allows(principal=SERVICE, rule=rule, resource=names_service(service), scps=(DENY,))
    assert allows(principal=SERVICE, rule=rule, resource=names("*"))
    assert not allows(principal=SERVICE, rule=rule, resource=names_service("ec2.amazonaws.com"))
    assert not allows(principal=SERVICE, rule=rule, resource=names_service("*"))
    assert not allows(principal=SERVICE, rule=rule, resource=names_service(service), rcps=(EMPTY,))
    assert not allows(principal=SERVICE, rule=rule, identity=ALLOW)
    assert not allows(principal=USER, rule=Rule.KEY, identity=ALLOW, resource=names_service(service))


def test_whom_a_provider_vouches_for_must_be_trusted_through_it() -> None:
    trust = {"Effect": "Allow", "Principal": {"Federated": PROVIDER_ARN}, "Action": "*"}
    denied = {**trust, "Effect": "Deny", "Principal": {"AWS": "*"}}
    ask: dict[str, Any] = {"principal": PROVIDER, "rule": Rule.TRUST}
    assert allows(**ask, resource=layer(policy(trust)))
    assert not allows(**ask, resource=layer(policy({**trust, "Principal": {"Federated": "other"}})))
    assert not allows(**ask, resource=layer(policy({**trust, "Principal": {"AWS": "*"}})))
    assert not allows(**ask, resource=layer(policy({**trust, "Principal": {"AWS": HOME}})))
    assert not allows(**ask, resource=layer(policy(trust, denied)))


def test_a_stranger_needs_a_grant_to_everyone() -> None:
    assert allows(principal=ANONYMOUS, resource=names("*"))
    assert allows(principal=ANONYMOUS, resource=layer(policy(statement(Principal="*"))))
    guarded = names("*", Condition={"StringEquals": {"aws:PrincipalAccount": HOME}})
    assert not allows(principal=ANONYMOUS, resource=guarded)


# --- NotPrincipal, section 4.8


def excepting(effect: str, *aws: str, **keys: Any) -> Layer:
    return layer(policy(statement(effect, NotPrincipal={"AWS": list(aws), **keys})))


@pytest.mark.parametrize(
    ("caller", "listed", "denied"),
    [
        (USER, [USER_ARN, HOME], False),
        (USER, [USER_ID, ROOT_ARN], False),
        (USER, [USER_ARN], True),
        (USER, [HOME], True),
        (USER, [], True),
        (USER, ["*"], False),
        (ROLE, [SESSION_ARN, ROLE_ARN, HOME], False),
        (ROLE, [ROLE_ARN, HOME], True),
        (ROLE, [SESSION_ARN, HOME], True),
        (ROLE, [SESSION_ARN, ROLE_ARN], True),
        (FEDERATED, [FEDERATED_ARN, USER_ARN, HOME], False),
        (FEDERATED, [FEDERATED_ARN, HOME], True),
        (ROOT, [HOME], False),
        (ROOT, [USER_ARN], True),
        (SERVICE, [HOME], True),
        (ANONYMOUS, [HOME], True),
        (ANONYMOUS, ["*"], False),
        (PROVIDER, [HOME], True),
    ],
)
def test_deny_with_not_principal(caller: Principal, listed: list[str], denied: bool) -> None:
    found = decision(principal=caller, identity=ALLOW, session=ALLOW, resource=excepting("Deny", *listed))
    assert found.explicit is denied


def test_deny_with_not_principal_denies_everyone_with_a_boundary() -> None:
    resource = excepting("Deny", USER_ARN, HOME)
    assert allows(identity=ALLOW, resource=resource)
    assert not allows(identity=ALLOW, boundary=ALLOW, resource=resource)


@pytest.mark.parametrize(
    ("caller", "listed", "granted"),
    [
        (USER, [ROLE_ARN], True),
        (USER, [USER_ARN], False),
        (USER, [HOME], False),
        (ROLE, [ROLE_ARN], False),
        (ROLE, [SESSION_ARN], False),
        (ANONYMOUS, [HOME], True),
        (ANONYMOUS, ["*"], False),
        (PROVIDER, ["*"], False),
        (SERVICE, [HOME], True),
    ],
)
def test_allow_with_not_principal(caller: Principal, listed: list[str], granted: bool) -> None:
    assert allows(principal=caller, rule=Rule.TRUST, resource=excepting("Allow", *listed)) is granted


def test_a_service_can_be_exempt() -> None:
    assert decision(principal=SERVICE, resource=excepting("Deny", Service=SERVICE.arn)).explicit is False
    assert decision(principal=SERVICE, resource=excepting("Deny", Service="x.amazonaws.com")).explicit is True


# --- actions and resources


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("*", "*", True),
        ("*", KEY, True),
        ("arn:aws:kms:*:*:key/*", "*", False),
        ("arn:aws:kms:*:*:key/*", KEY, True),
        ("arn:AWS:KMS:US-EAST-1:*:key/*", KEY, True),
        ("arn:aws:kms:*:*:KEY/*", KEY, False),
        ("arn:aws:kms:us-*-?:1*:key/a?c", KEY, True),
        ("arn:aws:kms:*:key/*", KEY, False),
        ("arn:aws:kms", KEY, True),
        ("arn:aws:k*", KEY, True),
        ("arn:*", KEY, True),
        ("arn:aws:s3", KEY, False),
        ("key/abc", KEY, False),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b/c*?", True),
        ("arn:aws:s3:::b/x", "arn:aws:s3:::b/*", False),
    ],
)
def test_resources(pattern: str, resource: str, expected: bool) -> None:
    assert allows(identity=layer(policy(statement(Resource=pattern))), on=resource) is expected
    several = layer(policy(statement(Resource=["arn:aws:x:::y", pattern])))
    assert allows(identity=several, on=resource) is expected
    inverse = layer(policy(statement(NotResource=["arn:aws:x:::y", pattern])))
    assert allows(identity=inverse, on=resource) is not expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("arn:aws:kms", False),
        (f"arn:aws:kms:us-east-1:{HOME}", False),
        ("arn:aws:kms*", True),
        ("arn:aws:kms:*", True),
    ],
)
def test_a_short_arn_in_the_policy_of_a_resource(pattern: str, expected: bool) -> None:
    assert allows(resource=names("*", Resource=pattern)) is expected


def test_not_action() -> None:
    spared = layer(policy(statement(NotAction=["kms:*", "s3:Get*"])))
    assert not allows(identity=spared)
    assert not allows(identity=spared, action="S3:getobject")
    assert allows(identity=spared, action="s3:PutObject")
    assert allows(identity=layer(policy(statement(NotAction="kms:"))))


def test_a_policy_of_a_resource_that_names_nobody_is_silent() -> None:
    assert not allows(rule=Rule.KEY, resource=ALLOW)
    assert allows(identity=ALLOW, resource=DENY)


def test_a_short_arn_in_an_identity_policy() -> None:
    assert allows(identity=layer(policy(statement(Resource=f"arn:aws:kms:us-east-1:{HOME}"))))
    assert not allows(identity=layer(policy(statement(Resource=f"arn:aws:kms:us-east-1:{AWAY}"))))


def test_the_wildcards_of_every_field_count() -> None:
    assert not allows(identity=layer(policy(statement(Resource="arn:aws:s3:*:*:key/abc"))))
    assert not allows(identity=layer(policy(statement(Resource="arn:aws:kms:*:*:alias/*"))))


def test_a_named_principal_in_an_identity_policy_grants_nothing_and_denies() -> None:
    assert not allows(identity=names("*"))
    assert not allows(identity=layer(ALLOW_ALL, policy(statement("Deny", Principal={"AWS": AWAY}))))


# --- stored text that cannot be read


@pytest.mark.parametrize("text", ["", "{", "[]", policy(), policy(statement("allow"))])
@pytest.mark.parametrize("caller", EVERY_PRINCIPAL, ids=lambda who: who.kind.value)
def test_an_unreadable_policy_denies_everything(text: str, caller: Principal) -> None:
    assert compile_policy(text).readable is False
    unreadable = layer(text)
    assert decision(principal=caller, identity=ALLOW, resource=unreadable).explicit
    assert decision(principal=caller, identity=layer(ALLOW_ALL, text)).explicit
    assert decision(principal=caller, rule=Rule.TRUST, resource=unreadable).explicit


def test_a_policy_is_compiled_once() -> None:
    assert compile_policy(ALLOW_ALL).readable
    assert compile_policy(ALLOW_ALL) is compile_policy(str(ALLOW_ALL))
    assert compile_policy(ALLOW_ALL, {"a": "b"}) is not compile_policy(ALLOW_ALL)


def test_a_layer_remembers_a_bounded_number_of_actions() -> None:
    remembering = layer(policy(statement(Action="s3:*")))
    for number in range(2000):
        assert allows(identity=remembering, action=f"s3:Action{number}")
    assert len(remembering._remembered) <= 512
