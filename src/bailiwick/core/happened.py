"""What a service did by itself, without a call, as the audit trail of the account has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Happened(NamedTuple):
    """An event of a service. `service` is its signing name, `arn` the resource; the mappings are told as they are.

    Source: AWS CloudTrail User Guide, "AWS service events".
    """

    service: str
    name: str
    account: str
    region: str
    arn: str
    details: Mapping[str, str]
    additional: Mapping[str, str] = {}
