"""Random bytes from a small stock, for what must be unique and is no secret: ids, salts, nonces.

A system call for each would cost more than the rest of an id, and lets another thread in. Keys and secrets never
come from here: they are the system's at the moment they are needed.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque

_LONGEST = 32
_PIECES = 256


class Noise:
    """A source of random bytes (core.ids.Entropy). Safe between threads, and empty after a fork."""

    def __init__(self) -> None:
        self._pieces: defaultdict[int, deque[bytes]] = defaultdict(deque)
        os.register_at_fork(after_in_child=self._pieces.clear)

    def __call__(self, size: int) -> bytes:
        """That many random bytes, which nobody else gets."""
        if not 0 < size <= _LONGEST:
            return os.urandom(size)
        pieces = self._pieces[size]
        try:
            return pieces.popleft()  # atomic: no two threads take the same piece
        except IndexError:
            fresh = os.urandom(size * _PIECES)
            pieces.extend(fresh[at : at + size] for at in range(size, len(fresh), size))
            return fresh[:size]


noise = Noise()
