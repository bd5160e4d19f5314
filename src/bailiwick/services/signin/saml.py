"""SAML: where providers send people to, with an assertion; and how sign-in begins here.

Source: OASIS "Bindings for SAML V2.0" (3.4, 3.5); AWS IAM User Guide, "Enabling SAML 2.0 federated principals to
access the AWS Management Console"; facts/signin.md section 3.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import quoteattr

import structlog

from bailiwick.core import errors, saml_metadata
from bailiwick.core.assertion import saml, xml_tree
from bailiwick.core.assertion.saml import Assertion
from bailiwick.core.message import Response
from bailiwick.directory import entities, providers, saml_trust
from bailiwick.directory.providers import SamlProvider
from bailiwick.directory.web_sessions import Kind
from bailiwick.services.signin import choosing
from bailiwick.services.signin.choosing import Choice, Offer
from bailiwick.services.signin.configured import Configured, Saml
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

log = structlog.get_logger()
pages = Pages()

AUDIENCE = "urn:amazon:webservices"
_LONGEST = 400_000  # characters of a response in base64
_ISSUER = (saml.SAML, "Issuer")


@pages.post("/saml", open=True, foreign=True)
def consume(visit: Visit) -> Response:
    """The assertion consumer: of sign-ins that began here, and of those that began at the provider."""
    return _consume(visit, None)


@pages.post("/static/saml", open=True, foreign=True)
def consume_static(visit: Visit) -> Response:
    """The same, under another address that AWS has for it."""
    return _consume(visit, None)


@pages.post("/saml/acs/{uuid}", open=True, foreign=True)
def consume_for(visit: Visit, uuid: str) -> Response:
    """The address of one provider, for those whose assertions are encrypted."""
    return _consume(visit, uuid)


def _consume(visit: Visit, uuid: str | None) -> Response:
    text = "".join(visit.form.get("SAMLResponse", "").split())
    try:
        response = base64.b64decode(text[:_LONGEST], validate=True)
        assertion = _verified(visit, response, uuid)
    except (errors.SamlRefused, binascii.Error, ValueError) as refused:
        log.warning("a SAML response was refused", reason=str(refused), request_id=visit.request_id)
        return choosing.refused(visit, "Your request included an invalid SAML response.")
    choices = []
    for pair in sorted(assertion.said.roles, key=sorted):
        role = next((each for each in pair if ":role/" in each), None)
        provider = next((each for each in pair if ":saml-provider/" in each), None)
        if role is not None and provider is not None:
            more = {"RoleArn": role, "PrincipalArn": provider, **_duration(visit, role, assertion)}
            choices.append(Choice(role, more))
    offered = Offer(
        "AssumeRoleWithSAML",
        Kind.SAML,
        {"SAMLAssertion": text},
        choices,
        _deep_link(visit, visit.form.get("RelayState")),
    )
    return choosing.offer(visit, offered)


def _duration(visit: Visit, role_arn: str, assertion: Assertion) -> dict[str, int]:
    """How long the provider wants the session to last, as far as the role lets it."""
    wanted = assertion.said.duration
    if wanted is None:
        return {}
    with visit.site.pipeline.store.transaction() as transaction:
        role = entities.role_by_arn(transaction, role_arn)
    return {"DurationSeconds": min(wanted, role.max_session)} if role else {}


def _verified(visit: Visit, response: bytes, uuid: str | None) -> Assertion:
    """What a provider that is known here says. Raises core.errors.SamlRefused."""
    with visit.site.pipeline.store.transaction() as transaction:
        if uuid is None:
            found = providers.saml_of(transaction, _issuer(response))
        else:
            one = providers.saml_numbered(transaction, uuid)
            found = [] if one is None else [one]
        known = [(each, providers.saml_keys(transaction, each.arn)) for each in found]
    refused: errors.SamlRefused = errors.SamlMismatch("no provider of this name is known", check="provider")
    for provider, keys in known:
        if provider.valid_until <= visit.now:
            continue
        try:
            trust = saml_trust.trust_in(visit.environment, provider, keys, response)
            return saml.verified(response, trust, visit.now)
        except errors.SamlRefused as error:
            refused = error
    raise refused


def _issuer(response: bytes) -> str:
    """Who a response says that it is from: nothing is proven by it but where to look. Raises SamlRefused."""
    for element in xml_tree.read(response).walk():
        if element.name[:2] == _ISSUER:
            return element.text.strip()
    raise errors.SamlMalformed("it names no issuer")


def _deep_link(visit: Visit, relay: str | None) -> str:
    """The page that RelayState means: a path of ours, or an address of this deployment."""
    text = relay or ""
    base = visit.environment.public_url
    return own_path(text[len(base) :] if text.startswith(f"{base}/") else text)


# -- Beginning here -------------------------------------------------------------------------------------------


@pages.get("/signin/saml", open=True)
def begin(visit: Visit) -> Response:
    """Send the browser to a provider of the sign-in page with a request."""
    configured = visit.site.options.get("signin", Configured())
    named = configured.named(visit.query.get("provider", ""))
    if not isinstance(named, Saml):
        return visit.redirect("/signin", bad="There is no such provider.")
    with visit.site.pipeline.store.transaction() as transaction:
        provider = providers.saml(transaction, named.provider)
    where = named.sign_in or (saml_metadata.read(provider.metadata).sign_in if provider else "")
    if provider is None or urlsplit(where).scheme not in ("https", "http"):
        return visit.redirect("/signin", bad="This provider is not set up for a sign-in that begins here.")
    fields = {
        "SAMLRequest": _request(visit, provider, where),
        "RelayState": own_path(visit.query.get("next")),
    }
    return visit.leave(f"{where}{'&' if '?' in where else '?'}{urlencode(fields)}")


def _request(visit: Visit, provider: SamlProvider, where: str) -> str:
    """An AuthnRequest as the HTTP-Redirect binding has it."""
    issued = datetime.fromtimestamp(visit.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer_to = f"{visit.environment.public_url}/saml"
    text = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'ID="_{visit.environment.entropy(16).hex()}" Version="2.0" IssueInstant="{issued}" '
        f"Destination={quoteattr(where)} AssertionConsumerServiceURL={quoteattr(answer_to)} "
        'ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST">'
        f'<saml:Issuer xmlns:saml="{saml.SAML}">{AUDIENCE}</saml:Issuer></samlp:AuthnRequest>'
    )
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(packing.compress(text.encode()) + packing.flush()).decode("ascii")


@pages.get("/static/saml-metadata.xml", open=True)
def metadata(visit: Visit) -> Response:
    """What a provider is told of us."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{AUDIENCE}">\n'
        '  <SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" '
        'WantAssertionsSigned="true">\n'
        '    <AssertionConsumerService index="1" isDefault="true" '
        'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f"Location={quoteattr(visit.environment.public_url + '/saml')}/>\n"
        "  </SPSSODescriptor>\n</EntityDescriptor>\n"
    )
    return visit.answer(200, "application/samlmetadata+xml", text.encode())
