"""What the operations of CloudTrail are called with."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {
    "cloudtrail:LookupEvents": {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]},
}
