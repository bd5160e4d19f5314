"""What an action of the console is: an operation, the form that asks for its input, and where one goes after."""

from __future__ import annotations

from typing import Any

import msgspec


class Field(msgspec.Struct, frozen=True):
    """One field. `kind` is text, password, area, json, lines, tags, number, choice or check."""

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    value: str = ""
    is_sent: bool = False  # of a check: whether `false` is sent where it is not checked
    key_name: str = "Key"
    value_name: str = "Value"


class Action(msgspec.Struct, frozen=True):
    """One operation and its form. `given` are members that are always the same; `home` is where one goes after."""

    title: str
    service: str
    operation: str
    fields: tuple[Field, ...]
    done: str
    home: str = "/console"
    verb: str = "Save"
    danger: bool = False
    text: str = ""
    given: dict[str, Any] = {}


def tags(key: str = "Key", value: str = "Value") -> Field:
    """The field for tags, whose members a service names in its own way."""
    return Field("Tags", "Tags", "tags", "One in a line: key=value", False, key_name=key, value_name=value)
