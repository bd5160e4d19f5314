"""The story of a past request, found in the audit trail and told in the terminal: `bailiwick explain`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

from bailiwick.core.policy.explain import Considered, Explanation, Told
from bailiwick.core.policy.question import LayerKind
from bailiwick.core.policy.turning import Change
from bailiwick.trail.search import Progress, Query, Search
from bailiwick.trail.segment import record_in
from bailiwick.trail.shelf import Shelf

_STYLES = {"denies": "bold red", "allows": "green", "nothing": "yellow"}
_AN = dict.fromkeys(LayerKind, "the") | {LayerKind.IDENTITY: "an"}
_MOST_STATEMENTS = 6  # shown of each layer


_REFUSALS = ("AccessDenied", "AccessDeniedException")  # by the protocols of the services


def find(shelf: Shelf, request_id: str, progress: Progress = lambda name: None) -> dict[str, Any] | None:
    """The audit record of a request; None if there is none. `progress` is for segments that have no index yet."""
    for _, line in Search(shelf).find(Query((f"requestID={request_id}",)), progress=progress):
        record = record_of_line(line)
        if record is not None and record.get("userIdentity", {}).get("type") != "AWSAccount":
            return record  # not that of the owner of a resource, who does not learn why
    return None


def last_refusal(shelf: Shelf, progress: Progress = lambda name: None) -> dict[str, Any] | None:
    """The audit record of the last request that a policy refused; None if there is none."""
    searching = Search(shelf)
    told = []
    for code in _REFUSALS:
        for place, line in searching.find(Query((f"errorCode={code}",)), progress=progress):
            record = record_of_line(line)
            if record is not None and explanation_of(record) is not None:
                told.append((place, record))
                break
    return max(told, key=lambda each: each[0])[1] if told else None


def record_of_line(line: bytes) -> dict[str, Any] | None:
    """The record in a line of the trail; None for one that a crash cut short."""
    try:
        record = json.loads(record_in(line))
    except ValueError:
        return None  # the last line of a file that a crash cut short
    return record if isinstance(record, dict) else None


def explanation_of(record: dict[str, Any]) -> Explanation | None:
    """The explanation in a record; None where nothing was refused by a policy."""
    told = record.get("bailiwick", {}).get("explanation")
    return msgspec.convert(told, Explanation) if told is not None else None


def tell(record: dict[str, Any], console: Console) -> None:
    """Print the story of one request."""
    console.print(_headline(record))
    explanation = explanation_of(record)
    if explanation is None:
        console.print(_without_story(record))
        return
    console.print()
    tell_explanation(explanation, console)


def tell_explanation(explanation: Explanation, console: Console) -> None:
    """Print why a question was answered as it was."""
    console.print(Text(explanation.reason, style="bold"))
    console.print()
    console.print(_layers(explanation))
    for part in _statements(explanation):
        console.print()
        console.print(part)
    if explanation.context or explanation.absent:
        console.print()
        console.print(_context(explanation))
    if explanation.changes:
        console.print()
        console.print(_changes(explanation.changes))


def _headline(record: dict[str, Any]) -> RenderableType:
    identity = record.get("userIdentity", {})
    service = str(record.get("eventSource", "")).partition(".")[0]
    explanation = explanation_of(record)
    table = Table("", Column(overflow="fold"), show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("request", str(record.get("requestID")))
    table.add_row("at", f"{record.get('eventTime')}, from {record.get('sourceIPAddress')}")
    table.add_row("who", str(identity.get("arn") or identity.get("accountId") or "unknown"))
    table.add_row("asked", explanation.action if explanation else f"{service}:{record.get('eventName')}")
    if explanation:
        table.add_row("on", explanation.resource)
    outcome = record.get("errorCode")
    table.add_row("answer", Text(outcome or "allowed", style="bold red" if outcome else "bold green"))
    return table


def _without_story(record: dict[str, Any]) -> str:
    decision = record.get("bailiwick", {}).get("decision")
    if record.get("errorCode"):
        return f"No policy refused it: {record.get('errorMessage')}"
    if not decision or not decision.get("layer"):
        return "No policy was needed."
    statement = decision.get("statement")
    named = f"statement {statement if isinstance(statement, str) else (statement or 0) + 1}"
    return f"Allowed by {named} of the {decision['layer']} {decision.get('policy')}."


def _layers(explanation: Explanation) -> Table:
    columns = [Column(name, overflow="fold") for name in ("layer", "says", "policies")]
    table = Table(*columns, "statements", "about this action", title="Layers", title_justify="left")
    for told in explanation.layers:
        decided = told.kind is explanation.layer
        table.add_row(
            Text(_name(told), style="bold" if decided else ""),
            Text(_says(told), style=_STYLES[told.says]),
            "\n".join(map(_short, told.policies)) or "none",
            str(told.statements),
            str(len(told.considered)),
        )
    return table


def _name(told: Told) -> str:
    return f"{told.kind.value}, level {told.level}" if told.level is not None else told.kind.value


def _short(policy: str) -> str:
    """A policy in a narrow column: of a control policy's long ARN the id."""
    return policy.rpartition("/")[2] if ":organizations:" in policy else policy


def _says(told: Told) -> str:
    if told.says == "nothing":
        return "does not allow"
    return f"allows (names the {told.grant})" if told.grant in ("account", "role", "user") else told.says


def _statements(explanation: Explanation) -> Iterator[RenderableType]:
    """The statements of the layer that decided: what each is, or what it lacked."""
    for told in explanation.layers:
        if told.kind is not explanation.layer or (told.says == "allows" and not explanation.allowed):
            continue
        telling = [each for each in told.considered if each.effect == "Deny" or not explanation.explicit]
        yield from map(_statement, telling[:_MOST_STATEMENTS])


def _statement(considered: Considered) -> RenderableType:
    match = considered.match
    title = f"{match.policy_arn or match.policy}, statement {match.sid or match.index + 1}"
    place = f"line {considered.line}, column {considered.column}"
    parts: list[RenderableType] = []
    if considered.text:
        parts.append(Syntax(_pretty(considered.text), "json", background_color="default", word_wrap=True))
    if considered.applies:
        parts.append(Text(f"{considered.effect}: it applies"))
    parts += [Text(f"lacks: {lack.sentence()}", style="yellow") for lack in considered.lacks]
    return Panel(Group(*parts), title=title, subtitle=place, title_align="left", subtitle_align="right")


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text  # cut short


def _context(explanation: Explanation) -> Table:
    columns = [Column(name, overflow="fold") for name in ("condition key", "in the request")]
    table = Table(*columns, title="What conditions asked for", title_justify="left")
    for key, value in explanation.context.items():
        table.add_row(key, value if isinstance(value, str) else ", ".join(value))
    for key in explanation.absent:
        table.add_row(key, Text("absent", style="yellow"))
    return table


def _changes(changes: tuple[Change, ...]) -> RenderableType:
    parts: list[RenderableType] = [Text("What would turn the answer, all of it together:", style="bold")]
    for change in changes:
        layer = change.layer.value if change.level is None else f"{change.layer.value} of level {change.level}"
        if change.match is not None:
            named = change.match.sid or change.match.index + 1
            where = change.match.policy_arn or change.match.policy
            parts.append(Text(f"- remove or narrow statement {named} of {where} ({layer})"))
        else:
            parts.append(Text(f"- add to {_AN[change.layer]} {layer}:"))
            parts.append(Text(f"  {change.statement}", style="green"))
    return Group(*parts)
