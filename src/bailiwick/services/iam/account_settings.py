"""What an account as a whole is called and prefers: its alias, its properties, the version of its tokens."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from bailiwick.api import Call, Target, ValidationError, nothing
from bailiwick.directory import aliases
from bailiwick.directory.credential_tables import account_property, token_preference
from bailiwick.services.iam import names, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    EntityAlreadyExistsException,
    InvalidInputException,
    NoSuchEntityException,
)
from bailiwick.store import Duplicate

ALIASES_PER_ACCOUNT = 1
DEFAULT_TOKEN_VERSION = 1
_MOST_PROPERTIES = 100


@iam.operation("CreateAccountAlias", on=nothing, writes=True)
def create_account_alias(call: Call, request: shapes.CreateAccountAliasRequest, record: None) -> None:
    alias = request.AccountAlias
    if len(alias) == 12 and alias.isdigit():
        raise ValidationError(
            "The specified value for accountAlias is invalid. It must not look like an account id."
        )
    taken = EntityAlreadyExistsException(f"The account alias {alias} already exists.")
    if aliases.account_of(call.transaction, alias) is not None:
        raise taken
    present = aliases.of(call.transaction, call.account) is not None
    names.check_quota(int(present), ALIASES_PER_ACCOUNT, "AccountAliasesPerAccount")
    try:
        aliases.create(call.transaction, call.account, alias)
    except Duplicate:
        raise taken from None


@iam.operation("DeleteAccountAlias", on=nothing, writes=True)
def delete_account_alias(call: Call, request: shapes.DeleteAccountAliasRequest, record: None) -> None:
    if not aliases.remove(call.transaction, call.account, request.AccountAlias):
        raise NoSuchEntityException(f"The account alias {request.AccountAlias} cannot be found.")


@iam.operation("ListAccountAliases", on=nothing)
def list_account_aliases(
    call: Call, request: shapes.ListAccountAliasesRequest, record: None
) -> shapes.ListAccountAliasesResponse:
    alias = aliases.of(call.transaction, call.account)
    return shapes.ListAccountAliasesResponse(AccountAliases=[alias] if alias else [], IsTruncated=False)


@iam.operation("SetSecurityTokenServicePreferences", on=nothing, writes=True)
def set_security_token_service_preferences(
    call: Call, request: shapes.SetSecurityTokenServicePreferencesRequest, record: None
) -> None:
    """Kept and told by GetAccountSummary; the tokens of this server are valid in every region anyway."""
    version = 2 if request.GlobalEndpointTokenVersion == "v2Token" else 1
    call.transaction.run(delete(token_preference).where(token_preference.c.account == call.account))
    call.transaction.run(insert(token_preference).values(account=call.account, version=version))


def token_version(call: Call) -> int:
    """1 or 2, as SetSecurityTokenServicePreferences has set it."""
    row = call.transaction.one(select(token_preference.c.version).where(token_preference.c.account == call.account))
    return DEFAULT_TOKEN_VERSION if row is None else int(row.version)


def properties_to_put(call: Call, request: shapes.PutAccountPropertiesRequest) -> Target:
    """The account's properties, by the namespaces that are named."""
    return _properties(call, {name.partition("/")[0] for name in request.Properties})


def properties_to_get(call: Call, request: shapes.GetAccountPropertiesRequest) -> Target:
    """The account's properties, by the namespaces that it has. The record is a dict."""
    found = _stored(call)
    target = _properties(call, {name.partition("/")[0] for name in found})
    return Target(account=target.account, context=target.context, record=found)


@iam.operation("GetAccountProperties", on=properties_to_get)
def get_account_properties(
    call: Call, request: shapes.GetAccountPropertiesRequest, found: dict[str, str]
) -> shapes.GetAccountPropertiesResponse:
    return shapes.GetAccountPropertiesResponse(Properties=found)


@iam.operation("PutAccountProperties", on=properties_to_put, writes=True)
def put_account_properties(
    call: Call, request: shapes.PutAccountPropertiesRequest, record: None
) -> shapes.PutAccountPropertiesResponse:
    given = request.Properties
    if not given or any(not all(name.partition("/")[::2]) for name in given):
        raise InvalidInputException("Properties are named Namespace/Property.")
    if len({name.partition("/")[0] for name in given}) > 1:
        raise InvalidInputException("The properties of one request must be of one namespace.")
    if len(_stored(call).keys() | given.keys()) > _MOST_PROPERTIES:
        raise InvalidInputException(f"An account has at most {_MOST_PROPERTIES} properties.")
    column = account_property.c
    call.transaction.run(
        delete(account_property).where(column.account == call.account, column.name.in_(list(given)))
    )
    call.transaction.run(
        insert(account_property),
        [{"account": call.account, "name": name, "value": value} for name, value in given.items()],
    )
    return shapes.PutAccountPropertiesResponse()


def _properties(call: Call, namespaces: set[str]) -> Target:
    context = {"iam:accountpropertynamespaces": tuple(sorted(namespaces))} if namespaces else {}
    return Target(account=call.account, context=context)


def _stored(call: Call) -> dict[str, str]:
    column = account_property.c
    rows = call.transaction.all(
        select(column.name, column.value).where(column.account == call.account).order_by(column.name)
    )
    return {row.name: row.value for row in rows}
