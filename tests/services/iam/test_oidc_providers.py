"""OpenID Connect providers. Texts and fields: facts/iam.md sections 4 to 6, recorded."""

from __future__ import annotations

from typing import Any

import pytest
from services_support import ACCOUNT, allow, document, refusal

from bailiwick.directory import providers
from world import World

ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.org/oidc"
PROVIDER = {"OpenIDConnectProviderArn": ARN}
A, B = "a" * 40, "b" * 40


def create(iam: Any, url: str = "https://example.org/oidc", **more: Any) -> str:
    return str(iam.create_open_id_connect_provider(Url=url, **more)["OpenIDConnectProviderArn"])


def test_a_provider_as_created_and_read(iam: Any) -> None:
    assert create(iam, ThumbprintList=[A], ClientIDList=["c", "d", "c"]) == ARN
    read = iam.get_open_id_connect_provider(**PROVIDER)
    assert read["Url"] == "example.org/oidc"
    assert (read["ClientIDList"], read["ThumbprintList"], read["Tags"]) == (["c", "d"], [A], [])
    assert "CreateDate" in read
    create(iam, "https://example.org")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [
        {"Arn": ARN.removesuffix("/oidc")},
        {"Arn": ARN},
    ]
    iam.delete_open_id_connect_provider(**PROVIDER)
    assert refusal(iam.get_open_id_connect_provider, **PROVIDER) == (
        "NoSuchEntity",
        f"OpenIDConnect Provider not found for arn {ARN}",
    )
    assert refusal(iam.delete_open_id_connect_provider, **PROVIDER) == (
        "NoSuchEntity",
        f"OpenId connect Provider {ARN} cannot be found.",
    )


def test_one_provider_for_each_url(iam: Any) -> None:
    create(iam)
    told = "Provider with url https://example.org/oidc already exists."
    assert refusal(create, iam=iam) == ("EntityAlreadyExists", told)


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "example",
        "http://example.org",
        "https://",
        "https:///path",
        "https://user@example.org",
        "https://example.org?x=1",
        "https://example.org#x",
        "https://example.org/a b",
        "https://example.org:port",
        "https://exa mple.org",
        "ftp://example.org",
        "http://localhost.example.org",
        "http://localhost@example.org",
    ],
)
def test_what_is_no_issuer(iam: Any, url: str) -> None:
    assert refusal(create, iam=iam, url=url) == ("ValidationError", "Invalid Open ID Connect Provider URL")


@pytest.mark.parametrize(
    "url",
    ["https://example.org/", "https://example.org:8443/a/b", "http://localhost:8080/realms/x", "https://[::1]/x"],
)
def test_what_is_an_issuer(iam: Any, url: str) -> None:
    assert create(iam, url) == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.partition('://')[2]}"


def test_client_ids(iam: Any) -> None:
    create(iam, ClientIDList=[str(number) for number in range(100)])
    too_many = ("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
    assert refusal(iam.add_client_id_to_open_id_connect_provider, **PROVIDER, ClientID="x") == too_many
    iam.add_client_id_to_open_id_connect_provider(**PROVIDER, ClientID="7")  # is there already
    iam.remove_client_id_from_open_id_connect_provider(**PROVIDER, ClientID="not there")
    for number in range(99):
        iam.remove_client_id_from_open_id_connect_provider(**PROVIDER, ClientID=str(number))
    iam.add_client_id_to_open_id_connect_provider(**PROVIDER, ClientID="x")
    assert iam.get_open_id_connect_provider(**PROVIDER)["ClientIDList"] == ["99", "x"]
    ids = [str(number) for number in range(101)]
    assert refusal(create, iam=iam, url="https://other.example.org", ClientIDList=ids) == too_many


def test_thumbprints(iam: Any) -> None:
    create(iam)
    iam.update_open_id_connect_provider_thumbprint(**PROVIDER, ThumbprintList=[A, B])
    assert iam.get_open_id_connect_provider(**PROVIDER)["ThumbprintList"] == [A, B]
    iam.update_open_id_connect_provider_thumbprint(**PROVIDER, ThumbprintList=[letter * 40 for letter in "abcde"])
    six = [letter * 40 for letter in "abcdef"]
    assert refusal(iam.update_open_id_connect_provider_thumbprint, **PROVIDER, ThumbprintList=six) == (
        "InvalidInput",
        "Thumbprint list must contain fewer than 5 entries.",
    )
    none = {**PROVIDER, "ThumbprintList": ["x" * 40]}
    assert refusal(iam.update_open_id_connect_provider_thumbprint, **none)[0] == "InvalidInput"


def test_bounds_of_the_model(iam: Any) -> None:
    code, told = refusal(create, iam=iam, url="b" * 256, ThumbprintList=["b" * 41], ClientIDList=["b" * 256])
    head, _, items = told.partition(": ")
    assert (code, head) == ("ValidationError", "3 validation errors detected")
    at_most, at_least = (
        "Member must have length less than or equal to",
        "Member must have length greater than or equal to",
    )
    assert items.split("; ") == [  # in the order in which AWS told them
        f"Value at 'clientIDList' failed to satisfy constraint: Member must satisfy constraint: [{at_most} 255, {at_least} 1]",
        f"Value at 'thumbprintList' failed to satisfy constraint: Member must satisfy constraint: [{at_most} 40, {at_least} 40]",
        f"Value at 'url' failed to satisfy constraint: {at_most} 255",
    ]


def test_tags(iam: Any) -> None:
    tags = [{"Key": f"k{number:02}", "Value": "v"} for number in range(50)]
    assert iam.create_open_id_connect_provider(Url="https://example.org/oidc", Tags=tags)["Tags"] == tags
    told = "The number of tags has reached the maximum limit."
    more = {**PROVIDER, "Tags": [{"Key": "long", "Value": ""}]}
    assert refusal(iam.tag_open_id_connect_provider, **more) == ("LimitExceeded", told)
    iam.untag_open_id_connect_provider(**PROVIDER, TagKeys=[tag["Key"] for tag in tags[2:]])
    iam.tag_open_id_connect_provider(**more)
    first = iam.list_open_id_connect_provider_tags(**PROVIDER, MaxItems=2)
    assert (first["Tags"], first["IsTruncated"]) == (tags[:2], True)
    last = iam.list_open_id_connect_provider_tags(**PROVIDER, Marker=first["Marker"])
    assert last["Tags"] == more["Tags"]
    assert len(iam.get_open_id_connect_provider(**PROVIDER)["Tags"]) == 3


def test_another_account_does_not_see_it(world: World, iam: Any) -> None:
    create(iam)
    stranger = world.client("iam", world.account("210987654321"))
    assert refusal(stranger.get_open_id_connect_provider, **PROVIDER)[0] == "NoSuchEntity"
    assert refusal(stranger.delete_open_id_connect_provider, **PROVIDER)[0] == "NoSuchEntity"
    assert stranger.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_tags_decide_who_may_change_it(world: World, iam: Any) -> None:
    create(iam, Tags=[{"Key": "team", "Value": "red"}])
    iam.create_user(UserName="u")
    user = world.client("iam", world.keys_of("u"))
    for team, allowed in (("blue", False), ("red", True)):
        condition = {"StringEquals": {"aws:ResourceTag/team": team}}
        statement = allow("iam:DeleteOpenIDConnectProvider", ARN, Condition=condition)
        iam.put_user_policy(UserName="u", PolicyName="i", PolicyDocument=document(statement))
        if allowed:
            user.delete_open_id_connect_provider(**PROVIDER)
        else:
            assert refusal(user.delete_open_id_connect_provider, **PROVIDER)[0] == "AccessDenied"


def test_sts_finds_it_by_its_issuer(world: World, iam: Any) -> None:
    create(iam, ClientIDList=["c"])
    with world.store.transaction() as transaction:
        found = providers.oidc_of_issuer(transaction, "aws", ACCOUNT, "https://example.org/oidc")
        assert found is not None
        assert found.client_ids == ["c"]
        for other in ("https://example.org/oidc/", "http://example.org/oidc", "https://example.org"):
            assert providers.oidc_of_issuer(transaction, "aws", ACCOUNT, other) is None
