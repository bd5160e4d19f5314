"""`bailiwick credential-process`: credentials of a role for the owner of a certificate, for AWS's clients.

What it is told by is named as AWS's signing helper has it, so that either can stand in a profile.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import typer
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bailiwick import __version__
from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.app.home import HomeError
from bailiwick.app.login import Keys, as_process, post
from bailiwick.app.settings import SettingsError
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import certificate as signed

_Pair = tuple[list[x509.Certificate], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]


def credential_process(
    certificate: Annotated[
        Path, typer.Option(help="The certificate (PEM); intermediate ones may follow it in the file.")
    ],
    private_key: Annotated[Path, typer.Option(help="Its private key (PEM), which only its owner may read.")],
    trust_anchor_arn: Annotated[str, typer.Option(help="ARN of the trust anchor.")],
    profile_arn: Annotated[str, typer.Option(help="ARN of the profile.")],
    role_arn: Annotated[str, typer.Option(help="ARN of the role.")],
    session_duration: Annotated[
        int | None, typer.Option(min=900, max=43200, help="For how many seconds.", show_default=False)
    ] = None,
    role_session_name: Annotated[
        str | None, typer.Option(help="The session's name, if the profile lets it be chosen.", show_default=False)
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help=r"Address of the server. \[env: AWS_ENDPOINT_URL_ROLESANYWHERE, AWS_ENDPOINT_URL]",
            show_default=False,
        ),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Authorities (PEM) of the server's certificate.", show_default=False)
    ] = None,
) -> None:
    """Print temporary credentials for whoever holds a certificate (IAM Roles Anywhere).

    In ~/.aws/config: `credential_process = bailiwick credential-process --certificate ... --private-key ...`
    """
    address = endpoint or os.environ.get("AWS_ENDPOINT_URL_ROLESANYWHERE") or os.environ.get("AWS_ENDPOINT_URL")
    fields = {"durationSeconds": session_duration, "roleSessionName": role_session_name}
    keys = _session(
        address or "http://127.0.0.1:4577",
        {"profileArn": profile_arn, "roleArn": role_arn, "trustAnchorArn": trust_anchor_arn},
        {name: value for name, value in fields.items() if value is not None},
        _pair(certificate, private_key),
        ca_file,
    )
    typer.echo(as_process(keys))


def _pair(certificate: Path, private_key: Path) -> _Pair:
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    except ValueError:
        raise HomeError(f"{certificate} holds no certificate (PEM)") from None
    try:
        key = load_pem_private_key(read_private(private_key), None)
    except UnsafeFile as error:
        raise HomeError(str(error)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise HomeError(f"{private_key} holds no private key (PEM, without a passphrase)") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise HomeError(f"{private_key} must be an RSA or ECDSA key")
    if key.public_key() != chain[0].public_key():
        raise HomeError(f"{private_key} is not the key of {certificate}")
    return chain, key


def _session(
    endpoint: str, arns: dict[str, str], fields: dict[str, Any], pair: _Pair, ca_file: Path | None
) -> Keys:
    """What CreateSession at `endpoint` gives."""
    anchor = arns["trustAnchorArn"].split(":")
    if len(anchor) < 6:
        raise SettingsError(f"`{arns['trustAnchorArn']}` is not the ARN of a trust anchor")
    (leaf, *chain), key = pair
    query, body = urlencode(sorted(arns.items()), quote_via=quote, safe=""), msgspec.json.encode(fields)
    headers = (Header("host", urlsplit(endpoint).netloc), Header("content-type", "application/json"))
    request = signed.sign(
        Request("POST", "/sessions", query, headers, body), leaf, key, chain, anchor[3], time.time()
    )
    sent = dict(request.headers) | {"user-agent": f"bailiwick/{__version__}"}
    status, answer = post(endpoint, f"/sessions?{query}", body, sent, ca_file)
    try:
        if status not in (200, 201):
            raise HomeError(f"the server refused: {answer['message']}")
        (given,) = answer["credentialSet"]
        found = given["credentials"]
        return Keys(
            access_key_id=found["accessKeyId"],
            secret=found["secretAccessKey"],
            token=found["sessionToken"],
            expiration=found["expiration"],
            arn=given["assumedRoleUser"]["arn"],
        )
    except (KeyError, TypeError, ValueError):
        raise HomeError(f"{endpoint} answered {status}, and not as a Bailiwick server does") from None
