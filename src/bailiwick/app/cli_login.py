"""`bailiwick login`: temporary credentials for a person, in a profile or for `credential_process`."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.app import login as means
from bailiwick.app.cli_support import say
from bailiwick.app.settings import SettingsError


def login(
    ldap: Annotated[bool, typer.Option("--ldap", help="By the company's directory.")] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help=r"Address of the server. \[env: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL]", show_default=False
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="The name; that on this machine if not given.", show_default=False)
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="ARN of the role; the first that is given if not named.", show_default=False)
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(min=900, max=43200, help="For how long.", show_default=False)
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password, - for standard input.", show_default=False)
    ] = None,
    profile: Annotated[str, typer.Option(help="The profile that is written.")] = "bailiwick",
    credentials_file: Annotated[
        Path | None,
        typer.Option(help=r"Where. \[env: AWS_SHARED_CREDENTIALS_FILE]", show_default=False),
    ] = None,
    process: Annotated[
        bool, typer.Option("--process", help="Print JSON for `credential_process`, and write nothing.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option(help="Authorities (PEM) of the server's certificate.", show_default=False)
    ] = None,
) -> None:
    """Get temporary credentials for yourself, where AWS's clients look for them.

    The password is asked for on the terminal. As a credential_process of ~/.aws/config:
    `credential_process = bailiwick login --ldap --process --user alice --password-file ...`
    """
    if not ldap:
        raise SettingsError("say how you sign in: --ldap")
    if not means.PROFILE.fullmatch(profile):
        raise SettingsError(f"`{profile}` is not the name of a profile")
    address = endpoint or os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")
    name = user or getpass.getuser()
    fields = {"LDAPUsername": name, "LDAPPassword": means.password_of(password_file, name)}
    if role is not None:
        fields["RoleArn"] = role
    if seconds is not None:
        fields["DurationSeconds"] = str(seconds)
    keys = means.by_ldap(address or "http://127.0.0.1:4577", fields, ca_file)
    if process:
        typer.echo(means.as_process(keys))
        return
    path = credentials_file or means.credentials_file()
    means.write_profile(path, profile, keys)
    say(f"{keys.arn}, until {keys.expiration}")
    say(f"profile {profile} in {path}: aws --profile {profile} sts get-caller-identity")
