"""What AWS asks of the policies of things: role trust policies, key policies; and of session policies.

They go through another parser than identity policies and are refused in other words. Source:
facts/policy.md section 1.7 (b) and (d), facts/kms.md section 11.3. Of the order in which AWS looks, nothing
is published; ours goes from the outside in, statement by statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bailiwick.core.errors import PolicyError
from bailiwick.core.policy import checks_identity, conditions, patterns, strict_json, syntax
from bailiwick.core.policy.syntax import Document, Statement

_OTHER = "Syntax error in policy."
_INVALID_PRINCIPALS = "Policy contains a statement with one or more invalid principals."

_TRUST_ACTIONS = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithLDAPIdentity",  # our own: docs/federation/ldap.md
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "sts:SetContext",
)

_PARTITION = r"[a-z]+(?:-[a-z]+)*"
_AWS_PRINCIPAL = re.compile(
    r"\*|[0-9]{12}|A(?:IDA|ROA)[A-Z0-9]{12,124}"
    rf"|arn:{_PARTITION}:iam::[0-9]{{12}}:(?:root|(?:user|role)/[!-)+->@-~]+)"
    rf"|arn:{_PARTITION}:sts::[0-9]{{12}}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)",
    re.ASCII,
)
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*")
_PROVIDER = re.compile(
    rf"arn:{_PARTITION}:iam::[0-9]{{12}}:(?:saml-provider|oidc-provider|ldap-provider)/[!-)+->@-~]+"
)

_COGNITO = "cognito-identity.amazonaws.com"
_CLAIM_OPERATORS = ("stringequals", "stringlike", "stringequalsignorecase")
# Providers that many organizations share, and the claims of which one must tell whose tokens are meant.
_SHARED = {
    "token.actions.githubusercontent.com": ("sub", "job_workflow_ref"),
    **dict.fromkeys(
        (
            "vstoken.actions.githubusercontent.com",
            "oidc-configuration.audit-log.githubusercontent.com",
            "gitlab.com",
            "agent.buildkite.com",
            "app.terraform.io",
            "oidc.codefresh.io",
            "studio.datachain.ai/api",
            "scalr.io",
            "tokens.cloud.shisho.dev",
            "proidc.upbound.io",
        ),
        ("sub",),
    ),
    **dict.fromkeys(("api.pulumi.com/oidc", "sandboxes.cloud", "oidc.vercel.com"), ("aud",)),
}


def check_trust(text: str) -> Document:
    """Check the trust policy of a role. Whether the principals exist is for the caller to find out.

    Returns the document. Raises PolicyError with AWS's text.
    """
    found = _parse(text, _trust_elements)
    for statement in found.statements:
        _check_trust_statement(statement)
    _check_unique_sids(found)
    return found


def check_session(text: str) -> Document:
    """Check an inline session policy: an identity policy that is refused in the words of STS.

    Returns the document. Raises PolicyError.
    """
    found = _parse(text, _session_elements)
    for statement in found.statements:
        checks_identity.check_has_actions(statement)
        checks_identity.check_resources(statement)
        checks_identity.check_actions(statement)
        if not statement.resources:
            raise PolicyError("Policy statement must contain resources.")
    _check_unique_sids(found)
    return found


def check_key(text: str, *, lax: bool = False) -> Document:
    """Check a key policy. Whether the principals exist is for the caller to find out.

    A statement without Action or without Resource has no effect. It is refused, as AWS says that it
    does from 18 August 2025 on (the documentation in the service model is older); what was stored before is read by
    being `lax`. Returns the document. Raises PolicyError; the text of that refusal is a guess.
    """
    found = _parse(text, _key_elements if lax else _whole_key_elements)
    for statement in found.statements:
        checks_identity.check_resources(statement)
        checks_identity.check_actions(statement)
        _check_key_principals(statement)
        _check_key_conditions(statement)
    _check_unique_sids(found)
    return found


# --- the grammar, in the words of this parser

_Elements = Callable[[dict[str, object]], None]


def _parse(text: str, elements: _Elements) -> Document:
    """Read a document, asking `elements` of each statement before the grammar is."""
    try:
        value = strict_json.read(text)
    except ValueError:
        raise PolicyError("This policy contains invalid Json") from None
    if not isinstance(value, dict):
        raise PolicyError(_OTHER)
    _check_document_elements(value)
    statements = value["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict):
            raise PolicyError(_OTHER)
        _refuse_unknown(statement, syntax.STATEMENT_ELEMENTS)
        elements(statement)
    try:
        found = syntax.document(value)
        for statement in found.statements:
            checks_identity.check_legacy(statement)
    except PolicyError:
        raise PolicyError(_OTHER) from None
    return found


def _check_document_elements(value: dict[str, object]) -> None:
    _refuse_unknown(value, syntax.DOCUMENT_ELEMENTS)
    if "Version" in value and value["Version"] not in ("2008-10-17", "2012-10-17"):
        raise PolicyError("The policy must contain a valid version string")
    if "Statement" not in value:
        raise PolicyError("Missing required field Statement")
    if value["Statement"] in ([], {}):
        raise PolicyError("Could not parse the policy: Statement is empty!")


def _refuse_unknown(value: dict[str, object], known: frozenset[str]) -> None:
    for name in value:
        if name not in known:
            raise PolicyError(f"Unknown field {name}")


def _check_effect(statement: dict[str, object]) -> None:
    if "Effect" not in statement:
        raise PolicyError("Missing required field Effect")
    effect = statement["Effect"]
    if not isinstance(effect, str):
        raise PolicyError(_OTHER)
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"Invalid effect: {effect}")


def _trust_elements(statement: dict[str, object]) -> None:
    if "Resource" in statement:
        raise PolicyError("Has prohibited field Resource")
    if "NotResource" in statement:
        raise PolicyError("AssumeRole policy must not contain resources.")
    _check_effect(statement)
    if "NotPrincipal" in statement:
        raise PolicyError(
            "Allow with NotPrincipal is not allowed."
            if statement["Effect"] == "Allow"
            else "AssumeRole policy must not contain NotPrincipal field."
        )
    if "Principal" not in statement:
        raise PolicyError("Missing required field Principal")
    principal = statement["Principal"]
    if not isinstance(principal, dict):
        raise PolicyError("Principal must be a JSON object.")
    if not principal or not all(principal.values()):
        raise PolicyError("Missing required field Principal cannot be empty!")
    _check_has_action(statement)


def _session_elements(statement: dict[str, object]) -> None:
    for name in ("Principal", "NotPrincipal"):
        if name in statement:
            raise PolicyError(f"Has prohibited field {name}")
    _check_effect(statement)
    _check_has_action(statement)


def _key_elements(statement: dict[str, object]) -> None:
    _check_effect(statement)
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise PolicyError("Missing required field Principal")
    if "NotPrincipal" in statement and statement["Effect"] == "Allow":
        raise PolicyError("Allow with NotPrincipal is not allowed.")


def _whole_key_elements(statement: dict[str, object]) -> None:
    _key_elements(statement)
    _check_has_action(statement)
    if not statement.get("Resource"):
        raise PolicyError("Missing required field Resource")


def _check_has_action(statement: dict[str, object]) -> None:
    if not statement.get("Action") and not statement.get("NotAction"):
        raise PolicyError("Missing required field Action")


def _check_unique_sids(found: Document) -> None:
    sids = [statement.sid for statement in found.statements if statement.sid]
    if len(set(sids)) != len(sids):
        raise PolicyError("The Statement Ids in the policy are not unique")


# --- trust policies


def _check_trust_statement(statement: Statement) -> None:
    for key, values in (statement.principal or {}).items():
        for value in values:
            _check_trust_principal(key, value)
    for action in statement.actions:
        matches = patterns.actions([action])
        if action == "*" or not any(matches(known.lower()) for known in _TRUST_ACTIONS):
            raise PolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
    if statement.effect == "Allow":
        for provider in (statement.principal or {}).get("Federated", ()):
            _check_provider_condition(provider, statement)


def _check_trust_principal(key: str, value: str) -> None:
    if key == "Federated":
        if not _DOMAIN.fullmatch(value) and not _PROVIDER.fullmatch(value):
            raise PolicyError("Federated principals must be valid domain names or SAML metadata ARNs")
    elif not _is_principal(key, value):
        shown = key if key == "AWS" else key.upper()
        raise PolicyError(f'Invalid principal in policy: "{shown}":"{value}"')


def _is_principal(key: str, value: str) -> bool:
    if key == "AWS":
        return _AWS_PRINCIPAL.fullmatch(value) is not None
    return key == "Service" and _DOMAIN.fullmatch(value) is not None


def _check_provider_condition(provider: str, statement: Statement) -> None:
    """Refuse to trust everyone's tokens of a provider that many organizations share."""
    if provider == _COGNITO and not statement.conditions:
        raise PolicyError("A condition block must be present for the Cognito provider")
    host = provider.partition(":oidc-provider/")[2]
    claims = [f"{host}:{claim}" for claim in _SHARED.get(host, ())]
    if claims and not any(
        condition.key.lower() in claims
        and condition.operator.lower() in _CLAIM_OPERATORS
        and set(condition.values) - {"*"}
        for condition in statement.conditions
    ):
        raise PolicyError(
            f"Trust policy with trusted principal {provider} must evaluate, using StringEquals, StringLike "
            f"or StringEqualsIgnoreCase, {' or '.join(claims)} which is not scoped to all."
        )


# --- key policies


def _check_key_principals(statement: Statement) -> None:
    for element in (statement.principal, statement.not_principal):
        if element is None:
            continue
        named = [(key, value) for key, values in element.items() for value in values]
        if not named or not all(_is_principal(key, value) for key, value in named):
            raise PolicyError(_INVALID_PRINCIPALS)


def _check_key_conditions(statement: Statement) -> None:
    for condition in statement.conditions:
        name = conditions.written(condition.operator)
        if (
            name is not None
            and name.quantifier == "forallvalues"
            and condition.key.lower().startswith("kms:encryptioncontext:")
        ):
            raise PolicyError(
                "OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues set operator with a "
                "single-valued condition key matches requests without the specified encryption context or "
                "with an unspecified encryption context. To fix, remove ForAllValues."
            )
