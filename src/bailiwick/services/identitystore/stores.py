"""Identity stores: one for each instance of Identity Center."""

from __future__ import annotations

from bailiwick.api import Call, nothing
from bailiwick.directory.center import people
from bailiwick.services.identitystore import shapes
from bailiwick.services.identitystore.service import identitystore
from bailiwick.services.identitystore.targets import Held, store


@identitystore.operation("DescribeIdentityStore", on=store)
def describe_identity_store(
    call: Call, request: shapes.DescribeIdentityStoreRequest, held: Held
) -> shapes.DescribeIdentityStoreResponse:
    return shapes.DescribeIdentityStoreResponse(
        IdentityStoreId=held.instance.store, IdentityStoreArn=held.instance.store_arn(call.partition)
    )


@identitystore.operation("ListIdentityStores", on=nothing)
def list_identity_stores(
    call: Call, request: shapes.ListIdentityStoresRequest, record: None
) -> shapes.ListIdentityStoresResponse:
    found = people.instance(call.transaction, account=call.account)
    shown = (
        [shapes.IdentityStore(IdentityStoreId=found.store, IdentityStoreArn=found.store_arn(call.partition))]
        if found
        else []
    )
    return shapes.ListIdentityStoresResponse(IdentityStores=shown)


identitystore.refuse("which networks may call is for the firewall, or for a policy", "UpdateIdentityStore")
