"""An identity provider with real keys: it signs with signxml and encrypts as XML Encryption says.

idp = IdentityProvider()
response = idp.response(now, roles=[(role, provider)])      # the bytes of a Response, its assertion signed
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from signxml import DigestAlgorithm, SignatureConstructionMethod, XMLSigner

SAML, SAMLP = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
DS, XENC = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
AWS = "https://aws.amazon.com/SAML/Attributes/"
ACS = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"


@cache
def rsa_key(name: str = "idp") -> rsa.RSAPrivateKey:
    """One key for each name, made once in a run."""
    return rsa.generate_private_key(65537, 2048)


def certificate(key: Any, name: str = "idp.example.org") -> x509.Certificate:
    """A certificate that a key signs for itself; it expired long ago, which is nobody's business here."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1000)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )


def der(found: x509.Certificate) -> bytes:
    return found.public_bytes(serialization.Encoding.DER)


def instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class IdentityProvider:
    """A provider with one key, RSA unless it is given another."""

    def __init__(self, entity_id: str = "https://idp.example.org/saml", key: Any = None) -> None:
        self.entity_id = entity_id
        self.key = key or rsa_key()
        self.certificate = certificate(self.key)
        self.made = 0

    @property
    def metadata(self) -> str:
        encoded = base64.encodebytes(der(self.certificate)).decode()
        return (
            f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="{DS}" '
            f"entityID={quoteattr(self.entity_id)}>"
            f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"><md:KeyDescriptor use="signing"><ds:KeyInfo>'
            f"<ds:X509Data><ds:X509Certificate>{encoded}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
            "</md:KeyDescriptor><md:SingleSignOnService "
            'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.org/sso"/>'
            "</md:IDPSSODescriptor></md:EntityDescriptor>"
        )

    def response(
        self,
        now: float,
        *,
        sign: str = "assertion",
        encrypt: rsa.RSAPublicKey | None = None,
        cipher: str = "gcm",
        algorithm: str = "rsa-sha256",
        destination: str | None = ACS,
        status: str = "urn:oasis:names:tc:SAML:2.0:status:Success",
        **said: Any,
    ) -> bytes:
        """A Response; `sign` is assertion, response, both or none, `said` is what `assertion` takes."""
        assertion = self.assertion(now, **said)
        if sign in ("assertion", "both"):
            assertion = self.sign(assertion, algorithm)
        if encrypt is not None:
            assertion = encrypted(assertion, encrypt, cipher)
        self.made += 1
        where = f" Destination={quoteattr(destination)}" if destination else ""
        response = (
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'ID="_response{self.made}" Version="2.0" IssueInstant="{instant(now)}"{where}>\n'
            f'  <saml:Issuer xmlns:saml="{SAML}">{escape(self.entity_id)}</saml:Issuer>\n'
            f'  <samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>\n'
            f"  {assertion}\n</samlp:Response>"
        )
        return (self.sign(response, algorithm) if sign in ("response", "both") else response).encode()

    def assertion(
        self,
        now: float,
        *,
        roles: Sequence[tuple[str, str]] = (),
        session_name: str | None = "alice@example.org",
        subject: str | None = "alice",
        name_format: str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        attributes: Sequence[tuple[str, Sequence[str]]] = (),
        audience: str | None = AUDIENCE,
        recipient: str = ACS,
        issuer: str | None = None,
        issued: float | None = None,
        not_before: float | None = None,
        not_after: float | None = None,
        confirmed_until: float | None = None,
        session_ends: float | None = None,
        identifier: str | None = None,
    ) -> str:
        """An unsigned assertion; times are epoch seconds."""
        issued = now if issued is None else issued
        ends = instant(now + 300 if not_after is None else not_after)
        all_attributes = [(AWS + "Role", [f"{role},{provider}" for role, provider in roles]), *attributes]
        if session_name is not None:
            all_attributes.append((AWS + "RoleSessionName", [session_name]))
        self.made += 1
        name = "" if subject is None else f"<saml:NameID Format={quoteattr(name_format)}>{subject}</saml:NameID>"
        statement = "".join(
            f'<saml:Attribute Name={quoteattr(key)} NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri">'
            + "".join(
                f'<saml:AttributeValue xsi:type="xs:string">{escape(value)}</saml:AttributeValue>'
                for value in values
            )
            + "</saml:Attribute>\n    "
            for key, values in all_attributes
            if values
        )
        restriction = (
            f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
            if audience
            else ""
        )
        confirmed = instant(now + 300 if confirmed_until is None else confirmed_until)
        session = f' SessionNotOnOrAfter="{instant(session_ends)}"' if session_ends is not None else ""
        return (
            f'<saml:Assertion xmlns:saml="{SAML}" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'ID="{identifier or f"_assertion{self.made}-{os.urandom(8).hex()}"}" Version="2.0" '
            f'IssueInstant="{instant(issued)}">'
            f"<saml:Issuer>{escape(issuer or self.entity_id)}</saml:Issuer>"
            f'<saml:Subject>{name}<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{confirmed}" Recipient={quoteattr(recipient)}/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{instant(now - 5 if not_before is None else not_before)}" '
            f'NotOnOrAfter="{ends}">{restriction}</saml:Conditions>'
            f'<saml:AuthnStatement AuthnInstant="{instant(now)}"{session}><saml:AuthnContext>'
            "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f"<saml:AttributeStatement>\n    {statement}</saml:AttributeStatement></saml:Assertion>"
        )

    def sign(self, text: str, algorithm: str = "rsa-sha256", **how: Any) -> str:
        """The element with an enveloped signature after its Issuer, made by signxml."""
        root = etree.fromstring(text.encode())
        place = etree.SubElement(root, f"{{{DS}}}Signature", nsmap={"ds": DS})
        place.set("Id", "placeholder")
        root.insert(1, place)
        signer = _Sha1 if "sha1" in algorithm else XMLSigner
        made = signer(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=algorithm,
            digest_algorithm=DigestAlgorithm.SHA1 if "sha1" in algorithm else DigestAlgorithm.SHA256,
            c14n_algorithm=EXCLUSIVE,
        )
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        signed = made.sign(root, key=self.key, cert=pem, reference_uri=root.get("ID"), id_attribute="ID", **how)
        return etree.tostring(signed).decode()


class _Sha1(XMLSigner):
    """One that still signs with SHA-1."""

    def check_deprecated_methods(self) -> None:
        pass


def encrypted(assertion: str, to: rsa.RSAPublicKey, cipher: str = "gcm", transport: str = "mgf1p") -> str:
    """An EncryptedAssertion: AES-256 in GCM, or in CBC, under a key wrapped by RSA-OAEP."""
    secret, plain = os.urandom(32), assertion.encode()
    if cipher == "gcm":
        algorithm, nonce = XENC11 + "aes256-gcm", os.urandom(12)
        message = nonce + AESGCM(secret).encrypt(nonce, plain, None)
    else:
        algorithm, vector = XENC + "aes256-cbc", os.urandom(16)
        count = 16 - len(plain) % 16
        padded = plain + os.urandom(count - 1) + bytes((count,))
        encryptor = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
        message = vector + encryptor.update(padded) + encryptor.finalize()
    if transport == "mgf1p":
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        method = f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p"/>'
    elif transport == "pkcs1":
        method = f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-1_5"/>'
        oaep = padding.PKCS1v15()  # type: ignore[assignment]
    else:
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        method = (
            f'<xenc:EncryptionMethod Algorithm="{XENC11}rsa-oaep"><ds:DigestMethod Algorithm="{XENC}sha256"/>'
            f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1sha256"/></xenc:EncryptionMethod>'
        )
    wrapped = base64.b64encode(to.encrypt(secret, oaep)).decode()
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData xmlns:xenc="{XENC}" '
        f'Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{algorithm}"/><ds:KeyInfo xmlns:ds="{DS}">'
        f"<xenc:EncryptedKey>{method}<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue>"
        "</xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>"
        f"{base64.b64encode(message).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
        "</saml:EncryptedAssertion>"
    )


def ec_provider() -> IdentityProvider:
    """A provider that signs with ECDSA on P-256."""
    return IdentityProvider("https://ec.example.org", ec.generate_private_key(ec.SECP256R1()))
