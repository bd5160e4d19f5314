"""The attributes of a SAML assertion: those that AWS defines, and those that condition keys are made of.

Source: AWS IAM User Guide, "Configure SAML assertions for the authentication response" and "Available keys for
SAML-based AWS STS federation"; facts/sts.md section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from bailiwick.core.errors import SamlMismatch

_AWS = "https://aws.amazon.com/SAML/Attributes/"
_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}", re.ASCII)
_TAG_KEY, _TAG_VALUE = re.compile(r"[\w\s.:/=+@-]{1,128}"), re.compile(r"[\w\s.:/=+@-]{0,256}")
_MAX_TAGS = 50
_DURATION = range(900, 43_201)
_MAX_VALUES, _MAX_LENGTH = 200, 2048  # of what becomes condition keys

_PERSON, _ORGANIZATION = "urn:oid:1.3.6.1.4.1.5923.1.1.1.", "urn:oid:1.3.6.1.4.1.5923.1.2.1."
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_KEYS: dict[str, tuple[str, ...]] = {
    _PERSON + "1": ("edupersonaffiliation",),
    _PERSON + "2": ("edupersonnickname",),
    _PERSON + "3": ("edupersonorgdn",),
    _PERSON + "4": ("edupersonorgunitdn",),
    _PERSON + "5": ("edupersonprimaryaffiliation",),
    _PERSON + "6": ("edupersonprincipalname",),
    _PERSON + "7": ("edupersonentitlement",),
    _PERSON + "8": ("edupersonprimaryorgunitdn",),
    _PERSON + "9": ("edupersonscopedaffiliation",),
    _PERSON + "10": ("edupersontargetedid",),
    _PERSON + "11": ("edupersonassurance",),
    _ORGANIZATION + "2": ("eduorghomepageuri",),
    _ORGANIZATION + "3": ("eduorgidentityauthnpolicyuri",),
    _ORGANIZATION + "4": ("eduorglegalname",),
    _ORGANIZATION + "5": ("eduorgsuperioruri",),
    _ORGANIZATION + "6": ("eduorgwhitepagesuri",),
    "urn:oid:2.5.4.3": ("cn", "commonname"),
    "urn:oid:2.5.4.4": ("surname",),
    "urn:oid:2.5.4.42": ("givenname",),
    "urn:oid:2.5.4.45": ("x500uniqueidentifier",),
    "urn:oid:0.9.2342.19200300.100.1.1": ("uid",),
    "urn:oid:0.9.2342.19200300.100.1.3": ("mail",),
    "urn:oid:0.9.2342.19200300.100.1.45": ("organizationstatus",),
    _CLAIMS + "name": ("name",),
    _CLAIMS + "givenname": ("givenname",),
    _CLAIMS + "surname": ("surname",),
    _CLAIMS + "emailaddress": ("mail",),
    "http://schemas.xmlsoap.org/claims/CommonName": ("commonname",),
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": ("primarygroupsid",),
}
_LISTS = frozenset(  # multi-valued keys; of the others the first value counts
    (
        *("cn", "edupersonaffiliation", "edupersonassurance", "edupersonentitlement", "edupersonnickname"),
        *("edupersonorgdn", "edupersonorgunitdn", "edupersonscopedaffiliation", "eduorghomepageuri"),
        *("eduorgidentityauthnpolicyuri", "eduorglegalname", "eduorgsuperioruri", "eduorgwhitepagesuri"),
    )
)


class Attributes(msgspec.Struct, frozen=True):
    """What the attributes say.

    `roles` are pairs of a role's and a provider's ARN, in either order. `duration` is in seconds. `keys` are the
    condition keys, in lower case, that further attributes make.
    """

    roles: tuple[frozenset[str], ...]
    session_name: str
    duration: int | None = None
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    keys: dict[str, str | tuple[str, ...]] = {}


def read(attributes: Iterable[tuple[str, str]]) -> Attributes:
    """Read names with values; a name with several comes several times. Raises SamlMismatch."""
    ours: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for name, value in attributes:
        if name.startswith(_AWS):
            ours.setdefault(name.removeprefix(_AWS), []).append(value)
        elif name in _KEYS:
            others.setdefault(name, []).append(value)
    return Attributes(
        roles=tuple(frozenset(part.strip() for part in value.split(",")) for value in ours.get("Role", ())),
        session_name=_session_name(ours.get("RoleSessionName", [])),
        duration=_duration(ours.get("SessionDuration", [])),
        tags=_tags(ours),
        transitive=tuple(ours.get("TransitiveTagKeys", ())),
        source_identity=_source_identity(ours.get("SourceIdentity", [])),
        keys=_condition_keys(others),
    )


def _session_name(values: list[str]) -> str:
    if not any(values):
        raise _refused("it has no RoleSessionName", "RoleSessionName is required in AuthnResponse")
    if len(values) != 1 or not _NAME.fullmatch(values[0]):
        raise _refused(
            "its RoleSessionName is not one name of the allowed characters",
            "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
        )
    return values[0]


def _source_identity(values: list[str]) -> str | None:
    if not values:
        return None
    if len(values) != 1 or not _NAME.fullmatch(values[0]) or values[0].lower().startswith("aws:"):
        raise _refused(
            "its SourceIdentity is not one name of the allowed characters",
            'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"',
        )
    return values[0]


def _duration(values: list[str]) -> int | None:
    if not values:
        return None
    if len(values) == 1 and re.fullmatch(r"[0-9]{1,6}", values[0], re.ASCII) and int(values[0]) in _DURATION:
        return int(values[0])
    raise _refused(
        "its SessionDuration is not one number of seconds",
        "SessionDuration in AuthnResponse must be between 900 and 43200",
    )


def _tags(ours: dict[str, list[str]]) -> dict[str, str]:
    found = {}
    for name, values in ours.items():
        before, colon, key = name.partition(":")
        if before != "PrincipalTag" or not colon:
            continue
        if len(values) != 1:
            raise _refused("a session tag has several values", f"Session tag {key} must have exactly one value")
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(values[0]) or key.lower().startswith("aws:"):
            raise _refused("a session tag is not one", "A session tag in AuthnResponse has an invalid key or value")
        found[key] = values[0]
    if len(found) > _MAX_TAGS:
        raise _refused("it has too many session tags", f"AuthnResponse has more than {_MAX_TAGS} session tags")
    return found


def _condition_keys(others: dict[str, list[str]]) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {}
    for name, values in others.items():
        fit = tuple(value for value in values if len(value) <= _MAX_LENGTH)[:_MAX_VALUES]
        for key in _KEYS[name] if fit else ():
            keys[f"saml:{key}"] = fit if key in _LISTS else fit[0]
    return keys


def _refused(reason: str, told: str) -> SamlMismatch:
    return SamlMismatch(reason, told, "attributes")
