"""The metadata of a SAML 2.0 identity provider: who it is, and with which keys it signs.

Source: OASIS "Metadata for SAML V2.0", sections 2.3 and 2.4. The document is attacked input: it is read by names
and namespaces, in one pass that keeps only what is looked for; a document type or an entity of its own, deep
nesting and too many elements are refused.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from xml.parsers import expat

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bailiwick.core.errors import MetadataError

MAX_CERTIFICATES = 10
_MIN_BITS = 1024
_MAX_DEPTH = 32
_MAX_ELEMENTS = 20_000
_MAX_CERTIFICATE = 32_768  # characters of base64
_MAX_ENTITY_ID = 1024
_MD = "urn:oasis:names:tc:SAML:2.0:metadata "
_DS = "http://www.w3.org/2000/09/xmldsig# "
_ENTITY, _IDP, _KEY = _MD + "EntityDescriptor", _MD + "IDPSSODescriptor", _MD + "KeyDescriptor"
_SERVICE, _REDIRECT = _MD + "SingleSignOnService", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_CERTIFICATE = [_ENTITY, _IDP, _KEY, _DS + "KeyInfo", _DS + "X509Data", _DS + "X509Certificate"]
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class Metadata(msgspec.Struct, frozen=True):
    """What matters of a provider's metadata.

    `certificates` are those that sign, as DER. `valid_until` is epoch seconds, None where nothing is said.
    `sign_in` is where a browser is redirected to with a request, if the provider takes one so.
    """

    entity_id: str
    certificates: tuple[bytes, ...]
    valid_until: float | None = None
    sign_in: str = ""


def read(document: str) -> Metadata:
    """Read a document whose root is an EntityDescriptor. Raises MetadataError."""
    reader = _Reader()
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(document.encode("utf-8", "surrogatepass"), True)
    except expat.ExpatError:
        raise MetadataError("it is not well-formed XML") from None
    if not reader.is_provider:
        raise MetadataError("it has no IDPSSODescriptor")
    certificates = tuple(dict.fromkeys(_signing(text) for text in reader.certificates))
    if not certificates:
        raise MetadataError("it has no signing certificate")
    if len(certificates) > MAX_CERTIFICATES:
        raise MetadataError(f"it has more than {MAX_CERTIFICATES} signing certificates")
    return Metadata(reader.entity_id, certificates, min(reader.valid_until, default=None), reader.sign_in)


class _Reader:
    """Follows the elements from the root down, and keeps what is looked for."""

    def __init__(self) -> None:
        self.entity_id = ""
        self.is_provider = False
        self.sign_in = ""
        self.valid_until: list[float] = []
        self.certificates: list[str] = []
        self._path: list[str] = []
        self._count = 0
        self._signs = False
        self._parts: list[str] | None = None  # of the certificate that is being read
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        self._count += 1
        if len(self._path) > _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise MetadataError("it is too deep or has too many elements")
        if len(self._path) == 1:
            self._root(name, attributes)
        elif self._path == [_ENTITY, _IDP]:
            self.is_provider = True
            self._expires(attributes)
        elif self._path == [_ENTITY, _IDP, _KEY]:
            self._signs = attributes.get("use", "signing") == "signing"  # without a use it is for both
        elif self._path == [_ENTITY, _IDP, _SERVICE]:
            if attributes.get("Binding") == _REDIRECT and not self.sign_in:
                self.sign_in = attributes.get("Location", "")[:_MAX_ENTITY_ID]
        elif self._path == _CERTIFICATE and self._signs:
            self._parts, self._length = [], 0

    def end(self, _name: str) -> None:
        if self._parts is not None and self._path == _CERTIFICATE:
            self.certificates.append("".join(self._parts))
            self._parts = None
        self._path.pop()

    def text(self, data: str) -> None:
        if self._parts is None:
            return
        self._length += len(data)
        if self._length > _MAX_CERTIFICATE or len(self.certificates) > MAX_CERTIFICATES:
            raise MetadataError("its certificates are too long or too many")
        self._parts.append(data)

    def _root(self, name: str, attributes: dict[str, str]) -> None:
        if name != _ENTITY:
            raise MetadataError("its root is no EntityDescriptor of SAML 2.0")
        self.entity_id = attributes.get("entityID", "")
        if not 0 < len(self.entity_id) <= _MAX_ENTITY_ID:
            raise MetadataError("its entityID is missing or too long")
        self._expires(attributes)

    def _expires(self, attributes: dict[str, str]) -> None:
        if "validUntil" in attributes:
            self.valid_until.append(_seconds(attributes["validUntil"]))


def _refuse(*_: object) -> None:
    raise MetadataError("it has a document type or an entity of its own")


def _signing(text: str) -> bytes:
    """A certificate that signs, as DER: of an elliptic curve, or of an RSA key of 1,024 bits or more."""
    from cryptography import x509  # not at every start

    try:
        der = base64.b64decode("".join(text.split()), validate=True)
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise MetadataError("a signing certificate cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_BITS:
        raise MetadataError(f"a signing certificate holds an RSA key of less than {_MIN_BITS} bits")
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise MetadataError("a signing certificate holds neither an RSA nor an elliptic curve key")
    return der


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        zone = match[2] if match[2] not in (None, "Z") else "+00:00"
        return float(int(datetime.fromisoformat(match[1] + zone).astimezone(UTC).timestamp()))
    except (ValueError, OverflowError):
        raise MetadataError("its validUntil is not a time") from None
