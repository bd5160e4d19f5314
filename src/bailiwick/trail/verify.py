"""Is a trail as it was written? Every chain, every signature, and every state that a digest vouches for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from bailiwick.trail import digest, segment
from bailiwick.trail.digest import BadDigest, Digest
from bailiwick.trail.segment import Broken, State, Torn
from bailiwick.trail.shelf import Kept, Shelf

Progress = Callable[[str, int], None]
"""Is told what is read, and how many more bytes of it have been."""


class Report(msgspec.Struct):
    """What was found. Without problems the trail is whole; notes are what an honest crash explains."""

    segments: int = 0
    records: int = 0
    digests: int = 0
    vouched: int = 0
    problems: list[str] = []
    notes: list[str] = []


def verify(shelf: Shelf, public: bytes, progress: Progress = lambda name, bytes: None) -> Report:
    """Check a trail against the public key of its digests. Raises OSError for what cannot be read."""
    report = Report(problems=[], notes=[])
    present = {kept.name: kept for kept in shelf.segments()}
    vouched = _digests(shelf, public, report, progress)
    present |= {kept.name: kept for kept in shelf.segments()}  # those that were begun meanwhile
    for name, states in vouched.items():
        if name not in present:
            report.problems.append(f"{name}: this segment is vouched for by a digest and is gone")
        else:
            report.vouched += max(state.records for state in states)
    for kept in present.values():
        try:
            good = _segment(shelf, kept, vouched.get(kept.name, []), report, progress)
        except FileNotFoundError:
            report.notes.append(f"{kept.name}: removed while this looked")
            continue
        report.segments += 1
        report.records += good
    return report


def _digests(shelf: Shelf, public: bytes, report: Report, progress: Progress) -> dict[str, list[State]]:
    """What every good digest vouches for, by segment; without those that retention removed."""
    found: dict[str, tuple[Digest, str]] = {}
    for name in shelf.digests():
        data = shelf.digest(name)
        progress(name, 0)
        try:
            found[name] = digest.read(name, data, public), hashlib.sha256(data).hexdigest()
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


def _segment(shelf: Shelf, kept: Kept, vouched: list[State], report: Report, progress: Progress) -> int:
    """Check one segment; returns how many of its records are good."""
    name = kept.name
    wanted = {state.records: state for state in vouched}
    reached = State(name, 0, 0, "")
    try:
        for state in segment.check(name, shelf.lines(name)):
            progress(name, state.bytes - reached.bytes)
            reached = state
            expected = wanted.pop(state.records, None)
            if expected is not None and expected != state:
                report.problems.append(f"{name}: after {state.records} records: not what a digest vouches for")
    except Torn as torn:
        report.notes.append(f"{name}: the last block was cut short, as by a crash; {torn.after} are good")
    except Broken as broken:
        report.problems.append(str(broken))
        return broken.after
    else:
        if reached.bytes < kept.bytes:
            report.problems.append(f"{name}: {reached.bytes} bytes, where {kept.bytes} were written")
    if wanted:
        report.problems.append(f"{name}: {reached.records} records, where a digest vouches for {max(wanted)}")
    return reached.records


def size_of(shelf: Shelf) -> int:
    """How many bytes there are to check."""
    return sum(kept.bytes for kept in shelf.segments())
