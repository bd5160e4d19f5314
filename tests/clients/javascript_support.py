"""Programs in JavaScript, which use AWS's SDK: run by node, where both are on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent / "javascript"

if shutil.which("node") is None:
    _LACKS = "node is not on this machine"
elif not (_HERE / "node_modules").is_dir():
    _LACKS = "the JavaScript SDK is not installed (npm ci did not run)"
else:
    _LACKS = ""

needs_javascript = pytest.mark.skipif(bool(_LACKS), reason=_LACKS)


def node(script: str, environment: dict[str, str] | None = None, given: str | None = None) -> Any:
    """What a script printed, which is JSON. `given` is its standard input."""
    done = subprocess.run(
        ["node", str(_HERE / script)],
        input=given,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
