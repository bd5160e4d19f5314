"""What a web identity token says, as condition keys, session tags and source identity.

Source: facts/sts.md section 6, facts/policy.md sections 3.3 and 3.7.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bailiwick.core.assertion.jwt import Token
from bailiwick.core.errors import TokenRefused
from bailiwick.core.policy.question import Value
from bailiwick.services.sts.shapes import Tag, tagKeyListType, tagListType

KEPT = ("amr", "aud", "id", "sub")

# Claims beside `aud`, `sub` and `amr` that are condition keys: what AWS documents for Google, GitHub, GitLab,
# Buildkite, CircleCI and OCI. A server of one's own has them as well.
_NAMED = frozenset(
    (
        *("email", "id", "app_id", "actor", "actor_id", "job_workflow_ref", "repository", "repository_id", "ref"),
        *("repository_owner", "repository_owner_id", "workflow", "environment", "enterprise", "enterprise_id"),
        *("repository_visibility", "event_name", "ref_type", "ref_path", "ref_protected", "job_id", "runner_id"),
        *("project_id", "project_path", "namespace_id", "namespace_path", "user_id", "user_login", "user_email"),
        *("pipeline_id", "pipeline_source", "environment_protected", "deployment_tier", "user_access_level"),
        *("runner_environment", "sha", "ci_config_ref_uri", "organization_slug", "organization_id", "agent_id"),
        *("pipeline_slug", "build_branch", "step_key", "cluster_id", "oidc.circleci.com/project-id"),
        *("rpst_id", "tenant_id", "tenant_name", "groups"),
    )
)
_TAGS = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
_SOURCE_IDENTITY_FORM = re.compile(r"(?!aws:)[\w+=,.@-]{2,64}", re.ASCII | re.IGNORECASE)
_MAX_VALUES = 100


class Passed(msgspec.Struct, frozen=True):
    """What a token gives to the session that is begun with it."""

    tags: list[Tag] = []
    transitive: list[str] = []
    source_identity: str = ""


NOTHING = Passed()


def context(token: Token, provider: str) -> dict[str, Value]:
    """The condition keys of a token of `provider`, the issuer without its scheme."""
    prefix, claims = provider.lower(), token.claims
    found: dict[str, Value] = {}
    for name, value in claims.items():
        given = _value(value)
        if name.lower() in _NAMED and given is not None:
            found[f"{prefix}:{name.lower()}"] = given
    methods = _value(claims.get("amr"))
    if methods is not None:
        found[f"{prefix}:amr"] = (methods,) if isinstance(methods, str) else methods
    found[f"{prefix}:sub"] = token.subject
    if "azp" in claims:
        found[f"{prefix}:aud"] = token.audience
        found[f"{prefix}:oaud"] = token.audiences if len(token.audiences) > 1 else token.audiences[0]
    else:
        found[f"{prefix}:aud"] = token.audiences if len(token.audiences) > 1 else token.audiences[0]
    return found


def passed(token: Token) -> Passed:
    """The session tags and the source identity in a token. Raises TokenRefused for what cannot be used."""
    nested: Any = token.claims.get(_TAGS, {})
    if not isinstance(nested, dict):
        raise TokenRefused("tags", f"The claim {_TAGS} is not an object")
    given: Any = token.claims.get(f"{_TAGS}/principal_tags", nested.get("principal_tags", {}))
    transitive = token.claims.get(f"{_TAGS}/transitive_tag_keys", nested.get("transitive_tag_keys", []))
    try:
        tags = [{"Key": key, "Value": _only(value)} for key, value in given.items()]
        return Passed(
            msgspec.convert(tags, tagListType),
            msgspec.convert(transitive, tagKeyListType),
            _source_identity(token.claims.get(_SOURCE_IDENTITY, "")),
        )
    except (msgspec.ValidationError, AttributeError, ValueError):
        raise TokenRefused("tags", "The session tags or source identity in the ID Token are invalid") from None


def _source_identity(value: Any) -> str:
    if isinstance(value, str) and (not value or _SOURCE_IDENTITY_FORM.fullmatch(value)):
        return value
    raise ValueError("the source identity has another form")


def _only(value: Any) -> Any:
    """The value of a tag: a list of one, or the value itself."""
    if isinstance(value, list):
        (value,) = value  # ValueError for any other number
    return value


def _value(claim: Any) -> Value | None:
    """A claim as the value of a condition key; None for one that is none."""
    if isinstance(claim, bool):
        return "true" if claim else "false"
    if isinstance(claim, str | int):
        return str(claim)
    if isinstance(claim, list) and len(claim) <= _MAX_VALUES and all(isinstance(each, str) for each in claim):
        return tuple(claim)
    return None
