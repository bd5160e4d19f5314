"""GetInstanceDocument: the instance identity document, signed. Source: facts/imds.md section 1.4."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from bailiwick.api import Call
from bailiwick.directory import document_keys
from bailiwick.directory.instances import Instance
from bailiwick.services.hosts import shapes
from bailiwick.services.hosts.proving import host, itself, use_up
from bailiwick.services.hosts.service import hosts

_VERSION = "2017-09-30"


@hosts.operation("GetInstanceDocument", on=itself, by=host, writes=True)
def get_instance_document(
    call: Call, request: shapes.GetInstanceDocumentRequest, found: Instance
) -> shapes.GetInstanceDocumentResponse:
    use_up(call, found)
    text = document_of(found)
    signed = document_keys.sign(call.transaction, call.environment, text.encode())
    return shapes.GetInstanceDocumentResponse(
        Document=text, Signature=signed.signature, Rsa2048=signed.rsa2048, Certificate=signed.certificate
    )


def document_of(found: Instance) -> str:
    """The document: JSON with sorted keys, as it is signed."""
    members: dict[str, Any] = {
        "accountId": found.account,
        "architecture": found.architecture,
        "availabilityZone": found.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": found.image,
        "instanceId": found.id,
        "instanceType": found.type,
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": datetime.fromtimestamp(found.launched, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "privateIp": found.address,
        "ramdiskId": None,
        "region": found.region,
        "version": _VERSION,
    }
    return json.dumps(members, indent=2, separators=(",", " : "), sort_keys=True)
