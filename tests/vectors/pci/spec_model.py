"""A slow model of Nova's device specs, with the corrections that innkeeper makes, each by its name.

With none of them it is Nova 34; with all of them it is what docs/differences-from-nova.md promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

#: The corrections, in the order in which they are left away again.
CORRECTIONS: Final = (
    "strict-hex",
    "address-forms",
    "wide-domains",
    "remote-managed-pf",
    "one-time-use",
    "tags-are-texts",
    "unreadable-skipped",
    "ids-in-any-case",
)

PFS: Final = {
    "0000:0a:00.0": ("8086", "1572", "154c"),
    "0000:81:00.0": ("15b3", "a2d6", "101e"),
}
"""Of the recorded host: ids of each PF and the product id of its VFs."""
NETDEVS: Final = {"ens1f0": "0000:81:00.0", "ens1v2": "0000:81:02.2", "eth0": "0000:0a:00.5"}

_TRUE = {"1", "t", "true", "on", "y", "yes"}
_FALSE = {"0", "f", "false", "off", "n", "no"}
_FIELDS = (("domain", 0xFFFF), ("bus", 0xFF), ("slot", 0x1F), ("function", 7))
_WIDTHS = (4, 2, 2, 1)


class Refused(Exception):
    """The spec, or the device, is refused."""


class Broken(Exception):
    """A device of the host ends the whole inventory."""


class SpecModel:
    """One spec and the questions that it answers."""

    def __init__(
        self, spec: Mapping[str, Any], *, in_placement: bool, corrections: frozenset[str]
    ) -> None:
        self._corrections = corrections
        self._vendor = self._id(spec.get("vendor_id", "*"))
        self._product = self._id(spec.get("product_id", "*"))
        self._devname = spec.get("devname") or None
        if spec.get("address") and self._devname:
            raise Refused
        self._patterns, self._address = self._place(spec.get("address"))
        known = ("vendor_id", "product_id", "address", "devname")
        given = {key: value for key, value in spec.items() if key not in known}
        self._remote = str(given.get("remote_managed")).strip().lower() in _TRUE
        self.tags = {key: self._tag(key, value) for key, value in given.items()}
        if (
            self.tags.get("one_time_use") == "true"
            and not in_placement
            and not self._has("one-time-use")
        ):
            raise Refused
        if self._remote and not self._has("remote-managed-pf"):
            self._check_remote()

    def _has(self, correction: str) -> bool:
        return correction in self._corrections

    # -- reading -----------------------------------------------------------------------------

    def _id(self, given: Any) -> str:
        if not isinstance(given, str):
            raise Refused
        return "*" if given.strip() == "*" else f"{self._number(given, 0xFFFF):04x}"

    def _number(self, text: str, limit: int) -> int:
        if self._has("strict-hex") and re.search("[-+_]", text):
            raise Refused
        try:
            number = int(text, 16)
        except ValueError:
            raise Refused from None
        if number > limit:
            raise Refused
        return number

    def _place(self, given: Any) -> tuple[list[str] | None, str | None]:
        """An expression for each part, and the address when the parts spell one out."""
        if isinstance(given, str) and given:
            return self._text_place(given)
        if isinstance(given, dict) and given:
            return self._table_place(given)
        falsy = given is None or given in ("", {})
        if given or (self._has("address-forms") and not falsy):
            raise Refused
        return None, None

    def _text_place(self, text: str) -> tuple[list[str] | None, str | None]:
        left, _, function = text.partition(".")
        parts = left.split(":")
        if len(parts) > 3:
            raise Refused
        parts = ["*"] * (3 - len(parts)) + parts + [function]
        limits = [limit for _, limit in _FIELDS]
        if self._has("wide-domains"):
            limits[0] = 0xFFFFFFFF
        texts = [
            ".*" if part.strip() in ("", "*") else f"{self._number(part, limit):0{width}x}"
            for part, limit, width in zip(parts, limits, _WIDTHS, strict=True)
        ]
        exact = "{}:{}:{}.{}".format(*texts) if ".*" not in texts else None
        return [one if one == ".*" else f"{one}$" for one in texts], exact

    def _table_place(self, table: Mapping[str, Any]) -> tuple[list[str] | None, str | None]:
        names = [name for name, _ in _FIELDS]
        if self._has("address-forms") and not set(table) <= set(names):
            raise Refused
        patterns = [table.get(name, ".*") for name in names]
        try:
            for pattern in patterns:
                re.compile(pattern)
        except (re.error, TypeError):
            raise Refused from None
        plain = all(re.fullmatch("[0-9a-fA-F]*", one) for one in patterns)
        return patterns, "{}:{}:{}.{}".format(*patterns) if plain else None

    def _tag(self, key: str, value: Any) -> Any:
        word = str(value).strip().lower()
        if key in ("managed", "live_migratable", "one_time_use") and value is not None:
            if word not in _TRUE | _FALSE:
                raise Refused
            return "true" if word in _TRUE else "false"
        if self._has("tags-are-texts") and value is not None and not isinstance(value, str):
            return str(value).lower()
        return value

    def _check_remote(self) -> None:
        """What Nova means to look at it never reaches for an address, and does for a name."""
        if self._address in PFS:
            raise Refused
        if self._devname is None:
            return
        address = NETDEVS.get(self._devname)
        if address is None:
            raise Refused
        if address in PFS:
            vendor, _, vf_product = PFS[address]
            if self._product != vf_product or self._vendor not in (vendor, "*"):
                raise Refused

    # -- matching ----------------------------------------------------------------------------

    def matches(self, device: Mapping[str, Any]) -> bool:
        own = self._device_parts(device["address"])
        parent = device.get("parent_addr")
        above = self._device_parts(parent) if parent else None
        vendor, product = device["vendor_id"], device["product_id"]
        if self._has("ids-in-any-case"):
            vendor, product = vendor.lower(), product.lower()
        return (
            self._vendor in ("*", vendor)
            and self._product in ("*", product)
            and self._is_there(own, above)
            and (not self._remote or bool(_serial(device)))
        )

    def _device_parts(self, address: str) -> list[str]:
        left, _, function = address.partition(".")
        parts = [*left.split(":"), function]
        if len(parts) != 4:
            raise Refused if self._has("unreadable-skipped") else Broken
        texts = []
        for part, (name, limit), width in zip(parts, _FIELDS, _WIDTHS, strict=True):
            if part == "*" and not self._has("unreadable-skipped"):
                texts.append(part)
                continue
            wide = name == "domain" and self._has("wide-domains")
            texts.append(f"{self._number(part, 0xFFFFFFFF if wide else limit):0{width}x}")
        return texts

    def _is_there(self, own: list[str], above: list[str] | None) -> bool:
        address = self._address
        if self._devname is not None:
            address = NETDEVS.get(self._devname)
            if address is None:
                return False
        elif self._patterns is None:
            return True
        if address in PFS:
            return address in self._of_family(own, above)
        if self._devname is not None:
            return _written(own) == address
        patterns = self._patterns or []
        return all(re.match(one, text) for one, text in zip(patterns, own, strict=True))

    def _of_family(self, own: list[str], above: list[str] | None) -> Iterator[str]:
        if above is not None:
            yield _written(above)
        if not (self._remote and self._has("remote-managed-pf")):
            yield _written(own)


def first_match(
    specs: Sequence[SpecModel], device: Mapping[str, Any]
) -> tuple[int, Mapping[str, Any]] | None:
    """Position and tags of the first spec that matches; a device that is refused is skipped."""
    try:
        matched = (at for at, spec in enumerate(specs) if spec.matches(device))
        return next(((at, specs[at].tags) for at in matched), None)
    except Refused:
        return None


def _written(parts: Sequence[str]) -> str:
    return "{}:{}:{}.{}".format(*parts)


def _serial(device: Mapping[str, Any]) -> Any:
    return (device.get("capabilities") or {}).get("vpd", {}).get("card_serial_number")
