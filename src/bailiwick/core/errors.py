"""Everything that the core can refuse, as one tree. None of it knows of HTTP or of a protocol.

CoreError
├── ArnError                  text that is not an ARN
├── SealError                 a sealed value that does not open: altered, foreign, or of an unknown version
├── ShareError                a share of a secret that is none, or not of the others' set
├── PolicyError               a policy document that AWS would refuse, with AWS's text
├── MetadataError             a SAML metadata document that is none, or of no use
├── SamlRefused               what an identity provider is said to have said, and is not believed
│   ├── SamlMalformed             not of the form, or attacked: an entity, two elements with one ID
│   ├── SamlUnproven              not signed by a key of the provider, or not to be decrypted
│   ├── SamlMismatch              by another issuer, for another audience, or without what is needed
│   ├── SamlExpired               too old, or not valid yet
│   ├── SamlRejected              the provider itself says that it did not authenticate anyone
│   └── SamlForbids               true, but not of who asks: no subject, or another role
├── LdapError                 a name, a filter or a message that is not LDAP's
├── CertificateRefused        an X.509 certificate that vouches for nobody
├── TokenRefused              a web identity token that does not hold
├── IssuerUnreachable         an identity provider does not answer, so that nothing can be said
├── DirectoryUnavailable      a company's directory that cannot be asked
├── HsmUnavailable            a hardware security module that cannot be asked
└── SignatureError            a request whose signer is not proven
    ├── MissingAuthentication     nothing was signed
    ├── IncompleteSignature       the credential cannot be read
    ├── ScopeMismatch             signed for another date, region, service or terminator
    ├── RequestSkewed             signed too long ago, or in the future
    ├── UnknownToken              no such key, or no such session
    ├── ExpiredToken              the session has ended
    └── SignatureMismatch         what was signed is not what arrived
"""

from __future__ import annotations


class CoreError(Exception):
    """The root of the tree. `str(error)` is fit to show to the client; it never holds a secret."""


class ArnError(CoreError):
    """Text that is not an Amazon Resource Name."""


class SealError(CoreError):
    """A sealed value did not open. It never says why: altered, foreign and unknown look alike."""


class ShareError(CoreError):
    """A share of a secret that is none, or not of the others' set."""


class PolicyError(CoreError):
    """A policy document that AWS would refuse; `str(error)` is AWS's text."""


class MetadataError(CoreError):
    """A SAML metadata document that cannot be used; `str(error)` says why, as the end of a sentence."""


class SamlRefused(CoreError):
    """An assertion that is not believed. `str(error)` is AWS's text, for the client.

    `check` is a word for the check that failed and `reason` a clause about it, for the operator's log alone: who
    tries out forged assertions learns nothing from them.
    """

    told = "Response signature invalid"
    check = "form"

    def __init__(self, reason: str, told: str | None = None, check: str | None = None) -> None:
        super().__init__(told or self.told)
        self.reason = reason
        self.check = check or self.check


class SamlMalformed(SamlRefused):
    """It is not of the form of an assertion, or it is an attack on whoever reads it."""


class SamlUnproven(SamlRefused):
    """It was not signed by a key of the provider, was changed since, or cannot be decrypted."""

    check = "signature"


class SamlMismatch(SamlRefused):
    """It is by another issuer, for another audience, or lacks what is needed."""

    told = "Response does not contain the required audience."
    check = "audience"


class SamlExpired(SamlRefused):
    """It is too old, or not valid yet."""

    told = "Token must be redeemed within 5 minutes of issuance"
    check = "time"


class SamlRejected(SamlRefused):
    """The provider itself says that it authenticated nobody."""

    told = "The identity provider did not authenticate the subject"
    check = "status"


class SamlForbids(SamlRefused):
    """It is proven, but names no subject, or another role than was asked for."""

    told = "Not authorized to perform sts:AssumeRoleWithSAML"


class LdapError(CoreError):
    """A name, a filter or a message that is not LDAP's."""


class DirectoryUnavailable(CoreError):
    """A company's directory cannot be asked. `str(error)` says why, for the operator's log alone."""


class HsmUnavailable(CoreError):
    """A hardware security module cannot be asked. `str(error)` says why, for the operator's log alone."""


class CertificateRefused(CoreError):
    """An X.509 certificate, or a list of revoked ones, that is not believed. `str(error)` is for the client.

    `check` is a word for the check that failed and `reason` what the log may tell beyond the text.
    """

    def __init__(self, check: str, told: str, reason: str = "") -> None:
        super().__init__(told)
        self.check = check
        self.reason = reason or told


class SignatureError(CoreError):
    """A request whose signer is not proven."""


class MissingAuthentication(SignatureError):
    """The request carries no signature at all."""


class IncompleteSignature(SignatureError):
    """The credential in the request cannot be read."""


class ScopeMismatch(SignatureError):
    """Signed for another date, region, service or terminator than the request is made to."""


class RequestSkewed(SignatureError):
    """Signed too long ago, or in the future."""


class UnknownToken(SignatureError):
    """The access key does not exist or is inactive, or the session token does not belong to it."""


class ExpiredToken(SignatureError):
    """The session has ended."""


class SignatureMismatch(SignatureError):
    """What was signed is not what arrived, or another secret signed it.

    `canonical_request` and `string_to_sign` are what this side computed, for those who debug a signer.
    """

    def __init__(self, message: str, canonical_request: str = "", string_to_sign: str = "") -> None:
        super().__init__(message)
        self.canonical_request = canonical_request
        self.string_to_sign = string_to_sign


class IssuerUnreachable(CoreError):
    """An identity provider that does not answer; the same request may be sent again."""


class TokenRefused(CoreError):
    """A web identity token that does not hold. `str(error)` is for the client.

    `check` names the check that failed, for the operator: `form`, `algorithm`, `issuer`, `audience`, `expired`,
    `not yet valid`, `unknown key`, `signature`, ...
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


class HostUnproven(CoreError):
    """A request that no host of this deployment signed; the text is for the client."""
