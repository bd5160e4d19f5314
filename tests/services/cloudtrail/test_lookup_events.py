"""LookupEvents through boto3, over a trail that the same pipeline writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from bailiwick.app.audit import Trail
from bailiwick.app.history import TrailHistory
from bailiwick.pipeline import Event
from bailiwick.trail.database import Database
from bailiwick.trail.files import Files
from bailiwick.trail.shelf import Shelf
from world import ACCOUNT, World

OTHER = "444455556666"


class Recorded(World):
    """A world that keeps an audit trail, and a clock that can be set."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.clock = float(int(datetime.now(UTC).timestamp()))
        super().__init__(now=lambda: self.clock)
        shelf: Shelf = Files(folder) if kind == "files" else Database(self.store, folder)
        self.trail = Trail(shelf)
        self.environment = msgspec.structs.replace(self.environment, history=TrailHistory(shelf, self.trail))
        self.pipeline.environment = self.environment
        self.pipeline.audit = self.note

    def note(self, event: Event) -> None:
        self.events.append(event)
        self.trail.write(event)

    def names(self, client: Any, **asked: Any) -> list[str]:
        return [event["EventName"] for event in client.lookup_events(**asked)["Events"]]


@pytest.fixture(params=["files", "database"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path, request.param)
    yield made
    made.trail.close()


def attribute(key: str, value: str) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_what_was_done_is_seen_at_once(recorded: Recorded) -> None:
    iam, trail = recorded.client("iam"), recorded.client("cloudtrail")
    iam.create_user(UserName="alice")
    recorded.clock += 1
    iam.delete_user(UserName="alice")
    newest, oldest = trail.lookup_events()["Events"]
    assert (newest["EventName"], oldest["EventName"]) == ("DeleteUser", "CreateUser")
    assert oldest["Username"] == "root"
    assert oldest["ReadOnly"] == "false"
    assert oldest["AccessKeyId"] == recorded.root["aws_access_key_id"]
    assert oldest["EventSource"] == "iam.amazonaws.com"
    assert oldest["EventTime"].timestamp() == recorded.clock - 1
    assert oldest["Resources"] == [{"ResourceType": "AWS::IAM::User", "ResourceName": "alice"}]
    record = json.loads(oldest["CloudTrailEvent"])
    assert (record["eventID"], record["eventName"]) == (oldest["EventId"], "CreateUser")
    assert not {"bailiwick", "chain"} & record.keys()


def test_every_attribute(recorded: Recorded) -> None:
    iam, kms, trail = (recorded.client(name) for name in ("iam", "kms", "cloudtrail"))
    iam.create_user(UserName="bob")
    key = kms.create_key()["KeyMetadata"]
    keys = recorded.keys_of("bob")
    with pytest.raises(ClientError):
        recorded.client("kms", keys).encrypt(KeyId=key["Arn"], Plaintext=b"x")
    event = next(each for each in trail.lookup_events()["Events"] if each["EventName"] == "CreateUser")
    for asked, names in (
        (attribute("EventId", event["EventId"]), ["CreateUser"]),
        (attribute("EventName", "Encrypt"), ["Encrypt"]),
        (attribute("ReadOnly", "true"), ["LookupEvents", "Encrypt"]),
        (attribute("Username", "bob"), ["Encrypt"]),
        (attribute("ResourceType", "AWS::KMS::Key"), ["Encrypt", "CreateKey"]),
        (attribute("ResourceName", key["Arn"]), ["Encrypt", "CreateKey"]),
        (attribute("ResourceName", key["KeyId"]), ["Encrypt", "CreateKey"]),
        (attribute("ResourceName", "bob"), ["CreateAccessKey", "CreateUser"]),
        (attribute("EventSource", "kms.amazonaws.com"), ["Encrypt", "CreateKey"]),
        (attribute("AccessKeyId", keys["aws_access_key_id"]), ["Encrypt"]),
        (attribute("EventName", "encrypt"), []),
    ):
        assert sorted(set(recorded.names(trail, **asked))) == sorted(names), asked


def test_pages_are_those_of_one_query(recorded: Recorded) -> None:
    sts, trail = recorded.client("sts"), recorded.client("cloudtrail")
    for _ in range(7):
        sts.get_caller_identity()
    asked = attribute("EventName", "GetCallerIdentity")
    pages = trail.get_paginator("lookup_events").paginate(PaginationConfig={"PageSize": 3}, **asked)
    found = [[event["EventId"] for event in page["Events"]] for page in pages]
    assert [len(page) for page in found] == [3, 3, 1]
    assert len({event for page in found for event in page}) == 7
    token = trail.lookup_events(MaxResults=3, **asked)["NextToken"]
    other = recorded.client("cloudtrail", recorded.account(OTHER))
    for client, more in ((trail, attribute("EventName", "Encrypt")), (other, asked), (trail, {})):
        with pytest.raises(ClientError, match="InvalidNextTokenException"):
            client.lookup_events(NextToken=token, **more)
    with pytest.raises(ClientError, match="InvalidNextTokenException"):
        trail.lookup_events(NextToken=token[:-4] + "AAAA", **asked)


def test_an_account_sees_its_own(recorded: Recorded) -> None:
    other = recorded.account(OTHER)
    recorded.client("iam").create_user(UserName="alice")
    recorded.client("iam", other).create_user(UserName="bob")
    (event,) = recorded.client("cloudtrail", other).lookup_events(**attribute("EventName", "CreateUser"))["Events"]
    assert json.loads(event["CloudTrailEvent"])["recipientAccountId"] == OTHER


def test_the_owner_of_a_key_sees_who_used_it(recorded: Recorded) -> None:
    other = recorded.account(OTHER)
    kms = recorded.client("kms", other)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"][0]["Principal"] = {"AWS": [OTHER, ACCOUNT]}
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    recorded.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    shared = []
    for credentials in (recorded.root, other):
        (event,) = recorded.client("cloudtrail", credentials).lookup_events(**attribute("EventName", "Encrypt"))[
            "Events"
        ]
        shared.append(json.loads(event["CloudTrailEvent"])["sharedEventID"])
    assert shared[0] == shared[1]


def test_times_and_regions(recorded: Recorded) -> None:
    sts, trail = recorded.client("sts"), recorded.client("cloudtrail")
    begin = recorded.clock
    for _ in range(4):
        sts.get_caller_identity()
        recorded.clock += 10
    asked = attribute("EventName", "GetCallerIdentity")
    found = trail.lookup_events(StartTime=begin + 10, EndTime=begin + 20, **asked)["Events"]
    assert [event["EventTime"].timestamp() - begin for event in found] == [20, 10]
    with pytest.raises(ClientError, match="InvalidTimeRangeException"):
        trail.lookup_events(StartTime=begin + 1, EndTime=begin)
    assert recorded.names(recorded.client("cloudtrail", region="eu-west-1"), **asked) == []
    for days in (89, 91):
        recorded.trail.write(msgspec.structs.replace(recorded.events[0], time=recorded.clock - days * 86400))
    assert len(recorded.names(trail, **asked)) == 5, "nothing of more than 90 days ago"


def test_refusals(recorded: Recorded) -> None:
    trail = recorded.client("cloudtrail")
    both = attribute("EventName", "A")["LookupAttributes"] * 2
    for asked, code in (
        ({"LookupAttributes": both}, "InvalidLookupAttributesException"),
        (attribute("EventName", "x_" * 700), "InvalidLookupAttributesException"),
        ({"MaxResults": 51}, "ValidationException"),
        (attribute("Color", "red"), "ValidationException"),
    ):
        with pytest.raises(ClientError) as refused:
            trail.lookup_events(**asked)
        assert refused.value.response["Error"]["Code"] == code
    assert trail.lookup_events(EventCategory="insight")["Events"] == []
    with pytest.raises(ClientError, match="not implemented"):
        trail.describe_trails()


def test_without_a_trail_it_says_so(world: World) -> None:
    with pytest.raises(ClientError, match="UnsupportedOperationException.*keeps no audit trail"):
        world.client("cloudtrail").lookup_events()


def test_why_it_was_refused_is_told_of_the_accounts_own_requests(recorded: Recorded) -> None:
    recorded.client("iam").create_user(UserName="alice")
    with pytest.raises(ClientError):
        recorded.client("iam", recorded.keys_of("alice")).list_users()
    history = recorded.environment.history
    assert history is not None
    refused, *others = recorded.client("cloudtrail").lookup_events(**attribute("EventName", "ListUsers"))["Events"]
    assert others == []
    told = history.explanation(ACCOUNT, refused["EventId"])
    assert told is not None
    assert json.loads(told)["action"] == "iam:ListUsers"
    assert history.explanation(OTHER, refused["EventId"]) is None
    done = recorded.client("cloudtrail").lookup_events(**attribute("EventName", "CreateUser"))["Events"][0]
    assert history.explanation(ACCOUNT, done["EventId"]) is None
    assert history.explanation(ACCOUNT, "no such event") is None
