"""Random valid values of botocore's shapes, quickly and by a seed, for thousands of operations."""

from __future__ import annotations

import math
import string
from datetime import UTC, datetime
from random import Random
from typing import Any

_PLAIN = string.ascii_letters + string.digits + "-_.~"
_ANY = _PLAIN + " +&=%/:;,@!$'()*<>\"\\?#[]{}|^`äßŁ漢🎉"


class Values:
    """Makes values; `awkward` text may hold any letter, otherwise what a URL or header carries as it is."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def structure(self, shape: Any, depth: int = 0) -> dict[str, Any]:
        required = set(shape.required_members)
        names = [
            name for name in shape.members if name in required or self.random.random() < (0.7 if depth < 2 else 0.2)
        ]
        if getattr(shape, "is_tagged_union", False):
            names = [self.random.choice(list(shape.members))]
            required = set(names)
        names = [name for name in names if name in required or depth < 5]
        if not names and shape.members and depth < 12:
            scalars = [n for n, m in shape.members.items() if m.type_name not in ("structure", "list", "map")]
            names = [scalars[0] if scalars else next(iter(shape.members))]
            required = set(names)
        return {name: self.value(shape.members[name], depth + 1) for name in names}

    def value(self, shape: Any, depth: int = 0) -> Any:
        kind, meta, placed = shape.type_name, shape.metadata, "location" in shape.serialization
        if kind == "structure":
            return {"a": [1, "x", None]} if shape.is_document_type else self.structure(shape, depth)
        if kind == "list":
            count = min(
                max(meta.get("min", 0), 1, 0 if depth > 4 else self.random.randint(1, 2)), meta.get("max", 2) or 2
            )
            return [
                self.value(shape.member, depth + 1) if not placed else self.placed(shape.member)
                for _ in range(count)
            ]
        if kind == "map":
            count = max(meta.get("min", 0), 1)
            keys = {self.text(shape.key, plain=True) for _ in range(count)}
            if placed:
                keys = {key.lower() for key in keys}  # they are names of headers
            return {key: self.placed(shape.value) if placed else self.value(shape.value, depth + 1) for key in keys}
        return self.placed(shape) if placed else self.scalar(shape)

    def placed(self, shape: Any) -> Any:
        if shape.serialization.get("location") == "statusCode":
            return 200
        if shape.type_name == "list":
            return [self.placed(shape.member)]
        return self.text(shape, plain=True) if shape.type_name == "string" else self.scalar(shape)

    def scalar(self, shape: Any) -> Any:
        kind, meta = shape.type_name, shape.metadata
        if kind in ("string", "character"):
            return self.text(shape)
        if kind in ("integer", "long", "short", "byte", "bigInteger"):
            low = meta.get("min", 0)
            return self.random.randint(int(low), int(meta.get("max", low + 1000)))
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "blob":
            return self.random.randbytes(max(meta.get("min", 0), self.random.randint(1, 20)))
        if kind == "timestamp":
            return datetime.fromtimestamp(self.random.randint(0, 4_000_000_000), UTC)
        low = math.ceil(meta.get("min", 0))
        return float(self.random.randint(int(low * 4), int(meta.get("max", low + 100) * 4)) / 4)

    def text(self, shape: Any, *, plain: bool = False) -> str:
        meta = shape.metadata
        if getattr(shape, "enum", None):
            return str(self.random.choice(shape.enum))
        low, high = meta.get("min", 0), meta.get("max", 10**6)
        length = min(max(low, self.random.randint(1, 9)), high)
        return "".join(self.random.choices(_PLAIN if plain else _ANY, k=length))
