"""What a page was asked with: the fields of a query or of a form, within bounds. Files are not taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

_MOST_FIELDS = 2_000
_FORM = "application/x-www-form-urlencoded"


class BadForm(Exception):
    """What was sent is no form, or too much of one."""


class Fields(Mapping[str, str]):
    """Fields by name; of one that is repeated, the first. `all` has the others."""

    def __init__(self, text: str) -> None:
        """Read `application/x-www-form-urlencoded`. Raises BadForm."""
        self._values: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        except ValueError:
            raise BadForm("The form cannot be read.") from None
        for name, value in pairs:
            self._values.setdefault(name, []).append(value.replace("\r\n", "\n"))

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self._values.get(name, [])

    def filled(self, name: str) -> str | None:
        """The value without blanks around it, or None if nothing is there."""
        return self.get(name, "").strip() or None

    def __repr__(self) -> str:
        return f"Fields({', '.join(self._values)})"  # what they hold may be secret


def read(kind: str | None, body: bytes) -> Fields:
    """The fields of a form in a body of this content type. Raises BadForm."""
    if (kind or "").partition(";")[0].strip().lower() != _FORM:
        raise BadForm("This page takes a form.")
    try:
        return Fields(body.decode("ascii"))
    except UnicodeDecodeError:
        raise BadForm("The form cannot be read.") from None
