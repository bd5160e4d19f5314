"""The five-minute walk with the JavaScript SDK."""

from __future__ import annotations

from typing import Any

import pytest
from clients_support import ServerProcess, clean_environment
from javascript_support import needs_javascript, node

pytestmark = [pytest.mark.clients, needs_javascript]


def run(server: ServerProcess, script: str) -> dict[str, Any]:
    """What a script, as the root user, printed of what it saw."""
    root = server.root()
    environment = clean_environment(
        AWS_ENDPOINT_URL=server.endpoint,
        AWS_REGION="eu-central-1",
        AWS_ACCESS_KEY_ID=root["aws_access_key_id"],
        AWS_SECRET_ACCESS_KEY=root["aws_secret_access_key"],
    )
    seen: dict[str, Any] = node(script, environment)
    return seen


def test_the_encryption_sdk(server: ServerProcess) -> None:
    """Several keys, contexts, discovery, key commitment and caching; the script itself compares what comes back."""
    seen = run(server, "encryption.mjs")
    assert seen["suite"] == 0x0578  # AES-256-GCM with HKDF and SHA-512, committing, signed with ECDSA P-384
    assert seen["opened"] == 2
    assert seen["cached"] == ["0", "1", "2"]
    assert "InvalidCiphertextException" in seen["otherContext"]
    assert seen["otherKey"] != "opened"


def test_the_walk(server: ServerProcess) -> None:
    seen = run(server, "walk.mjs")
    account = seen["root"].split(":")[4]
    alice = f"arn:aws:iam::{account}:user/js-alice"
    session = f"arn:aws:sts::{account}:assumed-role/js-vault/js"
    assert seen["session"] == seen["identity"] == session
    assert seen["plaintext"] == "geheim ✓"
    assert seen["listUsers"]["name"] == "AccessDenied"
    assert seen["listUsers"]["status"] == 403
    assert seen["listKeys"] == {
        "name": "AccessDeniedException",
        "message": f"User: {alice} is not authorized to perform: kms:ListKeys on resource: * "
        "because no identity-based policy allows the kms:ListKeys action",
        "status": 400,
    }
    assert seen["otherContext"]["message"].startswith(f"User: {session} is not authorized to perform: kms:Encrypt")
    assert seen["otherContext"]["message"].endswith(
        "because no identity-based policy allows the kms:Encrypt action"
    )
    assert seen["boundary"]["message"].endswith("because no permissions boundary allows the kms:Encrypt action")
    assert seen["dead"]["name"] == "UnrecognizedClientException"
    assert (seen["missing"]["name"], seen["missing"]["status"]) == ("NoSuchEntityException", 404)
