"""A directory in this process: a few entries, a thread, and LDAP read with a decoder of its own.

It can be told to misbehave, which a real server cannot.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bailiwick.core.ldap import ber, names

IN_CHAIN = "1.2.840.113556.1.4.1941"

Node = tuple[Any, ...]


def filter_of(tag: int, content: bytes) -> Node:
    """A filter as nested tuples, read from its binary form."""
    reader = ber.Reader(content)
    if tag in (0xA0, 0xA1, 0xA2):
        inner = []
        while reader.more:
            inner.append(filter_of(*reader.element()))
        return ({0xA0: "and", 0xA1: "or", 0xA2: "not"}[tag], *inner)
    if tag == 0x87:
        return ("present", content.decode())
    if tag == 0xA4:
        attribute, pieces, inside = reader.text(), [], ber.Reader(reader.expect(ber.SEQUENCE))
        while inside.more:
            kind, piece = inside.element()
            pieces.append(({0x80: "initial", 0x81: "any", 0x82: "final"}[kind], piece))
        return ("substrings", attribute, *pieces)
    if tag == 0xA9:
        parts = {}
        while reader.more:
            kind, value = reader.element()
            parts[{0x81: "rule", 0x82: "attribute", 0x83: "value", 0x84: "dn"}[kind]] = value
        return ("extensible", parts)
    return ({0xA3: "equal", 0xA5: "ge", 0xA6: "le", 0xA8: "approx"}[tag], reader.text(), reader.expect(ber.OCTETS))


class FakeDirectory:
    """Entries by DN: their attributes, of which `userPassword` is what a bind needs."""

    def __init__(self, entries: dict[str, dict[str, list[str]]], tls: ssl.SSLContext | None = None) -> None:
        self.entries = entries
        self.tls = tls
        self.secure = False  # TLS from the beginning
        self.seen: list[Node] = []  # the filters of the searches
        self.binds: list[str] = []
        self.accepted = 0
        self.answer_bind: Callable[[str], int | None] = lambda dn: None
        self.before_answer: Callable[[socket.socket], bool] = lambda connection: True
        self.injected = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def url(self, scheme: str = "ldap", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}"

    def drop(self) -> None:
        """End every connection."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.secure:
                assert self.tls
                connection = self.tls.wrap_socket(connection, server_side=True)
            buffer, bound = b"", ""
            while True:
                while (size := ber.whole(buffer, 1 << 20)) is None or len(buffer) < size:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                message, buffer = buffer[:size], buffer[size:]
                reader = ber.Reader(ber.Reader(message).expect(ber.SEQUENCE))
                number, (tag, body) = reader.integer(), reader.element()
                if tag == 0x42 or not self.before_answer(connection):
                    return
                if tag == 0x77:
                    connection.sendall(_result(number, 0x78, 0 if self.tls else 52) + self.injected)
                    if self.tls:
                        connection = self.tls.wrap_socket(connection, server_side=True)
                elif tag == 0x60:
                    code, bound = self._bind(ber.Reader(body))
                    connection.sendall(_result(number, 0x61, code))
                else:
                    connection.sendall(self._search(number, ber.Reader(body), bound))
        except (OSError, ssl.SSLError):
            return
        finally:
            connection.close()

    def _bind(self, reader: ber.Reader) -> tuple[int, str]:
        reader.integer()
        dn, password = reader.text(), reader.expect(0x80).decode()
        self.binds.append(dn)
        said = self.answer_bind(dn)
        if said is not None:
            return said, ""
        if not password:
            return 0, ""  # as careless servers do: an unauthenticated bind succeeds
        found = self._at(dn)
        return (0, dn) if found and password in found[1].get("userPassword", []) else (49, "")

    def _at(self, dn: str) -> tuple[str, dict[str, list[str]]] | None:
        wanted = names.normal(dn)
        return next(((each, of) for each, of in self.entries.items() if names.normal(each) == wanted), None)

    def _search(self, number: int, reader: ber.Reader, bound: str) -> bytes:
        base, scope = reader.text(), reader.integer(ber.ENUMERATED)
        reader.integer(ber.ENUMERATED)
        most, _, _ = reader.integer(), reader.integer(), reader.element()
        wanted = filter_of(*reader.element())
        attributes = []
        listed = ber.Reader(reader.expect(ber.SEQUENCE))
        while listed.more:
            attributes.append(listed.text().lower())
        self.seen.append(wanted)
        if not bound:
            return _result(number, 0x65, 50)
        found = [
            (dn, entry)
            for dn, entry in self.entries.items()
            if (
                names.is_below(names.normal(dn), names.normal(base))
                if scope == 2
                else names.normal(dn) == names.normal(base)
            )
            and self._matches(entry, wanted)
        ]
        answer = b"".join(_entry(number, dn, entry, attributes) for dn, entry in found[:most])
        return answer + _result(number, 0x65, 4 if len(found) > most else 0)

    def _matches(self, entry: dict[str, list[str]], wanted: Node) -> bool:
        values = {name.lower(): [each.lower() for each in of] for name, of in entry.items()}
        match wanted:
            case ("and", *inner):
                return all(self._matches(entry, each) for each in inner)
            case ("or", *inner):
                return any(self._matches(entry, each) for each in inner)
            case ("not", inner):
                return not self._matches(entry, inner)
            case ("present", attribute):
                return attribute.lower() in values or attribute == "objectClass"
            case ("equal", attribute, value):
                return value.decode().lower() in values.get(attribute.lower(), [])
            case ("extensible", {"rule": rule, "attribute": attribute, "value": value}) if (
                rule.decode() == IN_CHAIN
            ):
                return self._within(entry, attribute.decode(), value.decode())
        raise AssertionError(f"the fake does not know {wanted}")

    def _within(self, group: dict[str, list[str]], attribute: str, dn: str) -> bool:
        """Whether `dn` is in a group, or in one that is in it."""
        members = group.get(attribute, [])
        return dn in members or any(
            self._within(self.entries[member], attribute, dn) for member in members if member in self.entries
        )


def _result(number: int, tag: int, code: int, text: str = "") -> bytes:
    body = ber.encode(tag, ber.integer(code, ber.ENUMERATED), ber.octets(""), ber.octets(text))
    return ber.encode(ber.SEQUENCE, ber.integer(number), body)


def _entry(number: int, dn: str, entry: dict[str, list[str]], attributes: list[str]) -> bytes:
    shown = [
        ber.encode(ber.SEQUENCE, ber.octets(name), ber.encode(ber.SET, *map(ber.octets, values)))
        for name, values in entry.items()
        if name.lower() in attributes
    ]
    body = ber.encode(0x64, ber.octets(dn), ber.encode(ber.SEQUENCE, *shown))
    return ber.encode(ber.SEQUENCE, ber.integer(number), body)


class Authority:
    """A certificate authority in a folder, and certificates by it for names and addresses."""

    def __init__(self, folder: Path, name: str = "company") -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._signed(f"{name} CA", self._key, [], ca=True)
        self.file = folder / f"{name}-ca.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *subjects: str) -> tuple[Path, Path]:
        """The files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(subjects[0], key, list(subjects), ca=False)
        certificate, private = (self._folder / f"{self._name}-{subjects[0]}.{end}" for end in ("crt", "key"))
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, private

    def context(self, *subjects: str) -> ssl.SSLContext:
        """What a server for `subjects` needs."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*self.issue(*subjects))
        return made

    def _signed(self, name: str, key: Any, subjects: list[str], *, ca: bool) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if ca else self._certificate.subject
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if subjects:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(s) for s in subjects]), False)
        return builder.sign(self._key, hashes.SHA256())


def _general(subject: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(subject))
    except ValueError:
        return x509.DNSName(subject)


PEOPLE, GROUPS = "ou=people,dc=example,dc=org", "ou=groups,dc=example,dc=org"
SERVICE = f"cn=bailiwick,{PEOPLE}"


def company() -> dict[str, dict[str, list[str]]]:
    """A small company: alice, an administrator; bob, in a group within a group; a service account."""
    alice, bob = f"uid=alice,{PEOPLE}", f"uid=bob,{PEOPLE}"
    admins, staff = f"cn=admins,{GROUPS}", f"cn=staff,{GROUPS}"
    return {
        SERVICE: {"userPassword": ["service secret"]},
        alice: {
            "uid": ["alice"],
            "mail": ["alice@example.org"],
            "departmentNumber": ["R&D"],
            "userPassword": ["alice's password"],
            "memberOf": [admins, staff],
        },
        bob: {"uid": ["bob"], "userPassword": ["bob's password"], "memberOf": [staff]},
        f"uid=twin,ou=a,{PEOPLE}": {"uid": ["twin"], "userPassword": ["twin"]},
        f"uid=twin,ou=b,{PEOPLE}": {"uid": ["twin"], "userPassword": ["twin"]},
        admins: {"cn": ["admins"], "member": [alice]},
        staff: {"cn": ["staff"], "member": [admins, bob]},
    }


RULES = """
[[rule]]
group = "cn=Admins, ou=groups, dc=example, dc=org"
roles = ["arn:aws:iam::123456789012:role/admin"]
tags = { team = "platform" }

[[rule]]
group = "staff"
roles = ["arn:aws:iam::123456789012:role/staff", "arn:aws:iam::123456789012:role/app-*"]
"""


def mapping(folder: Path, *urls: str, server: str = "", user: str = "", group: str = "", rest: str = RULES) -> Path:
    """A mapping file for `company()`."""
    secret = folder / "ldap-password"
    secret.write_text("service secret\n")
    secret.chmod(0o600)
    file = folder / "ldap.toml"
    groups = group or 'attribute = "memberOf"'
    find = user or f'base = "{PEOPLE}"\nfilter = "(uid={{user}})"'
    file.write_text(
        f'name = "company"\n[server]\nurls = {list(urls)}\ntimeout = 5.0\n{server}\n'
        f'bind_dn = "{SERVICE}"\nbind_password_file = "ldap-password"\n'
        f"[user]\n{find}\n[group]\n{groups}\n"
        f'[tags]\ndepartment = "departmentNumber"\n{rest}'
    )
    return file
