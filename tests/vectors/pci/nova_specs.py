"""Nova's device specs, for the slow model only.

Nothing here is shared with innkeeper: what the two agree on is worth something.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import Any

Report = Mapping[str, Any]
"""A device as the hypervisor reports it, or the same keys of a record."""

TRUE = {"1", "t", "true", "on", "y", "yes"}
FALSE = {"0", "f", "false", "off", "n", "no"}
LIMITS = (0xFFFF, 0xFF, 0x1F, 0x7)
WIDE_LIMITS = (0xFFFFFFFF, *LIMITS[1:])
FIELDS = ("domain", "bus", "slot", "function")
NOT_TAGS = ("vendor_id", "product_id", "address", "devname")


class NovaError(Exception):
    """An error of Nova by the name of its class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def lax(value: object) -> bool:
    """Anything that is no word for true is false."""
    return str(value).strip().lower() in TRUE


def strict(value: object) -> str:
    """`true` or `false`; junk is an error."""
    word = str(value).strip().lower()
    if word not in TRUE | FALSE:
        raise NovaError("PciConfigInvalidSpec")
    return "true" if word in TRUE else "false"


def number(text: str, limit: int) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        raise NovaError("PciConfigInvalidSpec") from None
    if value > limit:
        raise NovaError("PciConfigInvalidSpec")
    return value


def fields_of(address: str) -> list[str]:
    """Domain, bus, slot and function; what is missing on the left is `*`."""
    left, _, function = address.partition(".")
    parts = left.split(":")
    if len(parts) > 3:
        raise NovaError("PciDeviceWrongAddressFormat")
    return ["*"] * (3 - len(parts)) + parts + [function]


def normal_fields(address: str) -> list[str]:
    texts = []
    for text, limit in zip(fields_of(address), LIMITS, strict=True):
        bare = text.strip()
        width = f"{limit:x}".__len__()
        texts.append("*" if bare in ("", "*") else f"{number(bare, limit):0{width}x}")
    return texts


@cache
def device_fields(address: str, limits: tuple[int, ...] = LIMITS) -> tuple[str, ...]:
    """The fields of a device: every one must be there and in range."""
    left, _, function = address.partition(".")
    parts = left.split(":")
    if len(parts) != 3:
        raise NovaError("PciDeviceWrongAddressFormat")
    texts = [*parts, function]
    return tuple(
        f"{number(text, limit):0{len(f'{narrow:x}')}x}"
        for text, limit, narrow in zip(texts, limits, LIMITS, strict=True)
    )


def card_serial(report: Report) -> str | None:
    """The serial number in vital product data."""
    known = report.get("capabilities") or {}
    capabilities = json.loads(known) if isinstance(known, str) else known
    serial = capabilities.get("vpd", {}).get("card_serial_number")
    return str(serial) if serial else None


class NovaSpec:
    """One entry of `device_spec`. Addresses of PFs come from the recorded sysfs."""

    def __init__(
        self, words: Mapping[str, Any], pfs: Container[str], corrections: Container[str] = ()
    ) -> None:
        self.corrections = corrections
        self.tags = {key: value for key, value in words.items() if key not in NOT_TAGS}
        self.vendor = self._hex(words.get("vendor_id", "*"))
        self.product = self._hex(words.get("product_id", "*"))
        self.patterns, exact = self._address(words.get("address"))
        self.devname = words.get("devname")
        self.names_pf = exact is not None and exact in pfs
        self.address = exact
        self._check_tags()

    @staticmethod
    def _hex(text: str) -> str:
        bare = text.strip()
        return bare if bare == "*" else f"{number(bare, 0xFFFF):04x}"

    @staticmethod
    def _address(words: Any) -> tuple[list[str], str | None]:
        """An expression for each field, and the address if every field is plain hex."""
        if not words:
            return [".*"] * 4, None
        if isinstance(words, str):
            texts = normal_fields(words)
            patterns = [".*" if text == "*" else text for text in texts]
        else:
            patterns = texts = [words.get(name, ".*") for name in FIELDS]
        plain = all(re.fullmatch("[0-9a-fA-F]*", text) for text in texts)
        return patterns, "{}:{}:{}.{}".format(*texts) if plain else None

    def _check_tags(self) -> None:
        for key in ("managed", "live_migratable"):
            if self.tags.get(key) is not None:
                self.tags[key] = strict(self.tags[key])
        if self._is_remote() and self.names_pf and not self.has("remote-managed-pf"):
            # What it means to check it never reaches: it looks the PF up by a wrong name.
            raise NovaError("PciDeviceNotFoundById")

    def _is_remote(self) -> bool:
        return lax(self.tags.get("remote_managed"))

    def has(self, correction: str) -> bool:
        return correction in self.corrections

    def matches(self, report: Report) -> bool:
        limits = WIDE_LIMITS if self.has("wide-domains") else LIMITS
        own = device_fields(report["address"], limits)
        parent = report.get("parent_addr")
        above = device_fields(parent, limits) if parent else None
        return (
            self.vendor in ("*", report["vendor_id"])
            and self.product in ("*", report["product_id"])
            and self._matches_address(own, above)
            and (not self._is_remote() or card_serial(report) is not None)
        )

    def _matches_address(self, own: tuple[str, ...], above: tuple[str, ...] | None) -> bool:
        if self.devname:
            return False
        places = [above] if self.names_pf and above else []
        if not (self.names_pf and self._is_remote()):
            places.append(own)
        return any(
            all(re.match(one, text) for one, text in zip(self.patterns, place, strict=True))
            for place in places
        )


def first_match(specs: Sequence[NovaSpec], report: Report) -> NovaSpec | None:
    """First match wins; a device whose address cannot be is skipped."""
    try:
        return next((spec for spec in specs if spec.matches(report)), None)
    except NovaError as error:
        if error.name == "PciConfigInvalidSpec":
            return None
        raise
