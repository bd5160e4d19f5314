"""What an operator can see of the proxies of external key stores and of HSMs: which of them answers, which does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bailiwick.app import key_proxies
from bailiwick.app.hsm import Pkcs11Token
from bailiwick.app.key_proxies import KeyProxies
from bailiwick.app.metrics import joined
from bailiwick.core.errors import HsmUnavailable, SealError
from bailiwick.federation.breaker import FAILURES, PAUSE, Spared
from bailiwick.federation.fetch import FetchError
from bailiwick.measure import Tally

GOOD, BAD, PATH = "https://good.example.org", "https://bad.example.org", "/kms/xks/v1"


class Kept:
    """Connections to a proxy that answers and to one that does not."""

    def __init__(self) -> None:
        self.opened = Tally()
        self.gone = {BAD}

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if any(url.startswith(each) for each in self.gone):
            raise FetchError("TimeoutError: it", reached=False)
        return 200, b"{}"


class Asking:
    """The way to both, with a clock of the test's."""

    def __init__(self) -> None:
        self.now, self.kept = 1000.0, Kept()
        self.ways = KeyProxies(self.kept, {}, lambda: self.now)  # type: ignore[arg-type]

    def ask(self, endpoint: str, operation: str = "/keys/k/encrypt") -> type[Exception] | None:
        try:
            self.ways.post(endpoint, PATH, operation, {}, b"")
        except FetchError as error:
            return type(error)
        return None

    def seen(self, name: str) -> dict[tuple[str, ...], float]:
        return {sample.labels: sample.value for sample in self.ways.samples() if sample.name == name}


def test_each_proxy_is_seen_by_itself() -> None:
    both = Asking()
    assert both.seen("bailiwick_key_proxies_left_alone") == {}
    both.ask(GOOD)
    assert [both.ask(BAD) for _ in range(FAILURES + 2)] == [FetchError] * FAILURES + [Spared] * 2
    asked = both.seen("bailiwick_key_proxy_requests")
    assert {labels: value for labels, value in asked.items() if value} == {
        (GOOD + PATH, "answered"): 1,
        (BAD + PATH, "failed"): FAILURES,
        (BAD + PATH, "spared"): 2,
    }
    assert both.seen("bailiwick_key_proxies_left_alone") == {(GOOD + PATH,): 0, (BAD + PATH,): 1}
    both.kept.gone.clear()
    both.now += PAUSE
    assert both.ask(BAD) is None
    assert both.seen("bailiwick_key_proxies_left_alone") == {(GOOD + PATH,): 0, (BAD + PATH,): 0}


def test_how_many_processes_leave_a_proxy_alone_is_seen() -> None:
    one, other = Asking(), Asking()
    for _ in range(FAILURES):
        one.ask(BAD)
        other.ask(BAD)
    one.ask(GOOD)
    found = {each.labels: each.value for each in joined([*one.ways.samples(), *other.ways.samples()])}
    assert (found[BAD + PATH,], found[GOOD + PATH,]) == (2, 0)


def test_as_many_proxies_are_remembered_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_proxies, "_REMEMBERED", 2)
    many = Asking()
    for number in (1, 2, 1, 3):
        many.ask(f"https://{number}.example.org")
    assert sorted(many.seen("bailiwick_key_proxies_left_alone")) == [
        (f"https://{number}.example.org{PATH}",) for number in (1, 3)
    ]


def test_the_calls_to_an_hsm_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    token = Pkcs11Token("cluster-frankfurthsm", "/nowhere.so", "first", "1234567")
    monkeypatch.setattr(token, "session", object)

    def fails(error: Exception) -> Any:
        def work(session: object) -> None:
            raise error

        return work

    token.do(str)
    with pytest.raises(SealError):
        token.do(fails(SealError("no")))
    with pytest.raises(HsmUnavailable):
        token.do(fails(HsmUnavailable("it hangs")))
    seen = {sample.labels: sample.value for sample in token.samples()}
    assert seen == {("cluster-frankfurthsm", "answered"): 2, ("cluster-frankfurthsm", "failed"): 1}
