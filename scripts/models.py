"""Compile botocore's service models: compact tables for wire/, typed shapes for each service.

The tables are botocore's `service-2.json` without documentation and without what a server has no use for,
reduced to the shapes that its operations reach. The shapes are msgspec Structs that carry the model's bounds,
so that valid input is checked while it is decoded; wire/constraints.py words the refusal of the rest.
"""

from __future__ import annotations

import argparse
import keyword
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore
import botocore.loaders
import msgspec

from bailiwick.wire.patterns import python_pattern

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "src" / "bailiwick" / "wire" / "tables"
EXTRAS = ROOT / "src" / "bailiwick" / "wire" / "extras"
SERVICES = ROOT / "src" / "bailiwick" / "services"
NAMES = (
    *("accessanalyzer", "cloudtrail", "ec2", "eks", "eks-auth", "hosts", "iam", "identitystore", "kms"),
    *("organizations", "rolesanywhere", "scim", "signin", "sso", "sso-admin", "sso-oidc", "sts"),
)
OWN = {"hosts", "scim"}  # services that AWS does not have: the whole model is in wire/extras
# EC2's model is larger than all others together: what is not named here is an unknown action.
ONLY = {
    "ec2": {
        "AssociateIamInstanceProfile",
        "CreateTags",
        "DeleteTags",
        "DescribeIamInstanceProfileAssociations",
        "DescribeInstanceAttribute",
        "DescribeInstances",
        "DescribeTags",
        "DisassociateIamInstanceProfile",
        "ModifyInstanceMetadataOptions",
        "ReplaceIamInstanceProfileAssociation",
        "RevokeInstanceCredentials",
        "TerminateInstances",
    },
    "eks": {
        "CreatePodIdentityAssociation",
        "DeletePodIdentityAssociation",
        "DescribePodIdentityAssociation",
        "ListPodIdentityAssociations",
        "UpdatePodIdentityAssociation",
    },
}

KEPT_OF_SHAPE = (
    *("type", "min", "max", "pattern", "enum", "sensitive", "flattened", "required", "payload", "timestampFormat"),
    *("eventstream", "document"),
)
KEPT_OF_MEMBER = (
    *("shape", "locationName", "location", "flattened", "sensitive", "timestampFormat", "queryName", "jsonvalue"),
    "xmlAttribute",
)
SCALARS = {
    "string": "str",
    "integer": "int",
    "long": "int",
    "boolean": "bool",
    "blob": "bytes",
    "timestamp": "float",
    "float": "float",
    "double": "float",
}


def folder(name: str) -> Path:
    """Where the code of a service is."""
    return SERVICES / name.replace("-", "_")


def load(name: str) -> dict[str, Any]:
    """The service model as botocore ships it, with the operations that are our own (wire/extras).

    Those are in the form of botocore's extras, so that botocore reads them as well, by AWS_DATA_PATH.
    """
    loader = botocore.loaders.Loader(extra_search_paths=[str(EXTRAS)])
    if name in OWN:
        own: dict[str, Any] = loader.load_service_model(name, "service-2")
        return own
    plain: dict[str, Any] = botocore.loaders.Loader().load_service_model(name, "service-2")
    taken = {part: set(plain[part]) for part in ("operations", "shapes")}
    for file in EXTRAS.glob(f"{name}/*/service-2.sdk-extras.json"):
        for part, added in msgspec.json.decode(file.read_bytes())["merge"].items():
            if taken[part] & set(added):
                raise SystemExit(f"{file}: {sorted(taken[part] & set(added))} are in AWS's model already")
    loaded: dict[str, Any] = loader.load_service_model(name, "service-2")
    return loaded


def restricted(model: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """A model with these operations alone, and without the bounds of what no input reaches."""
    model = {**model, "operations": {name: model["operations"][name] for name in operations}}
    taken: dict[str, dict[str, Any]] = {}
    for described in model["operations"].values():
        reach(described["input"]["shape"], model["shapes"], taken)
    for name, shape in model["shapes"].items():
        if name not in taken:
            for bound in ("enum", "pattern", "min", "max"):
                shape.pop(bound, None)
    return model


# -- Tables -----------------------------------------------------------------------------------------------


def table(name: str, model: dict[str, Any]) -> dict[str, Any]:
    """The compact table of one service."""
    meta = model["metadata"]
    more: dict[str, Any] = {}
    if "awsQueryCompatible" in meta:
        more["query_compatible"] = True
    if len(meta.get("protocols", ())) > 1:
        more["protocols"] = meta["protocols"]
    if meta["endpointPrefix"] != name:
        more["endpoint_prefix"] = meta["endpointPrefix"]
    operations = {name: operation(described) for name, described in model["operations"].items()}
    reached: dict[str, dict[str, Any]] = {}
    for each in operations.values():
        for start in (each.get("input"), each.get("output"), *each.get("errors", [])):
            if start:
                reach(start, model["shapes"], reached)
    return {
        "name": name,
        "protocol": meta["protocol"],
        "json_version": meta.get("jsonVersion", ""),
        "api_version": meta["apiVersion"],
        "signing_name": meta.get("signingName", meta["endpointPrefix"]),
        "target_prefix": meta.get("targetPrefix", ""),
        "namespace": meta.get("xmlNamespace", ""),
        "operations": dict(sorted(operations.items())),
        "shapes": dict(sorted(reached.items())),
        **more,
    }


def operation(described: dict[str, Any]) -> dict[str, Any]:
    """One operation, without what is the rule."""
    found: dict[str, Any] = {}
    http = described.get("http", {})
    for key, name, usual in (
        ("method", "method", "POST"),
        ("requestUri", "uri", "/"),
        ("responseCode", "success", 200),
    ):
        if http.get(key, usual) != usual:
            found[name] = http[key]
    if described.get("deprecated"):
        found["deprecated"] = True
    if "input" in described:
        found["input"] = described["input"]["shape"]
    if "output" in described:
        found["output"] = described["output"]["shape"]
        if "resultWrapper" in described["output"]:
            found["wrapper"] = described["output"]["resultWrapper"]
    if described.get("authtype") == "none" or described.get("auth") == ["smithy.api#noAuth"]:
        found["signed"] = False
    errors = [error["shape"] for error in described.get("errors", [])]
    return {**found, "errors": errors} if errors else found


def reach(start: str, shapes: dict[str, Any], reached: dict[str, dict[str, Any]]) -> None:
    """Add a shape, and all that it refers to, in compact form."""
    if start in reached:
        return
    shape = shapes[start]
    kept = {key: shape[key] for key in KEPT_OF_SHAPE if key in shape} | namespace(shape)
    if "error" in shape or shape.get("exception"):
        told = shape.get("error", {})
        fault = bool(shape.get("fault"))
        kept["code"] = told.get("code", start)
        kept["status"] = told.get("httpStatusCode", 500 if fault else 400)
        kept["sender"] = bool(told.get("senderFault", not fault))
    reached[start] = kept
    for part in ("member", "key", "value"):
        if part in shape:
            kept[part] = reference(shape[part], shapes)
            reach(shape[part]["shape"], shapes, reached)
    if "members" in shape:
        kept["members"] = {name: reference(member, shapes) for name, member in shape["members"].items()}
        for member in shape["members"].values():
            reach(member["shape"], shapes, reached)


def reference(member: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any]:
    """A reference to a shape, with what the wire calls it: a name that a few shapes give to every reference."""
    kept = {key: member[key] for key in KEPT_OF_MEMBER if key in member} | namespace(member)
    of_shape = shapes[member["shape"]].get("locationName")
    return {"locationName": of_shape, **kept} if of_shape else kept


def namespace(described: dict[str, Any]) -> dict[str, Any]:
    """The XML namespace of a shape or member, in the longer of its two forms."""
    found = described.get("xmlNamespace")
    if not found:
        return {}
    return {"xmlNamespace": {"uri": found} if isinstance(found, str) else found}


# -- Shapes -----------------------------------------------------------------------------------------------

HEAD = '''"""The shapes of {service}, generated by scripts/models from botocore {version}. Do not edit.

Source: the service model `{service}` of {api_version}, Apache-2.0.
"""

from __future__ import annotations

{imports}'''


class Shapes:
    """Writes one service's shapes.py: its errors, the structures that its code names, and what these are made of.

    What no handler takes or gives is left out: a class costs 50 us at every start, and some models have hundreds.
    """

    def __init__(self, compiled: dict[str, Any]) -> None:
        self.compiled = compiled
        self.named = named(folder(compiled["name"]))
        self.shapes: dict[str, Any] = compiled["shapes"]
        self.written: dict[str, str] = {}
        self.hidden = {
            target["shape"]
            for shape in self.shapes.values()
            for member, target in shape.get("members", {}).items()
            if member != target["shape"] in shape["members"]
        }

    def text(self) -> str:
        """The whole module."""
        operations = self.compiled["operations"].values()
        inputs = {o.get("input") for o in operations} & self.named
        for name, shape in self.shapes.items():
            if "code" in shape:
                self.written[name] = self.error(name, shape)
        for name in sorted(inputs):
            self.structure(name)
        for each in operations:
            if each.get("output") in self.named:
                self.structure(each["output"])
        for name in sorted(self.named & self.shapes.keys()):
            if self.shapes[name]["type"] == "structure":
                self.structure(name)
        written = "".join(self.written.values())
        head = HEAD.format(
            imports=imports(written),
            service=self.compiled["name"],
            version=botocore.__version__,
            api_version=self.compiled["api_version"],
        )
        return head + written

    def structure(self, name: str) -> None:
        """Write a structure after those that it is made of."""
        if name in self.written:
            return
        self.written[name] = ""  # a shape that refers to itself finds its name taken
        shape = self.shapes[name]
        lines = []
        required = set(shape.get("required", []))
        for member, target in shape["members"].items():
            if not member.isidentifier() or keyword.iskeyword(member):
                raise SystemExit(f"{name}.{member} is no Python name")
            kind = self.outside(self.type_of(target["shape"]), list(shape["members"])[: len(lines)])
            lines.append(f"    {member}: {kind}" + ("" if member in required else " | None = None"))
        body = "\n".join(lines) or "    pass"
        text = f"\n\nclass {name}(Struct, frozen=True, kw_only=True, omit_defaults=True):\n{body}\n"
        del self.written[name]
        self.written[name] = text

    def outside(self, kind: str, members: list[str]) -> str:
        """An annotation that names no member above it, which would hide the type of that name in the class."""
        for name in set(re.findall(r"\w+", kind)) & set(members):
            self.written.setdefault(f"{name}Type", f"\n{name}Type = {name}\n")
            kind = re.sub(rf"\b{name}\b", f"{name}Type", kind)
        return kind

    def type_of(self, name: str) -> str:
        """The annotation of a shape."""
        shape = self.shapes[name]
        kind = shape["type"]
        if shape.get("document"):
            return "Any"
        if kind == "structure":
            self.structure(name)
            return name
        if kind == "list":
            return self.bounded(name, f"list[{self.type_of(shape['member']['shape'])}]", lengths(shape))
        if kind == "map":
            inner = f"dict[{self.type_of(shape['key']['shape'])}, {self.type_of(shape['value']['shape'])}]"
            return self.bounded(name, inner, lengths(shape))
        if kind in ("string", "blob"):
            bounds = lengths(shape)
            pattern = shape.get("pattern")
            if "enum" in shape:
                pattern = "|".join(re.escape(value) for value in shape["enum"])
            if pattern:
                bounds["pattern"] = python_pattern(pattern)
            return self.bounded(name, SCALARS[kind], bounds)
        if kind in ("integer", "long"):
            bounds = {"ge": shape.get("min"), "le": shape.get("max")}
            return self.bounded(name, "int", {k: v for k, v in bounds.items() if v is not None})
        return SCALARS[kind]

    def bounded(self, name: str, kind: str, bounds: dict[str, Any]) -> str:
        """`kind`, or the name of an alias for it with its bounds, written before its first use."""
        if not bounds:
            return kind
        if name in self.hidden:
            name = f"Bounded{name}"  # in a class, another member of this name would stand before it
        if name not in self.written:
            meta = ", ".join(f"{key}={value!r}" for key, value in bounds.items())
            self.written[name] = f"\n{name} = Annotated[{kind}, Meta({meta})]\n"
        return name

    def error(self, name: str, shape: dict[str, Any]) -> str:
        """An error as a subclass of ApiError."""
        sender = "" if shape["sender"] else "    sender = False\n"
        head = f'\n\nclass {name}(ApiError):\n    code = "{shape["code"]}"\n'
        return f"{head}    status = {shape['status']}\n{sender}"


def imports(written: str) -> str:
    """What a module needs of what is in it."""
    typing = [name for name in ("Annotated", "Any") if re.search(rf"{name}(\[| \| None)", written)]
    of_typing = f"from typing import {', '.join(typing)}\n\n" if typing else ""
    of_house = "\nfrom bailiwick.api import ApiError\n" if "(ApiError)" in written else ""
    return f"{of_typing}from msgspec import {'Meta, Struct' if 'Annotated' in typing else 'Struct'}\n{of_house}"


def named(folder: Path) -> set[str]:
    """Every word in the code of a service that may name a shape."""
    code = (path.read_text() for path in folder.glob("*.py") if path.name != "shapes.py")
    return {word for text in code for word in re.findall(r"\b[A-Z]\w+", text)}


def lengths(shape: dict[str, Any]) -> dict[str, Any]:
    """The bounds of length of a string, blob, list or map; a lower bound of zero is none."""
    found = {}
    if shape.get("min"):
        found["min_length"] = shape["min"]
    if "max" in shape:
        found["max_length"] = shape["max"]
    return found


# -- Command ----------------------------------------------------------------------------------------------


def formatted(text: str) -> str:
    """The module as ruff formats it."""
    ruff = [sys.executable, "-m", "ruff", "format", "--line-length", "116", "-"]
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


def generated() -> dict[Path, bytes]:
    """Every generated file and what it must hold."""
    files: dict[Path, bytes] = {}
    for name in NAMES:
        model = load(name)
        compiled = table(name, restricted(model, ONLY[name]) if name in ONLY else model)
        files[TABLES / f"{name}.json"] = msgspec.json.encode(compiled) + b"\n"
        files[folder(name) / "shapes.py"] = formatted(Shapes(compiled).text()).encode()
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = []
    for path, content in generated().items():
        if check:
            if not path.exists() or path.read_bytes() != content:
                stale.append(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"{path.relative_to(ROOT)}: {len(content):,} bytes")
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not what scripts/models makes; run it and commit", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
