"""Values in CBOR by the model, for the protocol rpc-v2-cbor: as cbor.loads gives them and cbor.dumps takes them."""

from __future__ import annotations

import math
from typing import Any

from bailiwick.wire import cbor, scalars
from bailiwick.wire.models import Reference, ServiceModel
from bailiwick.wire.tree_values import Walk, unexpected


def _read_scalar(service: ServiceModel, reference: Reference, raw: Any, path: str) -> Any:
    kind = service.shape(reference).kind
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, (bool, cbor.Time))
    if kind == "timestamp" and isinstance(raw, cbor.Time) and scalars.is_time(raw):
        return float(raw)
    if kind in ("integer", "long") and is_number and math.isfinite(raw) and raw == int(raw):
        return int(raw)
    if kind in ("float", "double") and is_number:
        return float(raw)
    types = {"string": str, "boolean": bool, "blob": bytes}
    if kind in types and isinstance(raw, types[kind]):
        return raw
    raise unexpected(path, f"a value of type {kind}")


def _write_scalar(service: ServiceModel, reference: Reference, value: Any) -> Any:
    kind = service.shape(reference).kind
    if kind in ("float", "double"):
        return float(value)
    return cbor.Time(value) if kind == "timestamp" else value


CBOR_VALUES = Walk("a map", False, _read_scalar, _write_scalar)
