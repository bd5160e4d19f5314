"""Operations of the models that are not offered: the answer says why, and so do the tables of docs/services/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from bailiwick.api import Service, nothing
from bailiwick.pipeline import Pipeline
from bailiwick.services import ALL
from bailiwick.wire import models
from world import World

REFUSED = [(service, name) for service in ALL for name in sorted(service.refusals)]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize(("service", "name"), REFUSED, ids=lambda value: getattr(value, "name", value))
def test_a_refused_operation_says_why(world: World, service: Service, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(world.client(service.name), xform_name(name))()
    error = caught.value.response["Error"]
    assert error["Code"] in ("InvalidAction", "UnknownOperationException")
    assert error["Message"] == f"{service.name}:{name} is not offered by Bailiwick: {service.refusals[name]}."


def test_what_is_neither_done_nor_refused_says_so(world: World) -> None:
    missing = [
        (service, name)
        for service in ALL
        if service.name != "accessanalyzer"  # whose calls need their members for the path
        for name in models.service(service.name).operations
        if name not in service.operations and name not in service.refusals
    ]
    for service, name in missing[:3]:
        with pytest.raises(ClientError, match="is not implemented by Bailiwick"):
            getattr(world.client(service.name), xform_name(name))()


def test_an_operation_is_offered_or_refused_but_once() -> None:
    service = Service("iam")
    service.refuse("no", "AcquireRole")
    with pytest.raises(ValueError, match="twice"):
        service.refuse("never", "AcquireRole")
    with pytest.raises(ValueError, match="twice"):
        service.operation("AcquireRole", on=nothing)(print)


def test_only_operations_of_the_model_are_refused(world: World) -> None:
    service = Service("iam")
    service.refuse("no", "BrewCoffee")
    with pytest.raises(ValueError, match="BrewCoffee is not in its service model"):
        Pipeline([service], world.environment, world.store, world.directory, _ignored)


_ignored: Callable[[Any], None] = lambda event: None  # noqa: E731
