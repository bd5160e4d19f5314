"""Credentials for a person: her password shown to a server, what it gives written where AWS's clients look.

The password goes over TLS, or to this machine; it is in no argument, no file and no environment variable of ours.
"""

from __future__ import annotations

import getpass
import http.client
import json
import os
import re
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from bailiwick import __version__
from bailiwick.app.files import UnsafeFile, read_private, write_private
from bailiwick.app.home import HomeError
from bailiwick.app.settings import SettingsError
from bailiwick.core.loopback import is_here

_TIMEOUT = 60.0
_MOST_ANSWER = 1 << 20
_MOST_PASSWORD = 4096
_SECTION = re.compile(r"\s*\[([^\]]*)\]")
PROFILE = re.compile(r"[\w.@+=,-]{1,64}", re.ASCII)


class Keys(msgspec.Struct, frozen=True):
    """Temporary credentials; `expiration` is ISO 8601 in UTC."""

    access_key_id: str
    secret: str
    token: str
    expiration: str
    arn: str

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id})"


def password_of(file: Path | None, user: str) -> str:
    """A password: of a private file, of standard input (`-`), or asked for on the terminal.

    Raises HomeError for an empty one, without which nobody is let in, and for a file that others can read.
    """
    if file is None:
        password = getpass.getpass(f"Password of {user}: ", stream=sys.stderr)
    elif str(file) == "-":
        password = sys.stdin.readline(_MOST_PASSWORD).rstrip("\r\n")
    else:
        try:
            password = read_private(file).decode("utf-8").rstrip("\r\n")
        except UnsafeFile as error:
            raise HomeError(str(error)) from None
        except UnicodeDecodeError:
            raise HomeError(f"{file} is not UTF-8 text") from None
    if not password:
        raise HomeError("the password is empty")
    return password


def by_ldap(endpoint: str, fields: dict[str, str], ca_file: Path | None = None) -> Keys:
    """What AssumeRoleWithLDAPIdentity at `endpoint` gives for these fields of its input.

    Raises SettingsError for an address to which no password is sent, HomeError for a refusal, OSError.
    """
    form = urlencode({"Action": "AssumeRoleWithLDAPIdentity", "Version": "2011-06-15", **fields})
    status, answer = _post(endpoint, form.encode(), ca_file)
    try:
        if status != 200:
            error = answer["Error"]
            raise HomeError(f"{error['Code']}: {error['Message']}")
        result = answer["AssumeRoleWithLDAPIdentityResponse"]["AssumeRoleWithLDAPIdentityResult"]
        found = result["Credentials"]
        return Keys(
            access_key_id=found["AccessKeyId"],
            secret=found["SecretAccessKey"],
            token=found["SessionToken"],
            expiration=datetime.fromtimestamp(found["Expiration"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            arn=result["AssumedRoleUser"]["Arn"],
        )
    except (KeyError, TypeError):
        raise HomeError(f"{endpoint} answered {status}, and not as a Bailiwick server does") from None


def as_process(keys: Keys) -> str:
    """The JSON that AWS's clients read from a `credential_process`."""
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret,
            "SessionToken": keys.token,
            "Expiration": keys.expiration,
        }
    )


def write_profile(path: Path, profile: str, keys: Keys) -> None:
    """Put the keys into a shared credentials file, in which every other profile stays as it is. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = path.read_text("utf-8") if path.exists() else ""
    kept, inside = list[str](), False
    for line in old.splitlines():
        section = _SECTION.match(line)
        inside = section[1].strip() == profile if section else inside
        if not inside:
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    made = [
        *([""] if kept else []),
        f"[{profile}]",
        f"# {keys.arn}, until {keys.expiration}",
        f"aws_access_key_id = {keys.access_key_id}",
        f"aws_secret_access_key = {keys.secret}",
        f"aws_session_token = {keys.token}",
    ]
    write_private(path.resolve(), "".join(f"{line}\n" for line in [*kept, *made]).encode())


def credentials_file() -> Path:
    """Where AWS's clients keep credentials."""
    named = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    return Path(named).expanduser() if named else Path("~/.aws/credentials").expanduser()


def _post(endpoint: str, body: bytes, ca_file: Path | None) -> tuple[int, Any]:
    """Status and JSON of the answer to a form."""
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "accept": "application/json",
        "user-agent": f"bailiwick/{__version__}",
    }
    return post(endpoint, urlsplit(endpoint).path or "/", body, headers, ca_file)


def post(endpoint: str, target: str, body: bytes, headers: dict[str, str], ca_file: Path | None) -> tuple[int, Any]:
    """Status and JSON of the answer of the server at `endpoint` to a POST. A redirect is followed nowhere.

    Raises SettingsError for an address that nothing secret is sent to, HomeError where nothing fit answers.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise SettingsError(f"`{endpoint}` is not the address of a server, such as https://sts.example.org")
    if parts.scheme == "http" and not is_here(parts.hostname):
        raise SettingsError(f"`{endpoint}` would be sent secrets in plain text; give an https address")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT)
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        told = answer.read(_MOST_ANSWER)
        return answer.status, json.loads(told)
    except (http.client.HTTPException, ValueError):
        raise HomeError(f"{endpoint} does not answer as a Bailiwick server does") from None
    except OSError as error:
        raise HomeError(f"{endpoint} cannot be reached: {error.strerror or error}") from None
    finally:
        connection.close()
