"""`bailiwick unseal`: what an operator brings to a server that waits for its root key."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from bailiwick.app import asking, logs, sealed
from bailiwick.app.cli_support import Config, Data, say
from bailiwick.app.custody import CustodyError
from bailiwick.app.home import HomeError
from bailiwick.app.sealed import Brought, Progress
from bailiwick.app.settings import data_folder, load


def unseal(
    status: Annotated[bool, typer.Option("--status", help="Only show what is needed and what is there.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Have the server forget the shares that it has.")] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Bring one share, or the passphrase, to a server that started sealed. It is typed without an echo.

    Of several shares (or for a script) they are the lines that come through the descriptor BAILIWICK_UNSEAL_FD.
    """
    settings = load({"data": data}, os.environ, config)
    logs.configure(settings.log_level)
    folder = data_folder(settings, os.environ)
    try:
        progress = sealed.speak(folder, Brought(reset=reset))
        if not (status or reset):
            number = asking.descriptor(os.environ)
            lines = asking.lines_of(number) if number is not None else [asking.secret(_prompt(progress))]
            for line in lines:
                progress = sealed.speak(
                    folder, Brought(share=line) if progress.shares else Brought(passphrase=line)
                )
                if progress.error:
                    raise HomeError(progress.error)
                if progress.open:
                    break
                if line is not lines[-1]:
                    say(_shown(progress))
    except CustodyError as error:
        raise HomeError(str(error)) from None
    except OSError:
        raise HomeError(f"no sealed server waits in {folder}") from None
    say("the root key is open; the server starts" if progress.open else _shown(progress))


def _prompt(progress: Progress) -> str:
    if not progress.shares:
        return "Passphrase of the root key: "
    return f"Share of the root key ({len(progress.have)} of {progress.threshold} are there): "


def _shown(progress: Progress) -> str:
    if not progress.shares:
        return f"needed is {progress.needs}"
    taken = f"share {progress.taken} is right; " if progress.taken else ""
    there = ", ".join(map(str, progress.have)) or "none"
    return f"{taken}there are {len(progress.have)} of {progress.threshold} (numbers: {there})"
