"""The walks of the documents: blocks of commands, run as pasted into bash, and what they are said to print."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from clients_support import clean_environment

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"<!-- walk -->\n```sh\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)
_MARK = "=== end of block ==="


def blocks(document: str) -> list[tuple[str, str]]:
    """The commands of a document's walk, and the lines that each block of them is said to print."""
    return _BLOCK.findall((ROOT / document).read_text())


def walk(
    walked: list[tuple[str, str]], folder: Path, commands: dict[str, str], *, port: int = 9254, timeout: float = 280
) -> None:
    """Run blocks in a folder, each after the other, and look for what they are said to print.

    `commands` are those that they call, by what to run instead; `port` stands for the server's in the document.
    """
    (folder / "bin").mkdir()
    for name, command in commands.items():
        wrapper = folder / "bin" / name
        wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        wrapper.chmod(0o755)
    script = f"\necho '{_MARK}'\n".join(lines for lines, _ in walked).replace("9254", str(port))
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=clean_environment(PATH=f"{folder / 'bin'}:/usr/bin:/bin", HOME=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    outputs = done.stdout.split(_MARK)
    assert len(outputs) == len(walked), done.stdout
    for (lines, expected), output in zip(walked, outputs, strict=True):
        for line in expected.splitlines():
            assert _shown_in(line, output), f"{lines}\n--- printed ---\n{output}\n--- lacks ---\n{line}"


def _shown_in(expected: str, output: str) -> bool:
    """Whether a line of the document, in which `...` stands for anything, appears in what was printed."""
    pattern = ".*?".join(re.escape(part) for part in expected.split("..."))
    return re.search(pattern, " ".join(output.split()), re.DOTALL) is not None
