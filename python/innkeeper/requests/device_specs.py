"""Which functions of a host may be handed out, by the operator's entries, and what is said of them.

The entries are `[[devices]]`, then `[nova] device_spec` in Nova's own words. The first that admits a
function counts; nothing is merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from innkeeper._core import DeviceSpecs
from innkeeper.config import Config
from innkeeper.config.nearest import quoted
from innkeeper.errors import BadConfig
from innkeeper.objects import PciFunction
from innkeeper.requests.device_entries import Entries, Entry
from innkeeper.requests.strict_words import is_true


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """What one entry says of the devices that it admits."""

    position: int
    """Among all entries, from 0."""
    tags: Mapping[str, str | None]
    """Of `Device.tags`: texts, booleans as `true` and `false`; null is a value."""
    clean: tuple[str, ...] = ()
    """A command and its arguments, to be run when a holder is gone; empty: none."""
    clean_timeout: float = 600.0
    """Seconds."""
    one_time_use: bool = False
    words: str = ""
    """Names the entry, such as `[[devices]] entry 2`."""


class DeviceRules:
    """All entries of one configuration."""

    def __init__(self, specs: DeviceSpecs, entries: Sequence[Entry]) -> None:
        self._specs, self._entries, self._tags = specs, entries, specs.tags()
        self._rules: dict[int, DeviceRule] = {}
        """By position; of hundreds of entries few admit anything, and those alone are put into words."""

    @classmethod
    def of(cls, config: Config) -> DeviceRules:
        """Read every entry.

        Raises:
            BadConfig: naming the entry and the key of each thing that is wrong.
        """
        entries = Entries.of(config)
        specs = entries.read()
        if specs is None:
            lines = "\n".join(problem["message"] for problem in entries.problems)
            raise BadConfig(lines, errors=entries.problems)
        return cls(specs, entries.entries)

    def find(
        self, function: PciFunction, functions: Sequence[PciFunction] = ()
    ) -> DeviceRule | None:
        """The first entry that admits a function, relatives being looked up among the host's."""
        return self.find_all([*functions, function])[-1]

    def find_all(self, functions: Sequence[PciFunction]) -> list[DeviceRule | None]:
        """The first entry that admits each function, relatives being looked up among them.

        Of a part of a host's functions the answer may differ: an address stands for VFs only where its
        function is known to be a PF.
        """
        rules = self._rules
        return [
            None if position is None else rules.get(position) or self._rule(position)
            for position in self._specs.find_all(functions)
        ]

    def could_admit(self, pattern: Mapping[str, str | None]) -> bool:
        """Whether some entry may admit a device that has the properties of a request's pattern."""
        vendor_id, product_id = pattern.get("vendor_id"), pattern.get("product_id")
        return any(
            self._specs.could_admit(rule.position, vendor_id, product_id)
            and all(_has(rule, key, value) for key, value in pattern.items())
            for rule in self
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each entry that nothing reaches, and for each two that compete for a device.

        Two compete when both may admit the same device, and say different things of it.
        """
        return (*self._unreachable(), *self._overlaps())

    def warnings_on(self, functions: Sequence[PciFunction]) -> tuple[str, ...]:
        """Entries that name a network device, or ask for remote management, and admit nothing here."""
        return tuple(
            f"{self._rule(position).words} admits nothing on this host: {why}"
            for position in self._specs.idle(functions)
            if (why := _why_idle(self._entries[position], self._rule(position)))
        )

    def __iter__(self) -> Iterator[DeviceRule]:
        return map(self._rule, range(len(self)))

    def __len__(self) -> int:
        return len(self._entries)

    def _rule(self, position: int) -> DeviceRule:
        """What one entry says; always the same object."""
        if position not in self._rules:
            rule = _rule(position, self._entries[position], self._tags[position])
            self._rules.setdefault(position, rule)
        return self._rules[position]

    def _unreachable(self) -> Iterator[str]:
        for earlier, later in self._specs.unreachable():
            first, second = self._rule(earlier).words, self._rule(later).words
            yield f"{second} is never reached: {first} admits all that it does, and comes first"

    def _overlaps(self) -> Iterator[str]:
        for earlier, later in self._specs.overlaps():
            first, second = self._rule(earlier), self._rule(later)
            if _says(first) != _says(second):
                yield (
                    f"{first.words} and {second.words} may admit the same device: "
                    "it is what the first says of it"
                )


def _why_idle(entry: Entry, rule: DeviceRule) -> str | None:
    """What to look at when an entry admits nothing; null when that is nothing special."""
    if is_true(rule.tags.get("remote_managed")):
        return "remote_managed wants functions with a serial number, and of a PF only the VFs"
    name = entry.keys.get("devname")
    return f"no function has network device {quoted(name)} and the ids given" if name else None


def _has(rule: DeviceRule, key: str, value: str | None) -> bool:
    """Whether a rule's devices may have a property; of what the hardware says anything may be."""
    if key not in rule.tags:
        return value is None or key in _OF_THE_DEVICE
    have = rule.tags[key]
    if have is None or value is None:
        return have is value
    return have.lower() == value.lower()


_OF_THE_DEVICE = frozenset(
    {
        "vendor_id",
        "product_id",
        "dev_type",
        "address",
        "parent_ifname",
        "remote_managed",
        "resource_class",
        "traits",
    }
)


def _says(rule: DeviceRule) -> tuple[object, ...]:
    return rule.tags, rule.clean, rule.clean_timeout, rule.one_time_use


def _rule(position: int, entry: Entry, tags: dict[str, str | None]) -> DeviceRule:
    return DeviceRule(
        position=position,
        tags=tags,
        clean=entry.own.clean,
        clean_timeout=entry.own.clean_timeout,
        one_time_use=tags.get("one_time_use") == "true",
        words=entry.words,
    )
