"""Hosts without an agent: what they sign is handed to the pipeline, as an agent's requests are."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bailiwick.core import host_proof
from bailiwick.core.message import Header, Request, Response
from bailiwick.directory import joining
from bailiwick.directory.joining import Grants
from world import ACCOUNT, REGION, World

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


def role_in_profile(world: World, name: str = "web", trust: str = TRUST) -> None:
    """A role, and a profile of the same name with the role in it."""
    iam = world.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def token(world: World, seconds: int = 600, account: str = ACCOUNT, **grants: Any) -> str:
    """A join token."""
    what = Grants(**{"region": REGION, "zone": f"{REGION}a", **grants})
    with world.store.transaction(write=True) as transaction:
        return joining.new_token(transaction, world.environment, account, what, seconds)


class FakeHost:
    """A host with a key of its own."""

    def __init__(self, world: World, key: Any = None, source: str = "10.0.0.7") -> None:
        self.world, self.source = world, source
        self.key = key or ed25519.Ed25519PrivateKey.generate()
        self.id = ""

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def join(self, **shown: Any) -> dict[str, Any]:
        """Join, and be that instance from now on."""
        told = self.ask("JoinInstance", PublicKey=base64.b64encode(self.public_key).decode(), **shown)
        found: dict[str, Any] = told["Instance"]
        self.id = found["InstanceId"]
        return found

    def request(
        self, operation: str, values: dict[str, Any], extra: dict[str, str] | None = None, also: Any = None
    ) -> Request:
        """A signed request; `also` is the key of a certificate that signs as well."""
        body, target = json.dumps(values).encode(), f"BailiwickHosts.{operation}"
        time, nonce = str(int(self.world.now())), base64.urlsafe_b64encode(os.urandom(18)).decode()
        text = host_proof.text("bailiwick.test", target, self.id, time, nonce, body)
        headers = {
            "host": "bailiwick.test",
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": target,
            host_proof.HOST: self.id,
            host_proof.TIME: time,
            host_proof.NONCE: nonce,
            host_proof.PROOF: host_proof.sign(self.key, text),
            **({host_proof.CERTIFICATE_PROOF: host_proof.sign(also, text)} if also else {}),
            **(extra or {}),
        }
        return Request("POST", "/", "", tuple(Header(*each) for each in headers.items()), body, self.source)

    def send(self, request: Request) -> Response:
        return self.world.pipeline.handle(request)

    def ask(self, operation: str, also: Any = None, **values: Any) -> dict[str, Any]:
        """The answer; raises Refused."""
        response = self.send(self.request(operation, values, also=also))
        told: dict[str, Any] = json.loads(response.body)
        if response.status != 200:
            raise Refused(told["__type"], told.get("message", ""))
        return told

    def credentials(self, **values: Any) -> dict[str, str]:
        """Credentials of the role, as boto3 wants them."""
        told = self.ask("GetInstanceCredentials", **values)
        assert told["Code"] == "Success", told
        found = told["Credentials"]
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }


class Refused(Exception):
    """A refusal: its code and message."""

    @property
    def code(self) -> str:
        return str(self.args[0])


def joined(world: World, **grants: Any) -> FakeHost:
    """A host that has joined by a token."""
    host = FakeHost(world)
    host.join(JoinToken=token(world, **grants))
    return host


def p256() -> ec.EllipticCurvePrivateKey:
    """A key of the other kind."""
    return ec.generate_private_key(ec.SECP256R1())
