"""Tables in Markdown and plots in SVG, written to a folder; each part of a run replaces its own files only."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path

_WIDTH, _LINE, _LABEL, _VALUE = 760, 26, 330, 90


class Report:
    """Where the results go."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def part(self, name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> None:
        """Write and print one table, with a note under it."""
        lines = [
            f"# {title}",
            "",
            f"| {' | '.join(columns)} |",
            f"|{' --- |' * len(columns)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            note,
            "",
            machine(),
            "",
        ]
        (self.folder / f"{name}.md").write_text("\n".join(lines))
        print("\n".join(lines))

    def bars(self, name: str, title: str, bars: Sequence[tuple[str, float]], unit: str) -> None:
        """Write a plot of horizontal bars."""
        most = max(value for _, value in bars) or 1.0
        room = _WIDTH - _LABEL - _VALUE
        parts = [f'<text x="10" y="22" font-weight="bold">{escape(title)}</text>']
        for place, (label, value) in enumerate(bars):
            y = 40 + place * _LINE
            long = max(1.0, room * value / most)
            parts.append(f'<text x="{_LABEL - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>')
            parts.append(f'<rect x="{_LABEL}" y="{y}" width="{long:.1f}" height="20" fill="#3b6ea5"/>')
            parts.append(f'<text x="{_LABEL + long + 6:.1f}" y="{y + 15}">{value:,.4g} {escape(unit)}</text>')
        height = 50 + len(bars) * _LINE
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>'
            f"{''.join(parts)}</svg>\n"
        )
        (self.folder / f"{name}.svg").write_text(svg)


def machine() -> str:
    """What it was measured on, and how busy that was with other things."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = models[0].partition(":")[2].strip() if models else platform.processor()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{day}, {os.cpu_count()} cores of {name}; load of the machine in the last 1, 5, 15 minutes: {load}."
