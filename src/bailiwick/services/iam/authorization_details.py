"""GetAccountAuthorizationDetails: all permissions of an account, in pages that go from one list to the next."""

from __future__ import annotations

from typing import Any

from bailiwick.api import Call, nothing
from bailiwick.services.iam import details, paging, shapes
from bailiwick.services.iam.details import Entry, Reader
from bailiwick.services.iam.service import iam

# In the order of the pages: the value of Filter, the list in the answer, what reads it.
_LISTS: tuple[tuple[str, str, Reader], ...] = (
    ("User", "UserDetailList", details.users),
    ("Group", "GroupDetailList", details.groups),
    ("Role", "RoleDetailList", details.roles),
    ("LocalManagedPolicy", "Policies", details.customers_policies),
    ("AWSManagedPolicy", "Policies", details.every_aws_policy),
)


@iam.operation("GetAccountAuthorizationDetails", on=nothing)
def get_account_authorization_details(
    call: Call, request: shapes.GetAccountAuthorizationDetailsRequest, record: None
) -> shapes.GetAccountAuthorizationDetailsResponse:
    # A key begins with the place of its list, so that it says which list the next page begins in.
    first, _, start = paging.after(call, request.Marker).partition("/")
    found: list[tuple[str, str, Entry]] = []
    for place, (kind, into, read) in enumerate(_LISTS):
        room = paging.wanted(request.MaxItems) - len(found)
        if room and str(place) >= first and (not request.Filter or kind in request.Filter):
            if read is details.every_aws_policy and not request.Filter:
                read = details.aws_policies_in_use
            after = start if str(place) == first else ""
            entries = read(call.transaction, call.partition, call.account, after, room)
            found += [(f"{place}/{entry[0]}", into, entry) for entry in entries]
    page, truncated, marker = paging.page(call, found, request.MaxItems, lambda each: each[0])
    lists: dict[str, list[Any]] = {into: [] for _, into, _ in _LISTS}
    for _, into, entry in page:
        lists[into].append(entry[1])
    return shapes.GetAccountAuthorizationDetailsResponse(**lists, IsTruncated=truncated, Marker=marker)
