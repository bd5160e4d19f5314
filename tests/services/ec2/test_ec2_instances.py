"""The part of EC2 that binds hosts to instance profiles: boto3's view, errors, filters, permissions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hosts_support import FakeHost, joined, role_in_profile, token
from world import ACCOUNT, REGION, World

NOBODY = "i-00000000000000001"


@pytest.fixture
def world() -> World:
    made = World()
    role_in_profile(made)
    return made


@pytest.fixture(scope="module")
def common() -> World:
    """A world for tests that leave it as it is, but for hosts and users of their own."""
    made = World()
    role_in_profile(made)
    return made


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def user(world: World, *statements: dict[str, Any]) -> Any:
    """An EC2 client of a user with these statements."""
    iam, name = world.client("iam"), f"u{len(world.events)}"
    iam.create_user(UserName=name)
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
    )
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    return world.client("ec2", world.keys_of(name))


def test_instances_as_boto3_shows_them(world: World) -> None:
    host, ec2 = joined(world, profile="web", tags={"team": "a"}), world.client("ec2")
    (reservation,) = ec2.describe_instances(InstanceIds=[host.id])["Reservations"]
    (shown,) = reservation["Instances"]
    assert (reservation["OwnerId"], reservation["ReservationId"]) == (ACCOUNT, f"r-{host.id[2:]}")
    assert shown["State"] == {"Code": 16, "Name": "running"}
    assert shown["PrivateIpAddress"] == "10.0.0.7"
    assert shown["Tags"] == [{"Key": "team", "Value": "a"}]
    assert shown["IamInstanceProfile"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/web"
    assert shown["Placement"]["AvailabilityZone"] == f"{REGION}a"
    assert shown["MetadataOptions"]["HttpTokens"] == "required"
    assert world.client("ec2", region="eu-west-1").describe_instances()["Reservations"] == []


def test_filters_and_pages(world: World) -> None:
    ids = sorted(joined(world, tags={"n": f"x{number}"}).id for number in range(7))
    ec2 = world.client("ec2")

    def found(**asked: Any) -> list[str]:
        pages = ec2.get_paginator("describe_instances").paginate(**asked)
        return [each["InstanceId"] for page in pages for r in page["Reservations"] for each in r["Instances"]]

    def by(name: str, *values: str) -> list[str]:
        return found(Filters=[{"Name": name, "Values": list(values)}])

    assert found(MaxResults=5) == ids
    assert by("tag:n", "x?") == by("instance-id", "i-*") == by("tag-key", "n") == ids
    assert by("instance-id", ids[0], ids[3]) == [ids[0], ids[3]]
    assert by("tag:n", "y*") == by("instance-state-name", "terminated") == by("tag:n", "X1") == []
    assert by("tag:n", r"x\?") == []
    assert by("tag:n", "*x***", "?") == by("tag:n", "*?*?") == ids
    assert code(lambda: by("no-such-filter", "x")) == "InvalidParameterValue"
    assert code(lambda: ec2.describe_instances(NextToken="x")) == "InvalidNextToken"
    for most in (4, 0, -1, -(2**63)):
        assert code(lambda most=most: ec2.describe_instances(MaxResults=most)) == "InvalidParameterValue"
    assert found(MaxResults=2000) == ids
    both = {"InstanceIds": ids[:1], "MaxResults": 5}
    assert code(lambda: ec2.describe_instances(**both)) == "InvalidParameterCombination"
    assert len(ec2.describe_tags(Filters=[{"Name": "value", "Values": ["x*"]}])["Tags"]) == 7


def test_a_filter_takes_no_longer_for_being_hostile(world: World) -> None:
    """With a regular expression of so many stars this would not end."""
    joined(world, tags={"n": "a" * 250})
    asked = [{"Name": "tag:n", "Values": ["*a" * 60 + "b", r"\*" + "*a" * 60]}]
    assert world.client("ec2").describe_instances(Filters=asked)["Reservations"] == []


def test_ids_that_name_nothing(world: World) -> None:
    ec2 = world.client("ec2")
    assert code(lambda: ec2.describe_instances(InstanceIds=["x"])) == "InvalidInstanceID.Malformed"
    many = [f"i-{number:08x}" for number in range(1001)]
    assert code(lambda: ec2.describe_instances(InstanceIds=many)) == "InvalidParameterValue"
    assert code(lambda: ec2.terminate_instances(InstanceIds=many)) == "InvalidParameterValue"
    assert code(lambda: ec2.describe_instances(InstanceIds=[NOBODY])) == "InvalidInstanceID.NotFound"
    assert code(lambda: ec2.terminate_instances(InstanceIds=[NOBODY])) == "InvalidInstanceID.NotFound"
    with pytest.raises(ClientError, match=f"The instance ID '{NOBODY}' does not exist"):
        ec2.create_tags(Resources=[NOBODY], Tags=[{"Key": "a", "Value": "b"}])
    assert code(lambda: ec2.create_tags(Resources=["vol-1"], Tags=[{"Key": "a"}])) == "InvalidID"
    stranger = world.client("ec2", world.account("210987654321"))
    assert (
        code(lambda: stranger.terminate_instances(InstanceIds=[joined(world).id])) == "InvalidInstanceID.NotFound"
    )


def test_the_life_of_an_association(world: World) -> None:
    role_in_profile(world, "batch")
    host, ec2 = joined(world), world.client("ec2")
    made = ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": "web"}, InstanceId=host.id)
    first = made["IamInstanceProfileAssociation"]
    assert (first["State"], first["InstanceId"]) == ("associating", host.id)
    again = {"IamInstanceProfile": {"Name": "batch"}, "InstanceId": host.id}
    assert code(lambda: ec2.associate_iam_instance_profile(**again)) == "IncorrectState"
    (listed,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert listed == {**first, "State": "associated"}
    arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/batch"
    second = ec2.replace_iam_instance_profile_association(
        IamInstanceProfile={"Arn": arn}, AssociationId=first["AssociationId"]
    )["IamInstanceProfileAssociation"]
    gone, here = first["AssociationId"], second["AssociationId"]
    assert (
        code(lambda: ec2.disassociate_iam_instance_profile(AssociationId=gone)) == "InvalidAssociationID.NotFound"
    )
    assert (
        code(lambda: ec2.describe_iam_instance_profile_associations(AssociationIds=[gone]))
        == "InvalidAssociationID.NotFound"
    )
    ended = ec2.disassociate_iam_instance_profile(AssociationId=here)["IamInstanceProfileAssociation"]
    assert ended["State"] == "disassociating"
    assert host.ask("GetInstanceCredentials")["Code"] == "InstanceProfileNotFound"


@pytest.mark.parametrize(
    "specified",
    [
        {"Name": "no-such-profile"},
        {"Arn": f"arn:aws:iam::{ACCOUNT}:role/web"},
        {"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/other/web"},
        {"Arn": "x"},
    ],
)
def test_profiles_that_there_are_not(common: World, specified: dict[str, str]) -> None:
    host, ec2 = joined(common), common.client("ec2")
    asked = {"IamInstanceProfile": specified, "InstanceId": host.id}
    with pytest.raises(ClientError, match="iamInstanceProfile.*is invalid") as caught:
        ec2.associate_iam_instance_profile(**asked)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("condition", "let_in"),
    [
        ({"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}, True),
        ({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}, False),
        ({"ArnLike": {"iam:AssociatedResourceArn": f"arn:aws:ec2:*:{ACCOUNT}:instance/*"}}, True),
        ({"ArnLike": {"iam:AssociatedResourceArn": "arn:aws:ec2:*:*:fleet/*"}}, False),
        (None, False),
    ],
)
def test_whoever_gives_a_profile_passes_its_role(common: World, condition: Any, let_in: bool) -> None:
    host = joined(common)
    passing = {"Action": "iam:PassRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/web", "Condition": condition}
    ec2 = user(
        common, {"Action": "ec2:AssociateIamInstanceProfile", "Resource": "*"}, *([passing] if condition else [])
    )
    asked = {"IamInstanceProfile": {"Name": "web"}, "InstanceId": host.id}
    if let_in:
        ec2.associate_iam_instance_profile(**asked)
    else:
        with pytest.raises(ClientError, match="is not authorized to perform: iam:PassRole on resource") as caught:
            ec2.associate_iam_instance_profile(**asked)
        told = caught.value.response["Error"]
        assert told["Code"] == "UnauthorizedOperation"
        assert told["Message"].startswith("You are not authorized to perform this operation. User: arn:")
        encoded = told["Message"].rpartition("Encoded authorization failure message: ")[2]
        decoded = common.client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"]
        assert json.loads(decoded)["context"]["action"] == "iam:PassRole"


@pytest.mark.parametrize(
    ("condition", "let_in"),
    [
        ({"StringEquals": {"ec2:ResourceTag/team": "a"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "b"}}, False),
        ({"StringEquals": {"ec2:MetadataHttpTokens": "required"}}, True),
        ({"StringEquals": {"ec2:Attribute/HttpTokens": "optional"}}, False),
        ({"StringEquals": {"ec2:Attribute/HttpTokens": "required"}}, True),
        ({"ArnLike": {"ec2:InstanceProfile": "arn:aws:iam::*:instance-profile/web"}}, True),
        ({"NumericLessThan": {"ec2:MetadataHttpPutResponseHopLimit": "2"}}, True),
    ],
)
def test_condition_keys_of_an_instance(common: World, condition: Any, let_in: bool) -> None:
    host = joined(common, profile="web", tags={"team": "a"})
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{host.id}"
    ec2 = user(common, {"Action": "ec2:ModifyInstanceMetadataOptions", "Resource": arn, "Condition": condition})
    asked = {"InstanceId": host.id, "HttpTokens": "required"}
    if let_in:
        assert code(lambda: ec2.modify_instance_metadata_options(**asked, DryRun=True)) == "DryRunOperation"
    else:
        assert code(lambda: ec2.modify_instance_metadata_options(**asked)) == "UnauthorizedOperation"


def test_options_and_attributes(world: World) -> None:
    host, ec2 = joined(world, user_data="aGk="), world.client("ec2")
    changed = ec2.modify_instance_metadata_options(
        InstanceId=host.id, HttpPutResponseHopLimit=2, HttpTokens="optional"
    )
    assert changed["InstanceMetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert host.ask("GetInstance")["Instance"]["MetadataOptions"]["HttpTokens"] == "optional"
    for hops in (0, 65):
        wrong = {"InstanceId": host.id, "HttpPutResponseHopLimit": hops}
        assert code(lambda asked=wrong: ec2.modify_instance_metadata_options(**asked)) == "InvalidParameterValue"
    shown = ec2.describe_instance_attribute(InstanceId=host.id, Attribute="userData")
    assert shown["UserData"] == {"Value": "aGk="}
    asked = {"InstanceId": host.id, "Attribute": "kernel"}
    assert code(lambda: ec2.describe_instance_attribute(**asked)) == "InvalidParameterValue"


def test_tags(world: World) -> None:
    host, ec2 = joined(world, tags={"a": "1", "b": "2"}), world.client("ec2")

    def shown() -> dict[str, str]:
        return {each["Key"]: each["Value"] for each in ec2.describe_tags()["Tags"]}

    ec2.create_tags(Resources=[host.id], Tags=[{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}])
    assert shown() == {"a": "3", "b": "2", "c": ""} == host.ask("GetInstance")["Instance"]["Tags"]
    ec2.delete_tags(Resources=[host.id], Tags=[{"Key": "a", "Value": "not so"}, {"Key": "b"}])
    assert shown() == {"a": "3", "c": ""}
    ec2.delete_tags(Resources=[host.id])
    assert shown() == {}
    for tag in ({"Key": "aws:x", "Value": "y"}, {"Key": "", "Value": "y"}, {"Key": "k" * 128, "Value": ""}):
        asked = {"Resources": [host.id], "Tags": [tag]}
        assert code(lambda given=asked: ec2.create_tags(**given)) == "InvalidParameterValue"
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert code(lambda: ec2.create_tags(Resources=[host.id], Tags=many)) == "TagLimitExceeded"


def test_a_terminated_instance_is_shown_and_keeps_nothing(world: World) -> None:
    host, ec2 = joined(world, profile="web"), world.client("ec2")
    (change,) = ec2.terminate_instances(InstanceIds=[host.id])["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "terminated")
    (again,) = ec2.terminate_instances(InstanceIds=[host.id])["TerminatingInstances"]
    assert again["PreviousState"]["Name"] == "terminated"
    (reservation,) = ec2.describe_instances()["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "terminated"
    asked = {"IamInstanceProfile": {"Name": "web"}, "InstanceId": host.id}
    assert code(lambda: ec2.associate_iam_instance_profile(**asked)) == "IncorrectState"
    assert ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []


def test_what_ec2_can_beside_this_is_an_unknown_action(world: World) -> None:
    assert code(world.client("ec2").describe_volumes) == "InvalidAction"


def test_hosts_of_two_accounts_do_not_see_each_other(world: World) -> None:
    keys = world.account("210987654321")
    other = FakeHost(world)
    other.join(JoinToken=token(world, account="210987654321"))
    mine = joined(world)
    listed = world.client("ec2", keys).describe_instances()["Reservations"]
    assert [each["Instances"][0]["InstanceId"] for each in listed] == [other.id]
    listed = world.client("ec2").describe_instances()["Reservations"]
    assert [each["Instances"][0]["InstanceId"] for each in listed] == [mine.id]
