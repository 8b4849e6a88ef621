"""Root complexes, root ports and switches of a simulated host, and the buses below them.

Each cell has root complexes of its own. A card is behind a root port, or, with others of its cell, behind a
switch that is. Everything has its place and its IOMMU groups from the beginning, whether or not it is plugged:
what is unplugged changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from innkeeper.objects import PciFunction

FUNCTIONS_PER_BUS = 256
BUSES_PER_DOMAIN = 256
#: Slot 0 of a root bus is the host bridge, and each other slot has one root port.
_PORTS_PER_COMPLEX = 31

_HOST_BRIDGE = ("8086", "09a2", "060000", None)
_ROOT_PORT = ("8086", "347a", "060400", "pcieport")
_SWITCH_PORT = ("10b5", "9797", "060400", "pcieport")


@dataclass(frozen=True, slots=True)
class Card:
    """Where a card was plugged in."""

    domain: int
    bus: int
    cell: int
    group: int = 0
    """The first of its IOMMU groups."""
    slot: str | None = None
    switch: str | None = None

    def address(self, devfn: int) -> str:
        """The address of a function by its number below the card's first bus."""
        bus, function = self.bus + devfn // FUNCTIONS_PER_BUS, devfn % FUNCTIONS_PER_BUS
        return f"{self.domain:04x}:{bus:02x}:{function >> 3:02x}.{function & 7}"

    def moved_to(self, address: str) -> Card:
        """The same card on other buses, from that of the address on."""
        domain, bus, _ = address.split(":")
        return replace(self, domain=int(domain, 16), bus=int(bus, 16))


@dataclass(frozen=True, slots=True)
class Needs:
    """What a card takes up."""

    cell: int
    buses: int = 1
    groups: int = 1


class Buses:
    """Hands out buses in ascending order, and makes the bridges that lead to them."""

    def __init__(self) -> None:
        self.bridges: list[PciFunction] = []
        self._domain = 0
        self._next_bus = 0
        self._next_group = 0
        self._slots = 0
        self._root = Card(0, 0, -1)
        self._ports = 0

    def plug(self, needs: Needs) -> Card:
        """Room for a card behind a root port of its own."""
        return self._seat(self._open_port(needs.cell, needs.buses), needs)

    def plug_behind_switch(self, needs: Sequence[Needs]) -> list[Card]:
        """Room for cards of one cell behind the downstream ports of one switch."""
        buses = 2 + sum(one.buses for one in needs)
        above = self._open_port(needs[0].cell, buses)
        self._add_bridge(above, 0, _SWITCH_PORT)
        inside, below = replace(above, bus=above.bus + 1), above.bus + 2
        cards = []
        for port, one in enumerate(needs):
            self._add_bridge(inside, port << 3, _SWITCH_PORT)
            place = replace(inside, bus=below, switch=above.address(0))
            cards.append(self._seat(place, one))
            below += one.buses
        return cards

    def _seat(self, place: Card, needs: Needs) -> Card:
        self._slots += 1
        card = replace(place, group=self._next_group, slot=str(self._slots))
        self._next_group += needs.groups
        return card

    def _open_port(self, cell: int, buses: int) -> Card:
        full = self._next_bus + buses > BUSES_PER_DOMAIN
        if cell != self._root.cell or self._ports == _PORTS_PER_COMPLEX or full:
            self._open_complex(cell, buses)
        self._ports += 1
        self._add_bridge(self._root, self._ports << 3, _ROOT_PORT)
        place = Card(self._domain, self._next_bus, cell)
        self._next_bus += buses
        return place

    def _open_complex(self, cell: int, buses: int) -> None:
        if self._next_bus + 1 + buses > BUSES_PER_DOMAIN:
            self._domain, self._next_bus = self._domain + 1, 0
        self._root, self._ports = Card(self._domain, self._next_bus, cell), 0
        self._next_bus += 1
        self._add_bridge(self._root, 0, _HOST_BRIDGE)

    def _add_bridge(self, at: Card, devfn: int, kind: tuple[str, str, str, str | None]) -> None:
        vendor, product, class_id, driver = kind
        self.bridges.append(
            PciFunction(
                address=at.address(devfn),
                vendor_id=vendor,
                product_id=product,
                class_id=class_id,
                driver=driver,
                cell=at.cell,
                iommu_group=self._next_group,
            )
        )
        self._next_group += 1
