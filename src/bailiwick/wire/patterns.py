"""The regular expressions of the service models, made for Java, as Python understands them.

In Java `\\w`, `\\d` and `\\s` are ASCII and `\\p{L}` is a class; in Python it is the other way round.
"""

from __future__ import annotations

import re
from functools import cache

# Letters and numbers are what Python's own \w holds beside the underscore; separators have no short name.
_SEPARATORS = r"\u0020\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
# Letters, marks, symbols, numbers and punctuation: all that is neither a separator, nor control, format or private.
_PRINTED = (
    r"\u0021-\u007E\u00A1-\u00AC\u00AE-\u167F\u1681-\u1FFF\u2010-\u2027\u2030-\u205E\u2070-\u2FFF\u3001-\uD7FF"
    r"\uF900-\uFEFE\uFF00-\uFFEF\U00010000-\U000DFFFF"
)
_UNICODE = {
    r"\p{L}\p{M}\p{S}\p{N}\p{P}": _PRINTED,
    r"\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}": _PRINTED + _SEPARATORS,
    r"\p{L}": r"\w",
    r"\p{N}": "",
    r"\p{Z}": _SEPARATORS,
}


@cache
def python_pattern(pattern: str) -> str:
    """A pattern for `re.search` that matches what the model's pattern matches as a whole.

    Raises re.error for a pattern that Python does not understand.
    """
    if pattern.startswith("(?s)"):
        pattern = f"(?s:{pattern[4:]})"  # Python wants flags first, or of a group
    # What Java writes as pairs of surrogates is one character here.
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    flags = "(?a)"
    if r"\p{" in pattern:
        flags = ""
        for java, python in _UNICODE.items():
            pattern = pattern.replace(java, python)
    translated = rf"{flags}^(?:{pattern})\Z"
    re.compile(translated)
    return translated
