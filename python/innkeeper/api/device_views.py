"""Each PCI function of the host, and how it stands to claims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from uuid import UUID

from innkeeper.api.cordon_words import cordoned_words
from innkeeper.api.views import DeviceState, DeviceView
from innkeeper.objects import Cordon, CordonKind, Device, Inventory, PciFunction
from innkeeper.objects.host import Withheld
from innkeeper.requests.admission import why_not_offered
from innkeeper.requests.cordoned import present_address
from innkeeper.requests.device_specs import DeviceRules

Holders = Mapping[str, UUID]
"""Claim ids by the addresses of the devices that they hold."""

_WITHHELD_WORDS: Final = {
    Withheld.CORDONED: "cordoned",
    Withheld.DIRTY: "not clean since its last holder",
    Withheld.MOVED: "a claim holds this hardware under the address that it had before",
    Withheld.RETIRED: "held, and no longer admitted",
    Withheld.IN_USE: "in use by the host or by a guest without a claim",
}


@dataclass(frozen=True)
class DeviceSurvey:
    """What is known of the host's functions at one moment."""

    functions: Sequence[PciFunction]
    inventory: Inventory
    holders: Holders
    cordons: Sequence[Cordon]
    rules: DeviceRules

    def views(self) -> tuple[DeviceView, ...]:
        """Every function, by address."""
        return tuple(map(self._view, self.functions))

    def _view(self, function: PciFunction) -> DeviceView:
        address = function.address
        device = self._devices.get(address)
        claim_id = self.holders.get(address)
        cordons = tuple(self._cordons_around(function))
        if claim_id is not None:
            state, reason = DeviceState.HELD, f"held by claim {claim_id}"
        elif device is None:
            state, reason = DeviceState.NOT_ADMITTED, self._refusals[address]
        else:
            state, reason = self._state_of(device, cordons)
        return DeviceView(
            function=function,
            state=state,
            claimable=state is DeviceState.FREE,
            reason=reason or None,
            claim_id=claim_id,
            barred_by=self._bars.get(address) if state is DeviceState.BARRED else None,
            cordons=cordons,
            device=device,
        )

    def _state_of(self, device: Device, cordons: Sequence[Cordon]) -> tuple[DeviceState, str]:
        """Of a device that is offered, and that nobody holds."""
        if device.withheld is not None:
            return DeviceState.WITHHELD, _withheld_words(device.withheld, cordons)
        bar = self._bars.get(device.address)
        if bar is not None:
            return DeviceState.BARRED, self._barred_words(device, bar)
        if self.inventory.cordoned is not None:
            return DeviceState.WITHHELD, _withheld_words(Withheld.CORDONED, cordons)
        return DeviceState.FREE, ""

    def _barred_words(self, device: Device, bar: str) -> str:
        relative = "PF" if device.parent == bar else "VF"
        return f"its {relative} {bar} is {'held' if bar in self.holders else 'withheld'}"

    @cached_property
    def _devices(self) -> Mapping[str, Device]:
        return {device.address: device for device in self.inventory.devices}

    @cached_property
    def _refusals(self) -> Mapping[str, str]:
        """Why those that are no devices are none; the operator's words are asked once for all."""
        left = [one for one in self.functions if one.address not in self._devices]
        rules = self.rules.find_all(self.functions)
        rule_of = dict(zip((one.address for one in self.functions), rules, strict=True))
        return {
            one.address: why_not_offered(one, rule_of[one.address]) or "a VF of a VF"
            for one in left
        }

    @cached_property
    def _bars(self) -> Mapping[str, str]:
        """What keeps a function from being had: a PF bars its VFs and each VF its PF."""
        taken = {one.address for one in self.inventory.devices if one.withheld} | set(self.holders)
        bars: dict[str, str] = {}
        for function in self.functions:
            parent = function.parent
            if parent is None:
                continue
            if function.address in taken:
                bars.setdefault(parent, function.address)
            if parent in taken:
                bars[function.address] = parent
        return bars

    def _cordons_around(self, function: PciFunction) -> Iterator[Cordon]:
        yield from self._cordons_by_place.get((CordonKind.DEVICE, function.address), ())
        yield from self._cordons_by_place.get((CordonKind.CELL, str(function.cell)), ())
        yield from self._host_cordons

    @cached_property
    def _cordons_by_place(self) -> Mapping[tuple[CordonKind, str], Sequence[Cordon]]:
        """A device's cordon is where the hardware is now."""
        identities = {one.address: one.identity for one in self.inventory.devices if one.identity}
        addresses = {identity: address for address, identity in identities.items()}
        places: dict[tuple[CordonKind, str], list[Cordon]] = {}
        for cordon in self.cordons:
            subject: str | None = cordon.subject
            if cordon.kind is CordonKind.DEVICE:
                subject = present_address(cordon, identities.get(cordon.subject), addresses)
            if subject is not None:
                places.setdefault((cordon.kind, subject), []).append(cordon)
        return places

    @cached_property
    def _host_cordons(self) -> Sequence[Cordon]:
        return [cordon for cordon in self.cordons if cordon.kind is CordonKind.HOST]


def _withheld_words(why: Withheld, cordons: Iterable[Cordon]) -> str:
    """What stands with the cordon, where there is one: it says who, when and for what."""
    return "; ".join(map(cordoned_words, cordons)) or _WITHHELD_WORDS[why]


def chosen(
    views: Iterable[DeviceView], *, free: bool | None, holder: UUID | None
) -> tuple[DeviceView, ...]:
    """Those that are free, or not; those of one claim; all of them when nothing is said."""
    return tuple(
        view for view in views if free in (None, view.claimable) and holder in (None, view.claim_id)
    )
