"""AWS managed keys: one for each service, account and region, made when its alias is first asked for.

Nobody but the service uses them, and nobody changes them: their policy says so (facts/kms.md sections 11.2 and 14).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert

from bailiwick.api import Call, ServiceUnavailable
from bailiwick.core import arn
from bailiwick.services.kms import material, records, specs, tables
from bailiwick.services.kms.records import AWS_KMS, ENABLED, Alias
from bailiwick.store import Duplicate

MANAGER = "AWS"
PREFIX = "alias/aws/"
ROTATION_DAYS = 365
_DAY = 86400

# By the name of the alias: the service through which the key is used, and what people call it.
SERVICES: dict[str, tuple[str, str]] = {
    "acm": ("acm", "AWS Certificate Manager"),
    "backup": ("backup", "AWS Backup"),
    "codecommit": ("codecommit", "AWS CodeCommit"),
    "dms": ("dms", "AWS Database Migration Service"),
    "dynamodb": ("dynamodb", "Amazon DynamoDB"),
    "ebs": ("ec2", "Amazon EBS"),
    "elasticfilesystem": ("elasticfilesystem", "Amazon EFS"),
    "es": ("es", "Amazon OpenSearch Service"),
    "fsx": ("fsx", "Amazon FSx"),
    "glue": ("glue", "AWS Glue"),
    "kinesis": ("kinesis", "Amazon Kinesis"),
    "kinesisvideo": ("kinesisvideo", "Amazon Kinesis Video Streams"),
    "lambda": ("lambda", "AWS Lambda"),
    "rds": ("rds", "Amazon RDS"),
    "redshift": ("redshift", "Amazon Redshift"),
    "s3": ("s3", "Amazon S3"),
    "secretsmanager": ("secretsmanager", "AWS Secrets Manager"),
    "sns": ("sns", "Amazon SNS"),
    "sqs": ("sqs", "Amazon SQS"),
    "ssm": ("ssm", "AWS Systems Manager"),
    "xray": ("xray", "AWS X-Ray"),
}
_THROUGH_THE_SERVICE = ("Encrypt", "Decrypt", "ReEncrypt*", "GenerateDataKey*", "CreateGrant", "DescribeKey")
_DIRECTLY = ("Describe*", "Get*", "List*", "RevokeGrant")


def made(call: Call, alias_arn: str) -> Alias | None:
    """The predefined alias with this ARN, with a key made for it, if it is one of the caller's account.

    The call becomes one that writes. If it is refused the key is not made, for everything is rolled back.
    """
    parsed = arn.parse(alias_arn)
    name = parsed.resource
    service = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or service not in SERVICES or parsed.account != call.account:
        return None
    call.transaction.begin_writing()
    found = records.alias(call.transaction, alias_arn)
    if found is not None:
        return found  # another call was faster
    try:
        return _make(call, alias_arn, name, service)
    except Duplicate:
        raise ServiceUnavailable("The key is being made. Please try again.") from None


def with_predefined(call: Call, rows: Sequence[Any], after: str) -> list[Any]:
    """The aliases of a page, in order, with those predefined ones after `after` that have no key yet.

    More than a page may come: what is past its end belongs to the next one.
    """
    present = {row.name for row in rows}
    idle = [
        Alias(
            f"arn:{call.partition}:kms:{call.region}:{call.account}:{name}",
            *(call.account, call.region, name),
            "",
            0,
            0,
        )
        for name in (f"{PREFIX}{service}" for service in SERVICES)
        if name > after and name not in present
    ]
    return sorted((*rows, *idle), key=lambda row: str(row.name))


def policy(call: Call, service: str) -> str:
    """The policy of the key for `alias/aws/SERVICE`: use through the service only, by whom the account lets."""
    via, named = SERVICES[service]
    through = {
        "Sid": f"Allow access through {named} for all principals in the account that are authorized to use {named}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"kms:{action}" for action in _THROUGH_THE_SERVICE],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": call.account,
                "kms:ViaService": f"{via}.{call.region}.amazonaws.com",
            }
        },
    }
    directly = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": arn.root(call.partition, call.account)},
        "Action": [f"kms:{action}" for action in _DIRECTLY],
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Id": f"auto-{service}-1", "Statement": [through, directly]}
    return json.dumps(document, indent=2, separators=(",", " : "))


def _make(call: Call, alias_arn: str, name: str, service: str) -> Alias:
    environment, run = call.environment, call.transaction.run
    key_id, material_id = str(uuid.UUID(bytes=environment.entropy(16), version=4)), environment.entropy(32).hex()
    key_arn, now = f"arn:{call.partition}:kms:{call.region}:{call.account}:key/{key_id}", round(call.now, 3)
    what = SERVICES[service][1]
    run(
        insert(tables.key).values(
            arn=key_arn,
            account=call.account,
            region=call.region,
            id=key_id,
            description=f"Default key that protects what {what} keeps for me when no other key is defined",
            state=ENABLED,
            spec=specs.SYMMETRIC_DEFAULT,
            usage=specs.ENCRYPT,
            origin=AWS_KMS,
            manager=MANAGER,
            created=now,
            material=material_id,
            rotation_days=ROTATION_DAYS,
            rotation_due=round(now + ROTATION_DAYS * _DAY, 3),
            policy=policy(call, service),
            pins="{}",
        )
    )
    fresh = material.generate(specs.SYMMETRIC_DEFAULT, environment.entropy)
    run(
        insert(tables.material).values(
            key_arn=key_arn,
            id=material_id,
            sealed=records.seal_material(environment, key_arn, material_id, fresh),
            created=now,
        )
    )
    alias = Alias(alias_arn, *(call.account, call.region, name, key_arn, now, now))
    run(
        insert(tables.alias).values(
            arn=alias_arn,
            account=call.account,
            region=call.region,
            name=name,
            key_arn=key_arn,
            created=now,
            updated=now,
        )
    )
    call.transaction.changed(records.topic(key_arn), records.alias_topic(alias_arn))
    return alias
