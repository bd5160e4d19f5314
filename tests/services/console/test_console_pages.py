"""The console: every page as an administrator, as somebody who may do nothing, and what people do on them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bailiwick.services.console import summary
from bailiwick.services.console.actions import ACTIONS
from bailiwick.services.console.commands import command, kebab
from person import Page, Person
from world import ACCOUNT, World

ALLOW = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}'

GIVEN = "A-long-Password-1"


def arn(kind: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}"


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    iam, kms = made.client("iam"), made.client("kms")
    for name in ("admin", "nobody", "reader"):
        iam.create_user(UserName=name)
    iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.attach_user_policy(UserName="reader", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.create_group(GroupName="team")
    iam.add_user_to_group(GroupName="team", UserName="reader")
    iam.put_group_policy(GroupName="team", PolicyName="in", PolicyDocument=ALLOW)
    trust = {"Effect": "Allow", "Principal": {"AWS": arn("root")}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="worker",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )
    iam.create_policy(PolicyName="own", PolicyDocument=ALLOW)
    iam.create_policy_version(PolicyArn=arn("policy/own"), PolicyDocument=ALLOW.replace("Encrypt", "Decrypt"))
    key = kms.create_key(Description="the first")["KeyMetadata"]
    kms.create_alias(AliasName="alias/first", TargetKeyId=key["KeyId"])
    kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=arn("user/reader"), Operations=["Decrypt"])
    made.key = key  # type: ignore[attr-defined]
    return made


def signed_in(world: World, name: str) -> Person:
    known: dict[str, Person] = world.__dict__.setdefault("people", {})
    if name not in known:
        known[name] = Person(world)
        known[name].sign_in_as(name)
    return known[name]


def pages_of(world: World) -> list[str]:
    key = world.key["Arn"]  # type: ignore[attr-defined]
    return [
        "/console",
        "/console/iam/users",
        "/console/iam/users/reader",
        "/console/iam/groups",
        "/console/iam/groups/team",
        "/console/iam/inline/group/team/in",
        "/console/iam/roles",
        "/console/iam/roles/worker",
        "/console/iam/policies",
        "/console/iam/policies?scope=AWS",
        f"/console/iam/policy?{urlencode({'arn': arn('policy/own')})}",
        "/console/iam/policy?arn=arn:aws:iam::aws:policy/ReadOnlyAccess",
        f"/console/iam/policy/diff?{urlencode({'arn': arn('policy/own'), 'a': 'v1', 'b': 'v2'})}",
        "/console/iam/policies/edit",
        f"/console/iam/policies/edit?{urlencode({'arn': arn('policy/own')})}",
        "/console/iam/providers",
        "/console/kms/keys",
        f"/console/kms/keys/{key.rpartition('/')[2]}",
        "/console/simulator",
        f"/console/simulator?{urlencode({'principal': arn('user/reader'), 'actions': 'kms:Decrypt'})}",
        "/console/map",
        f"/console/map?{urlencode({'resource': key})}",
        "/console/accounts",
        "/console/search?q=reader",
        *(f"/console/do/{slug}" for slug in ACTIONS),
    ]


def test_every_page_is_there_for_an_administrator(world: World) -> None:
    person = signed_in(world, "admin")
    for path in pages_of(world):
        page = person.get(path)
        assert page.status == 200, (path, page.words[:300])
        assert page.title, path


def test_home_tells_what_to_look_at(world: World) -> None:
    person = signed_in(world, "admin")
    assert "The root user has no second factor." in person.get("/console").words
    page = person.get("/console").send("/console/report")
    assert "The credential report was made." in page.words
    assert "admin signs in with a password and no second factor." in page.words


def test_who_may_do_nothing_sees_why(world: World) -> None:
    person = signed_in(world, "nobody")
    for path in pages_of(world):
        page = person.get(path)
        assert page.status in (200, 403), (path, page.words[:300])
        assert "the first" not in page.text
        if page.status == 403:
            assert "is not authorized to perform" in page.words


def test_a_reader_changes_nothing_by_looking(world: World) -> None:
    person = signed_in(world, "reader")
    before = len(world.events)
    seen, waiting = set(), ["/console"]
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 250 or not path.startswith("/console"):
            continue
        seen.add(path)
        waiting += person.get(path).links
    assert len(seen) > 60
    changes = [
        each for each in world.events[before:] if each.route and each.route.operation.writes and not each.error
    ]
    assert changes == []


def test_a_readers_forms_are_refused(world: World) -> None:
    person = signed_in(world, "reader")
    page = person.get("/console/do/delete-group?GroupName=team").send("/console/do/delete-group")
    assert page.status == 400
    assert "not authorized to perform: iam:DeleteGroup" in page.words


def act(person: Person, slug: str, back: str, fixed: dict[str, str], **fields: str) -> Page:
    page = person.get(f"/console/do/{slug}?{urlencode({**fixed, 'back': back})}")
    return page.send(f"/console/do/{slug}", **fields)


@pytest.mark.parametrize("days", ["x", "-1", "\u00b2", "1" * 5000, "1.5"])
def test_what_is_no_number_is_told(world: World, days: str) -> None:
    key = world.client("kms").create_key()["KeyMetadata"]["KeyId"]
    fixed = {"KeyId": key}
    page = act(signed_in(world, "admin"), "schedule-deletion", "/console/kms/keys", fixed, PendingWindowInDays=days)
    assert page.status == 400
    assert "must be a number" in page.words


def test_a_user_from_making_to_deleting(world: World) -> None:
    person, home = signed_in(world, "admin"), "/console/iam/users/ann"
    made = act(person, "create-user", "/console/iam/users", {}, UserName="ann", Tags="team=x\nlevel = 2")
    assert "The user was created." in made.words
    assert world.client("iam").list_user_tags(UserName="ann")["Tags"][1] == {"Key": "level", "Value": "2"}
    user = {"UserName": "ann"}
    read = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert "ReadOnlyAccess" in act(person, "attach-user-policy", home, user, PolicyArn=read).words
    page = person.get(home).send(f"{home}/new-key")
    key = world.client("iam").list_access_keys(**user)["AccessKeyMetadata"][0]["AccessKeyId"]
    assert key in page.words
    assert "Download as CSV" in page.words
    done = act(person, "set-key-status", home, {**user, "AccessKeyId": key}, Status="Inactive")
    assert "Inactive" in done.words
    act(person, "delete-access-key", home, {**user, "AccessKeyId": key})
    act(person, "set-password", home, user, Password=GIVEN, PasswordResetRequired="on")
    assert world.client("iam").get_login_profile(**user)["LoginProfile"]["PasswordResetRequired"] is True
    act(person, "delete-password", home, user)
    refused = act(person, "delete-user", "/console/iam/users", user)
    assert refused.status == 400
    assert "must detach all policies first" in refused.words
    act(person, "detach-user-policy", home, {**user, "PolicyArn": read})
    assert "The user was deleted." in act(person, "delete-user", "/console/iam/users", user).words


def test_the_editor_shows_findings_at_their_lines(world: World) -> None:
    person = signed_in(world, "admin")
    statement = '"Effect": "Allow",\n    "Action": "kms:Encyrpt",\n    "Resource": "*"'
    text = f'{{\n  "Version": "2012-10-17",\n  "Statement": [{{\n    {statement}\n  }}]\n}}'
    page = person.get("/console/iam/policies/edit").send(
        "/console/iam/policies/edit", document=text, name="typo", do="check"
    )
    assert page.status == 200
    at = page.text.index('id="line-5"')
    said = page.text.index("kms:Encyrpt", at)
    assert 'class="bad"' in page.text[at - 40 : at + 60] or 'class="bad"' in page.text[at:said]
    assert "INVALID_ACTION" in page.text[at : page.text.index('id="line-6"')]
    saved = page.send(
        "/console/iam/policies/edit", document=text.replace("Encyrpt", "Encrypt"), name="fixed", do="save"
    )
    assert "The policy was saved." in saved.words
    assert world.client("iam").get_policy(PolicyArn=arn("policy/fixed"))


def test_a_broken_policy_is_not_saved(world: World) -> None:
    page = signed_in(world, "admin").get("/console/iam/policies/edit")
    wrong = page.send("/console/iam/policies/edit", document="{", name="broken", do="save")
    assert wrong.status == 400
    assert wrong.form("/console/iam/policies/edit")["fields"]["document"].strip() == "{"


def test_the_simulator_answers(world: World) -> None:
    query = {"principal": arn("user/reader"), "actions": "kms:Encrypt\nkms:CreateKey"}
    page = signed_in(world, "admin").get(f"/console/simulator?{urlencode(query)}")
    assert "kms:Encrypt * allowed" in page.words
    assert "kms:CreateKey * implicitDeny" in page.words


def test_the_map_draws_who_can(world: World) -> None:
    key = world.key["Arn"]  # type: ignore[attr-defined]
    page = signed_in(world, "admin").get(f"/console/map?{urlencode({'resource': key})}")
    assert "user reader kms:Encrypt" in page.words
    assert "user admin kms:Encrypt, kms:Decrypt" in page.words
    assert "user nobody" not in page.words
    assert "<path" in page.text


def test_search_finds_by_name_id_and_alias(world: World) -> None:
    person, key = signed_in(world, "admin"), world.key  # type: ignore[attr-defined]
    for text, found in (
        ("worker", "/console/iam/roles/worker"),
        ("own", "/console/iam/policy?"),
        (key["KeyId"], f"/console/kms/keys/{key['KeyId']}"),
        ("first", f"/console/kms/keys/{key['KeyId']}"),
        ("ReadOnlyAccess", "/console/iam/policy?arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess"),
    ):
        links = person.get(f"/console/search?{urlencode({'q': text})}").links
        assert any(each.startswith(found) for each in links), text
    assert "Nothing here begins with" in person.get("/console/search?q=nowhere").words


def test_search_finds_what_begins_with_a_text(world: World) -> None:
    iam, person = world.client("iam"), signed_in(world, "admin")
    for number in range(30):
        iam.create_user(UserName=f"Wrk-{number:02}")
    for name in ("wqzz", "wrk", "wrl"):
        iam.create_user(UserName=name)
    path = [each for each in person.get("/console/search?q=wRk").links if each.startswith("/console/iam/users/")]
    assert path == ["/console/iam/users/wrk", *(f"/console/iam/users/Wrk-{number:02}" for number in range(9))]
    for text, found in (
        ("Read", "/console/iam/policy?arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess"),
        ("ow", f"/console/iam/policy?arn=arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Apolicy%2Fown"),
        ("fir", f"/console/kms/keys/{world.key['KeyId']}"),  # type: ignore[attr-defined]
        (f"arn:aws:iam::{ACCOUNT}:role/work", "/console/iam/roles/worker"),
    ):
        assert found in person.get(f"/console/search?{urlencode({'q': text})}").links, text


@pytest.mark.parametrize("text", ["\x00", "é", "*", "arn:", "arn:aws:iam::1:user/", "x" * 3000, " ", "%", "/"])
def test_search_takes_any_text(world: World, text: str) -> None:
    assert signed_in(world, "admin").get(f"/console/search?{urlencode({'q': text})}").status == 200


def test_search_shows_no_more_than_lists_do(world: World) -> None:
    page = signed_in(world, "nobody").get("/console/search?q=worker")
    assert "/console/iam/roles/worker" not in page.links


def test_a_key_from_making_to_keeping(world: World) -> None:
    person, kms = signed_in(world, "admin"), world.client("kms")
    act(person, "create-key", "/console/kms/keys", {}, Description="made by hand")
    key = next(
        each["KeyId"]
        for each in kms.list_keys()["Keys"]
        if kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["Description"] == "made by hand"
    )
    path, named = f"/console/kms/keys/{key}", {"KeyId": key}
    act(person, "disable-key", path, named)
    assert "Disabled" in person.get(path).words
    page = act(person, "schedule-deletion", path, named, PendingWindowInDays="7")
    assert "PendingDeletion" in page.words
    wrong = act(person, "schedule-deletion", path, named, PendingWindowInDays="soon")
    assert "Days must be a number." in wrong.words
    act(person, "cancel-deletion", path, named)
    assert "Disabled" in person.get(path).words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CreateAccessKey", "create-access-key"),
        ("ListMFADevices", "list-mfa-devices"),
        ("CreateOpenIDConnectProvider", "create-open-id-connect-provider"),
        ("GetSAMLProvider", "get-saml-provider"),
        ("UserName", "user-name"),
        ("PendingWindowInDays", "pending-window-in-days"),
    ],
)
def test_names_as_the_command_line_has_them(name: str, words: str) -> None:
    assert kebab(name) == words


def test_commands_are_quoted() -> None:
    members: dict[str, Any] = {"UserName": "a b", "Tags": [{"Key": "k", "Value": "v"}], "Empty": None, "Yes": True}
    text = command("iam", "CreateUser", members)
    assert text == """aws iam create-user --user-name 'a b' --tags '[{"Key": "k", "Value": "v"}]' --yes"""


def test_a_text_longer_than_any_policy_is_not_summed_up() -> None:
    statement = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    assert summary.of_policy(document).services[0].prefix == "kms"
    assert summary.of_policy(document + " " * 131_072).services == []
