"""SCIM: a directory provisions users and groups, and what it may not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bailiwick.core.message import Header, Request
from world import World

USER = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "externalId": "701984",
    "userName": "bjensen",
    "name": {"familyName": "Jensen", "givenName": "Barbara"},
    "displayName": "Babs",
    "emails": [{"value": "b@example.com", "type": "work", "primary": True}],
    "active": True,
}


class Tenant(msgspec.Struct):
    """A store and a token for it."""

    world: World
    store: str
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None, store: str | None = None
    ) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        headers = (
            Header("host", "h"),
            Header("authorization", f"Bearer {token if token is not None else self.token}"),
            Header("content-type", "application/scim+json"),
        )
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        target = f"/scim/{store or self.store}/v2/{path}"
        answer = self.world.pipeline.handle(Request(method, target, query, headers, data))
        if answer.status < 300 and answer.body:
            assert dict(answer.headers)["content-type"] == "application/scim+json"
        return answer.status, json.loads(answer.body) if answer.body else None

    def made(self, **more: Any) -> str:
        status, body = self.ask("POST", "Users", {**USER, **more})
        assert status == 201, body
        return str(body["id"])


@pytest.fixture
def tenant() -> Tenant:
    world = World()
    world.client("sso-admin").create_instance(Name="company")
    store = world.client("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
    made = world.client("identitystore").create_bearer_token(IdentityStoreId=store)
    assert made["Endpoint"].endswith(f"/scim/{store}/v2/")
    return Tenant(world, store, made["BearerToken"])


def test_a_user_from_making_to_deleting(tenant: Tenant) -> None:
    user = tenant.made()
    status, shown = tenant.ask("GET", f"Users/{user}")
    assert status == 200
    assert {key: shown[key] for key in USER} == USER
    assert shown["meta"]["resourceType"] == "User"
    known = tenant.world.client("identitystore").describe_user(IdentityStoreId=tenant.store, UserId=user)
    assert known["Name"] == {"FamilyName": "Jensen", "GivenName": "Barbara"}
    assert known["ExternalIds"] == [{"Issuer": "scim", "Id": "701984"}]
    assert tenant.ask("PUT", f"Users/{user}", {"userName": "barbara", "active": False})[1]["active"] is False
    assert tenant.ask("DELETE", f"Users/{user}") == (204, None)
    assert tenant.ask("GET", f"Users/{user}")[0] == 404


def test_patches_as_directories_send_them(tenant: Tenant) -> None:
    path = f"Users/{tenant.made()}"

    def patch(*operations: dict[str, Any]) -> Any:
        status, body = tenant.ask("PATCH", path, {"Operations": list(operations)})
        assert status == 200, body
        return body

    assert patch({"op": "Replace", "path": "active", "value": "False"})["active"] is False
    assert patch({"op": "replace", "value": {"active": True, "title": "Dr"}})["title"] == "Dr"
    assert patch({"op": "add", "path": "name.middleName", "value": "J"})["name"]["middleName"] == "J"
    assert "title" not in patch({"op": "remove", "path": "title"})
    value = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"}
    assert patch(value)["emails"] == [{"value": "new@example.com", "type": "work", "primary": True}]
    for wrong in ({"op": "test", "path": "x"}, {"op": "replace", "value": 5}, {"op": "remove", "path": "userName"}):
        assert tenant.ask("PATCH", path, {"Operations": [wrong]})[0] == 400


def test_filters_and_pages(tenant: Tenant) -> None:
    for number in range(5):
        tenant.made(userName=f"user-{number}", externalId=str(number))
    status, found = tenant.ask("GET", "Users?startIndex=2&count=2")
    assert (status, found["totalResults"], found["itemsPerPage"]) == (200, 5, 2)
    for text in ('userName eq "USER-3"', 'externalId eq "3"'):
        query = text.replace(" ", "%20").replace('"', "%22")
        assert [each["userName"] for each in tenant.ask("GET", f"Users?filter={query}")[1]["Resources"]] == [
            "user-3"
        ]
    for text in ('userName co "x"', "active eq true", 'title eq "x"'):
        assert tenant.ask("GET", f"Users?filter={text.replace(' ', '%20')}")[0] == 400


def test_groups_and_their_members(tenant: Tenant) -> None:
    one, two = tenant.made(), tenant.made(userName="second", externalId="2")
    status, group = tenant.ask("POST", "Groups", {"displayName": "Engineers", "members": [{"value": one}]})
    assert status == 201
    path, store = f"Groups/{group['id']}", tenant.world.client("identitystore")

    def members() -> set[str]:
        found = store.list_group_memberships(IdentityStoreId=tenant.store, GroupId=group["id"])
        return {each["MemberId"]["UserId"] for each in found["GroupMemberships"]}

    tenant.ask("PATCH", path, {"Operations": [{"op": "add", "path": "members", "value": [{"value": two}]}]})
    assert members() == {one, two}
    tenant.ask("PATCH", path, {"Operations": [{"op": "remove", "path": f'members[value eq "{one}"]'}]})
    assert members() == {two}
    tenant.ask("PATCH", path, {"Operations": [{"op": "replace", "value": {"displayName": "Builders"}}]})
    assert tenant.ask("GET", path)[1]["displayName"] == "Builders"
    tenant.ask("PUT", path, {"displayName": "Builders", "members": [{"value": one}]})
    assert members() == {one}
    assert (
        tenant.ask("PATCH", path, {"Operations": [{"op": "add", "path": "members", "value": [{"value": "x"}]}]})[0]
        == 404
    )
    assert members() == {one}
    assert tenant.ask("DELETE", path)[0] == 204


def test_names_are_taken_once(tenant: Tenant) -> None:
    tenant.made()
    assert tenant.ask("POST", "Users", {**USER, "externalId": "other"})[0] == 409
    assert tenant.ask("POST", "Users", {**USER, "userName": "other"})[0] == 409


def test_only_the_token_of_this_store_is_good(tenant: Tenant) -> None:
    other = tenant.world.account("210987654321")
    admin = tenant.world.client("sso-admin", other)
    admin.create_instance(Name="other")
    store = admin.list_instances()["Instances"][0]["IdentityStoreId"]
    assert tenant.ask("GET", "Users", store=store)[0] == 401
    for token in ("", "x", tenant.token[:-12] + "x" * 12, tenant.token + " y"):
        assert tenant.ask("GET", "Users", token=token)[0] == 401
    identity = tenant.world.client("identitystore")
    (kept,) = identity.list_bearer_tokens(IdentityStoreId=tenant.store)["BearerTokens"]
    identity.delete_bearer_token(IdentityStoreId=tenant.store, TokenId=kept["TokenId"])
    assert tenant.ask("GET", "Users")[0] == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"[" * 5000, b'{"userName": 5}', b'{"userName": ""}'])
def test_bodies_that_make_no_sense(tenant: Tenant, body: bytes) -> None:
    assert tenant.ask("POST", "Users", body)[0] == 400


def test_what_the_provider_can_do(tenant: Tenant) -> None:
    status, told = tenant.ask("GET", "ServiceProviderConfig")
    assert status == 200
    assert told["patch"] == {"supported": True}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ('name[type eq "x"].value', "y"),
        ('userName[type eq "x"].value', "y"),
        ('emails[type eq "work"].value', 5),
        ("emails", "text"),
        ("name", [1]),
        ("active", {"a": 1}),
        ("", []),
    ],
)
def test_patches_of_users_that_fit_no_attribute(tenant: Tenant, path: str, value: Any) -> None:
    body = {"Operations": [{"op": "replace", "path": path, "value": value}]}
    status, _ = tenant.ask("PATCH", f"Users/{tenant.made()}", body)
    assert status in (200, 400)


@pytest.mark.parametrize("value", [5, "x", {"value": "x"}, [5], [None]])
def test_members_that_are_none(tenant: Tenant, value: Any) -> None:
    status, group = tenant.ask("POST", "Groups", {"displayName": "Engineers"})
    assert status == 201
    path = f"Groups/{group['id']}"
    for kind in ("add", "replace"):
        body = {"Operations": [{"op": kind, "path": "members", "value": value}]}
        assert tenant.ask("PATCH", path, body)[0] in (400, 404)
    assert tenant.ask("PUT", path, {"displayName": "Engineers", "members": value})[0] in (400, 404)


def test_pages_beyond_what_there_is(tenant: Tenant) -> None:
    tenant.made()
    for query, shown in (("count=0", 0), ("startIndex=0", 1), ("startIndex=1000000", 0)):
        status, found = tenant.ask("GET", f"Users?{query}")
        assert (status, len(found["Resources"]), found["totalResults"]) == (200, shown, 1), query
    for query in ("count=-5", "startIndex=-3", f"startIndex={10**30}"):
        assert tenant.ask("GET", f"Users?{query}")[0] == 400


@pytest.mark.parametrize(("said", "active"), [("False", False), ("true", True), (None, True), (False, False)])
def test_who_is_made_inactive_is(tenant: Tenant, said: Any, active: bool) -> None:
    assert tenant.ask("POST", "Users", {"userName": "new", "active": said})[1]["active"] is active
