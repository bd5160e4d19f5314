"""How long an empty server takes from process start to its first answer, and what memory it has then."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmark.load import cpu_seconds, megabytes
from benchmark.report import Report
from benchmark.servers import Running, bailiwick, peer

_COLUMNS = ("server", "first answer s", "least s", "CPU s", "memory MB")
_NOTE = "Medians of the rounds. The first start makes the data folder; later ones find it."


def start(report: Report, rounds: int, peers: list[str]) -> None:
    """Start every server `rounds` times in turn."""
    seen: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bailiwick, first start", "bailiwick, later start"):
                with bailiwick(Path(folder) / "data") as running:
                    seen.setdefault(name, []).append(_look(running))
        for name in peers:
            with peer(name) as (running, _):
                seen.setdefault(name, []).append(_look(running))
    rows = []
    for name, found in seen.items():
        began, cpu, memory = (statistics.median(column) for column in zip(*found, strict=True))
        least = min(each[0] for each in found)
        rows.append((name, f"{began:.2f}", f"{least:.2f}", f"{cpu:.2f}", f"{memory:.0f}"))
    report.part("start", "Start and memory of an empty server", _COLUMNS, rows, _NOTE)
    report.bars("start", "Start to first answer", [(row[0], float(row[1])) for row in rows], "s")


def _look(running: Running) -> tuple[float, float, float]:
    return running.began, cpu_seconds(running.pids), sum(map(megabytes, running.pids))
