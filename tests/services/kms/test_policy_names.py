"""The names of key policies: there is one, and the other is not the customer's to put."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from world import World


def test_the_policy_of_ram_is_not_put() -> None:
    kms = World().client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    policy = kms.get_key_policy(KeyId=key)["Policy"]
    with pytest.raises(ClientError) as refused:
        kms.put_key_policy(KeyId=key, PolicyName="AWS_RAM", Policy=policy)
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The AWS_RAM policy can only be managed by the RAM service",
    }
