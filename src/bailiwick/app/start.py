"""Where the installed command begins, and the short way to a server.

The command line is typer's, which with all that hangs on it (rich, pydantic, the other commands) takes as long to
import as the server itself, and keeps 15 MB. So `serve` with flags that need no interpretation goes past it;
whatever else is asked, and every mistake, is typer's to answer.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bailiwick.app import light, logs  # noqa: F401  (light comes first, for what its import does)
from bailiwick.app.custody import CustodyError
from bailiwick.app.home import HomeError
from bailiwick.app.keyring import RootKeyError
from bailiwick.app.serve import serve as run_server
from bailiwick.app.server import ServerError
from bailiwick.app.settings import TABLE, SettingsError, load
from bailiwick.store import StoreError

_CONFIG = "--config"


def main() -> None:
    """The installed command."""
    flags = flags_of_serve(sys.argv[1:])
    if flags is None:
        from bailiwick.app.cli import main as command_line

        command_line()
        return
    with failing():
        serve(flags)


def serve(flags: dict[str, Any]) -> None:
    """Serve with the settings of these flags, `config` being the settings file, until told to end."""
    config = flags.pop("config", None)
    settings = load(flags, os.environ, config)
    logs.configure(settings.log_level)
    run_server(settings, os.environ)


def flags_of_serve(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The flags of a plain `serve`, by the names of the settings; None for whatever else these arguments are."""
    if not arguments or arguments[0] != "serve":
        return None
    valued = {setting.flag: setting.name for setting in TABLE if setting.annotation is not bool}
    truths = {setting.flag: (setting.name, True) for setting in TABLE if setting.annotation is bool}
    truths |= {f"--no{flag[1:]}": (name, False) for flag, (name, _) in truths.items()}
    found: dict[str, Any] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if flag in truths and not equals:
            name, truth = truths[flag]
            found[name] = truth
            continue
        if not equals:
            value = next(rest, "-")
        if value.startswith("-") or (flag not in valued and flag != _CONFIG):
            return None
        found["config" if flag == _CONFIG else valued[flag]] = Path(value) if flag == _CONFIG else value
    return found


@contextmanager
def failing() -> Iterator[None]:
    """What goes wrong is one sentence on standard error that says what to do, and an exit status."""
    os.umask(0o077)  # what this program writes is for its user alone
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        yield
    except SettingsError as error:
        fail(str(error), 2)
    except (CustodyError, HomeError, RootKeyError, ServerError, StoreError) as error:
        fail(str(error), 1)
    except OSError as error:
        fail(f"{error.filename or 'the system'}: {error.strerror or error}", 1)


def fail(text: str, status: int) -> None:
    """End the program with a sentence and a status."""
    sys.stderr.write(f"bailiwick: {text}\n")
    sys.exit(status)
