"""Rows of `pci_devices`: one for each device that may be handed out or is held.

Everything in them follows from the device, from what its function says of itself and from who holds
it, so a key that is gone from these is gone from the row (Nova keeps such keys for ever).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, UUID

import orjson

from innkeeper.objects import Device, PciFunction, PciKind
from innkeeper.objects.pci_device import PciDevice
from innkeeper.tracker.device_book import DeviceBook, Holding, Observed
from innkeeper.tracker.device_status import status_of
from innkeeper.tracker.nova_pools import DEV_TYPES

COPIED_TAGS = ("managed", "live_migratable")
"""Tags that Nova copies into a device's record, unless null."""


def device_uuid(node: str, name: str) -> str:
    """The same for the same hardware; `name` is its identity, or its address where it has none."""
    return _uuid5_text(f"innkeeper:device:{node}:{name}")


def _uuid5_text(name: str) -> str:
    """The same as `uuid5(NAMESPACE_URL, name)` as text, which takes four times as long."""
    digest = hashlib.sha1(NAMESPACE_URL.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    third, fourth = f"5{digest[13:16]}", f"{variant}{digest[17:20]}"
    return f"{digest[:8]}-{digest[8:12]}-{third}-{fourth}-{digest[20:32]}"


def request_id(claim_id: UUID, position: int) -> str:
    """Of one device request of a claim, the same whenever it is asked for."""
    return _uuid5_text(f"innkeeper:request:{claim_id}:{position}")


def device_row(node: str, address: str, book: DeviceBook, observed: Observed) -> PciDevice:
    """The whole row: it may be that none was made of the device yet."""
    device = book.find(address)
    if device is None:
        return PciDevice(address=address, status="removed")
    return PciDevice(
        uuid=device_uuid(node, device.identity or address),
        address=address,
        vendor_id=device.vendor_id,
        product_id=device.product_id,
        dev_type=DEV_TYPES[device.kind],
        dev_id=f"pci_{address.replace(':', '_').replace('.', '_')}",
        label=f"label_{device.vendor_id}_{device.product_id}",
        status=status_of(book.facts(address)),
        numa_node=device.cell,
        parent_addr=device.parent,
        **_holder(book.holding(address)),
        **_facts(device, observed),
    )


def _facts(device: Device, observed: Observed) -> dict[str, dict[str, str]]:
    """Nothing, so that the row keeps what it has, where the host has not that very device."""
    function = observed.by_address.get(device.address)
    if function is None or not _is_of(function, device, observed):
        return {}
    parent = observed.by_address.get(device.parent) if device.parent else None
    return {"extra_info": extra_info(device, function, parent)}


def _is_of(function: PciFunction, device: Device, observed: Observed) -> bool:
    """A card that took the place of one that is held shows nothing of that."""
    if function.vendor_id != device.vendor_id or function.product_id != device.product_id:
        return False
    return device.identity == observed.identity(device.address) or device.identity is None


def _holder(holding: Holding | None) -> dict[str, str | None]:
    if holding is None:
        return {"instance_uuid": None, "request_id": None}
    claim, position = holding.claim, holding.placed.request
    return {
        "instance_uuid": None if claim.instance_uuid is None else str(claim.instance_uuid),
        "request_id": None if position is None else request_id(claim.id, position),
    }


def extra_info(device: Device, function: PciFunction, parent: PciFunction | None) -> dict[str, str]:
    """What Nova keeps beside the columns, as far as the host says it."""
    found: dict[str, str] = {}
    if device.parent_netdev:
        found["parent_ifname"] = device.parent_netdev
    if device.kind is PciKind.PF and function.mac:
        found["mac_address"] = function.mac
    for name in COPIED_TAGS:
        if (text := device.tags.get(name)) is not None:
            found[name] = text
    if device.provider is not None:
        found["rp_uuid"] = str(device.provider)
    if capabilities := dict(_capabilities(device, function, parent)):
        found["capabilities"] = orjson.dumps(capabilities).decode()
    return found


def _capabilities(
    device: Device, function: PciFunction, parent: PciFunction | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """As Nova's libvirt driver says them; a VF borrows its PF's serial number, a vDPA one does not."""
    serial = function.serial
    if serial is None and parent is not None and device.kind is PciKind.VF:
        serial = parent.serial
    if serial is not None:
        yield "vpd", {"card_serial_number": serial}
    if parent is not None and parent.mac is not None and function.vf_number is not None:
        yield "sriov", {"pf_mac_address": parent.mac, "vf_num": function.vf_number}
