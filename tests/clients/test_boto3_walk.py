"""The five-minute walk with boto3, against a real server process, through a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from clients_support import ServerProcess, keys_of, session_of

pytestmark = pytest.mark.clients


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refusal(call: Any, **parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response
    return (
        error["Error"]["Code"],
        error["ResponseMetadata"]["HTTPStatusCode"],
        error["Error"].get("Message", ""),
    )


def test_the_walk(server: ServerProcess) -> None:
    root = server.client("sts").get_caller_identity()
    account = root["Account"]
    assert root["Arn"] == f"arn:aws:iam::{account}:root"

    server.client("iam").create_user(UserName="admin")
    server.client("iam").attach_user_policy(
        UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    admin = keys_of(server.client("iam"), "admin")
    iam, kms = server.client("iam", admin), server.client("kms", admin)

    role = f"arn:aws:iam::{account}:role/vault"
    user = iam.create_user(UserName="alice")["User"]
    iam.put_user_policy(
        UserName="alice",
        PolicyName="assume",
        PolicyDocument=document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}),
    )
    alice = keys_of(iam, "alice")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    iam.create_role(
        RoleName="vault",
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sts:AssumeRole"}
        ),
    )
    iam.put_role_policy(
        RoleName="vault",
        PolicyName="use-key",
        PolicyDocument=document(
            {
                "Effect": "Allow",
                "Action": ["kms:Encrypt", "kms:Decrypt"],
                "Resource": key,
                "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "walk"}},
            }
        ),
    )

    assert refusal(server.client("iam", alice).list_users) == (
        "AccessDenied",
        403,
        f"User: {user['Arn']} is not authorized to perform: iam:ListUsers on resource: * "
        "because no identity-based policy allows the iam:ListUsers action",
    )
    assert refusal(server.client("kms", alice).encrypt, KeyId=key, Plaintext=b"x") == (
        "AccessDeniedException",
        400,
        f"User: {user['Arn']} is not authorized to perform: kms:Encrypt on resource: {key} "
        "because no identity-based policy allows the kms:Encrypt action",
    )
    assert refusal(server.client("sts", alice).assume_role, RoleArn=role + "x", RoleSessionName="s1") == (
        "AccessDenied",
        403,
        f"User: {user['Arn']} is not authorized to perform: sts:AssumeRole on resource: {role}x",
    )

    assumed = server.client("sts", alice).assume_role(RoleArn=role, RoleSessionName="s1")
    session = session_of(assumed)
    session_arn = f"arn:aws:sts::{account}:assumed-role/vault/s1"
    assert assumed["AssumedRoleUser"]["Arn"] == session_arn
    assert server.client("sts", session).get_caller_identity()["Arn"] == session_arn

    vault = server.client("kms", session)
    sealed = vault.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"purpose": "walk"})
    opened = vault.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"purpose": "walk"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key)
    denied = f"User: {session_arn} is not authorized to perform: kms:Encrypt on resource: {key} "
    assert refusal(vault.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"purpose": "other"}) == (
        "AccessDeniedException",
        400,
        denied + "because no identity-based policy allows the kms:Encrypt action",
    )

    boundary = iam.create_policy(
        PolicyName="edge",
        PolicyDocument=document({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}),
    )["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="vault", PermissionsBoundary=boundary)
    assert refusal(vault.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"purpose": "walk"}) == (
        "AccessDeniedException",
        400,
        denied + "because no permissions boundary allows the kms:Encrypt action",
    )
    iam.delete_role_permissions_boundary(RoleName="vault")
    assert vault.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"purpose": "walk"})["KeyId"] == key

    assert server.stop() == 0
    server.start()
    vault = server.client("kms", session)
    opened = vault.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"purpose": "walk"})
    assert opened["Plaintext"] == b"secret"
    assert server.client("sts").get_caller_identity()["Account"] == account

    iam = server.client("iam", admin)
    iam.delete_role_policy(RoleName="vault", PolicyName="use-key")
    iam.delete_role(RoleName="vault")
    assert refusal(
        vault.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"purpose": "walk"}
    ) == (
        "UnrecognizedClientException",
        400,
        "The security token included in the request is invalid.",
    )


def test_two_workers_obey_each_other_at_once(server: ServerProcess) -> None:
    server.stop()
    server.workers = 2
    server.start()
    iam = server.client("iam")
    iam.create_user(UserName="bob")
    bob = keys_of(iam, "bob")
    grant = document({"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"})
    for _ in range(8):
        iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=grant)
        for _ in range(4):  # each on a connection of its own, so that both workers are asked
            server.client("iam", bob).list_users()
        iam.delete_user_policy(UserName="bob", PolicyName="p")
        for _ in range(4):
            assert refusal(server.client("iam", bob).list_users)[0] == "AccessDenied"
    iam.update_access_key(UserName="bob", AccessKeyId=bob["aws_access_key_id"], Status="Inactive")
    for _ in range(4):
        assert refusal(server.client("sts", bob).get_caller_identity)[0] == "InvalidClientTokenId"
