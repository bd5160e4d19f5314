"""A short run of scripts/fuzz with two seeds; the long one is `scripts/fuzz`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz.py"


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_arrives_is_read_or_refused(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("fuzz_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    seen = module.run(15_000, seed)
    assert sum(seen.values()) == 15_000
    assert {name.partition(":")[0] for name in seen} == {"credential", "operation", "chunks", "protocols"}
    assert seen["operation: value"] > 100
    assert seen["protocols: value"] > 100
