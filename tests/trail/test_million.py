"""What scripts/audit-million does with a million calls, with few."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit_million.py"


def test_every_request_id_is_there_once_and_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("audit_million", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    million = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(million)
    found = million.run(tmp_path, 2000, 100, rotate_bytes=200_000)
    assert (found.missing, found.doubled, found.strange, found.problems, found.unseen) == (0, 0, 0, [], 0)
    assert len(list(tmp_path.glob("*.jsonl"))) > 3
