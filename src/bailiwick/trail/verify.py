"""Is a trail as it was written? Every chain, every signature, and every state that a digest vouches for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from bailiwick.trail import digest, segment
from bailiwick.trail.digest import BadDigest, Digest
from bailiwick.trail.segment import Broken, State, Torn


class Report(msgspec.Struct):
    """What was found. Without problems the trail is whole; notes are what an honest crash explains."""

    segments: int = 0
    records: int = 0
    digests: int = 0
    vouched: int = 0
    problems: list[str] = []
    notes: list[str] = []


def verify(folder: Path, public: bytes, progress: Callable[[str], None] = lambda name: None) -> Report:
    """Check the trail in a folder against the public key of its digests. `progress` is told each file's name.

    Raises OSError for what cannot be read.
    """
    report = Report(problems=[], notes=[])
    vouched = _digests(folder, public, report, progress)
    present = {path.name: path for path in segment.all_in(folder)}
    for name, states in vouched.items():
        if name not in present:
            report.problems.append(f"{name}: this segment is vouched for by a digest and is gone")
        else:
            report.vouched += max(state.records for state in states)
    for name, path in present.items():
        progress(name)
        report.segments += 1
        report.records += _segment(path, vouched.get(name, []), report)
    return report


def _digests(
    folder: Path, public: bytes, report: Report, progress: Callable[[str], None]
) -> dict[str, list[State]]:
    """What every good digest vouches for, by segment; without those that retention removed."""
    found: dict[str, tuple[Digest, str]] = {}
    for path in digest.all_in(folder):
        progress(path.name)
        try:
            found[path.name] = digest.read(path, public)
        except BadDigest as error:
            report.problems.append(str(error))
    vouched: dict[str, list[State]] = {}
    removed: set[str] = set()
    for name, (each, _) in found.items():
        report.digests += 1
        before = each.previous
        if before is not None and before.name not in found:
            report.problems.append(f"{name}: the digest before it, {before.name}, is gone")
        elif before is not None and found[before.name][1] != before.sha256:
            report.problems.append(f"{name}: the digest before it, {before.name}, is another one than then")
        removed.update(each.removed)
        for state in each.segments:
            vouched.setdefault(state.name, []).append(state)
    return {name: states for name, states in vouched.items() if name not in removed}


def _segment(path: Path, vouched: list[State], report: Report) -> int:
    """Check one segment; returns how many of its records are good."""
    wanted = {state.records: state for state in vouched}
    reached = 0
    try:
        for state in segment.check(path):
            reached = state.records
            expected = wanted.pop(state.records, None)
            if expected is not None and expected != state:
                report.problems.append(f"{path.name}: after {reached} records: not what a digest vouches for")
    except Torn as torn:
        report.notes.append(f"{path.name}: the last block was cut short, as by a crash; {torn.after} are good")
    except Broken as broken:
        report.problems.append(str(broken))
        return broken.after
    if wanted:
        report.problems.append(f"{path.name}: {reached} records, where a digest vouches for {max(wanted)}")
    return reached
