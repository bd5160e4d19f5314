"""Short runs of scripts/fuzz with two seeds; the long one is `scripts/fuzz`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(SCRIPTS)
    spec = importlib.util.spec_from_file_location(f"{name}_script", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_arrives_is_read_or_refused(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = script("fuzz", monkeypatch).run(15_000, seed)
    assert sum(seen.values()) == 15_000
    assert {name.partition(":")[0] for name in seen} == {"credential", "operation", "chunks", "protocols"}
    assert seen["operation: value"] > 100
    assert seen["protocols: value"] > 100


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_a_provider_says_is_read_or_refused(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAML responses, those among them that the provider really signed, its metadata, and web identity tokens."""
    seen = script("fuzz_assertions", monkeypatch).run(1_000, seed)
    assert sum(seen.values()) == 1_000
    assert {name.partition(":")[0] for name in seen} == {"response", "signed", "metadata", "token"}
    assert seen["signed: value"] > 50
    assert seen["response: SamlUnproven"] > 10
    assert seen["token: value"] > 10


@pytest.mark.parametrize("seed", [1, 2])
def test_no_input_makes_an_operation_or_a_page_fail(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = script("fuzz_inputs", monkeypatch).run(3_000, seed)
    assert sum(seen.values()) == 3_300
    assert {name.partition(":")[0] for name in seen} == {"operation", "page"}
    assert min(seen[name] for name in ("operation: answered", "operation: refused")) > 100
    assert min(seen[name] for name in ("page: 2xx", "page: 4xx")) > 10
