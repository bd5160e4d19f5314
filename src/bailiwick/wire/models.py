"""The service models: what botocore knows of each service, compiled to compact tables by scripts/models.

A model knows the protocol, the operations, every shape and bound, every error with its code and status, and which
operations carry no signature. Tables are read when a service is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from importlib import resources

import msgspec

from bailiwick.core.once import once

_IN_REFERENCE = {
    "name": "locationName",
    "place": "location",
    "query_name": "queryName",
    "xml_attribute": "xmlAttribute",
    "xml_namespace": "xmlNamespace",
    "time_format": "timestampFormat",
    "json_value": "jsonvalue",
}


class Namespace(msgspec.Struct, frozen=True):
    """An XML namespace, and the prefix that it is declared under if it has one."""

    uri: str
    prefix: str = ""


class Reference(msgspec.Struct, frozen=True, rename=_IN_REFERENCE):
    """A member's shape, by name, and what the wire calls it where that differs.

    `place` is where a REST protocol puts it: uri, querystring, header, headers or statusCode; else the body.
    """

    shape: str
    name: str = ""
    place: str = ""
    flattened: bool = False
    sensitive: bool = False
    query_name: str = ""
    xml_attribute: bool = False
    xml_namespace: Namespace | None = None
    time_format: str = ""
    json_value: bool = False


_IN_SHAPE = {
    "kind": "type",
    "minimum": "min",
    "maximum": "max",
    "time_format": "timestampFormat",
    "event_stream": "eventstream",
    "is_document": "document",
    "xml_namespace": "xmlNamespace",
}


class Shape(msgspec.Struct, frozen=True, rename=_IN_SHAPE):
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
    payload: str = ""  # the member that is the whole body, in a REST protocol
    time_format: str = ""
    event_stream: bool = False
    is_document: bool = False
    xml_namespace: Namespace | None = None


class _Operation(msgspec.Struct, frozen=True):
    method: str = "POST"
    uri: str = "/"
    success: int = 200
    deprecated: bool = False
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
    query_compatible: bool = False
    protocols: tuple[str, ...] = ()
    endpoint_prefix: str = ""


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
        self.query_compatible = table.query_compatible
        self.protocols = table.protocols or (table.protocol,)
        self.endpoint_prefix = table.endpoint_prefix or table.name
        self.speaks_forms = "query" in self.protocols or "ec2" in self.protocols
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
        self.method = raw.method
        self.uri = raw.uri
        self.success = raw.success
        self.deprecated = raw.deprecated

    @once
    def streams_events(self) -> bool:
        """Whether it sends or receives an event stream, which nothing here speaks."""
        for name in (self.input, self.output):
            members = self.model.shape(name).members.values() if name else ()
            if any(self.model.shape(reference).event_stream for reference in members):
                return True
        return False

    @once
    def takes_members(self) -> bool:
        """Whether its input has any."""
        return bool(self.input and self.model.shape(self.input).members)

    def __repr__(self) -> str:
        return f"OperationModel({self.service}:{self.name})"


def from_table(table: object) -> ServiceModel:
    """The model in a compiled table, as scripts/models makes it. Raises msgspec.ValidationError."""
    return ServiceModel(msgspec.convert(table, _Table))


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


class Models:
    """A set of service models and the ways to find one of them from what a client sent."""

    def __init__(self, models: Iterable[ServiceModel]) -> None:
        self.all = tuple(models)
        self.by_target_prefix = {model.target_prefix: model for model in self.all if model.target_prefix}
        self.by_signing_name: dict[str, tuple[ServiceModel, ...]] = {}
        self.by_host_label: dict[str, tuple[ServiceModel, ...]] = {}
        for model in self.all:
            for index, name in (
                (self.by_signing_name, model.signing_name),
                (self.by_host_label, model.endpoint_prefix),
            ):
                index[name] = (*index.get(name, ()), model)


@cache
def here() -> Models:
    """The models whose tables are here."""
    return Models(map(service, names()))
