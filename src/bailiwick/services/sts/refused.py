"""The operations of STS that have no meaning on one's own machines, each with its reason."""

from __future__ import annotations

from bailiwick.services.sts.service import sts

sts.refuse(
    "it redeems a delegation request, which AWS's product providers send to AWS accounts; AssumeRole does the same",
    "GetDelegatedAccessToken",
)
