"""`bailiwick peer`: other deployments with which keys are shared (docs/kms/peers.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.app.cli_support import say
from bailiwick.app.files import write_private
from bailiwick.app.home import HomeError
from bailiwick.core.peers import SECRET_BYTES

peer = typer.Typer(help="Other deployments with which multi-Region keys are shared.", no_args_is_help=True)


@peer.callback()
def _only_commands() -> None:
    """Other deployments with which multi-Region keys are shared."""


@peer.command("key")
def key(file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")]) -> None:
    """Make the secret that two deployments share. Each of them needs a copy, and nobody else may have one."""
    if file.exists():
        raise HomeError(f"{file} is there already, and messages may be sealed under it: choose another name")
    try:
        write_private(file, os.urandom(SECRET_BYTES))
    except OSError as error:
        raise HomeError(f"cannot write {file}: {error.strerror}") from None
    say(f"{file}: the secret of two peers; copy it to the other one on a way that nobody reads")
