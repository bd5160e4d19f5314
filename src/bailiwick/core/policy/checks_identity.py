"""What AWS asks of an identity policy, in its order and its words.

Source: facts/policy.md section 1.7 (a), facts/iam.md section 5.6. The first rule that fails anywhere in the
document is the one that is reported, so each rule is a pass over all statements.
"""

from __future__ import annotations

import re

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import conditions, syntax
from bailiwick.core.policy.syntax import Document, Statement

PARTITIONS = frozenset(
    {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}
)

_LEGACY = "The policy failed legacy parsing"
_VENDOR = re.compile(r"[A-Za-z0-9.-]+")
_SID = re.compile(r"[0-9A-Za-z]*")
_IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
# What S3 keeps in a region, by its service authorization reference; buckets and objects are in none.
_S3_REGIONAL = ("accesspoint", "job/", "storage-lens", "access-grants", "async-request/")


def check_identity(text: str) -> Document:
    """Check a policy put inline on a user, group or role, where a missing Version means 2008-10-17.

    Returns the document. Raises PolicyError with AWS's text.
    """
    found = syntax.parse(text)
    _check(found)
    return found


def check_managed(text: str) -> Document:
    """Check a managed policy, which must be of Version 2012-10-17.

    Returns the document. Raises PolicyError with AWS's text.
    """
    found = syntax.parse(text)
    if not found.has_variables:
        raise PolicyError("Policy document must be version 2012-10-17 or greater.")
    _check(found)
    return found


def _check(found: Document) -> None:
    for statement in found.statements:
        check_legacy(statement)
    for statement in found.statements:
        if statement.principal is not None or statement.not_principal is not None:
            raise PolicyError("Policy document should not specify a principal.")
    check_sids(found)
    for statement in found.statements:
        check_has_actions(statement)
    for statement in found.statements:
        check_resources(statement)
    for statement in found.statements:
        check_actions(statement)
    for statement in found.statements:
        if not statement.resources:
            raise PolicyError("Policy statement must contain resources.")


def check_legacy(statement: Statement) -> None:
    """Refuse what AWS's older parser refuses: case of Effect, values of the wrong type, broken ARNs."""
    if statement.effect not in ("Allow", "Deny"):
        raise PolicyError(_LEGACY)
    for condition in statement.conditions:
        name = conditions.written(condition.operator)
        if name is None or not all(map(name.operator.takes, condition.values)):
            raise PolicyError(_LEGACY)
    if any(map(_resource_problem, statement.resources)):
        return  # which is told by its own name, later
    for resource in statement.resources:
        fields = resource.split(":", 5)
        if (len(fields) < 6 and "::" in resource) or (len(fields) > 2 and not fields[2]):
            raise PolicyError(_LEGACY)


def check_sids(found: Document) -> None:
    """Refuse a Sid that is not alphanumeric, or that two statements share."""
    sids = [statement.sid for statement in found.statements if statement.sid]
    if not all(map(_SID.fullmatch, sids)):
        raise PolicyError(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    if len(set(sids)) != len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique.")


def check_has_actions(statement: Statement) -> None:
    """Refuse a statement without actions."""
    if not statement.actions:
        raise PolicyError("Policy statement must contain actions.")


def check_actions(statement: Statement) -> None:
    """Refuse an action that is neither `*` nor `vendor:name`."""
    for action in statement.actions:
        if action == "*":
            continue
        vendor, colon, name = action.partition(":")
        if not colon:
            raise PolicyError("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if ":" in name:
            raise PolicyError("Actions/Condition can contain only one colon.")
        if not _VENDOR.fullmatch(vendor):
            raise PolicyError(f"Vendor {vendor} is not valid")


def check_resources(statement: Statement) -> None:
    """Refuse a resource that is neither `*` nor an ARN; of several bad ones the first by name is reported."""
    for resource in sorted(statement.resources):
        problem = _resource_problem(resource)
        if problem:
            raise PolicyError(problem)


def _resource_problem(resource: str) -> str | None:
    if resource == "*":
        return None
    fields = resource.split(":", 5)
    if len(fields) < 2:
        return f'Resource {resource} must be in ARN format or "*".'
    partition, service, region, _, path = (fields + ["*"] * 6)[1:6]
    if partition not in PARTITIONS and partition != "*":
        shown = ":".join(("arn", *(fields + ["*"] * 6)[1:6]))
        return f'Partition "{partition}" is not valid for resource "{shown}".'
    if fields[0] != "arn":
        return f'Resource {resource} must be in ARN format or "*".'
    if len(fields) == 2 and partition != "*":
        return "Resource vendor must be fully qualified and cannot contain regexes."
    if service == "iam":
        return _iam_problem(resource, region if len(fields) > 3 else "", path)
    if service == "s3" and len(fields) > 3 and region and not path.startswith(_S3_REGIONAL):
        return f"Resource {resource} can not contain region information."
    return None


def _iam_problem(resource: str, region: str, path: str) -> str | None:
    if region:
        return f"IAM resource {resource} cannot contain region information."
    if path in ("*", "root") or path.startswith(_IAM_PATHS):
        return None
    return (
        'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, '
        "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
        "report/, access-report/."
    )
