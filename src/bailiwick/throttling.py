"""May this call be made now? What a call counts for, and AWS's refusal of one too many."""

from __future__ import annotations

from typing import Any

from bailiwick.api import Call, Target, Throttling


def throttle(call: Call, request: Any, target: Target) -> None:
    """Count a call for its caller's account, whoever owns the target. Raises Throttling for one too many.

    It counts whether or not it is allowed then, so that neither can be tried without end.
    """
    rates = call.environment.rates
    if rates is None:
        return
    operation, place = call.operation, (call.caller.principal.account, call.region)
    quota = operation.quota
    charges = ((operation.name, 1.0),) if quota.charges is None else quota.charges(call, request, target)
    if not rates.take_all(operation.service, charges, quota, place, call.now):
        raise Throttling(quota.refusal)
