"""Servers that are left alone: after how many failures, for how long, and what is let through."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.federation import breaker
from bailiwick.federation.breaker import AT_ONCE, FAILURES, PAUSE, Breaker, Busy, Spared
from bailiwick.federation.fetch import FetchError


class Server:
    """One that is well or not, by a clock of the test's; it counts how often it was asked."""

    def __init__(self) -> None:
        self.now, self.asked, self.fails = 1000.0, 0, False
        self.breaker = Breaker(lambda: self.now)

    def ask(self, *, insists: bool = False) -> str:
        try:
            with self.breaker.asking(insists=insists):
                self.asked += 1
                if self.fails:
                    raise FetchError("TimeoutError: it", reached=False)
        except Spared:
            return "spared"
        except FetchError:
            return "failed"
        return "answered"


@pytest.fixture
def server() -> Server:
    return Server()


def test_it_is_left_alone_after_so_many_failures_in_a_row(server: Server) -> None:
    server.fails = True
    assert [server.ask() for _ in range(FAILURES - 1)] == ["failed"] * (FAILURES - 1)
    server.fails = False
    assert server.ask() == "answered"
    server.fails = True
    assert [server.ask() for _ in range(FAILURES + 3)] == ["failed"] * FAILURES + ["spared"] * 3
    assert server.breaker.is_open
    with pytest.raises(Spared, match="TimeoutError: it") as caught, server.breaker.asking():
        raise AssertionError("nobody is let in")
    assert not caught.value.reached


def test_after_a_while_one_is_let_through(server: Server) -> None:
    server.fails = True
    for _ in range(FAILURES):
        server.ask()
    server.now += PAUSE - 0.001
    assert server.ask() == "spared"
    server.now += 0.001
    assert [server.ask(), server.ask()] == ["failed", "spared"]
    server.now += PAUSE
    server.fails = False
    assert [server.ask(), server.ask()] == ["answered", "answered"]
    assert not server.breaker.is_open


def test_it_is_one_only(server: Server) -> None:
    server.fails = True
    for _ in range(FAILURES):
        server.ask()
    server.now += PAUSE
    with server.breaker.asking():
        assert server.ask() == "spared"
        assert server.ask(insists=True) == "failed"


def test_who_insists_is_let_through_and_ends_it(server: Server) -> None:
    server.fails = True
    for _ in range(FAILURES):
        server.ask()
    assert [server.ask(insists=True), server.ask()] == ["failed", "spared"]
    server.fails = False
    assert [server.ask(insists=True), server.ask()] == ["answered", "answered"]


def test_only_so_many_ask_at_once(server: Server) -> None:
    entered, over = threading.Semaphore(0), threading.Event()

    def ask() -> None:
        with server.breaker.asking():
            entered.release()
            over.wait(20)

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert entered.acquire(timeout=20)
    for insists in (False, True):
        with pytest.raises(Busy), server.breaker.asking(insists=insists):
            raise AssertionError("nobody is let in")
    over.set()
    for thread in threads:
        thread.join(20)
    assert server.ask() == "answered"


def test_what_breaks_in_the_middle_says_nothing_of_the_server(server: Server) -> None:
    for _ in range(FAILURES + 1):
        with pytest.raises(ZeroDivisionError), server.breaker.asking():
            _ = 1 / 0
    assert server.ask() == "answered"


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 2 * PAUSE)), max_size=60))
def test_it_is_never_shut_for_good_and_never_asked_much_while_it_fails(
    steps: list[tuple[bool, bool, float]],
) -> None:
    server, since = Server(), 1000.0
    for fails, insists, later in steps:
        server.now += later
        server.fails = fails
        before, was_open = server.asked, server.breaker.is_open
        told = server.ask(insists=insists)
        assert (told == "spared") == (server.asked == before)
        if told == "spared":
            assert was_open
            assert server.now - since < PAUSE
        elif told == "failed":
            since = server.now
    server.now += PAUSE
    server.fails = False
    assert server.ask() == "answered"


def test_the_numbers_go_together() -> None:
    assert breaker.FAILURES < breaker.AT_ONCE, "one burst of failures is enough"
