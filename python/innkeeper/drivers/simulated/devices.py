"""PCI functions of a simulated host: the bridges, and what is plugged in below them.

VF addresses follow the PCIe SR-IOV rule (9.3.3.8): routing id = the PF's + First VF Offset + n x VF Stride,
with the offset 8 and stride 1 of an Intel E810. The paths are taken to have ACS, so every function has an
IOMMU group of its own, but for GPUs, whose audio function cannot be told from them. Two functions belong to
the host itself: the disk it runs from and the network card it is reached by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby

from innkeeper.config.sizes import refusal
from innkeeper.drivers.simulated.buses import (
    BUSES_PER_DOMAIN,
    FUNCTIONS_PER_BUS,
    Buses,
    Card,
    Needs,
)
from innkeeper.drivers.simulated.cards import card_names
from innkeeper.drivers.simulated.spec import SimulatedSpec
from innkeeper.drivers.simulated.words import what
from innkeeper.objects import PciFunction, PciKind

_VF_OFFSET = 8
_VF_STRIDE = 1
#: VFs that an E810 could have; the host may ask for more.
_TOTAL_VFS = 128


def lay_out_functions(spec: SimulatedSpec) -> tuple[PciFunction, ...]:
    """Every function, bridges included, by ascending address.

    Raises:
        BadRequest: a card was moved to where another one is.
    """
    buses = Buses()
    functions = [_boot_disk(spec, buses.plug(Needs(0))), _host_nic(spec, buses.plug(Needs(0)))]
    for name, card in _seats(spec, buses):
        if spec.card(name).plugged:
            functions.extend((_port if name.startswith("pf") else _gpu)(spec, card, name))
    functions += buses.bridges
    _require_one_at_each_address(spec, functions)
    return tuple(sorted(functions, key=lambda function: function.address))


def _seats(spec: SimulatedSpec, buses: Buses) -> Iterator[tuple[str, Card]]:
    """A place for each card by its name."""
    wanted = [*_needs_of_pfs(spec), *_needs_of_gpus(spec)]
    if not spec.switch:
        cards = [buses.plug(needs) for _, needs in wanted]
    else:
        cards = []
        for _, alike in groupby(wanted, key=lambda one: one[1].cell):
            of_cell = [needs for _, needs in alike]
            for first in range(0, len(of_cell), spec.switch):
                cards += buses.plug_behind_switch(of_cell[first : first + spec.switch])
    for (name, _), card in zip(wanted, cards, strict=True):
        address = spec.card(name).address
        if address:
            _require_buses_below(spec, name, address)
        yield name, card.moved_to(address) if address else card


def _needs_of_pfs(spec: SimulatedSpec) -> Iterator[tuple[str, Needs]]:
    # Room for all VFs that a card can have, so that more of them move nothing.
    most = max([spec.vfs, *(spec.vfs_of(name) for name in spec.cards if name.startswith("pf"))])
    groups = 1 + max(_TOTAL_VFS, most)
    for number, name in enumerate(card_names("pf", spec.pfs)):
        yield name, Needs(number * spec.cells // spec.pfs, _buses_for(most), groups)


def _needs_of_gpus(spec: SimulatedSpec) -> Iterator[tuple[str, Needs]]:
    for number, name in enumerate(card_names("gpu", spec.gpus)):
        yield name, Needs(number * spec.cells // spec.gpus)


def _buses_for(vfs: int) -> int:
    return 1 + (_VF_OFFSET + max(vfs - 1, 0) * _VF_STRIDE) // FUNCTIONS_PER_BUS


def _require_buses_below(spec: SimulatedSpec, name: str, address: str) -> None:
    last = int(address[5:7], 16) + _buses_for(spec.vfs_of(name)) - 1
    if last >= BUSES_PER_DOMAIN:
        raise refusal(what(f"{name}.address"), address, "leaves no room for the buses of its VFs")


def _require_one_at_each_address(spec: SimulatedSpec, functions: list[PciFunction]) -> None:
    if len({function.address for function in functions}) < len(functions):
        moved = {name: words.address for name, words in spec.cards.items() if words.address}
        keys, places = ", ".join(moved), ", ".join(filter(None, moved.values()))
        problem = "is where other functions are; an unused domain such as 0100 has room"
        raise refusal(what(f"address of {keys}"), places, problem)


def _port(spec: SimulatedSpec, card: Card, name: str) -> Iterator[PciFunction]:
    """One PF with its VFs."""
    pf, vfs, own = card.address(0), spec.vfs_of(name), spec.card(name)
    slot = own.slot or card.slot
    yield PciFunction(
        address=pf,
        vendor_id="8086",
        product_id=own.product or "1592",
        class_id="020000",
        kind=PciKind.PF,
        driver="ice",
        cell=card.cell,
        iommu_group=card.group,
        total_vfs=max(_TOTAL_VFS, vfs),
        num_vfs=vfs,
        netdevs=(_netdev_name(card),),
        serial=_serial(spec, name),
        mac=_mac(spec, name),
        slot=slot,
        switch=card.switch,
    )
    for vf in range(vfs):
        carries = vf >= vfs - spec.vdpa_of(name)
        yield PciFunction(
            address=card.address(_VF_OFFSET + vf * _VF_STRIDE),
            vendor_id="8086",
            product_id="1889",
            class_id="020000",
            kind=PciKind.VDPA if carries else PciKind.VF,
            parent=pf,
            driver="ifcvf" if carries else "vfio-pci",
            cell=card.cell,
            iommu_group=card.group + 1 + vf,
            vf_number=vf,
            slot=slot,
            switch=card.switch,
        )


def _gpu(spec: SimulatedSpec, card: Card, name: str) -> Iterator[PciFunction]:
    """A GPU and its audio function."""
    own = spec.card(name)
    for function, product, class_id in (
        (0, own.product or "24b0", "030000"),
        (1, "228b", "040300"),
    ):
        yield PciFunction(
            address=card.address(function),
            vendor_id="10de",
            product_id=product,
            class_id=class_id,
            driver="vfio-pci",
            cell=card.cell,
            iommu_group=card.group,
            serial=_serial(spec, name),
            slot=own.slot or card.slot,
            switch=card.switch,
        )


def _boot_disk(spec: SimulatedSpec, card: Card) -> PciFunction:
    return PciFunction(
        address=card.address(0),
        vendor_id="144d",
        product_id="a80a",
        class_id="010802",
        driver="nvme",
        cell=card.cell,
        iommu_group=card.group,
        serial=_serial(spec, "boot disk"),
        used_by_host="mounted at / (nvme0n1)",
        slot=card.slot,
    )


def _host_nic(spec: SimulatedSpec, card: Card) -> PciFunction:
    name = _netdev_name(card)
    return PciFunction(
        address=card.address(0),
        vendor_id="8086",
        product_id="1533",
        class_id="020000",
        driver="igb",
        cell=card.cell,
        iommu_group=card.group,
        netdevs=(name,),
        serial=_serial(spec, "host nic"),
        used_by_host=f"default route via {name}",
        slot=card.slot,
    )


def _netdev_name(card: Card) -> str:
    """As systemd.net-naming-scheme(7) has it."""
    domain = f"P{card.domain}" if card.domain else ""
    return f"en{domain}p{card.bus}s0f0"


def _serial(spec: SimulatedSpec, what_has_it: str) -> str | None:
    """Eight bytes in hex with hyphens, as in the device serial number capability."""
    own = spec.card(what_has_it).serial
    return own or (_digest(spec, what_has_it)[:8].hex("-") if spec.serials else None)


def _mac(spec: SimulatedSpec, name: str) -> str:
    """Locally administered."""
    return (b"\x02" + _digest(spec, f"mac {name}")[:5]).hex(":")


def _digest(spec: SimulatedSpec, words: str) -> bytes:
    return hashlib.sha256(f"{words} {spec.name} {spec.seed}".encode()).digest()
