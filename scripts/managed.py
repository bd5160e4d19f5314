"""Write the AWS managed policies that the server has, and the table of them in docs/managed-policies.md."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from managed_list import DATES, POLICIES, VERSIONS
from managed_spec import DATA

from bailiwick.core.policy.document import check_managed
from bailiwick.services.iam import linked_services

ROOT = Path(__file__).parents[1]
DATA_FILE = ROOT / "src" / "bailiwick" / "directory" / "managed_policies.json"
TABLE = ROOT / "docs" / "managed-policies.md"
BEGIN, END = "<!-- the table is written by scripts/managed -->", "<!-- end of the table -->"
_USUAL_DATE = "2015-11-03T00:00:00Z"


def linked() -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """A policy for each service-linked role: what the service may see of its own kind, and its logs and metrics."""
    found = {}
    for service, role in linked_services.LINKED.items():
        prefixes = [
            part for part in reversed(service.removesuffix(".amazonaws.com").split(".")) if DATA.service(part)
        ]
        own = [f"{prefix}:{verb}*" for prefix in prefixes[:1] for verb in ("Describe", "Get", "List")]
        actions = [
            *own,
            "cloudwatch:PutMetricData",
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ]
        found[f"/aws-service-role/{role.policy}"] = (
            f"What the service {service} may do with its service-linked role.",
            [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        )
    return found


def compiled() -> bytes:
    """The data file: one line for each policy, so that a change is seen as one."""
    lines = []
    for name, (description, statements) in sorted((POLICIES | linked()).items()):
        check_managed(json.dumps({"Version": "2012-10-17", "Statement": statements}))
        created, updated = (
            datetime.fromisoformat(each).timestamp() for each in DATES.get(name, (_USUAL_DATE,) * 2)
        )
        entry = [VERSIONS.get(name, 1), int(created), int(updated), description, statements]
        lines.append(f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'))}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def table() -> bytes:
    """The document, with its table as it has to be."""
    before, _, rest = TABLE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    rows = [
        f"| `{name.removeprefix('/')}` | v{VERSIONS.get(name, 1)} | {description} |"
        for name, (description, _) in sorted(POLICIES.items(), key=lambda each: each[0].lower())
    ]
    made = "\n".join(["| Policy | Version | What it is for |", "| --- | --- | --- |", *rows])
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}".encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check, stale = parser.parse_args().check, []
    for path, content in ((DATA_FILE, compiled()), (TABLE, table())):
        if not check:
            path.write_bytes(content)
            print(f"{path.relative_to(ROOT)}: {len(content):,} bytes")
        elif not path.exists() or path.read_bytes() != content:
            stale.append(path)
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not what scripts/managed makes; run it and commit", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
