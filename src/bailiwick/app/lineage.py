"""Where a temporary key comes from, told from the audit trail: `bailiwick trace`.

The record of AssumeRole and its siblings names the key that was given and the key that it was asked for with. So
one leads to the other, from link to link, up to a key that was not given that way or to somebody whom a provider
vouched for. What is so now (does the role exist, is the key active) is in the directory, where there is one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from bailiwick.api import Transaction
from bailiwick.app.story import record_of_line
from bailiwick.directory import entities, service_principals
from bailiwick.trail.search import Progress, Query, Search
from bailiwick.trail.shelf import Shelf

_MOST_LINKS = 64
_FORWARDED = "GetForwardAccessSession"
_ASSERTIONS = ("sAMLAssertionID", "webIdentityTokenID", "webIdentityTokenSHA256")


class Link(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One key: who it speaks for, and how it was given, if the trail tells.

    `by` is who asked for it; `provider` and `assertion` are what vouched for her. `asked_with` is the key that the
    request was signed with, which is the next link. `state` is what the directory says now.
    """

    access_key_id: str
    event: str = ""
    time: str = ""
    identity: str = ""
    by: str = ""
    kind: str = ""
    asked_with: str = ""
    provider: str = ""
    assertion: str = ""
    session_name: str = ""
    source_identity: str = ""
    via: tuple[str, ...] = ()
    address: str = ""
    request_id: str = ""
    expires: str = ""
    last_use: str = ""
    state: str = ""


class Lineage(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The links from a key to its origin. `complete` tells that the last one is the origin."""

    access_key_id: str
    links: tuple[Link, ...]
    origin: str
    complete: bool


def trace(
    shelf: Shelf, key_id: str, now: float, transaction: Transaction | None, progress: Progress = lambda name: None
) -> Lineage | None:
    """The lineage of an access key; None where neither the trail nor the directory knows it."""
    search, links = Search(shelf), list[Link]()
    wanted, seen = key_id, set[str]()
    while wanted and wanted not in seen and len(links) < _MOST_LINKS:
        seen.add(wanted)
        link = _link(search, wanted, now, transaction, progress)
        if link is None:
            break
        links.append(link)
        wanted = link.asked_with
    if not links:
        return None
    last = links[-1]
    lacking = wanted if wanted and wanted not in seen else ""
    complete = not lacking and not last.asked_with and (bool(last.event) or not _is_temporary(last.access_key_id))
    return Lineage(key_id, tuple(links), last.by or last.identity or last.access_key_id, complete)


def _is_temporary(key_id: str) -> bool:
    return key_id.startswith("ASIA")


def _link(
    search: Search, key_id: str, now: float, transaction: Transaction | None, progress: Progress
) -> Link | None:
    used = _first(search, f"accessKeyId={key_id}", progress)
    last_use = str(used.get("eventTime", "")) if used else ""
    given = _given(search, key_id, progress) if _is_temporary(key_id) else None
    if given is not None:
        return _of_record(key_id, given, last_use, now, transaction)
    state = _state_of_key(transaction, key_id)
    if used is None and not state:
        return None
    identity = (used or {}).get("userIdentity", {})
    told = str(identity.get("arn") or identity.get("invokedBy") or "")
    return Link(key_id, identity=told, kind=str(identity.get("type", "")), last_use=last_use, state=state)


def _given(search: Search, key_id: str, progress: Progress) -> dict[str, Any] | None:
    """The record of the call that gave a key: that of its caller, not that of another account."""
    for _, line in search.find(Query((f"resource={key_id}",)), progress=progress):
        record = record_of_line(line)
        if record is None or record.get("userIdentity", {}).get("type") == "AWSAccount":
            continue
        if ((record.get("responseElements") or {}).get("credentials") or {}).get("accessKeyId") == key_id:
            return record
    return None


def _first(search: Search, word: str, progress: Progress) -> dict[str, Any] | None:
    for _, line in search.find(Query((word,)), progress=progress):
        record = record_of_line(line)
        if record is not None:
            return record
    return None


def _of_record(
    key_id: str, record: dict[str, Any], last_use: str, now: float, transaction: Transaction | None
) -> Link:
    identity, asked = record.get("userIdentity") or {}, record.get("requestParameters") or {}
    answer = record.get("responseElements") or {}
    event = str(record.get("eventName", ""))
    by = str(identity.get("arn") or identity.get("invokedBy") or identity.get("userName") or "")
    asked_with = str(identity.get("accessKeyId", ""))
    via: tuple[str, ...] = ()
    if event == _FORWARDED:  # the service asked; it is the person who is behind the key
        via = tuple(answer.get("calledVia") or ())
        asked_with = str(answer.get("signedWith", ""))
        by = str(answer.get("arn", ""))
    took = str(
        (answer.get("assumedRoleUser") or {}).get("arn")
        or (answer.get("federatedUser") or {}).get("arn")
        or asked.get("targetPrincipal")
        or by
    )
    expires = str((answer.get("credentials") or {}).get("expiration", ""))
    return Link(
        access_key_id=key_id,
        event=event,
        time=str(record.get("eventTime", "")),
        identity=took,
        by=by,
        kind=str(identity.get("type", "")),
        asked_with=asked_with,
        provider=str(asked.get("principalArn") or answer.get("provider") or identity.get("identityProvider") or ""),
        assertion=next((str(asked[name]) for name in _ASSERTIONS if name in asked), ""),
        session_name=str(asked.get("roleSessionName") or asked.get("name") or ""),
        source_identity=str(answer.get("sourceIdentity") or ""),
        via=via,
        address=str(record.get("sourceIPAddress", "")),
        request_id=str(record.get("requestID", "")),
        expires=expires,
        last_use=last_use,
        state="; ".join(filter(None, (_validity(expires, now), _state_of_role(transaction, asked.get("roleArn"))))),
    )


# -- What is so now -----------------------------------------------------------------------------------------


def _validity(expires: str, now: float) -> str:
    try:
        ends = datetime.strptime(expires, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return ""
    return "expired" if ends <= now else "within its time"


def _state_of_role(transaction: Transaction | None, role_arn: str | None) -> str:
    if transaction is None or not role_arn:
        return ""
    if entities.role_by_arn(transaction, role_arn) is None:
        return "the role is no more, and so is the session"
    return "the role exists"


def _state_of_key(transaction: Transaction | None, key_id: str) -> str:
    """What is so of a long-term key: whose it is, and whether it is active."""
    if transaction is None or _is_temporary(key_id):
        return ""
    key = entities.access_key(transaction, key_id)
    if key is None:
        return "the key is no more"
    service = service_principals.by_id(transaction, key.owner_id)
    if service is not None:
        return f"{key.status.lower()}, of the service {service.name}"
    user = entities.user_by_id(transaction, key.owner_id)
    owner = f"user {user.name}" if user is not None else "root user"
    return f"{key.status.lower()}, of the {owner} of account {key.account}"


# -- In the terminal ----------------------------------------------------------------------------------------


def tell(found: Lineage, console: Console) -> None:
    """Print a lineage: the origin first, and what came of it."""
    first = found.links[-1]
    tree = Tree(Group(Text(_origin(found), style="bold")))
    at = tree
    for link in reversed(found.links):
        if link is first and not link.event:
            at.add(_rows(link))
            continue
        at = at.add(Group(Text(f"{link.event}  {link.identity}", style="bold"), _rows(link)))
    console.print(tree)


def _origin(found: Lineage) -> str:
    last = found.links[-1]
    if not found.complete:
        return f"{last.asked_with or last.access_key_id}, of which the trail does not tell more"
    if last.provider and not last.asked_with:
        return f"{last.by}, for whom {last.provider} vouched"
    return found.origin


def _rows(link: Link) -> Table:
    table = Table("", Column(overflow="fold"), show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in (
        ("key", link.access_key_id),
        ("given", f"{link.time} to {link.by}" if link.time else ""),
        ("from", link.address),
        ("provider", link.provider),
        ("assertion", link.assertion),
        ("source identity", link.source_identity),
        ("through", " > ".join(link.via)),
        ("valid until", link.expires),
        ("last use", link.last_use),
        ("request", link.request_id),
        ("now", link.state),
    ):
        if value:
            table.add_row(name, Text(value, style="yellow" if name == "now" and "no more" in value else ""))
    return table
