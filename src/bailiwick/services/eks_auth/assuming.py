"""AssumeRoleForPodIdentity: a node asks for a pod, and shows the token of the pod's service account.

The node signs with its own credentials, which may ask for their cluster; the token says which pod it is for; the
association says which role that gets, and the role's trust policy whether pods.eks.amazonaws.com may have it.
Source: facts/imds.md section 3.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
import structlog

from bailiwick.api import AccessDenied, Call, Target, ValidationError
from bailiwick.core.assertion import jwt
from bailiwick.core.assertion.jwt import Token
from bailiwick.core.errors import IssuerUnreachable, TokenRefused
from bailiwick.directory import pods, providers
from bailiwick.directory.pods import Association
from bailiwick.directory.providers import OidcProvider
from bailiwick.directory.service_principals import of_house
from bailiwick.services.eks_auth import shapes
from bailiwick.services.eks_auth.service import eks_auth
from bailiwick.services.eks_auth.shapes import (
    AccessDeniedException,
    AssumeRoleForPodIdentityRequest,
    ExpiredTokenException,
    InvalidParameterException,
    InvalidTokenException,
    ResourceNotFoundException,
    ServiceUnavailableException,
)

log = structlog.get_logger()

_LASTS = 6 * 3600
_SUBJECT = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})", re.ASCII)
_UNFIT = re.compile(r"[^\w+=,.@-]", re.ASCII)


class Pod(msgspec.Struct, frozen=True):
    """A pod as the token of its service account tells it."""

    namespace: str
    service_account: str
    name: str
    uid: str


def _cluster(call: Call, request: AssumeRoleForPodIdentityRequest) -> Target:
    """The cluster. The record are the providers that issue its tokens."""
    arns = pods.issuers(call.transaction, call.account, request.clusterName)
    found = [each for arn in arns if (each := providers.oidc(call.transaction, arn)) is not None]
    return Target(
        account=call.account,
        arn=pods.cluster_arn(call.partition, call.region, call.account, request.clusterName),
        record=found,
        absent=None if found else ResourceNotFoundException(f"No cluster found for name: {request.clusterName}."),
    )


@eks_auth.operation("AssumeRoleForPodIdentity", on=_cluster)
def assume_role_for_pod_identity(
    call: Call, request: AssumeRoleForPodIdentityRequest, issuers: list[OidcProvider]
) -> shapes.AssumeRoleForPodIdentityResponse:
    with call.transaction:  # ended here: the issuer may take seconds to answer
        pass
    pod = _proven(call, request, issuers)
    found = pods.of(
        *(call.transaction, call.account, call.region, request.clusterName),
        *(pod.namespace, pod.service_account),
    )
    if found is None:
        raise ResourceNotFoundException("No association found for the service account of the pod.")
    given = _assumed(call, found, pod)
    return shapes.AssumeRoleForPodIdentityResponse(
        subject=shapes.Subject(namespace=pod.namespace, serviceAccount=pod.service_account),
        audience=pods.AUDIENCE,
        podIdentityAssociation=shapes.PodIdentityAssociation(
            associationArn=found.arn(call.partition), associationId=found.id
        ),
        assumedRoleUser=shapes.AssumedRoleUser(
            arn=given.AssumedRoleUser.Arn, assumeRoleId=given.AssumedRoleUser.AssumedRoleId
        ),
        credentials=shapes.Credentials(
            sessionToken=given.Credentials.SessionToken,
            secretAccessKey=given.Credentials.SecretAccessKey,
            accessKeyId=given.Credentials.AccessKeyId,
            expiration=given.Credentials.Expiration,
        ),
    )


def _proven(call: Call, request: AssumeRoleForPodIdentityRequest, issuers: list[OidcProvider]) -> Pod:
    """The pod whose token it is. Raises InvalidToken, ExpiredToken, ServiceUnavailable; the log says why."""
    try:
        token = jwt.read(request.token)
        provider = next((each for each in issuers if each.url == token.issuer), None)
        if provider is None:
            raise TokenRefused("issuer", "The token was not issued by the cluster.")
        jwt.check_audience(token, [pods.AUDIENCE])
        jwt.check_times(token, call.now)
        if call.environment.issuers is None:
            raise IssuerUnreachable("No identity provider is asked by this server.")
        jwt.verify(token, call.environment.issuers.keys(token, provider.url, provider.thumbprints))
        return _pod(token)
    except IssuerUnreachable as error:
        log.warning("a cluster's issuer cannot be asked", reason=str(error), request_id=call.request_id)
        raise ServiceUnavailableException("The cluster's issuer cannot be asked.") from None
    except TokenRefused as refused:
        log.warning(
            "a pod's token was refused", check=refused.check, reason=str(refused), request_id=call.request_id
        )
        kind = ExpiredTokenException if refused.check in ("expired", "too old") else InvalidTokenException
        raise kind(str(refused)) from None


def _pod(token: Token) -> Pod:
    """What a projected token says: Kubernetes has it below `kubernetes.io`."""
    matched = _SUBJECT.fullmatch(token.subject)
    about = token.claims.get("kubernetes.io")
    pod = about.get("pod") if isinstance(about, dict) else None
    told = {name: str(pod.get(name, "")) for name in ("name", "uid")} if isinstance(pod, dict) else {}
    if matched is None:
        raise TokenRefused("subject", "The token is not one of a service account.")
    return Pod(matched[1], matched[2], told.get("name", "")[:253], told.get("uid", "")[:64])


def _assumed(call: Call, found: Association, pod: Pod) -> Any:
    """A session of the role, asked of STS by this service for the association."""
    assert call.door is not None, "the pipeline sets it"
    cluster = pods.cluster_arn(call.partition, found.region, found.account, found.cluster)
    service = of_house(
        call.transaction,
        call.partition,
        pods.SERVICE,
        source_arn=cluster,
        account=found.account,
        evidence={"kubernetesPod": f"{pod.namespace}/{pod.name}", "kubernetesServiceAccount": pod.service_account},
    )
    wanted: dict[str, Any] = {
        "RoleArn": found.role,
        "RoleSessionName": _session_name(found, pod),
        "DurationSeconds": _LASTS,
    }
    if found.tagless:
        wanted |= {"Policy": found.policy} if found.policy is not None else {}
    else:
        tags = _tags(found, pod, cluster)
        wanted |= {
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            "TransitiveTagKeys": list(tags),
        }
    try:
        return call.door.inside(call, service, "sts", "AssumeRole", wanted)
    except AccessDenied:
        raise AccessDeniedException(f"The role {found.role} cannot be assumed for the pod.") from None
    except ValidationError as error:
        raise InvalidParameterException(str(error)) from None


def _tags(found: Association, pod: Pod, cluster: str) -> dict[str, str]:
    tags = {
        "eks-cluster-arn": cluster,
        "eks-cluster-name": found.cluster,
        "kubernetes-namespace": pod.namespace,
        "kubernetes-service-account": pod.service_account,
        "kubernetes-pod-name": pod.name,
        "kubernetes-pod-uid": pod.uid,
    }
    return {key: value for key, value in tags.items() if value}


def _session_name(found: Association, pod: Pod) -> str:
    """The session's name: of the cluster, the pod, and what tells it from others of the same name."""
    digest = hashlib.sha256(f"{found.id}/{pod.uid}".encode()).hexdigest()[:8]
    return _UNFIT.sub("-", f"eks-{found.cluster[:16]}-{pod.name[:32]}-{digest}")
