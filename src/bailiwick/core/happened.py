"""What a service did by itself, or an operator with a command: without a call, as the audit trail has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Operator(NamedTuple):
    """Who gave a command on a machine of the deployment.

    `user` and `uid` are those of the process; `login` is who had signed in to the machine, where that is somebody
    else (by sudo, say), "" if not known. `host` is the machine, `command` the command without its arguments.
    """

    user: str
    uid: int
    login: str
    host: str
    command: str


class Happened(NamedTuple):
    """An event. `service` is the signing name, `arn` the resource ("" for none); the mappings are told as they are.

    `by` is the operator who had it done, None for a service itself; `time` (epoch seconds) is 0 until it is kept.
    Source: AWS CloudTrail User Guide, "AWS service events".
    """

    service: str
    name: str
    account: str
    region: str
    arn: str
    details: Mapping[str, str]
    additional: Mapping[str, str] = {}
    by: Operator | None = None
    time: float = 0.0
