"""`bailiwick policy`: policies checked, tested and evaluated without any server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from bailiwick.analysis import answers, asking

policy = typer.Typer(help="Check, test and evaluate policies, without a server.", no_args_is_help=True)


@policy.command()
def evaluate(
    file: Annotated[
        Path | None, typer.Argument(help="Questions, one JSON object a line; default: standard input.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Leave the explanation out.")] = False,
) -> None:
    """Answer questions: JSON lines in, JSON lines out.

    A question has `principal`, `action`, `resource`, and may have `resource_account`, `context`, `id`, and
    `policies` by layer: `identity`, `boundary`, `session`, `resource`, `scp`, `rcp`. Each is a document or a
    list of documents; `scp` and `rcp` may be a list of lists, one for each level from the root to the account.

    An answer has `decision` (`allowed`, `explicitDeny`, `implicitDeny`), `layer`, `reason`, `statement` and
    `explanation`. A line that is no question is answered with `error`; the exit status is then 1.
    """
    failed = False
    for line in _lines(file):
        said = _answer(line, brief)
        failed = failed or "error" in said
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _lines(file: Path | None) -> Iterator[str]:
    if file is None or str(file) == "-":
        yield from (line for line in sys.stdin if line.strip())
        return
    with file.open(encoding="utf-8") as lines:
        yield from (line for line in lines if line.strip())


def _answer(line: str, brief: bool) -> dict[str, Any]:
    named: dict[str, Any] = {}
    try:
        value = json.loads(line)
        if isinstance(value, dict) and "id" in value:
            named["id"] = value["id"]
        said = answers.answer(asking.read(value))
    except ValueError as error:
        return {**named, "error": str(error)}
    if brief:
        del said["explanation"]
    return {**named, **said}
