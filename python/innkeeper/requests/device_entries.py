"""The entries of the configuration that admit devices, all in Nova's words."""

from __future__ import annotations

from typing import Any, NamedTuple

from innkeeper._core import DeviceSpecs
from innkeeper.config import Config, DeviceSpec
from innkeeper.config.nearest import quoted
from innkeeper.errors import BadConfig
from innkeeper.requests.strict_words import read_json

#: Keys of `[[devices]]` that mean the same as in Nova's `[pci]device_spec`.
_NOVA_KEYS = (
    "vendor_id",
    "product_id",
    "address",
    "devname",
    "physical_network",
    "trusted",
    "remote_managed",
    "managed",
    "live_migratable",
    "resource_class",
)
_KEYS_OF_THEIR_OWN = frozenset({*_NOVA_KEYS, "one_time_use", "traits"})


_NOTHING_OF_ITS_OWN = DeviceSpec()


class Entry(NamedTuple):
    """One entry before it is read: where it stands, and its keys in Nova's words."""

    path: str
    words: str
    keys: dict[str, Any]
    own: DeviceSpec = _NOTHING_OF_ITS_OWN


class Entries:
    """All entries, and what is wrong with them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.problems: list[dict[str, str]] = []

    @classmethod
    def of(cls, config: Config) -> Entries:
        """`[[devices]]`, then `[nova] device_spec`."""
        entries = cls()
        for number, spec in enumerate(config.devices, 1):
            entries._take_ours(number, spec)
        for number, text in enumerate(config.nova.device_spec, 1):
            entries._take_novas(number, text)
        return entries

    def read(self) -> DeviceSpecs | None:
        """All entries as the core takes them; null when something is wrong with one of them."""
        try:
            specs = DeviceSpecs([entry.keys for entry in self.entries])
        except BadConfig as error:
            for position, key, problem in error.details["problems"]:
                entry = self.entries[position]
                tags = ".tags" if key in entry.own.tags else ""
                self._refuse(f"{entry.path}{tags}.{key}", problem)
            return None
        return None if self.problems else specs

    def _take_ours(self, number: int, spec: DeviceSpec) -> None:
        path = f"devices[{number}]"
        if not _KEYS_OF_THEIR_OWN.isdisjoint(spec.tags):
            for tag in sorted(spec.tags.keys() & _KEYS_OF_THEIR_OWN):
                self._refuse(f"{path}.tags.{tag}", "is no tag: the entry has a key for it")
        if spec.address == {} or (isinstance(spec.address, str) and not spec.address.strip()):
            self._refuse(f"{path}.address", "is empty: leave it out to mean any address")
        words = f"[[devices]] entry {number}"
        self.entries.append(Entry(path, words, _in_nova_words(spec), spec))

    def _take_novas(self, number: int, text: str) -> None:
        path, words = f"nova.device_spec[{number}]", f"[nova] device_spec entry {number}"
        try:
            value = read_json(text)
        except ValueError as error:
            self._refuse(path, f"cannot be read: {error}")
            return
        if isinstance(value, dict):
            self.entries.append(Entry(path, words, value))
        elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
            for item, keys in enumerate(value, 1):
                self.entries.append(Entry(f"{path}[{item}]", f"{words}, item {item}", keys))
        else:
            self._refuse(path, f"is {quoted(value)}: should be a JSON object, or a list of objects")

    def _refuse(self, path: str, problem: str) -> None:
        self.problems.append({"path": path, "message": f"`{path}` {problem}"})


def _in_nova_words(spec: DeviceSpec) -> dict[str, Any]:
    # Of hundreds of entries, and therefore past the class.
    values = spec.__dict__
    keys = {key: value for key in _NOVA_KEYS if (value := values[key]) is not None}
    if spec.one_time_use:
        keys["one_time_use"] = True
    if spec.traits:
        keys["traits"] = ",".join(spec.traits)
    return {**spec.tags, **keys}
