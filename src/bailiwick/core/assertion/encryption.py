"""Encrypted assertions: XML Encryption with a key wrapped by RSA-OAEP, and AES in GCM or CBC.

Source: W3C "XML Encryption 1.1", sections 5.2, 5.4 and 5.5.2. RSA with PKCS #1 v1.5 is refused, and every failure
is the same error: who sends made-up ciphertexts must not learn from the answer what was wrong with them. CBC proves
nothing of its ciphertext, and how long an answer takes may tell what it was made into (Jager and Somorovsky, "How
to Break XML Encryption", 2011): it is opened only where a signature covers it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.core.assertion import xml_tree
from bailiwick.core.assertion.signature import DS
from bailiwick.core.assertion.xml_tree import Element
from bailiwick.core.errors import SamlMalformed, SamlUnproven

_XENC = "http://www.w3.org/2001/04/xmlenc#"
_XENC11 = "http://www.w3.org/2009/xmlenc11#"
_OAEP_MGF1P = _XENC + "rsa-oaep-mgf1p"
_OAEP = _XENC11 + "rsa-oaep"
_BLOCK = 16
_NONCE, _TAG = 12, 16

_CBC = {_XENC + "aes128-cbc": 16, _XENC + "aes192-cbc": 24, _XENC + "aes256-cbc": 32}
_GCM = {_XENC11 + "aes128-gcm": 16, _XENC11 + "aes192-gcm": 24, _XENC11 + "aes256-gcm": 32}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    DS + "sha1": hashes.SHA1(),  # noqa: S303  (in OAEP it need not resist collisions)
    _XENC + "sha256": hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384(),
    _XENC + "sha512": hashes.SHA512(),
}
_MGF = {
    _XENC11 + "mgf1sha1": hashes.SHA1(),  # noqa: S303
    _XENC11 + "mgf1sha256": hashes.SHA256(),
    _XENC11 + "mgf1sha384": hashes.SHA384(),
    _XENC11 + "mgf1sha512": hashes.SHA512(),
}


def decrypted(encrypted: Element, keys: Iterable[rsa.RSAPrivateKey], *, signed: bool) -> Element:
    """The element inside an EncryptedAssertion, opened with one of `keys`. Raises SamlUnproven.

    `signed` says that it was read from what a signature covers.
    """
    data = _only(encrypted, "EncryptedData")
    algorithm = _method(data).get("Algorithm") or ""
    size = _CBC.get(algorithm) or _GCM.get(algorithm)
    if size is None:
        raise SamlUnproven(f"the encryption algorithm {algorithm!r} is not accepted")
    if algorithm in _CBC and not signed:
        raise SamlUnproven("an assertion encrypted with AES-CBC must be in a signed response", check="encryption")
    wrapped = _encrypted_key(encrypted, data)
    oaep, ciphertext, message = _padding(wrapped), _cipher_value(wrapped), _cipher_value(data)
    opened = _opened(message, algorithm, size, oaep, ciphertext, keys)
    if opened is None:
        raise SamlUnproven("it cannot be decrypted with a private key of the provider")
    # An element among the namespaces of the place that it was taken from (XML Encryption, section 4.4).
    names = " ".join(
        f'xmlns{":" if prefix else ""}{prefix}="{_quoted(uri)}"'
        for prefix, uri in encrypted.scope.items()
        if prefix != "xml" and (uri or not prefix)
    )
    try:
        inside = xml_tree.read(f"<opened {names}>".encode() + opened + b"</opened>").elements
    except SamlMalformed as error:
        raise SamlUnproven(f"what was encrypted is not fit to be read: {error.reason}") from None
    if len(inside) != 1:
        raise SamlUnproven("what was encrypted is not one assertion")
    return inside[0]


def _opened(
    message: bytes,
    algorithm: str,
    size: int,
    oaep: padding.OAEP,
    wrapped: bytes,
    keys: Iterable[rsa.RSAPrivateKey],
) -> bytes | None:
    for key in keys:
        try:
            secret = key.decrypt(wrapped, oaep)
        except ValueError:
            continue
        if len(secret) != size:
            continue
        opened = _gcm(secret, message) if algorithm in _GCM else _cbc(secret, message)
        if opened is not None:
            return opened
    return None


def _gcm(key: bytes, message: bytes) -> bytes | None:
    if len(message) < _NONCE + _TAG:
        return None
    try:
        return AESGCM(key).decrypt(message[:_NONCE], message[_NONCE:], None)
    except InvalidTag:
        return None


def _cbc(key: bytes, message: bytes) -> bytes | None:
    if len(message) < 2 * _BLOCK or len(message) % _BLOCK:
        return None
    decryptor = Cipher(algorithms.AES(key), modes.CBC(message[:_BLOCK])).decryptor()
    padded = decryptor.update(message[_BLOCK:]) + decryptor.finalize()
    count = padded[-1]  # the other bytes of the padding may be anything
    return padded[:-count] if 1 <= count <= _BLOCK else None


def _encrypted_key(encrypted: Element, data: Element) -> Element:
    """The wrapped key: inside the data's KeyInfo, or beside the data."""
    inside = [key for info in data.named(DS, "KeyInfo") for key in info.named(_XENC, "EncryptedKey")]
    found = inside or encrypted.named(_XENC, "EncryptedKey")
    if len(found) != 1:
        raise SamlUnproven("it does not have exactly one EncryptedKey")
    return found[0]


def _padding(wrapped: Element) -> padding.OAEP:
    method = _method(wrapped)
    algorithm = method.get("Algorithm") or ""
    digest = _choice(method, DS, "DigestMethod", _HASHES, hashes.SHA1())  # noqa: S303
    if algorithm == _OAEP_MGF1P:
        mask: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303
    elif algorithm == _OAEP:
        mask = _choice(method, _XENC11, "MGF", _MGF, hashes.SHA1())  # noqa: S303
    else:
        raise SamlUnproven(f"the key transport {algorithm!r} is not accepted")
    if method.named(_XENC, "OAEPparams"):
        raise SamlUnproven("OAEP parameters are not accepted")
    return padding.OAEP(padding.MGF1(mask), digest, None)


def _choice(
    method: Element, space: str, local: str, known: dict[str, hashes.HashAlgorithm], default: hashes.HashAlgorithm
) -> hashes.HashAlgorithm:
    found = method.named(space, local)
    if not found:
        return default
    chosen = known.get(found[0].get("Algorithm") or "")
    if chosen is None or len(found) > 1:
        raise SamlUnproven("a hash of its key transport is not accepted")
    return chosen


def _method(element: Element) -> Element:
    return _only(element, "EncryptionMethod")


def _cipher_value(element: Element) -> bytes:
    value = _only(_only(element, "CipherData"), "CipherValue")
    try:
        return base64.b64decode("".join(value.text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SamlUnproven("its ciphertext is not base64") from None


def _only(element: Element, local: str) -> Element:
    found = element.named(_XENC, local)
    if len(found) != 1:
        raise SamlUnproven(f"it does not have exactly one {local}")
    return found[0]


def _quoted(uri: str) -> str:
    return uri.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
