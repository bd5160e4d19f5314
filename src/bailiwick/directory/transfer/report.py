"""What an import did, and what it could not do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counts by kind (`user`, `role`, ...), and a line for everything that is not as in the file."""

    made: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
    present: list[str] = field(default_factory=list)  # was there already and is as it was
    left_out: list[str] = field(default_factory=list)  # could not be imported, and why
    notes: list[str] = field(default_factory=list)  # is here, but not quite as it was there
