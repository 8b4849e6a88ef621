"""Inventories and requests for tests of the core."""

from __future__ import annotations

from innkeeper.objects import Device, DeviceRequest, Inventory, PciKind, Quantity, Request

INTEL = "8086"
PF = "1592"
VF = "1889"


def pf_with_vfs(bus: int, vfs: int) -> list[Device]:
    """A PF at `0000:bus:00.0` and its VFs from `0000:bus:01.0` on."""
    root = f"0000:{bus:02x}:00.0"
    return [
        Device(address=root, vendor_id=INTEL, product_id=PF, kind=PciKind.PF, cell=0),
        *(
            Device(
                address=f"0000:{bus:02x}:{1 + number // 8:02x}.{number % 8}",
                vendor_id=INTEL,
                product_id=VF,
                kind=PciKind.VF,
                parent=root,
                cell=0,
            )
            for number in range(vfs)
        ),
    ]


def inventory(*, devices: list[Device] | None = None, **counters: int) -> Inventory:
    """16 vCPUs, 1024 MiB of memory and 4096 MiB of disk."""
    return Inventory(
        vcpus=Quantity(total=16),
        memory_mib=Quantity(total=1024),
        disk_mib=Quantity(total=4096),
        counters={name: Quantity(total=total) for name, total in counters.items()},
        devices=tuple(devices or ()),
        shared_cpus="0-15",
    )


def asking(*, pfs: int = 0, vfs: int = 0, vcpus: int | None = None) -> Request:
    """A request for devices and vCPUs."""
    wanted = ((PF, pfs), (VF, vfs))
    return Request(
        vcpus=vcpus,
        devices=tuple(
            DeviceRequest(vendor_id=INTEL, product_id=product, count=count)
            for product, count in wanted
            if count
        ),
    )
