"""Documents of one account as those of another: its ARNs, its partition, its own number as a principal."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote


class Rewriting:
    """What account and partition become. Other accounts, and text that merely holds the number, stay."""

    def __init__(self, source: str | None, target: str, partition: str, *, documents: bool) -> None:
        """`documents` says whether policy documents are rewritten too; whose the entities are always is."""
        self._source, self._target, self._partition = source, target, partition
        self._documents = documents

    def arn(self, text: str) -> str:
        """An ARN of the source as one of the target."""
        fields = text.split(":", 5)
        if len(fields) != 6 or fields[0] != "arn":
            return text
        if fields[1].startswith("aws"):
            fields[1] = self._partition
        if fields[4] == self._source:
            fields[4] = self._target
        return ":".join(fields)

    def document(self, value: Any) -> str:
        """A document, given as an object or as percent-encoded text, as the text that is kept."""
        if isinstance(value, str):
            text = value if value.lstrip().startswith("{") else unquote(value)
            if not self._documents:
                return text
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                return text  # the checks will say what is wrong with it
            if self._value(value) == value:
                return text  # as it was written, spaces and all
        changed = self._value(value) if self._documents else value
        return json.dumps(changed, ensure_ascii=False, separators=(",", ":"))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._target if value == self._source else self.arn(value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, dict):
            return {key: self._value(each) for key, each in value.items()}
        return value
