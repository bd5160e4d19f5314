"""`bailiwick policy`: policies checked, tested and evaluated without any server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn
from xml.etree import ElementTree

import msgspec
import typer
import yaml
from rich.console import Console
from rich.markup import escape

from bailiwick.analysis import answers, asking, cases, findings
from bailiwick.analysis.asking import AskedWrongly
from bailiwick.analysis.findings import FindingType, Located, PolicyKind
from bailiwick.app import story
from bailiwick.core.policy.explain import Explanation

policy = typer.Typer(help="Check, test and evaluate policies, without a server.", no_args_is_help=True)


@policy.command()
def evaluate(
    file: Annotated[
        Path | None, typer.Argument(help="Questions, one JSON object a line; default: standard input.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Leave the explanation out.")] = False,
    tell: Annotated[bool, typer.Option("--tell", help="Answer for people, as `bailiwick explain` does.")] = False,
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
        said = _answer(line, brief and not tell)
        failed = failed or "error" in said
        if tell and "error" not in said:
            explanation = msgspec.convert(said["explanation"], Explanation)
            story.tell_explanation(explanation, Console(highlight=False))
            continue
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


@policy.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Policy documents.")],
    kind: Annotated[
        PolicyKind | None, typer.Option("--type", help="What the policies are for; else told by their elements.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for any finding, not only for errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Find what is wrong, risky or odd in policies, in the codes of Access Analyzer, with line and column.

    The exit status is 1 if there is an error.
    """
    bad = False
    for file in files:
        text = _read(file)
        meant = kind or findings.kind_of(text)
        refusal = findings.refused(text, meant)
        found = findings.check(text, meant)
        bad = bad or bool(refusal) or any(strict or each.finding.type is FindingType.ERROR for each in found)
        if as_json:
            sys.stdout.writelines(json.dumps(_as_json(file, each)) + "\n" for each in found)
        else:
            _print_findings(file, text, refusal, found)
    if bad:
        raise typer.Exit(1)


_STYLES = {
    FindingType.ERROR: "bold red",
    FindingType.SECURITY_WARNING: "bold magenta",
    FindingType.WARNING: "yellow",
    FindingType.SUGGESTION: "cyan",
}


def _print_findings(file: Path, text: str, refusal: str | None, found: list[Located]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    lines = text.splitlines()
    for each in found:
        finding, (line, column) = each.finding, each.begins
        style = _STYLES[finding.type]
        console.print(f"{escape(str(file))}:{line}:{column}: [{style}]{finding.type}[/{style}] {finding.code}")
        console.print(f"    {escape(finding.details)}")
        if line <= len(lines):
            width = max(1, (each.ends.column if each.ends.line == line else len(lines[line - 1]) + 1) - column)
            console.print(f"    | {escape(lines[line - 1])}")
            console.print(f"    | {' ' * (column - 1)}[{style}]{'^' * width}[/{style}]")
    if refusal is not None:
        console.print(f"{escape(str(file))}: IAM would refuse it: {escape(refusal)}")
    count = len(found)
    console.print(f"{escape(str(file))}: {count or 'no'} finding{'' if count == 1 else 's'}")


def _as_json(file: Path, found: Located) -> dict[str, Any]:
    begins, ends = found.begins, found.ends
    return {
        "file": str(file),
        "findingType": found.finding.type.value,
        "issueCode": found.finding.code,
        "findingDetails": found.finding.details,
        "path": list(found.finding.path),
        "start": {"line": begins.line, "column": begins.column, "offset": found.start},
        "end": {"line": ends.line, "column": ends.column, "offset": found.end},
    }


@policy.command("test")
def run_tests(
    files: Annotated[list[Path], typer.Argument(help="Files of cases, in YAML or JSON.")],
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit report here.", show_default=False)] = None,
) -> None:
    """Run cases: questions with the answers that are expected of policies.

    docs/policies.md shows what a file of cases looks like. The exit status is 1 if a case fails, 2 if a file cannot
    be read.
    """
    results: dict[Path, list[cases.Result]] = {}
    for file in files:
        try:
            results[file] = [cases.run(case) for case in cases.read(_yaml(file), _beside(file))]
        except (AskedWrongly, yaml.YAMLError) as error:
            _fail(f"{file}: {error}")
    console = Console(highlight=False, soft_wrap=True)
    everything = [result for found in results.values() for result in found]
    for result in everything:
        mark = "[green]ok  [/green]" if result.problem is None else "[red]FAIL[/red]"
        console.print(f"{mark} {escape(result.case.name)}")
        if result.problem is not None:
            console.print(f"     {escape(result.problem)}")
    failed = sum(result.problem is not None for result in everything)
    console.print(f"{len(everything)} cases, {failed} failed")
    if junit is not None:
        junit.write_bytes(_junit(results))
    if failed:
        raise typer.Exit(1)


class _Loader(yaml.SafeLoader):
    """YAML whose dates stay text, since the Version of a policy looks like one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(file: Path) -> object:
    """The value of a YAML or JSON file (which is YAML)."""
    return yaml.load(_read(file), _Loader)  # noqa: S506  # a SafeLoader


def _beside(file: Path) -> Callable[[str], str]:
    """How to read the files that a file names: relative to its own folder."""

    def load(name: str) -> str:
        try:
            return (file.parent / name).read_text(encoding="utf-8")
        except OSError as error:
            raise AskedWrongly(f"`{name}` is no policy of this file, and as a file: {error.strerror}") from None

    return load


def _junit(results: dict[Path, list[cases.Result]]) -> bytes:
    suites = ElementTree.Element("testsuites")
    for file, found in results.items():
        failures = sum(result.problem is not None and not result.error for result in found)
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=str(file),
            tests=str(len(found)),
            failures=str(failures),
            errors=str(sum(result.error for result in found)),
        )
        for result in found:
            case = ElementTree.SubElement(suite, "testcase", classname=file.stem, name=result.case.name)
            if result.problem is not None:
                ElementTree.SubElement(case, "error" if result.error else "failure", message=result.problem)
    told: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return told


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        _fail(f"{file}: this is not UTF-8 text")


def _fail(text: str) -> NoReturn:
    sys.stderr.write(f"bailiwick: {text}\n")
    raise typer.Exit(2)


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
