"""`scripts/bench`: measures, prints, and writes tables and plots to docs/bench/."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmark.accounts import large_accounts
from benchmark.compare import compare
from benchmark.decisions import decisions
from benchmark.growth import growth, policies
from benchmark.inside import in_process
from benchmark.keys import keys
from benchmark.memory import memory
from benchmark.report import Report
from benchmark.servers import TOP
from benchmark.start import start
from benchmark.workers import workers

_PARTS = ("stages", "decisions", "servers", "start", "growth", "keys", "policies", "accounts", "memory", "workers")
_PEERS = ["ministack", "moto_server"]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", choices=_PARTS, action="append", help="measure this part; may be given again")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each load lasts")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="how often the sides take turns")
    parser.add_argument("--without-peers", action="store_true", help="measure Bailiwick only")
    parser.add_argument(
        "--sizes", default="1000,100000,1000000", help="access keys or KMS keys in the store, for growth"
    )
    parser.add_argument("--out", type=Path, default=TOP / "docs" / "bench", help="where the results are written")
    chosen = parser.parse_args()
    report, parts = Report(chosen.out), chosen.only or _PARTS
    peers = [] if chosen.without_peers else _PEERS
    loads = (chosen.seconds, chosen.connections, chosen.rounds)
    if "stages" in parts:
        with tempfile.TemporaryDirectory() as folder:
            in_process(Path(folder), report)
    if "decisions" in parts:
        decisions(report)
    if "servers" in parts:
        compare(report, *loads, peers)
    if "start" in parts:
        start(report, chosen.rounds, peers)
    if "growth" in parts:
        growth(report, [int(size) for size in chosen.sizes.split(",")], *loads)
    if "keys" in parts:
        keys(report, [int(size) for size in chosen.sizes.split(",")], *loads)
    if "policies" in parts:
        policies(report, *loads)
    if "accounts" in parts:
        large_accounts(report)
    if "memory" in parts:
        memory(report)
    if "workers" in parts:
        workers(report, *loads)


if __name__ == "__main__":
    main()
