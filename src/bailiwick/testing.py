"""Bailiwick in the tests of your own program: a server in memory, in this process, on a free port.

    with bailiwick.testing.server() as server:
        iam = server.client("iam")  # boto3, as the root user

It verifies signatures and evaluates policies like any other; there is no mode in which it does not.
For pytest there are the fixtures `bailiwick` and `bailiwick_server` (docs/testing.md).
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bailiwick.app import environment, serve
from bailiwick.app.reset import METHOD, PATH, SERVICE
from bailiwick.app.server import listen
from bailiwick.app.server import server as http_server
from bailiwick.app.settings import Settings
from bailiwick.app.welcome import endpoint
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4.sign import sign
from bailiwick.directory import service_principals

_PATIENCE = 30.0  # seconds for the server to start, end, or answer

Keys = tuple[str, str] | tuple[str, str, str]


class Credentials(msgspec.Struct, frozen=True):
    """An access key, with its session token if it is temporary."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id})"

    def __iter__(self) -> Iterator[str | None]:
        """Access key id, secret access key, session token."""
        return iter((self.access_key_id, self.secret_access_key, self.session_token))


class Server:
    """A running server. `root` are the credentials of the root user of `account_id`."""

    def __init__(self, port: int, address: str, ephemeral: environment.Ephemeral) -> None:
        deployment = ephemeral.world.deployment
        self.endpoint_url = address
        self.account_id = deployment.account_id
        self.region = deployment.region
        self.root = Credentials(ephemeral.root.access_key_id, ephemeral.root.secret)
        self._port = port
        self._world = ephemeral.world

    def service(self, name: str) -> Credentials:
        """Register a service principal, such as `backup.example.internal`; returns its access key.

        Requests to it are signed for the first part of its name. Raises store.Duplicate for one that is taken.
        """
        world = self._world
        with world.store.transaction(write=True) as transaction:
            made = service_principals.create(transaction, world.environment, name, name.partition(".")[0])
        return Credentials(*made[1])

    def client(
        self,
        service: str,
        credentials: Credentials | Keys | None = None,
        region: str | None = None,
        **options: Any,
    ) -> Any:
        """A boto3 client of `service`, with the root user's credentials if no others are given.

        `credentials` may be a tuple of access key id, secret access key and, if temporary, session token;
        `options` go to boto3. Raises RuntimeError where boto3 is not installed.
        """
        try:
            import boto3
        except ImportError:
            raise RuntimeError(
                "server.client() needs boto3: `pip install boto3`, or point your own client at "
                f"{self.endpoint_url} with server.environ()"
            ) from None
        given = credentials or self.root
        key = given if isinstance(given, Credentials) else Credentials(*given)
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region or self.region,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            aws_session_token=key.session_token,
            **options,
        )

    def environ(self, credentials: Credentials | None = None) -> dict[str, str]:
        """Variables that lead every AWS client in a subprocess here, as the root user if not told otherwise."""
        key = credentials or self.root
        variables = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return variables | ({"AWS_SESSION_TOKEN": key.session_token} if key.session_token else {})

    def reset(self) -> None:
        """Empty every account; the root key stays. Raises RuntimeError if the server refuses."""
        host = f"127.0.0.1:{self._port}"
        request = sign(
            Request(METHOD, PATH, "", (Header("host", host),), b""),
            access_key_id=self.root.access_key_id,
            secret=self.root.secret_access_key,
            token=None,
            region=self.region,
            service=SERVICE,
            now=time.time(),
        )
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)) as connection:
            connection.request(METHOD, PATH, headers=dict(request.headers))
            answer = connection.getresponse()
            told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the server was not reset: {told.decode()}")


@contextmanager
def server(
    *,
    account_id: str = "123456789012",
    region: str = "us-east-1",
    partition: str = "aws",
    ldap: Path | None = None,
) -> Iterator[Server]:
    """Start a server, hand it out, end it. `ldap` is the mapping file of a directory that people sign in with."""
    settings = msgspec.convert(
        {"ephemeral": True, "port": 0, "account_id": account_id, "region": region, "partition": partition},
        Settings,
    )
    settings = msgspec.structs.replace(settings, ldap=ldap)
    with closing(listen(settings.host, 0)) as listener:
        port = listener.getsockname()[1]
        made = environment.in_memory(settings)
        with closing(made.world), closing(serve.ephemeral_edge(made, settings)) as edge:
            ready = threading.Event()
            running = http_server(edge, settings, ready.set)
            thread = threading.Thread(target=running.run, args=([listener],), name="bailiwick", daemon=True)
            thread.start()
            try:
                if not ready.wait(_PATIENCE):
                    raise RuntimeError("the server did not start; what it logged says why")
                yield Server(port, endpoint(settings, port), made)
            finally:
                running.should_exit = True
                thread.join(_PATIENCE)


__all__ = ["Credentials", "Server", "server"]
