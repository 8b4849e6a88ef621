"""Hosts with thousands of PCI functions, and the same functions as libvirt would report them to Nova."""

from __future__ import annotations

from typing import Any

from innkeeper.config import Config, DeviceSpec
from innkeeper.drivers.simulated import simulated
from innkeeper.objects import DeviceRequest, Host, PciFunction, PciKind, Request

CELLS = 4
MACHINE = f"cpus=64,cells={CELLS},sockets=2"
VFS_OF_EACH = 128
"""VFs of one PF."""
VF = {"vendor_id": "8086", "product_id": "1889", "dev_type": "type-VF"}
PF = {"vendor_id": "8086", "product_id": "1592", "dev_type": "type-PF"}
PLAIN = {"vendor_id": "10de", "product_id": "20b5", "dev_type": "type-PCI"}
"""As an alias asks for them."""

_DEV_TYPES = {PciKind.PCI: "type-PCI", PciKind.PF: "type-PF", PciKind.VF: "type-VF"}


def host_of_vfs(count: int) -> Host:
    """So many VFs, 128 of each PF, over 4 cells."""
    return simulated(f"{MACHINE},pfs={count // VFS_OF_EACH},vfs={VFS_OF_EACH}")


def host_of_plain_functions(count: int) -> Host:
    """So many cards without VFs, over 4 cells."""
    host = simulated(MACHINE)
    cards = tuple(
        PciFunction(
            address=f"0001:{number // 32:02x}:{number % 32:02x}.0",
            vendor_id=PLAIN["vendor_id"],
            product_id=PLAIN["product_id"],
            class_id="030200",
            driver="vfio-pci",
            cell=number * CELLS // count,
            iommu_group=10_000 + number,
            serial=f"plain-{number}",
        )
        for number in range(count)
    )
    return host.model_copy(update={"functions": (*host.functions, *cards)})


def host_of_eight_kinds(of_each: int) -> Host:
    """Cards of eight products, so many of each."""
    host = host_of_plain_functions(8 * of_each)
    cards = (
        one if one.vendor_id != PLAIN["vendor_id"] else one.model_copy(update=_kind(number % 8))
        for number, one in enumerate(host.functions)
    )
    return host.model_copy(update={"functions": tuple(cards)})


def eight_requests(of_each: int, extra: int = 0) -> Request:
    """The request for kind n takes any kind up to n: whoever takes the first it meets starves a later one."""
    parts = [
        DeviceRequest(
            alias=f"up-to-{most}",
            alternatives=tuple({**PLAIN, **_kind(kind)} for kind in range(most, -1, -1)),
            count=of_each + (extra if most == 0 else 0),
        )
        for most in range(7, -1, -1)
    ]
    return Request(devices=tuple(parts))


def _kind(number: int) -> dict[str, str]:
    return {"product_id": f"{0x2000 + number:04x}"}


def pfs_and_vfs(pfs: int, vfs: int) -> Request:
    """PFs bar their VFs: which PFs are taken whole decides how many VFs are left."""
    kinds = ((PF, pfs), (VF, vfs))
    devices = (
        DeviceRequest(alias=kind["dev_type"], alternatives=(dict(kind),), count=count)
        for kind, count in kinds
    )
    return Request(devices=tuple(devices))


def specs(before: int = 0) -> list[dict[str, str]]:
    """What admits all of these, after so many entries that admit nothing that is there."""
    missing = [{"vendor_id": "1d0f", "product_id": f"{0x1000 + n:04x}"} for n in range(before)]
    kinds = [{key: one[key] for key in ("vendor_id", "product_id")} for one in (VF, PF)]
    return [*missing, *kinds, {"vendor_id": PLAIN["vendor_id"]}]


def config_of(entries: list[dict[str, str]]) -> Config:
    return Config(devices=tuple(DeviceSpec.model_validate(entry) for entry in entries))


def request(pattern: dict[str, str], count: int, cells: tuple[int, ...] | None = (0,)) -> Request:
    devices = DeviceRequest(alias="bench", alternatives=(dict(pattern),), count=count)
    return Request(devices=(devices,), cells=cells)


def as_reported(host: Host) -> list[dict[str, Any]]:
    """What Nova's libvirt driver gives to its tracker."""
    netdevs = {function.address: function.netdevs for function in host.functions}
    return [_as_reported(function, netdevs) for function in host.functions]


def _as_reported(function: PciFunction, netdevs: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    ids = f"{function.vendor_id}_{function.product_id}"
    told: dict[str, Any] = {
        "dev_id": f"pci_{function.address.replace(':', '_').replace('.', '_')}",
        "address": function.address,
        "vendor_id": function.vendor_id,
        "product_id": function.product_id,
        "numa_node": function.cell,
        "label": f"label_{ids}",
        "dev_type": _DEV_TYPES[function.kind],
    }
    if function.parent is not None:
        told["parent_addr"] = function.parent
        told["parent_ifname"] = netdevs[function.parent][0]
    return told
