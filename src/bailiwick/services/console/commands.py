"""The `aws` command that does what a form does."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SPECIAL = {"OpenIDConnect": "Open-ID-Connect", "MFADevice": "MFA-Device", "SAMLProvider": "SAML-Provider"}


def kebab(name: str) -> str:
    """A name of the API as the command line has it: `CreateAccessKey` is `create-access-key`."""
    for old, new in _SPECIAL.items():
        name = name.replace(old, f"-{new}" if not name.startswith(old) else new)
    return re.sub("-+", "-", _WORDS.sub("-", name)).lower()


def command(service: str, operation: str, members: Mapping[str, Any]) -> str:
    """The whole command, quoted for a shell."""
    words = ["aws", service, kebab(operation)]
    for name, value in members.items():
        if value is None or value == "":
            continue
        option = f"--{kebab(name)}"
        if value is True:
            words.append(option)
        elif value is False:
            words.append(f"--no-{kebab(name)}")
        else:
            words += [option, _text(value)]
    return " ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(map(shlex.quote, value))
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))
