"""The service that the operations of this folder register with, and what they act on: nothing."""

from __future__ import annotations

from typing import Any

from bailiwick.api import Call, Service, Target

accessanalyzer = Service("accessanalyzer")


def nothing(call: Call, request: Any) -> Target:
    """No resource. The prefix of the actions is not the name of the service model."""
    return Target(account=call.account, action=f"access-analyzer:{call.operation.name}")
