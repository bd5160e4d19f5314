"""What a certificate says of its owner, as session tags: x509Subject/CN, x509Issuer/O, x509SAN/URI, ...

Source: IAM Roles Anywhere User Guide, "Differentiated access through attribute mapping".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

_LONGEST = 256
_VALUE = re.compile(r"[\w .:/=+@-]*")  # what a session tag may hold
_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def tags(certificate: x509.Certificate, mappings: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The session tags that the mappings of a profile make of a certificate.

    Of an attribute that is there more than once the first counts; what no tag can hold is left out.
    """
    fields = {
        "x509Subject": _names(certificate.subject),
        "x509Issuer": _names(certificate.issuer),
        "x509SAN": _alternatives(certificate),
    }
    return {
        f"{field}/{name}": value
        for field, found in fields.items()
        for name, value in found.items()
        if any(_fits(name, rule) for rule in mappings.get(field, ())) and _can_be_tag(value)
    }


def source_identity(certificate: x509.Certificate) -> str | None:
    """The common name, as `CN=...`; None where it has none or one that no source identity can be."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = f"CN={_text(names[0])}" if names else ""
    return text if _IDENTITY.fullmatch(text) else None


def _fits(name: str, rule: str) -> bool:
    return name == rule or (rule.endswith("*") and name.startswith(rule[:-1]))


def _can_be_tag(value: str) -> bool:
    return len(value) <= _LONGEST and _VALUE.fullmatch(value) is not None


def _text(attribute: x509.NameAttribute[str | bytes]) -> str:
    return attribute.value if isinstance(attribute.value, str) else ""


def _names(name: x509.Name) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in name:
        found.setdefault(attribute.rfc4514_attribute_name, _text(attribute))
    return found


def _alternatives(certificate: x509.Certificate) -> dict[str, str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {}
    found: dict[str, str] = {}
    for name in names:
        if isinstance(name, x509.DNSName):
            found.setdefault("DNS", name.value)
        elif isinstance(name, x509.UniformResourceIdentifier):
            found.setdefault("URI", name.value)
        elif isinstance(name, x509.DirectoryName):
            for key, value in _names(name.value).items():
                found.setdefault(f"Name/{key}", value)
    return found
