"""`bailiwick audit`: the audit trail verified and searched, in files or in the database, while servers write it."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bailiwick.app import home, keyring, opening
from bailiwick.app.cli_support import readable
from bailiwick.app.home import HomeError
from bailiwick.app.place import shelf_of, signer_of
from bailiwick.app.settings import Settings, SettingsError, data_folder, load
from bailiwick.store import Store
from bailiwick.trail.index import WORDS, user_of
from bailiwick.trail.search import Query, Search
from bailiwick.trail.segment import record_in
from bailiwick.trail.shelf import Shelf
from bailiwick.trail.verify import Report, size_of
from bailiwick.trail.verify import verify as check

audit = typer.Typer(help="The audit trail: verify it, search it.", no_args_is_help=True)

Config = Annotated[
    Path | None, typer.Option(help=r"Settings file in TOML. \[env: BAILIWICK_CONFIG]", show_default=False)
]
Data = Annotated[Path | None, typer.Option(help=r"Data folder. \[env: BAILIWICK_DATA]", show_default=False)]
Folder = Annotated[Path | None, typer.Option("--audit", help="Folder of the audit trail.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_AGO = re.compile(r"([1-9][0-9]{0,8})([smhdw])", re.ASCII)
_WIDE = 4096
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@contextmanager
def trail_of(config: Path | None, data: Path | None, folder: Path | None) -> Iterator[tuple[Shelf, Settings]]:
    """The trail that the settings name. Raises HomeError where there is none."""
    settings = load({"data": data, "audit": folder}, os.environ, config)
    where, store = data_folder(settings, os.environ), None
    if settings.audit_store == "database" and folder is None:
        if not (settings.database or (where / home.DATABASE).exists()):
            raise HomeError(home.nothing_in(where))
        store = Store(settings.database or where)
    else:
        settings = msgspec.structs.replace(settings, audit_store="files")
        trail = settings.audit or where / home.AUDIT
        if not trail.is_dir():
            raise HomeError(f"there is no audit trail in {trail}; name the data folder (--data) or it (--audit)")
    try:
        yield shelf_of(settings, where, store), settings
    finally:
        if store is not None:
            store.close()


@audit.command()
def verify(
    key: Annotated[
        str | None,
        typer.Option(
            help="Public key that signed the digests (`audit key`); else that of the data folder.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    config: Config = None,
    data: Data = None,
    folder: Folder = None,
) -> None:
    """Check that the trail is as it was written: every chain, every signature, and that nothing was taken away.

    The exit status is 1 if there is a problem, or no record at all.
    """
    with trail_of(config, data, folder) as (shelf, settings):
        public = _public(key) if key else _signing_key(settings)
        with _bar("verifying", size_of(shelf)) as told:
            report = check(shelf, public, lambda name, more: told(more))
        if as_json:
            typer.echo(msgspec.json.encode(report).decode())
        else:
            _tell(report, str(shelf))
    if report.problems or not (report.segments or report.digests):
        raise typer.Exit(1)  # of a trail that was taken away as a whole nothing can be said either


@audit.command()
def key(config: Config = None, data: Data = None) -> None:
    """Print the public key of the digests, with which anybody can verify a copy of the trail."""
    settings = load({"data": data}, os.environ, config)
    typer.echo(base64.b64encode(_signing_key(settings)).decode())


@audit.command()
def search(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="What the records have; all of it.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Not before: 2026-11-24T04:00:00Z, 2026-11-24, or 90m, 2h, 3d ago.", show_default=False),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Not after; the same.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as a line of JSON.")] = False,
    config: Config = None,
    data: Data = None,
    folder: Folder = None,
) -> None:
    """Find records, the newest first, by what they have and by time. The trail is indexed as far as it is needed.

    NAME is one of: eventID, requestID, sharedEventID, eventName, eventSource, errorCode, readOnly, awsRegion,
    sourceIPAddress, account, userName, principal (an ARN), accessKeyId, resource (an ARN,
    `alias/app`, or the last part of one), resourceType. A value is compared as a whole.
    """
    now = time.time()
    query = Query(
        tuple(map(_indexed, map(_word, words or []))),
        _moment(since, now) if since else 0.0,
        _moment(until, now) if until else float("inf"),
    )
    with trail_of(config, data, folder) as (shelf, _), indexing() as progress:
        named = [word.partition("=")[2] for word in words or [] if _indexed(word) != word]
        found = (record_in(line) for _, line in Search(shelf).find(query, progress=progress))
        lines = islice((line for line in found if _names(line, named)), limit or None)
        if as_json:
            for line in lines:
                sys.stdout.buffer.write(line + b"\n")
            sys.stdout.flush()
        else:
            _show(list(lines), limit)


@contextmanager
def indexing() -> Iterator[Callable[[str], None]]:
    """Tells on a terminal which segment is indexed for the first time."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield lambda name: None
        return
    with console.status("searching") as status:
        yield lambda name: status.update(f"indexing {name}, which is done once")


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        yield lambda more: progress.advance(task, more)


def _signing_key(settings: Settings) -> bytes:
    """Who signed the trail; after a rotation of the root key that is known to the database alone."""
    folder = data_folder(settings, os.environ)
    ring = keyring.find(folder, os.environ, opening.opener(settings, os.environ))
    if ring is None:
        raise HomeError(f"there is no root key in {folder}, on which the signatures hang; give it, or --key")
    if settings.database or (folder / home.DATABASE).exists():
        with (
            readable(settings.database or folder) as place,
            closing(Store(place)) as store,
            store.transaction() as transaction,
        ):
            keyring.check(transaction, ring)
    return signer_of(ring).public


def _public(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 32:
        raise SettingsError("--key takes what `bailiwick audit key` prints: 32 bytes in base64")
    return found


def _tell(report: Report, place: str) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for problem in report.problems:
        console.print(f"PROBLEM  {problem}", style="red")
    for note in report.notes:
        console.print(f"note     {note}")
    console.print(
        f"{place}: {report.segments} segments, {report.records} records, "
        f"{report.vouched} of them vouched for by {report.digests} digests"
    )
    if report.problems:
        console.print(
            f"{len(report.problems)} problem{'s' if len(report.problems) > 1 else ''}: the trail was changed"
        )
    elif report.segments or report.digests:
        console.print("The trail is as it was written.")
    else:
        console.print("There is no record, and nothing was verified.")


def _word(text: str) -> str:
    name, equals, value = text.partition("=")
    if name not in WORDS or not equals or not value:
        raise SettingsError(f"`{text}` is not NAME=VALUE with a NAME of: {', '.join(WORDS)}")
    return text


def _indexed(word: str) -> str:
    """The word as the index has it, which has a resource by its ARN and by the last part: `app` of `alias/app`."""
    name, _, value = word.partition("=")
    return word if name != "resource" or value.startswith("arn:") else f"{name}={value.rpartition('/')[2]}"


def _names(line: bytes, resources: list[str]) -> bool:
    """Whether a record names all of these, such as `alias/app` or `user/staff/alice`."""
    if not resources:
        return True
    try:
        arns = [str(each.get("ARN", "")) for each in json.loads(line).get("resources") or ()]
    except ValueError:
        return False  # what a crash cut short
    return all(any(arn.endswith(f":{name}") for arn in arns) for name in resources)


def _moment(text: str, now: float) -> float:
    """Epoch seconds of a time, or of a while ago."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"`{text}` is no time: 2026-11-24T04:00:00Z, 2026-11-24, or 90m, 2h, 3d ago") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _show(lines: list[bytes], limit: int) -> None:
    table = Table("time", "event", "who", "on", "from", "answer", "request", box=None, padding=(0, 2, 0, 0))
    for line in lines:
        try:
            table.add_row(*_row(json.loads(line)))
        except ValueError:
            continue  # what a crash cut short
    # As wide as what is in it, whatever the terminal: a request id that is cut off answers no question.
    console = Console(highlight=False, markup=False, width=_WIDE)
    console.print(table)
    if limit and len(lines) == limit:
        console.print(f"the newest {limit}; there may be more (--limit)")


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    identity = record.get("userIdentity") or {}
    resources = record.get("resources") or []
    who = user_of(identity.get("userName", ""), identity.get("arn", "")) or identity.get("type", "")
    who = who or identity.get("invokedBy", "")
    service = str(record.get("eventSource", "")).partition(".")[0]
    return (
        str(record.get("eventTime", "")),
        f"{service}:{record.get('eventName', '')}",
        who if record.get("userIdentity") else "unknown",
        str(resources[0].get("ARN", "")).rpartition(":")[2] if resources else "",
        str(record.get("sourceIPAddress", "")),
        str(record.get("errorCode", "ok")),
        str(record.get("requestID", "")),
    )
