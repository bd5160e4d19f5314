"""Exclusive canonicalization gives the bytes that lxml gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bailiwick.core.assertion import xml_tree
from bailiwick.core.assertion.canonical import canonical

_PREFIXES = ("", "a", "b")
_SPACES = ("urn:one", "urn:two", "http://example.org/x")
_TEXT = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")) | st.sampled_from("\t\n\r"), max_size=8
)


def escaped(text: str) -> str:
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\r", "&#13;")):
        text = text.replace(letter, entity)
    return text


@st.composite
def elements(draw: st.DrawFn, bound: frozenset[str] = frozenset(), depth: int = 0) -> str:
    declared = {p: draw(st.sampled_from(_SPACES)) for p in _PREFIXES if draw(st.booleans())}
    usable = sorted(bound | declared.keys())
    prefixes = [""] + [p for p in usable if p]
    prefix = draw(st.sampled_from(prefixes))
    name = f"{prefix}:{draw(st.sampled_from('xyz'))}" if prefix else draw(st.sampled_from("xyz"))
    parts = [f' xmlns{":" if p else ""}{p}="{uri}"' for p, uri in declared.items()]
    if "" not in declared and draw(st.booleans()):
        parts.append(' xmlns=""')
    # One attribute for each local name, so that two prefixes for one namespace make no duplicate.
    for local in draw(st.sets(st.sampled_from("klm"))):
        at = draw(st.sampled_from(prefixes))
        parts.append(f' {at}:{local}="{escaped(draw(_TEXT))}"' if at else f' {local}="{escaped(draw(_TEXT))}"')
    if draw(st.booleans()):
        parts.append(' xml:lang="en"')
    inside = [escaped(draw(_TEXT))]
    if depth < 4:
        for child in draw(st.lists(elements(frozenset(usable), depth + 1), max_size=2)):
            inside += [
                child,
                draw(st.sampled_from(["", "<!-- c -->", "&#xD;", "<![CDATA[<&>]]>"])),
                escaped(draw(_TEXT)),
            ]
    return f"<{name}{''.join(parts)}>{''.join(inside)}</{name}>"


@settings(max_examples=250, deadline=None, derandomize=True)
@given(document=elements(), kept=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True))
def test_the_whole_and_every_part_as_lxml_has_it(document: str, kept: list[str]) -> None:
    parser = etree.XMLParser(resolve_entities=False)
    theirs = etree.fromstring(document.encode(), parser)
    ours = xml_tree.read(document.encode())
    pairs = list(zip(ours.walk(), theirs.iter(etree.Element), strict=True))
    for mine, other in pairs:
        expected = etree.tostring(other, method="c14n", exclusive=True, inclusive_ns_prefixes=kept, with_tail=False)
        without_comments = etree.tostring(
            other, method="c14n", exclusive=True, inclusive_ns_prefixes=kept, with_comments=False, with_tail=False
        )
        assert canonical(mine, inclusive=kept) == without_comments
        assert without_comments == expected or b"<!--" in expected


def test_what_was_canonicalized_is_its_own_canonical_form() -> None:
    text = b'<a:x xmlns:a="urn:one" xmlns="urn:two" m="1" a:l="&#9;&quot;"><y/><!-- c -->\r\n&#13;</a:x>'
    once = canonical(xml_tree.read(text))
    assert once == b'<a:x xmlns:a="urn:one" m="1" a:l="&#x9;&quot;"><y xmlns="urn:two"></y>\n&#xD;</a:x>'
    assert canonical(xml_tree.read(once)) == once


def test_the_default_namespace_is_kept_by_its_name_in_a_list() -> None:
    text = b'<a:x xmlns:a="urn:one" xmlns="urn:two" xmlns:b="urn:b"/>'
    kept = canonical(xml_tree.read(text), inclusive=["#default", "b"])
    assert kept == b'<a:x xmlns="urn:two" xmlns:a="urn:one" xmlns:b="urn:b"></a:x>'
