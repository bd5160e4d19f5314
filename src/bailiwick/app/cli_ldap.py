"""`bailiwick ldap`: the mapping file of a company's directory, tried with a person before people depend on it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.app import company, logs
from bailiwick.app.cli_support import Config, say
from bailiwick.app.home import HomeError
from bailiwick.app.login import password_of
from bailiwick.app.settings import SettingsError, load
from bailiwick.core.errors import DirectoryUnavailable
from bailiwick.core.identity import Grants, Identity

ldap = typer.Typer(help="The company's directory that people sign in with.", no_args_is_help=True)


@ldap.command()
def check(
    user: Annotated[str, typer.Argument(help="The name with which a person signs in.")],
    mapping: Annotated[
        Path | None, typer.Option("--ldap", help=r"Mapping file. \[env: BAILIWICK_LDAP]", show_default=False)
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password, - for standard input.", show_default=False)
    ] = None,
    config: Config = None,
) -> None:
    """Sign a person in, and show what the directory says of her and what the mapping file gives her.

    The password is asked for on the terminal. Nothing is granted: this only looks.
    """
    settings = load({"ldap": mapping}, os.environ, config)
    logs.configure(settings.log_level)
    directory = company.directory(settings)
    if directory is None:
        raise SettingsError("no mapping file is named; give --ldap FILE or the setting `ldap`")
    with closing(directory):
        try:
            identity = directory.identify(user, password_of(password_file, user))
        except DirectoryUnavailable as error:
            raise HomeError(f"the directory cannot be asked: {error}") from None
        if identity is None:
            raise HomeError(
                "the directory does not know a person of this name with this password: the log says more"
            )
        _tell(identity, directory.granted(identity))


def _tell(identity: Identity, grants: Grants) -> None:
    say(f"{identity.name}: {identity.subject}")
    if identity.mail:
        say(f"  mail: {identity.mail}")
    for title, lines in (
        ("groups", identity.groups),
        ("roles", grants.roles),
        ("session tags", [f"{key} = {value}" for key, value in grants.tags.items()]),
    ):
        say(f"  {title}:{'' if lines else ' none'}")
        for line in lines:
            say(f"    {line}")
    if grants.first is None:
        say("  she must name a role, for no rule gives her one by its whole ARN")
