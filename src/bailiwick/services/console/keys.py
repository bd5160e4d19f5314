"""KMS keys: a list, and one with its policy, aliases, grants, rotation and tags."""

from __future__ import annotations

import json
from typing import Any

from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt
from bailiwick.web.pages import Pages
from bailiwick.web.templating import with_query
from bailiwick.web.visit import Visit

pages = Pages()

_PAGE = 25


@pages.get("/console/kms/keys")
def keys(visit: Visit) -> Response:
    """A page of keys with their descriptions and aliases."""
    region = visit.query.get("region") or visit.region
    found = attempt(visit, "kms", "ListKeys", region=region, Limit=_PAGE, Marker=visit.query.get("marker"))
    shown = []
    for each in [] if isinstance(found, Gap) else found.Keys:
        described = attempt(visit, "kms", "DescribeKey", region=region, KeyId=each.KeyId)
        aliases = attempt(visit, "kms", "ListAliases", region=region, KeyId=each.KeyId)
        shown.append((each, described, aliases))
    marker = None if isinstance(found, Gap) else found.NextMarker
    more = with_query("/console/kms/keys", region=region, marker=marker) if marker else None
    return visit.page("console/keys.html", found=found, keys=shown, more=more, region=region)


@pages.get("/console/kms/keys/{key}")
def key(visit: Visit, key: str) -> Response:
    """One key."""
    region = visit.query.get("region") or visit.region
    found = visit.call("kms", "DescribeKey", region=region, KeyId=key).KeyMetadata
    policy = attempt(visit, "kms", "GetKeyPolicy", region=region, KeyId=key)
    return visit.page(
        "console/key.html",
        key=found,
        region=region,
        policy=policy,
        document="" if isinstance(policy, Gap) else _pretty(policy.Policy),
        aliases=attempt(visit, "kms", "ListAliases", region=region, KeyId=key),
        grants=attempt(visit, "kms", "ListGrants", region=region, KeyId=key, Limit=50),
        rotation=attempt(visit, "kms", "GetKeyRotationStatus", region=region, KeyId=key),
        rotations=attempt(visit, "kms", "ListKeyRotations", region=region, KeyId=key),
        tags=attempt(visit, "kms", "ListResourceTags", region=region, KeyId=key),
        used=attempt(visit, "kms", "GetKeyLastUsage", region=region, KeyId=key),
    )


def _pretty(text: Any) -> str:
    return json.dumps(json.loads(text), indent=2)
