"""What happens at the door, for the audit trail: events that are no call of the API, as CloudTrail has them.

Source: AWS CloudTrail User Guide, "AWS Management Console sign-in events"; facts/signin.md section 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bailiwick.api import Caller
from bailiwick.pipeline import Event

if TYPE_CHECKING:
    from bailiwick.web.visit import Visit

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
FAILED = "Failed authentication"
SERVICE_EVENT = "AwsServiceEvent"


class DoorEvent(Event, frozen=True, kw_only=True):
    """Someone signed in, failed to, switched to a role, showed a second factor.

    `name` is the event's, `account` whose trail it belongs to, if any. Where there is no caller, `identity` is the
    userIdentity: of someone who has proven nothing. `answer` is responseElements, or if its
    `kind` is that of a service's event, serviceEventDetails. `failure` is an errorMessage.
    """

    name: str
    account: str | None = None
    identity: dict[str, Any] = msgspec.field(default_factory=dict)
    answer: dict[str, Any] = msgspec.field(default_factory=dict)
    failure: str = ""
    kind: str = "AwsConsoleSignIn"


def happened(
    visit: Visit,
    name: str,
    *,
    account: str | None,
    caller: Caller | None = None,
    identity: dict[str, Any] | None = None,
    answer: dict[str, Any] | None = None,
    additional: dict[str, str | bool] | None = None,
    failure: str = "",
    kind: str = "AwsConsoleSignIn",
) -> None:
    """Have it written down, as a success unless there is a `failure`."""
    made = DoorEvent(
        time=visit.now,
        request_id=visit.request_id,
        source=visit.request.source,
        user_agent=visit.request.header("user-agent") or "",
        region=visit.region,
        access_key_id=None,
        route=None,
        caller=caller,
        name=name,
        account=account,
        identity=identity or {},
        answer={**(answer or {}), name: "Failure" if failure else "Success"},
        additional=additional,
        failure=failure,
        kind=kind,
    )
    visit.pipeline.audit(made)
