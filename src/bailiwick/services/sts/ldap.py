"""AssumeRoleWithLDAPIdentity: a role for whoever knows the password of a person in the company's directory.

An extension, in the form that object stores gave it; the model is in wire/extras. The request is not signed: name
and password prove who asks. Then both must agree: the operator's mapping file, which gives roles to groups, and the
role's trust policy, which must trust the directory by its ARN in the role's own account (docs/federation/ldap.md).

Who guesses is slowed down in the memory of each process: after 5 failures for one name from one address, 50 for one
name, 50 from one address, there is a wait that doubles with each further one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

import structlog

from bailiwick.api import AccessDenied, Call, Caller, Target, Throttling
from bailiwick.core.errors import DirectoryUnavailable
from bailiwick.core.identity import Grants, Identity, common_name
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Value
from bailiwick.services.sts import session_policies, session_tags, shapes
from bailiwick.services.sts.credentials import issue
from bailiwick.services.sts.role_sessions import Trusted, begun, duration, parsed, shown, trusted, vouched_target
from bailiwick.services.sts.service import sts
from bailiwick.services.sts.shapes import (
    AssumeRoleWithLDAPIdentityRequest,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
)

log = structlog.get_logger()

_MANY = 50  # failures of one name, or from one address
_NOT_IN_NAMES = re.compile(r"[^\w+=,.@-]", re.ASCII)
_LONGEST_NAME = 64
_KEPT = ("ldap:dn", "ldap:provider", "ldap:username")  # what later requests of the session still know


class Known(Caller, frozen=True):
    """A caller whom the directory knows: what her groups give her, and the role that is meant."""

    grants: Grants = Grants()
    role: str = ""


def person(call: Call, request: AssumeRoleWithLDAPIdentityRequest) -> Known:
    """Whom name and password prove to ask.

    Raises IDPRejectedClaim, which does not tell a wrong name from a wrong password; IDPCommunicationError where the
    directory cannot tell; Throttling; AccessDenied for one to whom the mapping file gives no role.
    """
    directory = call.environment.people
    if directory is None:
        raise IDPCommunicationErrorException("No directory is set up here: the operator names one with `ldap`.")
    if request.RoleArn is not None:
        parsed(request.RoleArn)
    keys = _keys(call, request.LDAPUsername)
    if any(call.environment.attempts.waits(key, call.now, free) for key, free in keys):
        raise Throttling("Too many failed attempts. Please try again later.")
    try:
        identity = directory.identify(request.LDAPUsername, request.LDAPPassword)
    except DirectoryUnavailable as error:
        log.error("the directory cannot be asked", reason=str(error), request_id=call.request_id)
        raise IDPCommunicationErrorException("The directory cannot be asked. Please try again shortly.") from None
    if identity is None:
        for key, free in keys:
            call.environment.attempts.failed(key, call.now, free)
        raise IDPRejectedClaimException("The directory does not know a person of this name with this password.")
    call.environment.attempts.succeeded(keys[0][0])
    return _known(call, request, identity, directory.granted(identity))


def role_for_person(call: Call, request: AssumeRoleWithLDAPIdentityRequest) -> Target:
    """The role, by its trust policy; and the same for the tags and the source identity that go with the session."""
    caller = _person(call)
    found = trusted(call, caller.role)
    return vouched_target(
        call,
        caller.role,
        found,
        name=_session_name(caller),
        tags=caller.grants.tags,
        source_identity=_source_identity(caller),
        given=found is not None and caller.grants.includes(caller.role),
    )


@sts.operation("AssumeRoleWithLDAPIdentity", on=role_for_person, by=person)
def assume_role_with_ldap_identity(
    call: Call, request: AssumeRoleWithLDAPIdentityRequest, found: Trusted
) -> shapes.AssumeRoleWithLDAPIdentityResponse:
    role, caller = found.role, _person(call)
    seconds = duration(call, request.DurationSeconds, role)
    given = [shapes.Tag(Key=key, Value=value) for key, value in caller.grants.tags.items()]
    tags = session_tags.combined(caller, given, ())
    policies = session_policies.checked(call, role.account, request.Policy, request.PolicyArns)
    packed = session_policies.packed_size(policies, tags)
    session = begun(
        call,
        role,
        _session_name(caller),
        seconds,
        policies,
        tags,
        source_identity=_source_identity(caller),
        federated_provider=caller.arn,
        said={key: caller.context[key] for key in _KEPT},
    )
    return shapes.AssumeRoleWithLDAPIdentityResponse(
        Credentials=issue(call, session),
        AssumedRoleUser=shown(call, role, session),
        PackedPolicySize=packed,
        Subject=caller.principal.unique_id,
        Provider=caller.arn,
        SourceIdentity=session.source_identity or None,
    )


def _person(call: Call) -> Known:
    assert isinstance(call.caller, Known), "the directory was asked"
    return call.caller


def _keys(call: Call, name: str) -> tuple[tuple[str, int], ...]:
    """What failures are counted under, and how many are free. Names that a directory takes for one are one."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(each for each in letters if unicodedata.category(each)[0] != "C" and not each.isspace())
    return (
        (f"ldap:{call.source}:{plain}", 5),
        (f"ldap:name:{plain}", _MANY),
        (f"ldap:address:{call.source}", _MANY),
    )


def _known(call: Call, request: AssumeRoleWithLDAPIdentityRequest, identity: Identity, grants: Grants) -> Known:
    role = request.RoleArn or grants.first
    if role is None:
        raise AccessDenied("No role is given to any group of this person.")
    account = parsed(role).account
    provider = f"arn:{call.partition}:iam::{account}:ldap-provider/{identity.provider}"
    context: Context = {
        "ldap:dn": identity.subject,
        "ldap:provider": identity.provider,
        "ldap:username": identity.name,
        **_of_groups(identity),
        **({"ldap:mail": identity.mail} if identity.mail else {}),
        "aws:federatedprovider": provider,
        "aws:principaltype": "LDAPUser",
        "aws:userid": identity.subject,
    }
    return Known(
        Principal(PrincipalKind.PROVIDER, call.partition, account, provider, provider, identity.subject),
        user_id=identity.subject,
        name=identity.name,
        context=context,
        grants=grants,
        role=role,
    )


def _of_groups(identity: Identity) -> dict[str, Value]:
    """The condition keys of her groups; they are absent if she is in none."""
    if not identity.groups:
        return {}
    called = tuple(dict.fromkeys(map(common_name, identity.groups)))
    return {"ldap:groups": identity.groups, "ldap:groupnames": called}


def _source_identity(caller: Known) -> str:
    return _session_name(caller) if caller.grants.source_identity else ""


def _session_name(caller: Known) -> str:
    """Her user name, as far as it can name a session; one that had to be changed is made unlike any other."""
    name = caller.name or ""
    plain = _NOT_IN_NAMES.sub("-", name)
    if plain == name and 2 <= len(name) <= _LONGEST_NAME:
        return name
    return f"{plain[: _LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
