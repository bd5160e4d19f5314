"""One invariant: whatever well-formed input an operation or a page is given, its answer is no failure of ours, and
of an operation there is a record.

Operations get inputs of the types and bounds of their model, in which values are what other operations gave (ids,
ARNs, documents), or odd; the pages get forms of odd fields, from people who are signed in and who are not. Found
inputs belong into the tests as named cases.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import structlog
from msgspec import inspect

from bailiwick import api
from bailiwick.app.record import record_of
from bailiwick.core.message import Header, Request
from bailiwick.pipeline import Received, Route
from bailiwick.services import ALL
from bailiwick.wire import constraints

TESTS = Path(__file__).parents[1] / "tests"
SLOW = frozenset(("CreateKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"))
"""Operations that make RSA keys, of which a short run would do nothing else."""

ODD = [
    *("", "a", "*", "**a**", "/", "//x", "..", "x" * 64, "x" * 300, "\u00e9", "\u00b2", "\U0001f600", "\x00", "\n"),
    *("{}", "[]", "null", '{"a": 1}', "[" * 2000, '{"a":' * 500, "0", "-1", "1" * 5000, "[", "http://[", "a\nb"),
    *("http://127.0.0.1/x", "https://x", "arn:", "arn:aws:iam:::", ":::::", "a:b:c:d:e:f/g", "AAAA", "A" * 43),
    *("d-0000000000", "us-east-1", "alias/aws/x", "PT1H", "P999999999Y", "2020-01-01", "9999-12-31T23:59:59", "%"),
    *("allow", "delete", "resync", "login", "code", "S256", "SHA-256", "user", "root", "userName", "name.x", "on"),
    *("emails", "a=b", "\r\n"),
]  # fmt: skip
_NUMBERS = (0, 1, -1, 5, 100, 900, 3600, 2**31 - 1, 2**31, 2**63 - 1, -(2**63))
_FLOATS = (0.0, 1.5, -1.0, 1.8e9, 253_402_300_799.0, -62_135_596_800.0)  # the outermost that wire/ lets in
_BLOBS = (b"", b"a", b"\x00" * 32, b"A" * 4097)
_DEEPEST = 6
_NEVER = ("/signin/out", "/signin/center/out", "/signin/sessions/end")  # after them nobody would be signed in


class House:
    """A world in which some of everything is there, and the names of it."""

    def __init__(self) -> None:
        sys.path.insert(0, str(TESTS))
        from person import Person, site_of
        from world import ACCOUNT, World

        self.world, self.person = World(), Person
        iam, store = self.world.client("iam"), self.world.client("identitystore")
        everything = _document({"Effect": "Allow", "Action": "*", "Resource": "*"})
        trust = _document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        policy = iam.create_policy(PolicyName="p", PolicyDocument=everything)["Policy"]["Arn"]
        iam.create_user(UserName="u")
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=everything)
        iam.create_group(GroupName="g")
        self.world.client("sso-admin").create_instance(Name="c")
        (instance,) = self.world.client("sso-admin").list_instances()["Instances"]
        where = {"IdentityStoreId": instance["IdentityStoreId"]}
        name = {"GivenName": "U", "FamilyName": "V"}
        person = store.create_user(**where, UserName="u", DisplayName="U", Name=name)["UserId"]
        group = store.create_group(**where, DisplayName="g")["GroupId"]
        key = self.world.client("kms").create_key()["KeyMetadata"]["Arn"]
        known = [ACCOUNT, "u", "g", "r", "p", role, policy, key, key.rpartition("/")[2], everything, trust]
        self.values = [*ODD, *known, instance["InstanceArn"], *where.values(), person, group]
        self.site = site_of(self.world)


def run(count: int, seed: int) -> Counter[str]:
    """`count` inputs for operations and a tenth as many for pages: how often each was answered or refused.

    Raises AssertionError for a failure of ours.
    """
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # of each failure what is raised tells
    try:
        house, chance = House(), random.Random(seed)
        seen = Counter(_operations(house, chance, count))
        seen.update(_pages(house, chance, count // 10))
        return seen
    finally:
        structlog.reset_defaults()


# -- Operations ---------------------------------------------------------------------------------------------


def _operations(house: House, chance: random.Random, count: int) -> list[str]:
    pipeline, now = house.world.pipeline, house.world.now
    routes = [
        route
        for service in ALL
        for name in service.operations
        if name not in SLOW and (route := pipeline.route(service.name, name)) is not None
    ]
    root = pipeline.directory.credential(house.world.root["aws_access_key_id"], None, now()).caller
    make, seen = _Inputs(house.values, chance), []
    request = Request("POST", "/", "", (Header("host", "x"),), b"")
    for number in range(count):
        route = chance.choice(routes)
        values = make.of(inspect.type_info(route.input), 0)
        try:
            constraints.check(route.model.model, route.model.input, values) if route.model.input else None
            typed = msgspec.convert(values, route.input) if route.model.input else None
        except (msgspec.ValidationError, api.ApiError):
            seen.append("operation: unfit")
            continue
        call = pipeline.call(Received(request, f"{number}", now(), None, route), route, root, typed)
        seen.append(f"operation: {_outcome(lambda: _done(house, call, route, typed), route, values)}")  # noqa: B023
        while house.world.events:
            record_of(
                house.world.events.pop(), house.world.environment.noise
            )  # raises where there is none to be made
    return seen


def _done(house: House, call: api.Call, route: Route, typed: Any) -> None:
    if route.operation.by is not None:
        reading = house.world.store.transaction(write=False)
        call.caller = route.operation.by(msgspec.structs.replace(call, transaction=reading), typed)
    house.world.pipeline.invoke(call, typed)


def _outcome(work: Callable[[], None], route: Route, values: Any) -> str:
    try:
        work()
    except api.ApiError as refused:
        if isinstance(refused, api.InternalFailure):
            raise AssertionError(
                f"{route.model.service}:{route.model.name} failed on {values!r:.2000}"
            ) from refused
        return "refused"
    except Exception as error:
        if isinstance(error, AssertionError) and "over the wire" in str(error):
            return "refused"  # it needs the request itself, of which there is none here
        raise AssertionError(f"{route.model.service}:{route.model.name} failed on {values!r:.2000}") from error
    return "answered"


class _Inputs:
    """Values of the types that operations take."""

    def __init__(self, values: list[str], chance: random.Random) -> None:
        self._values, self._chance = values, chance
        self._fitting: dict[tuple[str | None, int, int], list[str]] = {}

    def of(self, kind: inspect.Type, depth: int) -> Any:
        """One of a type; None for what may be left out."""
        chance = self._chance
        match kind:
            case inspect.UnionType():
                types = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
                is_left_out = len(types) < len(kind.types) and chance.random() < (0.35 if depth < 2 else 0.6)
                return None if is_left_out else self.of(chance.choice(types), depth)
            case inspect.StrType():
                return self._text(kind)
            case inspect.StructType():
                made = {each.name: self.of(each.type, depth + 1) for each in kind.fields if depth < _DEEPEST}
                return {name: value for name, value in made.items() if value is not None}
            case inspect.ListType():
                size = max(chance.choice((0, 1, 1, 2, 3)), kind.min_length or 0)
                return [self.of(kind.item_type, depth + 1) for _ in range(size)]
            case inspect.DictType():
                keys = [self.of(kind.key_type, depth + 1) for _ in range(chance.randrange(3))]
                return {key: self.of(kind.value_type, depth + 1) for key in keys}
            case inspect.Metadata():
                return self.of(kind.type, depth)
            case inspect.IntType():
                return chance.choice(_NUMBERS)
            case inspect.FloatType():
                return chance.choice(_FLOATS)
            case inspect.BoolType():
                return chance.random() < 0.5
            case inspect.BytesType():
                return chance.choice(_BLOBS)
            case inspect.LiteralType():
                return chance.choice(kind.values)
            case _:
                return chance.choice((1, "x", [1], {"a": 1}, True))

    def _text(self, kind: inspect.StrType) -> str:
        least, most = kind.min_length or 0, sys.maxsize if kind.max_length is None else kind.max_length
        form = kind.pattern, least, most
        if form not in self._fitting:
            fits = re.compile(kind.pattern or "").search
            self._fitting[form] = [each for each in self._values if least <= len(each) <= most and fits(each)]
        return self._chance.choice(self._fitting[form] or ["a"])


# -- Pages --------------------------------------------------------------------------------------------------


def _pages(house: House, chance: random.Random, count: int) -> list[str]:
    """Pages, as somebody signed in and as nobody, with fields of any name that some page knows."""
    names, seen = _names(), []
    pages = [each for each in house.site.pages.all() if each.pattern not in _NEVER]
    somebody, nobody = house.person(house.world), house.person(house.world)
    somebody.sign_in_as()
    for _ in range(count):
        page, person = chance.choice(pages), chance.choice((somebody, somebody, nobody))
        path = re.sub(
            r"\{\w+(:path)?\}", lambda _: quote(chance.choice(house.values) or "x", safe="")[:1000], page.pattern
        )
        fields = {chance.choice(names): chance.choice(house.values) for _ in range(chance.choice((0, 2, 5, 12)))}
        if page.method == "GET":
            answer = person.get(f"{path}?{urlencode(fields)}", follow=False)
        else:
            token = re.search(r'name="form_token" value="([0-9a-f]+)"', person.get("/signin").text)
            fields["form_token"] = token[1] if token else ""
            answer = person.post(path, fields, follow=False)
        assert answer.status < 500, f"{page.method} {path} failed on {fields}: {answer.words[:500]}"
        seen.append(f"page: {answer.status // 100}xx")
    return seen


def _names() -> list[str]:
    """The names of fields, as the sources of the pages have them."""
    source = Path(api.__file__).parent
    rooms = (source / "services" / "signin", source / "services" / "console", source / "web")
    text = "".join(
        each.read_text("utf-8") for room in rooms for each in sorted(room.rglob("*.*")) if _is_source(each)
    )
    found = re.findall(r'\.(?:get|filled)\(\s*"(\w+)"|Field\(\s*"(\w+)"|name="(\w+)"', text)
    return sorted({name for names in found for name in names if name})


def _is_source(path: Path) -> bool:
    return path.suffix in (".py", ".html")


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})
