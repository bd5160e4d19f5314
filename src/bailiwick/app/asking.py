"""Asking an operator for what opens the root keys: on the terminal without an echo, or by a file descriptor.

Never by an argument, which every user of the machine can read, nor by an environment variable that holds it: the
variable BAILIWICK_UNSEAL_FD has the number of a descriptor, from which one passphrase or some shares are read, one
on each line.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, MutableMapping

from bailiwick.app import custody
from bailiwick.app.custody import Argon2id, CustodyError, Gathering, Locked, Opened
from bailiwick.app.settings import UNSEAL_VARIABLE

_MOST_BYTES = 65536


def descriptor(environment: MutableMapping[str, str]) -> int | None:
    """The descriptor that was named, which is taken out of `environment`. Raises CustodyError."""
    named = environment.pop(UNSEAL_VARIABLE, None)
    if named is None:
        return None
    if not (named.isascii() and named.isdigit()):
        raise CustodyError(f"`{UNSEAL_VARIABLE}` is the number of a file descriptor, and nothing else")
    return int(named)


def lines_of(number: int) -> list[str]:
    """The lines that come through a descriptor, which is then closed. Raises CustodyError."""
    try:
        with os.fdopen(number, "rb") as file:
            data = file.read(_MOST_BYTES)
        return [line for line in data.decode().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise CustodyError(f"nothing can be read from the file descriptor {number}") from None


def operator(environment: MutableMapping[str, str]) -> Callable[[Locked], Opened]:
    """Who opens locked root keys: whoever sits at the descriptor or the terminal."""
    number = descriptor(environment)

    def ask(locked: Locked) -> Opened:
        lines = None if number is None else iter(lines_of(number))
        if isinstance(locked.opener, Argon2id):
            return custody.with_passphrase(locked, _line(lines, "Passphrase of the root key: "))
        gathering = Gathering(locked)
        while not gathering.complete:
            have = f"{len(gathering.numbers)} of {gathering.threshold}"
            typed = _line(lines, f"Share of the root key ({have} are here): ")
            try:
                gathering.add(typed)
            except CustodyError as error:
                if lines is not None:
                    raise
                sys.stderr.write(f"{error}\n")
        return gathering.open()

    return ask


def _line(lines: object, prompt: str) -> str:
    """The next line. Raises CustodyError where there is none, and nobody to ask."""
    if lines is not None:
        typed = next(lines, None)  # type: ignore[call-overload]  # an iterator of lines
        if typed is None:
            raise CustodyError("what came through the descriptor is not enough to open the root key")
        return str(typed)
    return secret(prompt)


def secret(prompt: str) -> str:
    """What is typed on the terminal, without an echo. Raises CustodyError without a terminal."""
    if not has_terminal():
        raise CustodyError(
            f"there is no terminal to ask at ({prompt.rstrip(': ')}): "
            f"give the number of a file descriptor from which it comes in {UNSEAL_VARIABLE}"
        )
    return getpass.getpass(prompt)


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):
        return False
