"""The stock of random bytes: nobody gets what another got."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from bailiwick.app.noise import Noise


def test_no_two_callers_get_the_same() -> None:
    noise = Noise()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(noise, [16] * 20_000))
    assert len(set(taken)) == len(taken)
    assert {len(piece) for piece in taken} == {16}
    assert [len(noise(size)) for size in (0, 1, 28, 32, 33, 1000)] == [0, 1, 28, 32, 33, 1000]


def test_a_child_does_not_repeat_its_parent() -> None:
    noise = Noise()
    noise(16)
    read, write = os.pipe()
    if not (child := os.fork()):
        os.write(write, noise(16))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 16) != noise(16)
    os.close(read)
    os.close(write)
