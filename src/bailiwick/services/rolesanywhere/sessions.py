"""CreateSession: credentials of a role for the owner of a certificate, whose private key signs the request.

Who it is: the signature, the chain to the trust anchor, the lists of revoked certificates. What she gets: the
profile must name the role, and the role's trust policy must let rolesanywhere.amazonaws.com in for this trust
anchor. That is asked of STS, by this service in its own name. Source: facts/imds.md sections 7.1 to 7.3.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from cryptography import x509 as certificates

from bailiwick.api import AccessDenied, ApiError, Call, Caller, Target, ValidationError
from bailiwick.core.assertion import x509
from bailiwick.core.errors import CertificateRefused
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Rule
from bailiwick.core.sigv4 import certificate as signed
from bailiwick.directory import entities, service_principals
from bailiwick.services.rolesanywhere import attributes, items, shapes, subjects
from bailiwick.services.rolesanywhere.anchors import MAX_CERTIFICATES, Anchor
from bailiwick.services.rolesanywhere.crls import Crl
from bailiwick.services.rolesanywhere.items import ANCHOR, CRL, PROFILE, Item
from bailiwick.services.rolesanywhere.profiles import SERVICE, Profile
from bailiwick.services.rolesanywhere.service import rolesanywhere
from bailiwick.services.rolesanywhere.shapes import (
    AccessDeniedException,
    CreateSessionRequest,
    ValidationException,
)

log = structlog.get_logger()


class Holder(Caller, frozen=True, kw_only=True):
    """The owner of a certificate, and the trust anchor that it leads to. `evidence` is for the audit trail."""

    certificate: certificates.Certificate
    anchor: Item
    evidence: dict[str, str]


def holder(call: Call, request: CreateSessionRequest) -> Holder:
    """Whom the certificate and the signature of a request prove to ask.

    Raises ResourceNotFoundException for a trust anchor that is none, AccessDeniedException for all else that does
    not hold. Which check failed is in the log.
    """
    with call.transaction:
        anchor = _anchor(call, request.trustAnchorArn)
        try:
            return _as_caller(call, anchor, _proven(call, anchor))
        except CertificateRefused as refused:
            log.warning(
                "a certificate was refused",
                check=refused.check,
                reason=refused.reason,
                trust_anchor=anchor.arn(call.partition),
                request_id=call.request_id,
            )
            raise AccessDeniedException(str(refused)) from None


def _anchor(call: Call, named: str) -> Item:
    region, account = _place(named)
    found = items.find(call.transaction, account, region, ANCHOR, named)
    if found is None:
        raise items.missing(ANCHOR)
    if not found.enabled:
        raise AccessDeniedException("Trust anchor is disabled.")
    return found


def _place(named: str) -> tuple[str, str]:
    """The region and the account in an ARN. Raises ValidationException."""
    fields = named.split(":", 5)
    if len(fields) < 6:
        raise ValidationException(f"{named} is not an ARN.")
    return fields[3], fields[4]


def _proven(call: Call, anchor: Item) -> certificates.Certificate:
    assert call.sent is not None, "the pipeline sets it"
    claim = signed.read(call.sent)
    leaf = x509.read(call.sent.header(signed.CERTIFICATE) or "")
    sent = call.sent.header(signed.CHAIN)
    encoded = sent.split(",") if sent else []
    if len(encoded) > x509.MAX_INTERMEDIATES:
        raise CertificateRefused("form", f"A chain has at most {x509.MAX_INTERMEDIATES} intermediate certificates.")
    signed.verify(call.sent, claim, leaf, call.now)
    if claim.region != anchor.region:
        raise CertificateRefused("scope", f"Credential should be scoped to {anchor.region}.")
    authorities = x509.read_bundle(anchor.read(Anchor).bundle, MAX_CERTIFICATES)
    chain = x509.vouched(leaf, [x509.read(each.strip()) for each in encoded], authorities, call.now)
    listed = items.every(call.transaction, anchor.account, anchor.region, CRL)
    bodies = [each.read(Crl) for each in listed if each.enabled]
    crls = [x509.read_crl(body.list) for body in bodies if body.anchor == anchor.id]
    if x509.is_revoked(chain, crls) is not None:
        raise CertificateRefused("revoked", "Certificate revoked.")
    return leaf


def _as_caller(call: Call, anchor: Item, certificate: certificates.Certificate) -> Holder:
    arn, subject = anchor.arn(call.partition), certificate.subject.rfc4514_string()
    context: Context = {"aws:principaltype": "X509Certificate", "aws:userid": subject}
    return Holder(
        Principal(PrincipalKind.PROVIDER, call.partition, anchor.account, arn, arn, subject),
        user_id=subject,
        name=subject,
        context=context,
        certificate=certificate,
        anchor=anchor,
        evidence={"x509Subject": subject, "x509SerialNumber": f"{certificate.serial_number:x}"},
    )


# -- What she gets ----------------------------------------------------------------------------------------


def profile_of(call: Call, request: CreateSessionRequest) -> Target:
    """The profile, which must be of the trust anchor's account and region. The record is its Item."""
    anchor = _holder(call).anchor
    found = items.find(call.transaction, anchor.account, anchor.region, PROFILE, request.profileArn)
    return Target(
        account=anchor.account,
        arn=found.arn(call.partition) if found else request.profileArn,
        rule=Rule.NONE,
        record=found,
        absent=None if found else items.missing(PROFILE),
    )


@rolesanywhere.operation("CreateSession", on=profile_of, by=holder)
def create_session(call: Call, request: CreateSessionRequest, item: Item) -> shapes.CreateSessionResponse:
    asking, profile = _holder(call), item.read(Profile)
    _check(request, item, profile)
    call = msgspec.structs.replace(call, region=item.region)
    given = _assumed(call, request, asking, profile)
    subject = subjects.note(call, item.account, asking.certificate, request.instanceProperties)
    return shapes.CreateSessionResponse(
        credentialSet=[
            shapes.CredentialResponse(
                assumedRoleUser=shapes.SessionUser(
                    arn=given.AssumedRoleUser.Arn, assumedRoleId=given.AssumedRoleUser.AssumedRoleId
                ),
                credentials=shapes.SessionCredentials(
                    accessKeyId=given.Credentials.AccessKeyId,
                    secretAccessKey=given.Credentials.SecretAccessKey,
                    sessionToken=given.Credentials.SessionToken,
                    expiration=given.Credentials.Expiration,
                ),
                packedPolicySize=given.PackedPolicySize,
                roleArn=request.roleArn,
                sourceIdentity=given.SourceIdentity,
            )
        ],
        subjectArn=items.arn_of(call.partition, item.region, item.account, items.SUBJECT, subject),
    )


def _holder(call: Call) -> Holder:
    assert isinstance(call.caller, Holder), "the certificate was read"
    return call.caller


def _check(request: CreateSessionRequest, item: Item, profile: Profile) -> None:
    if not item.enabled:
        raise AccessDeniedException("Profile is disabled.")
    if request.roleArn not in profile.roles:
        raise AccessDeniedException(f"Unable to assume role for {request.roleArn}: the profile lacks it.")
    if profile.needs_properties and not request.instanceProperties:
        raise AccessDeniedException("Instance properties are required by the profile.")
    if request.roleSessionName is not None and not profile.names_sessions:
        raise AccessDeniedException("A role session name is not accepted by the profile.")
    if request.durationSeconds is not None and request.durationSeconds > profile.seconds:
        raise ValidationException("The requested durationSeconds exceeds that of the profile.")


def _check_role(call: Call, request: CreateSessionRequest, seconds: int) -> None:
    """STS asks services of this house for no such thing: for hosts and pods the hours are AWS's own."""
    role = entities.role_by_arn(call.transaction, request.roleArn)
    if role is not None and seconds > role.max_session:
        raise ValidationException("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _assumed(call: Call, request: CreateSessionRequest, asking: Holder, profile: Profile) -> Any:
    """The answer of STS's AssumeRole, asked by this service for the trust anchor."""
    assert call.door is not None, "the pipeline sets it"
    anchor, certificate = asking.anchor, asking.certificate
    service = service_principals.of_house(
        call.transaction,
        call.partition,
        SERVICE,
        source_arn=anchor.arn(call.partition),
        account=anchor.account,
        evidence=asking.evidence,
    )
    seconds = request.durationSeconds or profile.seconds
    _check_role(call, request, seconds)
    wanted = {
        "RoleArn": request.roleArn,
        "RoleSessionName": request.roleSessionName or f"{certificate.serial_number:x}".zfill(2),
        "DurationSeconds": seconds,
        "Policy": profile.session_policy,
        "PolicyArns": [{"arn": each} for each in profile.policies],
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(certificate, profile).items()],
        "SourceIdentity": attributes.source_identity(certificate),
    }
    asked = {name: value for name, value in wanted.items() if value not in (None, [])}
    try:
        return call.door.inside(call, service, "sts", "AssumeRole", asked)
    except AccessDenied:
        raise AccessDeniedException(f"Unable to assume role for {request.roleArn}") from None
    except ValidationError as error:
        raise ValidationException(str(error)) from None
    except ApiError as error:
        raise AccessDeniedException(f"Unable to assume role for {request.roleArn}: {error}") from None


def _tags(certificate: certificates.Certificate, profile: Profile) -> dict[str, str]:
    return attributes.tags(certificate, profile.mappings)
