"""How many calls a second: request quotas, and what is left of each, in the memory of one process.

A class of calls (AWS's request class) has a rate per account and region. What is used of it is one number, the time
at which it would be whole again (the generic cell rate algorithm of ITU-T I.371): nothing is refilled, and a call
costs one look and one assignment. Two threads that meet here may count one call less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bailiwick.core.bounded import Bounded

LEAST_BURST = 50.0
"""Calls of a class that may come at once however low its rate is; else it is as many as its rate for a second."""

_REMEMBERED = 16_384  # classes of accounts in regions; who was idle for longest has everything again

EVERY = "*"
"""The class of all calls of a service, which has a rate only if it is given one."""

Charges = Iterable[tuple[str, float]]


class Quota(NamedTuple):
    """The request quotas of a service.

    `rates` are calls a second by class, `regional` those of a class by region. `charges` takes the call, its input
    and its target and says which classes the call counts for, and how much; without it an operation is a class of
    its own. `refusal` is the service's text for a call too many.
    """

    rates: Mapping[str, float] = {}
    regional: Mapping[str, Mapping[str, float]] = {}
    charges: Callable[[Any, Any, Any], Charges] | None = None
    refusal: str = "Rate exceeded"


UNLIMITED = Quota()
"""The quota of a service that sets no rate: each operation is a class, which may be given one."""


class Rates:
    """What of their quotas accounts have used in this process."""

    def __init__(
        self, given: Mapping[tuple[str, str], float | None] | None = None, *, own: bool = True, share: float = 1.0
    ) -> None:
        """Take rates by service and class, None being none; with `own` what a quota says holds for the others.

        `share` is this process's part of every rate: one over the number of processes.
        """
        self._given = dict(given or {})
        self._own = own
        self._share = share
        self._whole: Bounded[tuple[str, str, str, str], float] = Bounded(_REMEMBERED)
        self.refused: dict[tuple[str, str], int] = {}
        """How many calls were refused, by service and class."""

    def take_all(self, service: str, charges: Charges, quota: Quota, place: tuple[str, str], now: float) -> bool:
        """Whether a call that counts for these classes may be made now (epoch seconds) in `place`.

        `place` is an account and a region.
        """
        for kind, cost in charges:
            if not self._take(service, kind, cost, quota, place, now):
                return False
        return (service, EVERY) not in self._given or self._take(service, EVERY, 1.0, quota, place, now)

    def _take(self, service: str, kind: str, cost: float, quota: Quota, place: tuple[str, str], now: float) -> bool:
        rate = self.rate(service, kind, quota, place[1])
        if rate is None:
            return True
        key = service, kind, *place
        rate *= self._share
        most = max(rate, LEAST_BURST * self._share, cost) / rate
        whole = self._whole.get(key, now)
        # Later than it can ever be, it was noted before the clock was set back.
        if whole < now or whole - now > most + 1e-6:
            whole = now
        whole += cost / rate
        if whole - now > most + 1e-9:
            self.refused[service, kind] = self.refused.get((service, kind), 0) + 1
            return False
        self._whole.put(key, whole)
        return True

    def rate(self, service: str, kind: str, quota: Quota, region: str) -> float | None:
        """Calls a second of a class in a region; None where there is no limit."""
        given = self._given
        if given and (service, kind) in given:
            return given[service, kind]
        if not self._own:
            return None
        found = quota.rates.get(kind)
        regional = quota.regional.get(kind)
        return found if regional is None else regional.get(region, found)
