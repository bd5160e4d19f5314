"""The setting `throttling`: what may be called how often, read and checked."""

from __future__ import annotations

import re

from bailiwick.core.rates import EVERY, Rates
from bailiwick.services import NAMES, load
from bailiwick.wire import models

OWN, OFF = "aws", "off"
_ITEM = re.compile(r"([a-z]+):([A-Za-z0-9_/*-]+)=(off|[0-9]{1,9}(?:\.[0-9]{1,6})?)", re.ASCII)


def rates(text: str | None, *, ephemeral: bool, workers: int) -> Rates | None:
    """The rates of one process of `workers`; None where there are none.

    `text` is `aws`, `off`, or either of them and rates of single classes: `aws,kms:CreateKey=50,sts:*=600`. Without
    it AWS's own rates hold, in an ephemeral server none. Raises ValueError for anything else.
    """
    if text is None:
        text = OFF if ephemeral else OWN
    items = [item.strip() for item in text.split(",")]
    if items[0] not in (OWN, OFF):
        items.insert(0, OWN)
    given = dict(_item(item) for item in items[1:])
    if items[0] == OFF and not given:
        return None
    return Rates(given, own=items[0] == OWN, share=1.0 / workers)


def _item(item: str) -> tuple[tuple[str, str], float | None]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise ValueError(f"`{item}` is not SERVICE:CLASS=RATE, a number of calls a second or `{OFF}`")
    service, kind, rate = found.groups()
    if service not in NAMES:
        raise ValueError(f"`{service}` in `{item}` is none of {', '.join(NAMES)}")
    if kind not in (EVERY, *_classes(service)):
        raise ValueError(f"`{kind}` in `{item}` is no class of calls of {service}")
    if rate != OFF and float(rate) <= 0:
        raise ValueError(f"the rate in `{item}` is not above 0; `{OFF}` lifts the limit")
    return (service, kind), None if rate == OFF else float(rate)


def _classes(service: str) -> set[str]:
    """What can have a rate of its own: the classes of the service's quota, or every operation of its model."""
    quota = load(service).quota
    return set(quota.rates) if quota.charges is not None else set(models.service(service).operations)
