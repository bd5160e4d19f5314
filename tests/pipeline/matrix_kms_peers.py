"""Calls of test_matrix.py: what peers tell each other of keys."""

from __future__ import annotations

from typing import Any

CALLS: dict[str, dict[str, Any]] = {
    "kms:SynchronizeMultiRegionKey": {"Message": b"x"},
}
