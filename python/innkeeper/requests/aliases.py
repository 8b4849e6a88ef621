"""The operator's names for devices, and requests by name turned into what the ledger knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from innkeeper.config import Config
from innkeeper.config.nearest import hint, quoted
from innkeeper.errors import BadConfig, BadRequest
from innkeeper.objects import DeviceRequest, Request
from innkeeper.requests.alias_entries import Alias, Entries, read_entry, read_text


class Aliases:
    """All names of one configuration."""

    def __init__(self, aliases: Iterable[Alias] = ()) -> None:
        self._aliases = {alias.name: alias for alias in aliases}

    @classmethod
    def of(cls, config: Config) -> Aliases:
        """The names of `[[aliases]]`, then those of `[nova] alias`.

        Raises:
            BadConfig: naming each entry and key that is wrong.
        """
        entries = Entries()
        for number, entry in enumerate(config.aliases, 1):
            entries.take(f"aliases[{number}]", partial(read_entry, entry))
        for number, text in enumerate(config.nova.alias, 1):
            entries.take(f"nova.alias[{number}]", partial(read_text, text))
        if entries.errors:
            lines = "\n".join(error["message"] for error in entries.errors)
            raise BadConfig(lines, errors=entries.errors)
        return cls(entries.aliases.values())

    @property
    def names(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted(self._aliases))

    def find(self, name: str) -> Alias | None:
        """What a name stands for; null when nobody gave it."""
        return self._aliases.get(name)

    def __iter__(self) -> Iterator[Alias]:
        return iter(self._aliases.values())

    def resolve(self, request: Request) -> Request:
        """The request as the ledger takes it: every alias with what it stands for.

        A policy of the caller's own stays. What names no alias is not changed.

        Raises:
            BadRequest: an alias that nobody gave, a device request that says its kind in none or in
                two ways, or providers that are not one for each device.
        """
        errors = [
            {"path": f"devices[{position}].{key}", "message": message}
            for position, devices in enumerate(request.devices)
            for key, message in self._problems(devices)
        ]
        if errors:
            raise BadRequest("; ".join(error["message"] for error in errors), errors=errors)
        if all(devices.alias is None for devices in request.devices):
            return request
        devices = tuple(self._resolved(devices) for devices in request.devices)
        return request.model_copy(update={"devices": devices})

    def _problems(self, devices: DeviceRequest) -> Iterator[tuple[str, str]]:
        wrong = _wrong_kind(devices)
        if wrong is not None:
            yield wrong
        elif devices.alias is not None and devices.alias not in self._aliases:
            unknown = f"no alias is named {quoted(devices.alias)}"
            yield "alias", f"{unknown}; {self._known(devices.alias)}"
        if len(devices.providers) not in (0, devices.count):
            named = f"{len(devices.providers)} providers are named for {devices.count} devices"
            yield "providers", f"{named}: name the provider of each, or none"

    def _known(self, name: str) -> str:
        return hint(name, self._aliases) if self._aliases else "this host has no aliases"

    def _resolved(self, devices: DeviceRequest) -> DeviceRequest:
        alias = self._aliases.get(devices.alias) if devices.alias is not None else None
        if alias is None:
            return devices
        return devices.model_copy(
            update={
                "alternatives": alias.alternatives,
                "numa_policy": devices.numa_policy or alias.numa_policy,
                "unit": devices.unit or alias.unit,
            }
        )


def _wrong_kind(devices: DeviceRequest) -> tuple[str, str] | None:
    """The key and the problem of a request that does not say its kind in exactly one way."""
    ids = (devices.vendor_id, devices.product_id)
    ways = {
        "vendor_id and product_id": ids != (None, None),
        "alias": devices.alias is not None,
        "alternatives": devices.alternatives != (),
    }
    told = [way for way, given in ways.items() if given]
    if len(told) > 1:
        return "alias", f"a device request says its kind by {' and by '.join(told)}: one is enough"
    if ids != (None, None) and None in ids:
        return "vendor_id", "a device request has one of vendor_id and product_id: give both"
    # A unit of its own members says there what it is of.
    if told or (devices.unit is not None and devices.unit.members):
        return None
    known = "give vendor_id and product_id, an alias, or alternatives"
    return "alias", f"a device request says no kind: {known}"
