"""Load over loopback, by wrk where it is installed, else by a client in Python (slower and heavier)."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bailiwick.core.message import Request

_RESULT = re.compile(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)")
_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %.1f %.1f %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Result(NamedTuple):
    """What one load showed. Times are of the client, CPU of the server's processes."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def load(host: str, request: Request, pids: list[int], seconds: float, connections: int) -> Result:
    """Send the same request over and over on each connection. Raises SystemExit for an answer that is no 200."""
    send = _with_wrk if shutil.which("wrk") else _with_python
    before = cpu_seconds(pids)
    count, per_second, p50, p99 = send(host, request, seconds, connections)
    used = cpu_seconds(pids) - before
    return Result(count, per_second, p50, p99, used / max(count, 1) * 1e6)


def _with_wrk(host: str, request: Request, seconds: float, connections: int) -> tuple[int, float, float, float]:
    lines = [f'wrk.method = "{request.method}"', f"wrk.body = [==[{request.body.decode()}]==]"]
    for name, value in request.headers:
        lines.append(f'wrk.headers["{"Host" if name == "host" else name}"] = [==[{value}]==]')
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines) + _REPORT)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", script.name]
        command.append(f"http://{host}{request.path}")
        told = subprocess.run(command, capture_output=True, text=True, check=True)
    found = _RESULT.search(told.stdout)
    if found is None or int(found[5]):
        raise SystemExit(f"refused or failed: {told.stdout}")
    count, duration = int(found[1]), int(found[2]) / 1e6
    return count, count / duration, float(found[3]) / 1000, float(found[4]) / 1000


def raw(request: Request) -> bytes:
    """The request as bytes of HTTP/1.1."""
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    length = f"content-length: {len(request.body)}\r\n" if request.body else ""
    return f"{request.method} {request.path} HTTP/1.1\r\n{head}{length}\r\n".encode() + request.body


def _with_python(host: str, request: Request, seconds: float, connections: int) -> tuple[int, float, float, float]:
    times = sorted(asyncio.run(_send(host, raw(request), seconds, connections)))
    count = len(times)
    return count, count / seconds, times[count // 2] * 1000, times[count * 99 // 100] * 1000


async def _send(host: str, request: bytes, seconds: float, connections: int) -> list[float]:
    address, _, port = host.partition(":")
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(address, int(port))
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head.decode()}")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            times.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return times


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of processes so far, and of their children that have ended (Linux)."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that a process has begun and that live (Linux)."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def megabytes(pid: int) -> float:
    """Memory of a process that is resident (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
