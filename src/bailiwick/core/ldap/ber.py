"""The Basic Encoding Rules as far as LDAP uses them: definite lengths, tags of one byte (RFC 4511 section 5.1)."""

from __future__ import annotations

from bailiwick.core.errors import LdapError

BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31

_LONGEST_LENGTH = 4  # bytes that tell a length; LDAP's messages are far below what these can say


def encode(tag: int, *parts: bytes) -> bytes:
    """One element: its tag, its length, and the parts of its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER or ENUMERATED."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool, tag: int = BOOLEAN) -> bytes:
    """A BOOLEAN."""
    return encode(tag, b"\xff" if value else b"\x00")


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """An OCTET STRING; text in UTF-8."""
    return encode(tag, value.encode() if isinstance(value, str) else value)


def whole(data: bytes | bytearray, most: int) -> int | None:
    """How many bytes the element at the front of `data` takes; None while its head is not all there.

    Raises LdapError for a length that is not told in a definite form, or greater than `most`.
    """
    if len(data) < 2:
        return None
    first = data[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= _LONGEST_LENGTH:
        raise LdapError("an element's length is in no form that LDAP allows")
    if len(data) < 2 + count:
        return None
    size = 2 + count + int.from_bytes(data[2 : 2 + count], "big")
    if size > most:
        raise LdapError(f"an element of {size} bytes is larger than anything that was asked for")
    return size


class Reader:
    """Reads elements one after the other out of a content. Every method raises LdapError for what is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether there is another element."""
        return self._at < len(self._data)

    def element(self) -> tuple[int, bytes]:
        """The tag and the content of the next element."""
        rest = self._data[self._at : self._at + 2 + _LONGEST_LENGTH]
        size = whole(rest, len(self._data) - self._at)
        if size is None or self._at + size > len(self._data):
            raise LdapError("an element ends before its time")
        head = 2 if rest[1] < 0x80 else 2 + (rest[1] & 0x7F)
        content = self._data[self._at + head : self._at + size]
        self._at += size
        return rest[0], content

    def expect(self, *tags: int) -> bytes:
        """The content of the next element, which has one of these tags."""
        tag, content = self.element()
        if tag not in tags:
            raise LdapError(f"an element has the tag {tag:#04x} and not {tags[0]:#04x}")
        return content

    def integer(self, tag: int = INTEGER) -> int:
        """The next element as a number."""
        content = self.expect(tag)
        if not 1 <= len(content) <= 8:
            raise LdapError("a number is too long")
        return int.from_bytes(content, "big", signed=True)

    def text(self, tag: int = OCTETS) -> str:
        """The next element as text."""
        try:
            return self.expect(tag).decode("utf-8")
        except UnicodeDecodeError:
            raise LdapError("a text is not UTF-8") from None
