"""Whole servers beside each other on the same call, taking turns within one run."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bailiwick.core.message import Request
from benchmark.calls import LARGE, Credentials, assume, decrypt, encrypt, floor, identity
from benchmark.load import Result, load
from benchmark.report import Report
from benchmark.servers import Running, bailiwick, enforce, furnished, peer, role_and_blob, root_of

_CALLS = {
    "encrypt": "KMS Encrypt",
    "identity": "STS GetCallerIdentity",
    "assume": "STS AssumeRole",
    "encrypt-large": "KMS Encrypt of 4 KiB",
    "decrypt-large": "KMS Decrypt of 4 KiB",
    "floor": "the floor: /healthz",
}
_OURS = "bailiwick"
_COLUMNS = ("server", "call", "CPU us/request", "least", "requests/s", "p50 ms", "p99 ms", "CPU, times ours")
_NOTE = (
    "Medians over the rounds; `least` is the round with the least CPU. One worker, audit trail on, signatures and "
    "policies checked by every side, requests signed once. The floor is the same edge answering a constant."
)


def compare(report: Report, seconds: float, connections: int, rounds: int, peers: list[str]) -> None:
    """Measure every side `rounds` times in turn, and write the table and the plot."""
    results: dict[tuple[str, str], list[Result]] = {}
    with ExitStack() as stack:
        sides = _sides(stack, peers)
        for _ in range(rounds):
            for name, running, requests in sides:
                for call, request in requests.items():
                    found = load(running.host, request, running.pids, seconds, connections)
                    results.setdefault((name, call), []).append(found)
    rows = []
    for (name, call), found in results.items():
        cpu = _median(found, "cpu_us")
        ours = _median(results[_OURS, call], "cpu_us")
        rows.append(
            (
                name,
                _CALLS[call],
                f"{cpu:,.0f}",
                f"{min(each.cpu_us for each in found):,.0f}",
                f"{_median(found, 'per_second'):,.0f}",
                f"{_median(found, 'p50_ms'):.2f}",
                f"{_median(found, 'p99_ms'):.2f}",
                f"{cpu / ours:.1f}",
            )
        )
    title = f"Whole servers, {connections} connections, {rounds} rounds of {seconds:.0f} s"
    identified = _median(results[_OURS, "identity"], "cpu_us")
    large = [_median(results[_OURS, call], "cpu_us") / identified for call in ("encrypt-large", "decrypt-large")]
    told = " Beside GetCallerIdentity, Encrypt and Decrypt of 4 KiB cost {:.2f} and {:.2f} times the CPU.".format(
        *large
    )
    report.part("servers", title, _COLUMNS, rows, _NOTE + told)
    bars = [(f"{name}, {_CALLS[call]}", _median(found, "cpu_us")) for (name, call), found in results.items()]
    report.bars("servers", "CPU of a request", bars, "us")


def _sides(stack: ExitStack, peers: list[str]) -> list[tuple[str, Running, dict[str, Request]]]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    ours = stack.enter_context(bailiwick(folder / "data"))
    user, key = furnished(ours.host, root_of(folder / "data"))
    sides = [(_OURS, ours, {**_requests(ours, user, key), **_ours_alone(ours, user, key)})]
    for name in peers:
        running, root = stack.enter_context(peer(name))
        user, key = furnished(running.host, root)
        enforce(name, running)
        sides.append((name, running, _requests(running, user, key)))
    return sides


def _requests(running: Running, user: Credentials, key: str) -> dict[str, Request]:
    return {"encrypt": encrypt(key, running.host, user), "identity": identity(running.host, user)}


def _ours_alone(running: Running, user: Credentials, key: str) -> dict[str, Request]:
    """What is compared with our other calls only."""
    role, blob = role_and_blob(running.host, user, key, b"x" * LARGE)
    return {
        "assume": assume(role, running.host, user),
        "encrypt-large": encrypt(key, running.host, user, LARGE),
        "decrypt-large": decrypt(blob, running.host, user),
        "floor": floor(running.host),
    }


def _median(results: list[Result], field: str) -> float:
    return statistics.median(getattr(each, field) for each in results)
