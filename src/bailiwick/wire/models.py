"""The service models: what botocore knows of each service, compiled to compact tables by scripts/models.

A model knows the protocol, the operations, every shape and bound, every error with its code and status, and which
operations carry no signature. Tables are read when a service is first asked for.
"""

from __future__ import annotations

from functools import cache, cached_property
from importlib import resources

import msgspec


class Reference(msgspec.Struct, frozen=True, rename={"location": "locationName"}):
    """A member's shape, by name, and what the wire calls it where that differs."""

    shape: str
    location: str = ""
    flattened: bool = False
    sensitive: bool = False


class Shape(msgspec.Struct, frozen=True, rename={"kind": "type", "minimum": "min", "maximum": "max"}):
    """One shape. Which fields mean something depends on its kind."""

    kind: str  # string, integer, long, boolean, blob, timestamp, float, double, list, map, structure
    members: dict[str, Reference] = {}
    required: frozenset[str] = frozenset()
    member: Reference | None = None
    key: Reference | None = None
    value: Reference | None = None
    flattened: bool = False
    sensitive: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    enum: tuple[str, ...] = ()
    code: str = ""  # of an error
    status: int = 400
    sender: bool = True


class _Operation(msgspec.Struct, frozen=True):
    input: str = ""
    output: str = ""
    wrapper: str = ""
    signed: bool = True
    errors: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True):
    name: str
    protocol: str
    json_version: str
    api_version: str
    signing_name: str
    target_prefix: str
    namespace: str
    operations: dict[str, _Operation]
    shapes: dict[str, Shape]


class ServiceModel:
    """One service: its protocol and its names on the wire. `operations` are made when first looked at."""

    def __init__(self, table: _Table) -> None:
        self.name = table.name
        self.protocol = table.protocol
        self.json_version = table.json_version
        self.api_version = table.api_version
        self.signing_name = table.signing_name
        self.target_prefix = table.target_prefix
        self.namespace = table.namespace
        self.shapes = table.shapes
        self._table = table

    @cached_property
    def operations(self) -> dict[str, OperationModel]:
        """Every operation by its name."""
        return {name: OperationModel(self, name, raw) for name, raw in self._table.operations.items()}

    def shape(self, reference: Reference | str) -> Shape:
        """The shape that a reference, or a name, means."""
        return self.shapes[reference if isinstance(reference, str) else reference.shape]

    def __repr__(self) -> str:
        return f"ServiceModel({self.name})"


class OperationModel:
    """One operation. `input`, `output` and `wrapper` are empty where there is none."""

    def __init__(self, service: ServiceModel, name: str, raw: _Operation) -> None:
        self.model = service
        self.service = service.name
        self.name = name
        self.input = raw.input
        self.output = raw.output
        self.wrapper = raw.wrapper
        self.signed = raw.signed
        self.errors = raw.errors

    def __repr__(self) -> str:
        return f"OperationModel({self.service}:{self.name})"


@cache
def names() -> tuple[str, ...]:
    """The services whose models are here."""
    folder = resources.files("bailiwick.wire") / "tables"
    return tuple(sorted(file.name.removesuffix(".json") for file in folder.iterdir()))


@cache
def service(name: str) -> ServiceModel:
    """The model of one service. Raises KeyError for a service whose model is not here."""
    if name not in names():
        raise KeyError(name)
    file = resources.files("bailiwick.wire") / "tables" / f"{name}.json"
    return ServiceModel(msgspec.json.decode(file.read_bytes(), type=_Table))


@cache
def by_target_prefix() -> dict[str, ServiceModel]:
    """The services of the JSON protocols by the prefix of their X-Amz-Target."""
    found = {model.target_prefix: model for model in map(service, names())}
    found.pop("", None)
    return found


@cache
def by_signing_name() -> dict[str, tuple[ServiceModel, ...]]:
    """The services by the name that a credential's scope gives them."""
    found: dict[str, tuple[ServiceModel, ...]] = {}
    for model in map(service, names()):
        found[model.signing_name] = (*found.get(model.signing_name, ()), model)
    return found
