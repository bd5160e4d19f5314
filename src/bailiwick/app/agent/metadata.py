"""The metadata service (IMDSv2): facts of the instance and credentials of its role, for the programs on the host.

Source: facts/imds.md sections 1.1 to 1.4; Amazon EC2 User Guide, "Use IMDS". Every version in the path is as good
as `latest`, except for tokens.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bailiwick.app.agent.keeper import Keeper, Unavailable
from bailiwick.app.agent.state import Instance
from bailiwick.app.agent.tokens import Tokens, seconds_of
from bailiwick.app.agent.web import Answer, Question, refused

TOKEN_PATH = "/latest/api/token"  # noqa: S105  (a path)
_TTL, _TOKEN = "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"
_VERSIONS = ("1.0", "2007-01-19", "2009-04-04", "2014-11-05", "2018-09-24", "2021-03-23", "2023-09-30", "latest")
_VERSION = re.compile(r"latest|1\.0|20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_CREDENTIALS = "meta-data/iam/security-credentials"

Tree = dict[str, "Tree | str"]


class Metadata:
    """Answers to requests that are not for containers."""

    def __init__(self, keeper: Keeper, tokens: Tokens, now: Callable[[], float] = time.time) -> None:
        self._keeper, self._tokens, self._now = keeper, tokens, now

    async def answer(self, asked: Question) -> Answer:
        """The answer, whatever was asked."""
        instance = self._keeper.instance
        if instance is None:
            return refused(503)
        if instance.metadata_options.http_endpoint != "enabled":
            return refused(403)
        if asked.path.endswith("/api/token"):
            return self._token(asked)
        if asked.method not in ("GET", "HEAD"):
            return refused(405)
        shown, headers, delivery = asked.headers.get(_TOKEN), {}, "1.0"
        if shown is not None:
            left = self._tokens.remaining(shown, self._now())
            if left is None:
                return refused(401)
            headers, delivery = {_TTL: str(left)}, "2.0"
        elif instance.metadata_options.http_tokens == "required":
            return refused(401)
        found = await self._item(asked, instance, delivery)
        return Answer(found.status, found.body, found.kind, {**found.headers, **headers})

    def _token(self, asked: Question) -> Answer:
        if asked.path != TOKEN_PATH:
            return refused(403)
        if asked.method != "PUT":
            return refused(405)
        seconds = seconds_of(asked.headers.get(_TTL))
        if seconds is None:
            return refused(400)
        return Answer(200, self._tokens.make(seconds, self._now()).encode(), headers={_TTL: str(seconds)})

    async def _item(self, asked: Question, instance: Instance, delivery: str) -> Answer:
        version, _, path = asked.path.lstrip("/").partition("/")
        if not version:
            return Answer(200, "\n".join(_VERSIONS).encode())
        if not _VERSION.fullmatch(version):
            return refused(404)
        path = re.sub("/+", "/", path)
        if path.rstrip("/").startswith("meta-data/iam"):
            return await self._role(path.rstrip("/"), asked, delivery)
        if path.startswith("dynamic/instance-identity/"):
            return await self._identity(path.removeprefix("dynamic/instance-identity/"))
        if path.rstrip("/") == "user-data" and instance.user_data is not None:
            return Answer(200, instance.user_data, "application/octet-stream")
        return _found(_tree(instance), path)

    async def _role(self, path: str, asked: Question, delivery: str) -> Answer:
        """What is below meta-data/iam, which depends on the program that asks."""
        named = await asked.profile()
        profile = self._keeper.profile(named.name) if named is not None else None
        if profile is None:
            return refused(404)
        assert named is not None, "a profile was named"
        if path == "meta-data/iam":
            return Answer(200, b"info\nsecurity-credentials/")
        if path == _CREDENTIALS:
            return Answer(200, (profile.role_name or "").encode())
        try:
            if path == "meta-data/iam/info":
                held = await self._keeper.credentials(named.name, delivery)
                return _json(
                    {
                        "Code": "Success",
                        "LastUpdated": _iso(held.begun),
                        "InstanceProfileArn": profile.arn,
                        "InstanceProfileId": profile.instance_profile_id,
                    }
                )
            if path != f"{_CREDENTIALS}/{profile.role_name}":
                return refused(404)
            held = await self._keeper.credentials(named.name, delivery)
        except Unavailable as error:
            if error.status != 200:
                return refused(error.status)
            return _json({"Code": error.code, "Message": str(error), "LastUpdated": _iso(self._now())})
        return _json(
            {
                "Code": "Success",
                "LastUpdated": _iso(held.begun),
                "Type": "AWS-HMAC",
                "AccessKeyId": held.access_key_id,
                "SecretAccessKey": held.secret,
                "Token": held.token,
                "Expiration": _iso(held.expires),
            }
        )

    async def _identity(self, name: str) -> Answer:
        members = {"document": "Document", "pkcs7": "Rsa2048", "rsa2048": "Rsa2048", "signature": "Signature"}
        if not name:
            return Answer(200, "\n".join(members).encode())
        if name not in members:
            return refused(404)
        try:
            return Answer(200, (await self._keeper.document())[members[name]].encode())
        except Unavailable:
            return refused(503)


# -- Facts --------------------------------------------------------------------------------------------------


def _tree(instance: Instance) -> Tree:
    """Everything that does not depend on who asks."""
    tags: dict[str, Any] = dict(instance.tags)
    meta: dict[str, Any] = {
        "ami-id": instance.image_id,
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "hostname": instance.hostname,
        "iam/": {},
        "instance-action": "none",
        "instance-id": instance.instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": instance.hostname,
        "placement": {
            "availability-zone": instance.availability_zone,
            "region": instance.region,
        },
        "profile": "default-hvm",
        "reservation-id": "r-" + instance.instance_id[2:],
        "services": {"domain": "amazonaws.com", "partition": instance.partition},
    }
    meta["ipv6" if ":" in instance.private_ip_address else "local-ipv4"] = instance.private_ip_address
    if instance.metadata_options.instance_metadata_tags == "enabled" and tags:
        meta["tags"] = {"instance": tags}
    if not instance.profiles:
        del meta["iam/"]
    top: Tree = {
        "dynamic": {
            "fws": {"instance-monitoring": "disabled"},
            "instance-identity": dict.fromkeys(("document", "pkcs7", "rsa2048", "signature"), ""),
        },
        "meta-data": dict(sorted(meta.items())),
    }
    if instance.user_data is not None:
        top["user-data"] = ""
    return top


def _found(tree: Tree, path: str) -> Answer:
    node: Tree | str = tree
    for part in path.rstrip("/").split("/") if path.rstrip("/") else ():
        below = node.get(part) if isinstance(node, dict) else None
        if below is None:
            return refused(404)
        node = below
    if isinstance(node, str):
        return refused(404) if path.endswith("/") else Answer(200, node.encode())
    names = (f"{name.rstrip('/')}/" if isinstance(below, dict) else name for name, below in node.items())
    return Answer(200, "\n".join(_plain(tree, names, path)).encode())


def _plain(tree: Tree, names: Any, path: str) -> list[str]:
    """A list as AWS has it: what is at the top has no slashes."""
    return [name.rstrip("/") if not path.rstrip("/") else name for name in names]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(members: dict[str, str]) -> Answer:
    return Answer(200, json.dumps(members, indent=2, separators=(",", " : ")).encode())
