"""PCI functions of a simulated host: root complexes on their cells, root ports, and what hangs below.

Each cell has root complexes of its own; each card has a root port and the buses that its VFs reach into.
VF addresses follow the PCIe SR-IOV rule (9.3.3.8): routing id = the PF's + First VF Offset + n x VF Stride,
with the offset 8 and stride 1 of an Intel E810. The path below each port is taken to have ACS, so every
function has an IOMMU group of its own. Two functions belong to the host itself: the disk it runs from
and the network card it is reached by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from innkeeper.drivers.simulated.spec import SimulatedSpec
from innkeeper.objects import PciFunction, PciKind

_VF_OFFSET = 8
_VF_STRIDE = 1
#: VFs that an E810 could have; the host may ask for more.
_TOTAL_VFS = 128

_BUSES_PER_DOMAIN = 256
_FUNCTIONS_PER_BUS = 256
#: Slot 0 of a root bus is the host bridge, and each other slot has one root port.
_PORTS_PER_COMPLEX = 31


@dataclass(frozen=True, slots=True)
class _Card:
    """Where a card was plugged in."""

    domain: int
    bus: int
    cell: int

    def address(self, devfn: int) -> str:
        """The address of a function by its number below the card's first bus."""
        bus, function = self.bus + devfn // _FUNCTIONS_PER_BUS, devfn % _FUNCTIONS_PER_BUS
        return f"{self.domain:04x}:{bus:02x}:{function >> 3:02x}.{function & 7}"


class _Slots:
    """Hands out buses in ascending order, and makes the bridges that lead to them."""

    def __init__(self) -> None:
        self.bridges: list[PciFunction] = []
        self._domain = 0
        self._next_bus = 0
        self._root = _Card(0, 0, -1)
        self._ports = 0

    def plug(self, cell: int, buses: int) -> _Card:
        """Room for a card on a cell, behind a root port of its own."""
        full = self._next_bus + buses > _BUSES_PER_DOMAIN
        if cell != self._root.cell or self._ports == _PORTS_PER_COMPLEX or full:
            self._open_complex(cell, buses)
        self._ports += 1
        self._add_bridge(self._ports << 3, "347a", "060400", "pcieport")
        card = _Card(self._domain, self._next_bus, cell)
        self._next_bus += buses
        return card

    def _open_complex(self, cell: int, buses: int) -> None:
        if self._next_bus + 1 + buses > _BUSES_PER_DOMAIN:
            self._domain, self._next_bus = self._domain + 1, 0
        self._root, self._ports = _Card(self._domain, self._next_bus, cell), 0
        self._next_bus += 1
        self._add_bridge(0, "09a2", "060000", None)

    def _add_bridge(self, devfn: int, product: str, class_id: str, driver: str | None) -> None:
        self.bridges.append(
            PciFunction(
                address=self._root.address(devfn),
                vendor_id="8086",
                product_id=product,
                class_id=class_id,
                driver=driver,
                cell=self._root.cell,
            )
        )


def lay_out_functions(spec: SimulatedSpec) -> tuple[PciFunction, ...]:
    """Every function, bridges included, by ascending address."""
    slots = _Slots()
    functions = [_boot_disk(spec, slots.plug(0, 1)), _host_nic(spec, slots.plug(0, 1))]
    buses = 1 + (_VF_OFFSET + max(spec.vfs - 1, 0) * _VF_STRIDE) // _FUNCTIONS_PER_BUS
    for number in range(spec.pfs):
        card = slots.plug(number * spec.cells // spec.pfs, buses)
        functions.extend(_port(spec, card, number))
    ordered = sorted([*functions, *slots.bridges], key=lambda function: function.address)
    return tuple(
        function.model_copy(update={"iommu_group": group}) for group, function in enumerate(ordered)
    )


def _port(spec: SimulatedSpec, card: _Card, number: int) -> Iterator[PciFunction]:
    """One PF with its VFs."""
    pf = card.address(0)
    yield PciFunction(
        address=pf,
        vendor_id="8086",
        product_id="1592",
        class_id="020000",
        kind=PciKind.PF,
        driver="ice",
        cell=card.cell,
        total_vfs=max(_TOTAL_VFS, spec.vfs),
        num_vfs=spec.vfs,
        netdevs=(_netdev_name(card),),
        serial=_serial(spec, f"pf {number}"),
    )
    for vf in range(spec.vfs):
        yield PciFunction(
            address=card.address(_VF_OFFSET + vf * _VF_STRIDE),
            vendor_id="8086",
            product_id="1889",
            class_id="020000",
            kind=PciKind.VF,
            parent=pf,
            driver="vfio-pci",
            cell=card.cell,
        )


def _boot_disk(spec: SimulatedSpec, card: _Card) -> PciFunction:
    return PciFunction(
        address=card.address(0),
        vendor_id="144d",
        product_id="a80a",
        class_id="010802",
        driver="nvme",
        cell=card.cell,
        serial=_serial(spec, "boot disk"),
        used_by_host="mounted at / (nvme0n1)",
    )


def _host_nic(spec: SimulatedSpec, card: _Card) -> PciFunction:
    name = _netdev_name(card)
    return PciFunction(
        address=card.address(0),
        vendor_id="8086",
        product_id="1533",
        class_id="020000",
        driver="igb",
        cell=card.cell,
        netdevs=(name,),
        serial=_serial(spec, "host nic"),
        used_by_host=f"default route via {name}",
    )


def _netdev_name(card: _Card) -> str:
    """As systemd.net-naming-scheme(7) has it."""
    domain = f"P{card.domain}" if card.domain else ""
    return f"en{domain}p{card.bus}s0f0"


def _serial(spec: SimulatedSpec, what: str) -> str:
    """Eight bytes in hex with hyphens, as in the device serial number capability."""
    digest = hashlib.sha256(f"{what} {spec.name} {spec.seed}".encode()).digest()
    return digest[:8].hex("-")
