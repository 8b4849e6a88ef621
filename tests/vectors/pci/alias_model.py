"""A slow model of Nova's aliases and their extra spec, with innkeeper's corrections by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.vectors.pci.spec_model import Refused

#: The corrections, in the order in which they are left away again.
CORRECTIONS: Final = (
    "alias-alternatives",
    "alias-namesakes",
    "alias-ids",
    "alias-names",
    "no-capability-type",
    "strict-counts",
)

_TRUE = {"1", "t", "true", "on", "y", "yes"}
_FALSE = {"0", "f", "false", "off", "n", "no"}
_CHOICES: Final = {
    "device_type": ("type-PCI", "type-PF", "type-VF"),
    "numa_policy": ("required", "legacy", "preferred", "socket"),
    "capability_type": ("pci",),
}
_KEYS = {
    "name", "vendor_id", "product_id", "resource_class", "traits", "live_migratable", *_CHOICES,
}  # fmt: skip

Specs = list[dict[str, str]]


class AliasModel:
    """The aliases of one configuration."""

    def __init__(
        self, texts: Sequence[str], *, in_placement: bool, corrections: frozenset[str]
    ) -> None:
        self._corrections = corrections
        self._in_placement = in_placement
        self.aliases: dict[str, tuple[str, Specs]] = {}
        for text in texts:
            self._take(_checked(text))
        for _, specs in self.aliases.values():
            self._check(specs)

    def _has(self, correction: str) -> bool:
        return correction in self._corrections

    def _take(self, entry: dict[str, str]) -> None:
        name = entry.pop("name").strip()
        policy = entry.pop("numa_policy", "legacy")
        if self._has("alias-names") and not name:
            raise Refused
        spec = self._spec(entry)
        if name not in self.aliases:
            self.aliases[name] = policy, [spec]
            return
        known, specs = self.aliases[name]
        here, there = spec.get("dev_type"), specs[0].get("dev_type")
        untyped = here is None or there is None
        if known != policy or here != there or (untyped and not self._has("alias-namesakes")):
            raise Refused
        specs.append(spec)

    def _spec(self, entry: dict[str, str]) -> dict[str, str]:
        spec = {{"device_type": "dev_type"}.get(key, key): text for key, text in entry.items()}
        if "live_migratable" in spec:
            spec["live_migratable"] = _boolean(spec["live_migratable"])
        if self._has("no-capability-type"):
            spec.pop("capability_type", None)
        if self._has("alias-ids"):
            for key in {"vendor_id", "product_id"} & spec.keys():
                if spec[key].endswith("\n"):
                    raise Refused
                spec[key] = spec[key].lower()
        return spec

    def _check(self, specs: Specs) -> None:
        in_placement = self._in_placement
        if in_placement and len(specs) > 1 and not self._has("alias-alternatives"):
            raise Refused
        for spec in specs:
            has_ids = {"vendor_id", "product_id"} <= spec.keys()
            has_class = in_placement and "resource_class" in spec and not self._has("alias-ids")
            if not has_ids and not has_class:
                raise Refused

    def requests(self, text: str, policy: str | None) -> list[dict[str, Any]]:
        """What the extra spec asks for."""
        return [self._request(part, policy) for part in text.split(",")]

    def _request(self, part: str, policy: str | None) -> dict[str, Any]:
        pieces = part.split(":")
        if len(pieces) != 2 or pieces[0].strip() not in self.aliases:
            raise Refused
        name, count = pieces[0].strip(), self._count(pieces[1])
        own, specs = self.aliases[name]
        return {"alias_name": name, "count": count, "numa_policy": policy or own, "spec": specs}

    def _count(self, text: str) -> int:
        if self._has("strict-counts") and not re.fullmatch(r"\s*[0-9]*[1-9][0-9]*\s*", text):
            raise Refused
        try:
            return int(text)
        except ValueError:
            raise Refused from None


def _checked(text: str) -> dict[str, str]:
    try:
        entry: Mapping[str, Any] = json.loads(text)
    except json.JSONDecodeError:
        raise Refused from None
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS or "name" not in entry:
        raise Refused
    for key, value in entry.items():
        allowed = _CHOICES.get(key)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise Refused
        if key in ("vendor_id", "product_id") and not re.search(r"^[0-9A-Fa-f]{4}$", value):
            raise Refused
    if not 1 <= len(entry["name"]) <= 256:
        raise Refused
    return dict(entry)


def _boolean(text: str) -> str:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise Refused
    return "true" if word in _TRUE else "false"
