"""The whole house in one process: a store in memory, a clock that stands still, and boto3 without a socket.

world = World()
iam = world.client("iam")              # boto3, signed by botocore, answered by Pipeline.handle
iam.create_user(UserName="alice")
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.awsrequest
import botocore.config
import botocore.session

import bailiwick.wire
from bailiwick.api import AccessDenied, Environment
from bailiwick.authorization import Authorizer
from bailiwick.core.message import Header, Request, Response
from bailiwick.core.peers import Peers
from bailiwick.core.policy.decide import Ruling
from bailiwick.core.seal import KeyRing
from bailiwick.directory import access_keys, accounts, service_principals
from bailiwick.directory.snapshot import Directory
from bailiwick.federation.fetch import Fetcher
from bailiwick.federation.oidc import Issuers
from bailiwick.outside import KeyProxies, People, Token
from bailiwick.pipeline import Event, Pipeline
from bailiwick.services import ALL
from bailiwick.store import Store

EXTRAS = Path(bailiwick.wire.__file__).parent / "extras"
ACCOUNT = "123456789012"
REGION = "us-east-1"


class _Telling(Authorizer):
    """Tells what it was asked, where the answer was not remembered."""

    def __init__(self, rulings: list[Ruling]) -> None:
        super().__init__()
        self._rulings = rulings

    def ask(self, *asked: Any) -> Ruling:
        try:
            self._rulings.append(super().ask(*asked))
        except AccessDenied as refused:
            self._rulings.extend([refused.ruling] if refused.ruling else [])
            raise
        return self._rulings[-1]


class World:
    """One deployment with the account 123456789012, its root key, and every service."""

    def __init__(
        self,
        now: Callable[[], float] | None = None,
        store: Store | None = None,
        people: People | None = None,
        hsms: Mapping[str, Token] | None = None,
        key_proxies: KeyProxies | None = None,
        peers: Peers | None = None,
        region: str = REGION,
    ) -> None:
        """Take another clock than the machine's, an empty store not in memory, a company's directory, and so on."""
        import time

        self.now = now or time.time
        self.store = store or Store.in_memory()
        loopback = [ipaddress.ip_network("127.0.0.0/8")]
        self.environment = Environment(
            *("aws", region, KeyRing(os.urandom(32)), self.now, os.urandom, os.urandom),
            issuers=Issuers(Fetcher(loopback)),
            people=people,
            hsms=hsms or {},
            key_proxies=key_proxies,
            peers=peers or Peers(),
        )
        self.directory = Directory(self.store, self.environment)
        self.events: list[Event] = []
        self.pipeline = Pipeline(ALL, self.environment, self.store, self.directory, self.events.append)
        self.rulings: list[Ruling] = []
        self.pipeline._authorizer = _Telling(self.rulings)
        self.root = self.account(ACCOUNT)

    def account(self, number: str) -> dict[str, str]:
        """Create an account; returns its root user's credentials as boto3 wants them."""
        with self.store.transaction(write=True) as transaction:
            accounts.create(transaction, number, f"account-{number}", self.now())
            key, secret = access_keys.create(transaction, self.environment, number, number, self.now())
        return {"aws_access_key_id": key, "aws_secret_access_key": secret}

    def service(self, name: str) -> dict[str, str]:
        """Register a service principal; returns its credentials as boto3 wants them."""
        with self.store.transaction(write=True) as transaction:
            signing_name = name.partition(".")[0]
            _, (key, secret) = service_principals.create(transaction, self.environment, name, signing_name)
        return {"aws_access_key_id": key, "aws_secret_access_key": secret}

    def client(self, service: str, credentials: dict[str, str] | None = None, region: str | None = None) -> Any:
        """A boto3 client of `service` whose requests are handed to the pipeline."""
        made = _session().client(
            service,
            endpoint_url=f"http://{service}.bailiwick.test",
            region_name=region or self.environment.region,
            config=botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=False),
            **(credentials or self.root),
        )
        made.meta.events.register("before-send.*.*", self._send)
        return made

    def keys_of(self, user: str) -> dict[str, str]:
        """A new access key of a user in the first account, as boto3 wants it."""
        key = self.client("iam").create_access_key(UserName=user)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def _send(self, request: Any, **_: Any) -> botocore.awsrequest.AWSResponse:
        answer = self.pipeline.handle(as_request(request))
        return as_botocore(request.url, answer)


@cache
def _session() -> boto3.Session:
    """boto3 with the operations that are our own, as AWS_DATA_PATH gives them to other programs."""
    core = botocore.session.get_session()
    core.get_component("data_loader").search_paths.append(str(EXTRAS))
    return boto3.Session(botocore_session=core)


def as_request(prepared: botocore.awsrequest.AWSPreparedRequest) -> Request:
    """What the server would see of a request that botocore prepared."""
    url = urlsplit(prepared.url)
    headers = [
        Header(k.lower(), (v.decode("latin-1") if isinstance(v, bytes) else str(v)).strip())
        for k, v in prepared.headers.items()
    ]
    body = prepared.body or b""
    return Request(
        method=prepared.method,
        path=url.path or "/",
        query=url.query,
        headers=(Header("host", url.netloc), *headers),
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def as_botocore(url: str, response: Response) -> botocore.awsrequest.AWSResponse:
    """A response of the pipeline as botocore's HTTP layer would hand it on."""

    class Raw:
        def stream(self, **_: Any) -> Any:
            yield response.body

    headers = botocore.awsrequest.HeadersDict(dict(response.headers))
    return botocore.awsrequest.AWSResponse(url, response.status, headers, Raw())
