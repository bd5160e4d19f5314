"""Every operation of every service model, and what this server does about it: the tables of docs/services/.

An operation is done (a handler is registered), refused (with a reason, which is also in the answer), or not there
yet. What stands around the table in a file is written by people and kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bailiwick.api import Service
from bailiwick.services import ALL
from bailiwick.wire import models

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "services"
BEGIN, END = "<!-- the table is written by scripts/operations -->", "<!-- end of the table -->"


def table(service: Service) -> str:
    """The table of one service: a line for each operation of its model, in the order of their names."""
    lines = ["| Operation | Here | |", "| --- | --- | --- |"]
    for name in sorted(models.service(service.name).operations):
        if name in service.operations:
            lines.append(f"| {name} | done | |")
        elif name in service.refusals:
            lines.append(f"| {name} | refused | {service.refusals[name]} |")
        else:
            lines.append(f"| {name} | not yet | |")
    return "\n".join(lines)


def written(service: Service) -> str:
    """The whole file, with its table as it has to be."""
    path = DOCS / f"{service.name}.md"
    old = path.read_text("utf-8") if path.exists() else f"# The operations of {service.name}\n\n{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(service)}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = []
    for service in ALL:
        path, text = DOCS / f"{service.name}.md", written(service)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(path)
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not what scripts/operations makes; run it and commit", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
