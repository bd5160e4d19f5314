"""The enveloped signature of a SAML message: what it covers, and only that, is handed back.

The profile is SAML's (Core, section 5.4): one signature, a child of what it signs; one reference, to the ID of that
element; the transforms enveloped-signature and exclusive canonicalization. Anything else is refused.

Signature wrapping has nothing to wrap here: whoever verifies gets the element read anew from the very bytes that
were digested, and reads nothing else of the document. So does this file with SignedInfo.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bailiwick.core.assertion import canonical, xml_tree
from bailiwick.core.assertion.xml_tree import Element
from bailiwick.core.errors import SamlMalformed, SamlUnproven

DS = "http://www.w3.org/2000/09/xmldsig#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_ENVELOPED = DS + "enveloped-signature"
_MAX_PREFIXES = 32
_MIN_RSA_BITS = 1024

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class _Method(NamedTuple):
    kind: type[PublicKey]
    hash: hashes.HashAlgorithm


_METHODS = {
    _MORE + "rsa-sha256": _Method(rsa.RSAPublicKey, hashes.SHA256()),
    _MORE + "rsa-sha384": _Method(rsa.RSAPublicKey, hashes.SHA384()),
    _MORE + "rsa-sha512": _Method(rsa.RSAPublicKey, hashes.SHA512()),
    _MORE + "ecdsa-sha256": _Method(ec.EllipticCurvePublicKey, hashes.SHA256()),
    _MORE + "ecdsa-sha384": _Method(ec.EllipticCurvePublicKey, hashes.SHA384()),
    _MORE + "ecdsa-sha512": _Method(ec.EllipticCurvePublicKey, hashes.SHA512()),
}
_DIGESTS = {_ENC + "sha256": "sha256", _MORE + "sha384": "sha384", _ENC + "sha512": "sha512"}
_SHA1_METHODS = {DS + "rsa-sha1": _Method(rsa.RSAPublicKey, hashes.SHA1())}  # noqa: S303  (only if allowed)
_SHA1_DIGESTS = {DS + "sha1": "sha1"}


def keys_of(certificates: Iterable[bytes]) -> tuple[PublicKey, ...]:
    """The public keys in certificates (DER). They are pinned: neither chain nor dates of a certificate matter."""
    from cryptography import x509  # not at every start

    found: list[PublicKey] = []
    for der in certificates:
        key = x509.load_der_x509_certificate(der).public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) or (
            isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA_BITS
        ):
            found.append(key)
    return tuple(found)


def signature_of(element: Element) -> Element | None:
    """The signature that an element carries. Raises SamlUnproven for more than one."""
    found = element.named(DS, "Signature")
    if len(found) > 1:
        raise SamlUnproven("an element carries more than one signature")
    return found[0] if found else None


def verified(element: Element, keys: Iterable[PublicKey], *, sha1: bool = False) -> Element:
    """The element as it was signed by one of `keys`, read from the bytes that the signature covers.

    `sha1` allows SHA-1 too. Raises SamlUnproven, SamlMalformed.
    """
    signature = signature_of(element)
    if signature is None:
        raise SamlUnproven("it is not signed")
    info_bytes = canonical.canonical(_only(signature, "SignedInfo"))
    info = xml_tree.read(info_bytes)
    method = _method(info, sha1)
    value = _base64(_only(signature, "SignatureValue"))
    if not any(_fits(key, method, value, info_bytes) for key in keys):
        raise SamlUnproven("no certificate of the provider's metadata made its signature")
    signed = canonical.canonical(element, signature, _transforms(info, element))
    digest = _only(_only(info, "Reference"), "DigestMethod").get("Algorithm") or ""
    algorithm = (_DIGESTS | _SHA1_DIGESTS if sha1 else _DIGESTS).get(digest)
    if algorithm is None:
        raise SamlUnproven(f"the digest algorithm {digest!r} is not accepted")
    expected = _base64(_only(_only(info, "Reference"), "DigestValue"))
    if not hmac.compare_digest(hashlib.new(algorithm, signed).digest(), expected):
        raise SamlUnproven("it was changed after it was signed")
    return xml_tree.read(signed)


def _method(info: Element, sha1: bool) -> _Method:
    if _only(info, "CanonicalizationMethod").get("Algorithm") != canonical.ALGORITHM:
        raise SamlUnproven("its SignedInfo is not canonicalized exclusively")
    name = _only(info, "SignatureMethod").get("Algorithm") or ""
    method = (_METHODS | _SHA1_METHODS if sha1 else _METHODS).get(name)
    if method is None:
        raise SamlUnproven(f"the signature algorithm {name!r} is not accepted")
    return method


def _transforms(info: Element, element: Element) -> list[str]:
    """The prefixes to keep, once it is certain that the one reference is to `element` and in SAML's form."""
    reference = _only(info, "Reference")
    identifier = element.get("ID")
    if not identifier or reference.get("URI") != f"#{identifier}":
        raise SamlUnproven("its signature is over something else")
    transforms = _only(reference, "Transforms").elements
    names = [each.get("Algorithm") for each in transforms]
    if names != [_ENVELOPED, canonical.ALGORITHM] or any(each.name[:2] != (DS, "Transform") for each in transforms):
        raise SamlUnproven("its signature has other transforms than SAML allows")
    if transforms[0].elements:
        raise SamlUnproven("its signature has other transforms than SAML allows")
    lists = transforms[1].elements
    if not lists:
        return []
    if len(lists) > 1 or lists[0].name[:2] != (canonical.ALGORITHM, "InclusiveNamespaces"):
        raise SamlUnproven("its signature has other transforms than SAML allows")
    prefixes = (lists[0].get("PrefixList") or "").split()
    if len(prefixes) > _MAX_PREFIXES:
        raise SamlUnproven("its signature keeps too many namespaces")
    return prefixes


def _fits(key: PublicKey, method: _Method, signature: bytes, message: bytes) -> bool:
    if not isinstance(key, method.kind):
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), method.hash)
        else:
            half = (key.key_size + 7) // 8  # XML Signature has r and s side by side, not in DER
            if len(signature) != 2 * half:
                return False
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(method.hash))
    except InvalidSignature:
        return False
    return True


def _only(element: Element, local: str) -> Element:
    """The one child of this name. Two of them are one too many."""
    found = element.named(DS, local)
    if len(found) != 1:
        raise SamlUnproven(f"its signature does not have exactly one {local}")
    return found[0]


def _base64(element: Element) -> bytes:
    if element.elements:
        raise SamlMalformed("what should be base64 holds elements")
    try:
        return base64.b64decode("".join(element.text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SamlMalformed("what should be base64 is not") from None
