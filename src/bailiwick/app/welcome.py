"""What a person reads when the server accepts: where it is, who she is there, and what to try next."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import msgspec
from sqlalchemy import func, select

from bailiwick.api import Transaction
from bailiwick.app.settings import Settings
from bailiwick.directory import tables

_RECENT = 24 * 3600.0


class Welcome(msgspec.Struct, frozen=True):
    """What there is to tell."""

    endpoint: str
    account_id: str
    region: str
    partition: str
    credentials: Path
    config: Path
    data: Path | None  # None in memory
    is_new: bool
    reminder: str | None = None


def show(welcome: Welcome) -> None:
    """Print it: in a frame on a terminal, else as plain lines. The last line says that the server is ready."""
    has_key = welcome.credentials.exists()  # after a restore, or when it was put away, it is not there
    facts = [
        ("endpoint", welcome.endpoint),
        ("console", f"{welcome.endpoint}/console (docs/signin.md)"),
        ("account", f"{welcome.account_id} ({welcome.partition}, {welcome.region})"),
        ("data", str(welcome.data) if welcome.data else "in memory, gone when the server ends"),
        (
            "root user",
            f"{welcome.credentials} (mode 0600)" if has_key else f"no access key in {welcome.credentials}",
        ),
    ]
    lines = [f"{name:<9} {value}" for name, value in facts]
    commands = [
        f"export AWS_CONFIG_FILE={shlex.quote(str(welcome.config))} "
        f"AWS_SHARED_CREDENTIALS_FILE={shlex.quote(str(welcome.credentials))}",
        "aws sts get-caller-identity",
        "aws iam create-user --user-name admin",
        "aws iam attach-user-policy --user-name admin "
        f"--policy-arn arn:{welcome.partition}:iam::aws:policy/AdministratorAccess",
    ]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.panel import Panel

        console = Console(highlight=False)
        console.print(Panel.fit("\n".join(lines), title="Bailiwick", padding=(0, 2)), markup=False)
    else:
        sys.stdout.write("\n".join(["Bailiwick", *lines]) + "\n")
    if has_key:
        # Plain and unwrapped, because these lines are there to be copied.
        sys.stdout.write("\nTry it in another terminal:\n\n")
        sys.stdout.write("".join(f"  {command}\n" for command in (commands if welcome.is_new else commands[:2])))
    if welcome.reminder:
        sys.stdout.write(f"\n{welcome.reminder}\n")
    sys.stdout.write(f"\nReady: {welcome.endpoint} (Ctrl-C ends it)\n")
    sys.stdout.flush()


def endpoint(settings: Settings, port: int) -> str:
    """The URL under which a client on this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # compared, not bound
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.secure else 'http'}://{host}:{port}"


def reminder(transaction: Transaction, account_id: str, *, is_new: bool) -> str | None:
    """What to tell somebody who uses the root user where she should not."""
    if is_new:
        return (
            "The root user can do everything and cannot be limited: make an administrator user with it (the last\n"
            "two commands), give her an access key, and put the root user's away."
        )
    columns = tables.access_key.c
    found = transaction.one(select(func.max(columns.last_used).label("at")).where(columns.owner_id == account_id))
    if found is None or found.at is None or time.time() - found.at > _RECENT:
        return None
    return (
        "The root user was used within the last day. It can do everything and cannot be limited: work as an\n"
        "administrator user instead, and put the root user's access key away."
    )
