"""What libvirt writes as XML, read with suspicion.

A remote libvirt may be anybody's. What is too long is not parsed, and a document type, which libvirt never
writes, ends it at once: without one there are no entities, neither external ones nor such as grow.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.etree import ElementTree

from innkeeper.drivers.sysfs.parse import parse_amount, shown

LONGEST: Final = 4 * 1024 * 1024
"""Characters; as much as libvirt's protocol carries in one text (VIR_NET_MESSAGE_STRING_MAX)."""

_KIB: Final = {None: 1, "KiB": 1, "MiB": 1024, "GiB": 1024 * 1024}

Element = ElementTree.Element


class _WithoutDocumentType(ElementTree.TreeBuilder):
    def doctype(self, name: str, public: str | None, system: str | None) -> NoReturn:
        raise ValueError("has a document type, which libvirt never writes")


def read_xml(text: str, root: str) -> Element:
    """The root element, which has this name.

    Raises:
        ValueError: it is too long or no such XML.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters of XML, at most {LONGEST} are read")
    parser = ElementTree.XMLParser(target=_WithoutDocumentType())
    try:
        parser.feed(text)
        element: Element = parser.close()
    except (ElementTree.ParseError, UnicodeError) as error:
        raise ValueError(f"is no XML: {error}") from None
    if element.tag != root:
        raise ValueError(f"is a <{element.tag[:40]}>, not a <{root}>")
    return element


def text_of(element: Element, path: str) -> str | None:
    """The text of a child; null when there is none or it is blank."""
    return (element.findtext(path) or "").strip() or None


def kib_of(element: Element) -> int:
    """An amount of memory in KiB.

    Raises:
        ValueError: it is no number, or its unit is none that libvirt writes.
    """
    unit = element.get("unit")
    if unit not in _KIB:
        raise ValueError(
            f"{shown(str(unit))} is no unit of memory here: {', '.join(filter(None, _KIB))}"
        )
    return parse_amount((element.text or "").strip()) * _KIB[unit]


def address_in(element: Element) -> str:
    """A PCI address from attributes in hex, as innkeeper writes it.

    Raises:
        ValueError: it is none.
    """
    return _address([_hex(element, name) for name in _PARTS])


def address_below(element: Element) -> str:
    """A PCI address from children in decimal.

    Raises:
        ValueError: it is none.
    """
    return _address([parse_amount(text_of(element, name) or "") for name in _PARTS])


_PARTS: Final = ("domain", "bus", "slot", "function")
_MOST: Final = (0xFFFFFFFF, 0xFF, 0x1F, 7)


def _hex(element: Element, name: str) -> int:
    text = element.get(name, "")
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if number < 0 or len(text) > 12:
        raise ValueError(f"{shown(text)} is no {name} of a PCI address")
    return number


def _address(parts: list[int]) -> str:
    if any(part > most for part, most in zip(parts, _MOST, strict=True)):
        raise ValueError(f"{shown(str(parts))} is no PCI address")
    domain, bus, slot, function = parts
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"
