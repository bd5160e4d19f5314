"""Values in JSON by the model, for every protocol whose bodies are JSON. Blobs are base64, times epoch seconds."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from bailiwick.api import MalformedInput
from bailiwick.wire import scalars
from bailiwick.wire.models import Reference, ServiceModel
from bailiwick.wire.scalars import EPOCH
from bailiwick.wire.structures import time_format
from bailiwick.wire.tree_values import Walk, unexpected


def decoded(body: bytes) -> Any:
    """The JSON in a body. Raises MalformedInput."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise MalformedInput("The request body is not JSON.") from None


def _read_scalar(service: ServiceModel, reference: Reference, raw: Any, path: str) -> Any:
    kind = service.shape(reference).kind
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    if kind in ("boolean", "string") and isinstance(raw, bool if kind == "boolean" else str):
        return raw
    if kind in ("integer", "long") and is_number and math.isfinite(raw) and raw == int(raw):
        return int(raw)
    if kind in ("float", "double") and is_number:
        return float(raw)
    if kind == "timestamp" and is_number and scalars.is_time(raw):
        return float(raw)
    if isinstance(raw, str) and kind in ("blob", "timestamp", "float", "double"):
        return scalars.read(kind, raw, time_format(service, reference, EPOCH))
    raise unexpected(path, f"a value of type {kind}")


def _write_scalar(service: ServiceModel, reference: Reference, value: Any) -> Any:
    kind = service.shape(reference).kind
    if kind == "blob":
        return scalars.write(kind, value)
    if kind == "timestamp":
        wanted = time_format(service, reference, EPOCH)
        return value if wanted == EPOCH else scalars.write(kind, value, wanted)
    if kind in ("float", "double") and not math.isfinite(value):
        return scalars.write(kind, value)
    return value


JSON_VALUES = Walk("an object", True, _read_scalar, _write_scalar)
