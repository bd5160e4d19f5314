"""One invariant: whatever a provider's people send is read, or refused with an error of our own.

What is fed: SAML responses, good and bad ones from tests/core/assertion/saml, changed in places that matter to
readers of XML, and spliced; assertions that were changed and then signed by their real provider, so that what comes
after the signature is reached; metadata of providers; web identity tokens. Found inputs belong into the tests as
named cases.
"""

from __future__ import annotations

import base64
import copy
import functools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml.exceptions import SignXMLException

from bailiwick.core import saml_metadata
from bailiwick.core.assertion import jwt, saml, signature
from bailiwick.core.errors import MetadataError, SamlRefused, TokenRefused
from bailiwick.services.sts import claims
from fuzz import SLOW_SECONDS, Mutator

TESTS = Path(__file__).parents[1] / "tests"
FOLDER = TESTS / "core" / "assertion" / "saml"
NOW = 1_764_072_000.0  # when the files in FOLDER were made
_ROLE = ("arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:saml-provider/idp")
_TOO_DEEP = "<a>" * 60
SPICE = [
    *('<!DOCTYPE a [<!ENTITY b "c">]>', "&b;", "&#0;", "&#65;", "&#x1F600;", "<![CDATA[", "]]>", "<!--", "-->"),
    *("<?x?>", "</saml:Assertion>", '<saml:Assertion ID="a">', "<ds:Signature/>", "<saml:NameID>", "/>"),
    *(' ID="_1"', ' Id=""', ' xmlns=""', ' xmlns:saml="urn:x"', ' xml:space="preserve"', ' xmlns:xml="x"'),
    *("\r", "\u2028", "\t", "NotOnOrAfter", 'NotBefore="9999-99-99T99:99:99Z"', "0000-00-00T00:00:00Z", "+99:99"),
    *("#xpointer(/)", "9" * 400, "A" * 3000, "=" * 5, "urn:oid:2.5.4.3", "PrincipalTag:", _TOO_DEEP, "\x00"),
    *("%00", "\ufeff", "\ud800", "\uffff"),
]  # fmt: skip


class Sources:
    """What is changed: documents with a name each, and the provider who signs for us what was changed."""

    def __init__(self) -> None:
        sys.path.insert(0, str(TESTS))
        from saml_idp import AWS, IdentityProvider, der

        self.documents = [
            each.read_text("utf-8") for each in sorted(FOLDER.glob("*.xml")) if len(each.read_bytes()) < 20_000
        ]
        certificate = x509.load_pem_x509_certificate((FOLDER / "provider.pem").read_bytes())
        key = load_pem_private_key((FOLDER / "decryption_key.pem").read_bytes(), None)
        self.trust = saml.Trust(
            "https://idp.example.org/saml", signature.keys_of([der(certificate)]), private_keys=(key,)
        )
        self.provider = IdentityProvider()
        self.own = saml.Trust(self.provider.entity_id, signature.keys_of([der(self.provider.certificate)]))
        more = [
            (f"{AWS}PrincipalTag:team", ["blue"]),
            (f"{AWS}TransitiveTagKeys", ["team"]),
            (f"{AWS}SessionDuration", ["900"]),
            (f"{AWS}SourceIdentity", ["alice"]),
            ("urn:oid:2.5.4.3", ["Alice", "A."]),
        ]
        self.assertion = self.provider.assertion(NOW, roles=[_ROLE], attributes=more, session_ends=NOW + 600)
        self.response = self.provider.response(NOW, sign="none").decode()
        self.claims = {
            "iss": "https://issuer.example.org", "sub": "s", "aud": ["a", "b"], "azp": "a", "exp": 2**31,
            "iat": 2**30, "nbf": 1, "amr": ["mfa"], "id": 7, "groups": ["x"],
            "https://aws.amazon.com/source_identity": "alice",
            "https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]},
        }  # fmt: skip


def changed(mutator: Mutator, text: str, others: list[str]) -> str:
    """A text changed in one to four places, in ways that matter to a reader of XML or JSON."""
    chance = mutator.chance
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                text = text[:place] + chance.choice(SPICE) + text[place + chance.choice((0, 0, 1, 8)) :]
            case 1:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                text = text[:place] + other[start : start + chance.choice((5, 60, 600))] + text[place:]
            case _:
                text = mutator.text(text.encode("utf-8", "replace").decode("latin-1"))
                text = text.encode("latin-1").decode("utf-8", "replace")
    return text


def reshaped(mutator: Mutator, text: str) -> str:
    """A document that is still well-formed: elements gone, doubled or moved, texts and attributes changed."""
    chance, root = mutator.chance, etree.fromstring(text.encode())
    for _ in range(chance.randrange(1, 4)):
        every = list(root.iter("*"))
        element, other = chance.choice(every), chance.choice(every)
        match chance.randrange(6):
            case 0 if element is not root:
                element.getparent().remove(element)
            case 1 if element is not root:
                other.append(copy.deepcopy(element))
            case 2 if element is not root:
                element.addprevious(copy.deepcopy(element))
            case 3 if element.attrib:
                name = chance.choice(list(element.attrib))
                element.set(name, mutator.text(element.get(name)))
            case 4:
                element.text = chance.choice(("", " ", "\u2028", "é" * 700, "9" * 400, "aws:x", "a,b,c", "\ufeff"))
            case _:
                element.text = mutator.text((element.text or "").encode("latin-1", "replace").decode("latin-1"))
    return etree.tostring(root).decode()


def targets(sources: Sources, mutator: Mutator) -> dict[str, Callable[[], str]]:
    """What is fed. Each returns a word for how it went, and may raise an error of our own and no other."""
    chance, bytes_of = mutator.chance, functools.partial(str.encode, encoding="utf-8", errors="surrogatepass")

    def response() -> str:
        document = changed(mutator, chance.choice(sources.documents), sources.documents)
        saml.verified(bytes_of(document), sources.trust, NOW)
        return "value"

    def signed() -> str:
        """What the provider really signed, however strange it is."""
        try:
            text = sources.provider.sign(reshaped(mutator, sources.assertion))
        except (etree.LxmlError, SignXMLException, ValueError):
            return "nothing to sign"
        document = sources.response.replace("</samlp:Response>", f"{text}</samlp:Response>")
        start, end = (
            document.index("<saml:Assertion"),
            document.index("</saml:Assertion>") + len("</saml:Assertion>"),
        )
        saml.verified(bytes_of(document[:start] + document[end:]), sources.own, NOW)
        return "value"

    def metadata() -> str:
        saml_metadata.read(changed(mutator, sources.provider.metadata, sources.documents))
        return "value"

    def token() -> str:
        whole = json.dumps(sources.claims)
        parts = ['{"alg":"RS256","kid":"k"}', whole, "signature"]
        index = chance.choice((0, 1, 1, 1))
        parts[index] = changed(mutator, parts[index], [whole])
        encoded = [base64.urlsafe_b64encode(bytes_of(part)).rstrip(b"=").decode() for part in parts]
        found = jwt.read(".".join(encoded))
        jwt.check_audience(found, ["a"])
        jwt.check_times(found, 2**30 + 10)
        claims.passed(found)
        claims.context(found, "issuer.example.org")
        return "value"

    return {"response": response, "signed": signed, "metadata": metadata, "token": token}


def run(count: int, seed: int) -> Counter[str]:
    """Feed `count` inputs; returns how often what happened. Raises whatever is not an error of our own."""
    mutator, sources, seen = Mutator(seed), Sources(), Counter[str]()
    fed = list(targets(sources, mutator).items())
    for number in range(count):
        name, target = fed[number % len(fed)]
        start = time.process_time()
        try:
            outcome = target()
        except (SamlRefused, MetadataError, TokenRefused) as error:
            outcome = type(error).__name__
        except Exception:
            print(f"seed {seed}, number {number}, fed to {name}", file=sys.stderr)
            raise
        if time.process_time() - start > SLOW_SECONDS:
            raise SystemExit(f"seed {seed}, number {number}: {name} took too long")
        seen[f"{name}: {outcome}"] += 1
    return seen
