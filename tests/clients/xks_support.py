"""Two houses for tests of external keys: one keeps keys, the other's rest on them; and the road between, which can be bad."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clients_support import ServerProcess
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certificate_authority import Holder, issued, named
from ports import free_port

ENDPOINT = "https://ekm.example.org"
KEY_ID, SECRET = "ABCDEFGHIJKLMNOPQRST", "a" * 43
CREDENTIAL = {"AccessKeyId": KEY_ID, "RawSecretAccessKey": SECRET}
ACCOUNT, REGION = "111122223333", "us-east-1"
TIMEOUT = 1.5
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Principal": {"Service": "cks.kms.amazonaws.com"},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"],
            "Resource": "*",
        },
    ],
}


class Authority:
    """An authority of one's own, and certificates by it, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = issued(time.time(), named("authority"), authority=True)
        self.file = folder / "authority.pem"
        self.file.write_text(self._own.pem)

    def certificate(self, host: str) -> tuple[Path, Path]:
        """The files of a certificate for a host, and of its key."""
        names = [
            x509.DNSName(host),
            *([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if host == "localhost" else []),
        ]
        made: Holder = issued(
            time.time(),
            named(host),
            self._own,
            extensions=[
                (x509.SubjectAlternativeName(names), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._own.key.public_key()), False),
            ],
        )
        form = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        certificate, key = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        certificate.write_text(made.pem)
        key.write_bytes(made.key.private_bytes(*form))
        key.chmod(0o600)
        return certificate, key


Manner = Callable[[socket.socket], None]


class Road:
    """A port that leads to another one, until it is told to do something else with connections. It counts them."""

    def __init__(self, authority: Authority) -> None:
        self._contexts = {host: self._context(authority, host) for host in ("localhost", "elsewhere.example")}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._manner: Manner = self._closes
        self._open: set[socket.socket] = set()
        self.opened = 0
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def leads_to(self, port: int) -> None:
        self._does(lambda connection: self._joined(connection, port))

    def answers(self, *parts: bytes, host: str = "localhost") -> None:
        """Take a request over TLS, and answer with these bytes: one after the other, as slowly as a miser."""

        def manner(plain: socket.socket) -> None:
            with (
                contextlib.suppress(OSError),
                self._contexts[host].wrap_socket(plain, server_side=True) as connection,
            ):
                _request(connection)
                for number, part in enumerate(parts):
                    if number and self.over.wait(0.02):
                        return
                    connection.sendall(part)

        self._does(manner)

    def is_silent(self) -> None:
        def manner(plain: socket.socket) -> None:
            with (
                contextlib.suppress(OSError),
                self._contexts["localhost"].wrap_socket(plain, server_side=True) as connection,
            ):
                while connection.recv(65536):
                    pass

        self._does(manner)

    def says(self, said: bytes) -> None:
        """No TLS."""
        self._does(lambda plain: plain.sendall(said))

    def hangs_up(self) -> None:
        self._does(self._closes)

    def close(self) -> None:
        self.over.set()
        self._does(self._closes)
        self._listener.close()

    def _does(self, manner: Manner) -> None:
        self._manner = manner
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            threading.Thread(target=self._serve, args=(connection, self._manner), daemon=True).start()

    def _serve(self, connection: socket.socket, manner: Manner) -> None:
        self._open.add(connection)
        with contextlib.suppress(OSError), connection:
            manner(connection)
        self._open.discard(connection)

    def _joined(self, near: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as far:
            back = threading.Thread(target=_carry, args=(far, near), daemon=True)
            back.start()
            _carry(near, far)
            back.join()

    @staticmethod
    def _closes(connection: socket.socket) -> None:
        connection.close()

    @staticmethod
    def _context(authority: Authority, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.certificate(host))
        return context


def _request(connection: socket.socket) -> None:
    """Read one request to its end."""
    with connection.makefile("rb") as incoming:
        length = 0
        while (line := incoming.readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        incoming.read(length)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Houses:
    """The keeper of keys, asked over TLS only, and the house whose keys rest on them. `road` leads to the keeper."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.road = Road(authority)
        self.metrics = free_port()
        secret = folder / "xks-secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        client = (
            f'access_key_id = "{KEY_ID}"\nsecret_file = "{secret}"\naccount = "{ACCOUNT}"\nregion = "{REGION}"\n'
        )
        (folder / "keeper.toml").write_text(f"[[clients]]\n{client}")
        (folder / "house.toml").write_text(
            f'timeout = {TIMEOUT}\n[proxies]\n"{ENDPOINT}" = "https://localhost:{self.road.port}"\n'
        )
        certificate, key = authority.certificate("localhost")
        (folder / "there").mkdir()
        (folder / "here").mkdir()
        served = ("--tls-cert", str(certificate), "--tls-key", str(key), "--xks", str(folder / "keeper.toml"))
        account = ("--account-id", ACCOUNT)
        self.keeper = ServerProcess(
            folder / "there" / "data", arguments=(*served, *account), authority=authority.file
        )
        self.house = ServerProcess(
            folder / "here" / "data",
            arguments=("--xks", str(folder / "house.toml"), "--metrics-port", str(self.metrics)),
            variables={"SSL_CERT_FILE": str(authority.file)},
        )
        self.keeper.start()
        self.road.leads_to(self.keeper.port)
        self.house.start()
        self.kms, self.there = self.house.client("kms"), self.keeper.client("kms")

    def external(self) -> str:
        """A key there that may be used from here."""
        return str(self.there.create_key(Policy=json.dumps(_POLICY))["KeyMetadata"]["KeyId"])

    def store(self, name: str, **changes: Any) -> str:
        return str(self.kms.create_custom_key_store(**described(name, **changes))["CustomKeyStoreId"])

    def connected(self, store: str) -> tuple[str, str | None]:
        """What became of connecting a store."""
        with contextlib.suppress(self.kms.exceptions.CustomKeyStoreInvalidStateException):
            self.kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        self.kms.connect_custom_key_store(CustomKeyStoreId=store)
        (entry,) = self.kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
        return entry["ConnectionState"], entry.get("ConnectionErrorCode")

    def key(self, store: str, external: str) -> str:
        made = self.kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external)
        return str(made["KeyMetadata"]["Arn"])

    def measured(self, name: str, *labels: str) -> float:
        """A metric of this house, of the series with these labels (`name="value"`)."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as told:
            lines = [line for line in told.read().decode().splitlines() if line.startswith(f"{name}{{")]
        (line,) = (line for line in lines if all(label in line for label in labels))
        return float(line.rpartition(" ")[2])

    def close(self) -> None:
        self.road.close()
        for server in (self.house, self.keeper):
            if server.process and server.process.poll() is None:
                server.stop()


def described(name: str, path: str = "/kms/xks/v1", credential: dict[str, str] | None = None) -> dict[str, Any]:
    """The parameters of an external key store."""
    return {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyUriEndpoint": ENDPOINT,
        "XksProxyUriPath": path,
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyAuthenticationCredential": credential or CREDENTIAL,
    }


@contextlib.contextmanager
def houses(folder: Path) -> Iterator[Houses]:
    made = Houses(folder)
    try:
        yield made
    finally:
        made.close()
