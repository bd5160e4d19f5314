"""What is known of a SAML provider, put together for core/assertion/saml.py: for STS and for the sign-in pages."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bailiwick.api import Environment
from bailiwick.core.assertion import signature
from bailiwick.core.assertion.saml import Trust
from bailiwick.directory import providers
from bailiwick.directory.providers import SamlKey, SamlProvider


def trust_in(environment: Environment, provider: SamlProvider, keys: Iterable[SamlKey], response: bytes) -> Trust:
    """What a response (XML) of this provider is verified with."""
    address = environment.public_url
    is_encrypted = b"EncryptedAssertion" in response  # private keys are opened for those alone
    return Trust(
        entity_id=provider.entity_id,
        keys=signature.keys_of(provider.certificates),
        recipients=(f"{address}/saml", f"{address}/saml/acs/{provider.uuid}"),
        private_keys=_opened(environment, keys) if is_encrypted else (),
        encrypted=provider.encryption == "Required",
        sha1=environment.saml_weak_signatures,
    )


def _opened(environment: Environment, keys: Iterable[SamlKey]) -> tuple[rsa.RSAPrivateKey, ...]:
    opened = []
    for key in keys:
        pem = providers.open_key(environment.ring, key)
        # Whether it is a good key was looked at when it was added.
        loaded = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True) if pem else None
        if isinstance(loaded, rsa.RSAPrivateKey):
            opened.append(loaded)
    return tuple(opened)
