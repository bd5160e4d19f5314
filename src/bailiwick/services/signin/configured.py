"""The file (TOML) of the identity providers of the sign-in page. What is wrong with it is told at the start.

[staff]
kind = "oidc"
title = "Example ID"
account = "123456789012"
issuer = "https://id.example.org"
client_id = "bailiwick"
client_secret_file = "/etc/bailiwick/id-secret"
roles = ["arn:aws:iam::123456789012:role/Developer"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=256)]
Account = Annotated[str, Meta(pattern=r"\A[0-9]{12}\Z")]
RoleArn = Annotated[str, Meta(pattern=r"\Aarn:[a-z-]+:iam::[0-9]{12}:role/.{1,512}\Z")]
Url = Annotated[str, Meta(pattern=r"\Ahttps?://[!-~]{1,1000}\Z")]
_MOST = 20
_MAX_BYTES = 1 << 16


class BadFile(Exception):
    """A file that cannot be used; the text says why."""


class Oidc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="oidc", tag_field="kind"):
    """An OpenID Connect provider that an account trusts, and what it is asked for.

    `roles` are offered to everyone beside those that her token names (the claim `roles`); their trust policies
    decide. `session_name` is the claim that names the session.
    """

    title: Text
    account: Account
    issuer: Url
    client_id: Text
    client_secret_file: Path | None = None
    scopes: Text = "openid email profile"
    session_name: Text = "email"
    roles: list[RoleArn] = []
    secret: str = ""
    name: str = ""

    def __repr__(self) -> str:
        return f"Oidc({self.issuer})"


class Saml(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="saml", tag_field="kind"):
    """A SAML provider that an account trusts; `sign_in` is where sign-in begins, if its metadata does not say."""

    title: Text
    provider: Annotated[str, Meta(pattern=r"\Aarn:[a-z-]+:iam::[0-9]{12}:saml-provider/.{1,128}\Z")]
    sign_in: Url | None = None
    name: str = ""


class Configured(msgspec.Struct, frozen=True):
    """The providers of the sign-in page, in their order."""

    providers: tuple[Oidc | Saml, ...] = ()

    def named(self, name: str) -> Oidc | Saml | None:
        """The provider with this name."""
        return next((each for each in self.providers if each.name == name), None)


def read(path: Path, secret: Callable[[Path], bytes]) -> Configured:
    """Read the file; `secret` reads a file that is nobody else's. Raises BadFile, OSError."""
    text = path.read_bytes()[: _MAX_BYTES + 1]
    if len(text) > _MAX_BYTES:
        raise BadFile(f"{path} is too large")
    try:
        found: dict[str, Any] = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path} is not TOML: {error}") from None
    if len(found) > _MOST:
        raise BadFile(f"{path} names more than {_MOST} providers")
    made: list[Oidc | Saml] = []
    for name, table in found.items():
        if isinstance(table, dict) and ("name" in table or "secret" in table):
            raise BadFile(f"[{name}] in {path}: `name` and `secret` are not settings of a provider")
        try:
            one = msgspec.convert(table, Oidc | Saml, strict=False, dec_hook=_path)
        except msgspec.ValidationError as error:
            raise BadFile(f"[{name}] in {path}: {error}") from None
        one = msgspec.structs.replace(one, name=name)
        if isinstance(one, Oidc) and one.client_secret_file is not None:
            one = msgspec.structs.replace(one, secret=secret(one.client_secret_file).decode("utf-8").strip())
        made.append(one)
    return Configured(tuple(made))


def _path(kind: type, value: Any) -> Any:
    return kind(value)
