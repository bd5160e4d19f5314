"""SAML 2.0: from the bytes of a Response to what an identity provider says of someone, or a refusal.

Sources: OASIS "Assertions and Protocols for SAML V2.0" (2.3, 2.4, 2.5, 3.2), "Profiles for SAML V2.0" (4.1.4); AWS
IAM User Guide, "Configure SAML assertions for the authentication response"; facts/sts.md section 7. The steps:

    1. the XML is read, and is a Response that does not report a failure
    2. its signature, if there is one, is verified; from here on only what was signed is read
    3. its one assertion is decrypted, if it is encrypted
    4. the assertion's signature, if there is one, is verified; one of the two there must be
    5. issuer, times, audience, recipient
    6. the attributes that AWS defines

What the caller must still do: see that the assertion is used once (`id`, `expires`), that it names the role that is
asked for (`roles`), and that the role trusts the provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from bailiwick.core.assertion import encryption, saml_attributes, signature, xml_tree
from bailiwick.core.assertion.saml_attributes import Attributes
from bailiwick.core.assertion.signature import PublicKey
from bailiwick.core.assertion.xml_tree import Element
from bailiwick.core.errors import (
    SamlExpired,
    SamlForbids,
    SamlMalformed,
    SamlMismatch,
    SamlRejected,
    SamlUnproven,
)

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_ASSERTIONS = ((SAML, "Assertion"), (SAML, "EncryptedAssertion"))
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_REDEEMED_WITHIN = 300.0
_SKEW = 60.0  # a provider's clock may be ahead of ours by so much
_MAX_ID, _MAX_SUBJECT, _MAX_FORMAT = 1024, 1024, 256

AUDIENCE = "urn:amazon:webservices"
_SIGN_IN = re.compile(
    r"https://(?:[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.)?signin\.aws\.amazon\.com/"
    r"(?:static/saml|saml(?:/acs/[A-Za-z0-9]{1,64})?)",
    re.ASCII,
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class Trust(msgspec.Struct, frozen=True):
    """What is known of a provider, and what it must be talking to.

    `keys` are the public keys of its metadata; `private_keys` open what it encrypts, and `encrypted` says that it
    must. `recipients` are our own addresses, beside AWS's sign-in endpoints. `sha1` allows signatures with SHA-1.
    """

    entity_id: str
    keys: tuple[PublicKey, ...]
    recipients: tuple[str, ...] = ()
    private_keys: tuple[rsa.RSAPrivateKey, ...] = ()
    encrypted: bool = False
    sha1: bool = False

    def receives(self, address: str | None) -> bool:
        """Whether an address is one at which we take assertions."""
        return address is not None and (address in self.recipients or _SIGN_IN.fullmatch(address) is not None)


class Assertion(msgspec.Struct, frozen=True):
    """What a provider says of someone, verified.

    `subject_type` is short for the formats of SAML 2.0 (`persistent`). `recipient` is the address that it was made
    for. `expires` is when nobody would take it any more, `session_ends` when its session must end; epoch seconds.
    """

    id: str
    issuer: str
    subject: str
    subject_type: str
    recipient: str
    expires: float
    session_ends: float | None
    said: Attributes


def verified(response: bytes, trust: Trust, now: float) -> Assertion:
    """What the provider says in `response` (XML), if it may be believed at `now`.

    Raises the errors below SamlRefused.
    """
    element = _proven(xml_tree.read(response), trust)
    issuer = _text(_one(element, "Issuer", "issuer"))
    _check_issuer(issuer, trust)
    identifier = element.get("ID") or ""
    if not 0 < len(identifier) <= _MAX_ID or element.get("Version") != "2.0":
        raise SamlMalformed("the assertion has no ID, or is not of SAML 2.0")
    issued = _instant(element.get("IssueInstant"), "IssueInstant")
    ends = min(issued + _REDEEMED_WITHIN, _conditions(element, now))
    subject = _subject(element)
    recipient, confirmed_until = _confirmation(subject, trust, now)
    if issued > now + _SKEW:
        raise SamlExpired("the assertion was issued in the future")
    if issued + _REDEEMED_WITHIN <= now:
        raise SamlExpired("the assertion was issued more than five minutes ago")
    _check_audience(element, trust)
    name = _name_id(subject)
    return Assertion(
        id=identifier,
        issuer=issuer,
        subject=_text(name),
        subject_type=(name.get("Format") or _UNSPECIFIED).removeprefix(_FORMAT),
        recipient=recipient,
        expires=min(ends, confirmed_until),
        session_ends=_session_ends(element, now),
        said=saml_attributes.read(list(_attributes(element))),
    )


# -- Steps 1 to 4: what is proven -------------------------------------------------------------------------


def _proven(document: Element, trust: Trust) -> Element:
    """The assertion, of which every byte was signed by the provider."""
    if document.name[:2] != (_SAMLP, "Response"):
        raise SamlMalformed("the document is not a Response of SAML 2.0")
    signed = signature.signature_of(document) is not None
    if signed:
        document = signature.verified(document, trust.keys, sha1=trust.sha1)
    _check_response(document, trust)
    plain, closed = document.named(SAML, "Assertion"), document.named(SAML, "EncryptedAssertion")
    anywhere = sum(each.name[:2] in _ASSERTIONS for each in document.walk())
    if len(plain) + len(closed) != 1 or anywhere != 1:
        raise SamlUnproven("the response does not have exactly one assertion")
    if plain and trust.encrypted:
        raise SamlUnproven("the provider's assertions must be encrypted, and this one is not", check="encryption")
    assertion = plain[0] if plain else encryption.decrypted(closed[0], trust.private_keys, signed=signed)
    if assertion.name[:2] != (SAML, "Assertion"):
        raise SamlUnproven("what was encrypted is not an assertion", check="encryption")
    if signature.signature_of(assertion) is not None:
        return signature.verified(assertion, trust.keys, sha1=trust.sha1)
    if not signed:
        raise SamlUnproven("neither the response nor its assertion is signed")
    return assertion


def _check_response(response: Element, trust: Trust) -> None:
    """What a response says beside its assertion. If it is not signed, this can only refuse."""
    codes = [code for status in response.named(_SAMLP, "Status") for code in status.named(_SAMLP, "StatusCode")]
    if len(codes) != 1 or response.get("Version") != "2.0":
        raise SamlMalformed("the response has no status, or is not of SAML 2.0")
    if codes[0].get("Value") != _SUCCESS:
        raise SamlRejected(f"the provider answered {str(codes[0].get('Value'))[:200]!r}")
    for issuer in response.named(SAML, "Issuer"):
        _check_issuer(_text(issuer), trust)
    destination = response.get("Destination")
    if destination and not trust.receives(destination):
        raise SamlMismatch(f"the response is for {destination[:200]!r}", check="recipient")


# -- Step 5: issuer, times, audience, recipient -----------------------------------------------------------


def _check_issuer(issuer: str, trust: Trust) -> None:
    if issuer != trust.entity_id:
        raise SamlMismatch(
            f"it was issued by {issuer[:200]!r}", "Issuer not present in specified provider", "issuer"
        )


def _conditions(element: Element, now: float) -> float:
    """When the conditions end. Raises SamlExpired if they do not hold at `now`."""
    ends = float("inf")
    for conditions in element.named(SAML, "Conditions"):
        ends = min(ends, _window(conditions, now))
    return ends


def _window(element: Element, now: float) -> float:
    """The end of the time that NotBefore and NotOnOrAfter of an element leave."""
    begins, ends = element.get("NotBefore"), element.get("NotOnOrAfter")
    if begins is not None and _instant(begins, "NotBefore") > now + _SKEW:
        raise SamlExpired("the assertion is not valid yet")
    until = float("inf") if ends is None else _instant(ends, "NotOnOrAfter")
    if until <= now:
        raise SamlExpired("the assertion is not valid any more")
    return until


def _check_audience(element: Element, trust: Trust) -> None:
    restrictions = [
        [_text(audience) for audience in restriction.named(SAML, "Audience")]
        for conditions in element.named(SAML, "Conditions")
        for restriction in conditions.named(SAML, "AudienceRestriction")
    ]
    for audiences in restrictions or [[]]:  # each restriction must hold, and there must be one
        if not any(audience == AUDIENCE or trust.receives(audience) for audience in audiences):
            named = " and ".join(repr(audience[:200]) for audience in audiences[:5]) or "nobody"
            raise SamlMismatch(f"it is meant for {named}")


def _subject(element: Element) -> Element:
    found = element.named(SAML, "Subject")
    if len(found) != 1:
        raise SamlForbids("it does not have exactly one Subject", check="subject")
    return found[0]


def _name_id(subject: Element) -> Element:
    found = subject.named(SAML, "NameID")
    if len(found) != 1 or not 0 < len(_text(found[0])) <= _MAX_SUBJECT:
        raise SamlForbids("its subject does not have exactly one NameID that says something", check="subject")
    if len(found[0].get("Format") or "") > _MAX_FORMAT:
        raise SamlForbids(f"the Format of its NameID has more than {_MAX_FORMAT} characters", check="subject")
    return found[0]


def _confirmation(subject: Element, trust: Trust, now: float) -> tuple[str, float]:
    """The recipient for whom the subject is confirmed, and until when."""
    confirmations = subject.named(SAML, "SubjectConfirmation")
    data = [each for found in confirmations for each in found.named(SAML, "SubjectConfirmationData")]
    if len(confirmations) != 1 or len(data) != 1 or confirmations[0].get("Method") != _BEARER:
        raise SamlMismatch("its subject is not confirmed in exactly one way, as its bearer", check="recipient")
    if data[0].get("NotOnOrAfter") is None:
        raise SamlExpired("the confirmation of its subject never ends")
    until = _window(data[0], now)
    recipient = data[0].get("Recipient")
    if recipient is None or not trust.receives(recipient):
        raise SamlMismatch(f"its recipient is {str(recipient)[:200]!r}", check="recipient")
    return recipient, until


def _session_ends(element: Element, now: float) -> float | None:
    """The earliest time at which an authentication statement has the session end."""
    told = [statement.get("SessionNotOnOrAfter") for statement in element.named(SAML, "AuthnStatement")]
    times = [_instant(each, "SessionNotOnOrAfter") for each in told if each is not None]
    if times and min(times) <= now:
        raise SamlExpired("the session at the provider has ended")
    return min(times, default=None)


def _instant(text: str | None, name: str) -> float:
    """A time of XML Schema as epoch seconds; without a zone it is UTC."""
    match = _TIME.fullmatch((text or "").strip())
    try:
        if match is None:
            raise ValueError(text)
        zone = "+00:00" if match[3] in (None, "Z") else match[3]
        second = datetime.fromisoformat(match[1] + zone).astimezone(UTC).timestamp()
        return second + float(match[2] or 0)
    except (ValueError, OverflowError):
        raise SamlMalformed(f"its {name} is not a time") from None


# -- Step 6: attributes -----------------------------------------------------------------------------------


def _attributes(element: Element) -> Iterator[tuple[str, str]]:
    """Each name with each of its values."""
    for statement in element.named(SAML, "AttributeStatement"):
        for attribute in statement.named(SAML, "Attribute"):
            for value in attribute.named(SAML, "AttributeValue"):
                inside = value.named(SAML, "NameID")  # as eduPersonTargetedID has it
                yield attribute.get("Name") or "", _text(inside[0] if len(inside) == 1 else value)


def _text(element: Element) -> str:
    """The text of an element that holds no other."""
    if element.elements:
        raise SamlMalformed(f"there are elements in {element.name.local}, which should be text")
    return element.text.strip()


def _one(element: Element, local: str, check: str) -> Element:
    found = element.named(SAML, local)
    if len(found) != 1:
        raise SamlMalformed(f"it does not have exactly one {local}", check=check)
    return found[0]
