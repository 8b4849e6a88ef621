"""Rows of `pci_devices`: one for each device that may be handed out or is held.

Everything in them follows from the device, from what its function says of itself and from who holds
it, so a key that is gone from these is gone from the row (Nova keeps such keys for ever).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID

import orjson

from innkeeper.objects import Device, PciFunction, PciKind
from innkeeper.objects.pci_device import PciDevice, pci_device_of_checked
from innkeeper.tracker.nova.device_book import DeviceBook, Holding, Observed
from innkeeper.tracker.nova.device_status import status_of
from innkeeper.tracker.nova.pools import DEV_TYPES

COPIED_TAGS = ("managed", "live_migratable")
"""Tags that Nova copies into a device's record, unless null."""

_NAMED: Final = hashlib.sha1(NAMESPACE_URL.bytes, usedforsecurity=False)
_VARIANT: Final = dict(zip("0123456789abcdef", 4 * "89ab", strict=True))
"""The two highest bits of that digit are the UUID's variant (RFC 9562, 4.1)."""


def device_uuid(node: str, name: str) -> str:
    """The same for the same hardware; `name` is its identity, or its address where it has none."""
    return _uuid5_text(f"innkeeper:device:{node}:{name}")


def _uuid5_text(name: str) -> str:
    """The same as `uuid5(NAMESPACE_URL, name)` as text, which takes four times as long."""
    named = _NAMED.copy()
    named.update(name.encode())
    d = named.hexdigest()
    return f"{d[:8]}-{d[8:12]}-5{d[13:16]}-{_VARIANT[d[16]]}{d[17:20]}-{d[20:32]}"


def request_id(claim_id: UUID, position: int) -> str:
    """Of one device request of a claim, the same whenever it is asked for."""
    return _uuid5_text(f"innkeeper:request:{claim_id}:{position}")


def device_row(node: str, address: str, book: DeviceBook, observed: Observed) -> PciDevice:
    """The whole row: it may be that none was made of the device yet."""
    device = book.find(address)
    if device is None:
        return PciDevice(address=address, status="removed")
    instance_uuid, asked = _holder(book.holding(address))
    # Thousands at once, of values that the device has checked: not checked again.
    values = {
        "uuid": device_uuid(node, device.identity or address),
        "address": address,
        "vendor_id": device.vendor_id,
        "product_id": device.product_id,
        "dev_type": DEV_TYPES[device.kind],
        "dev_id": f"pci_{address.replace(':', '_').replace('.', '_')}",
        "label": f"label_{device.vendor_id}_{device.product_id}",
        "status": status_of(book.facts(address)),
        "numa_node": device.cell,
        "parent_addr": device.parent,
        "instance_uuid": instance_uuid,
        "request_id": asked,
    }
    return pci_device_of_checked(values, _observed_of(device, observed))


def _observed_of(device: Device, observed: Observed) -> dict[str, str] | None:
    """Null, so that the row keeps what it has, where the host has not that very device."""
    function = observed.by_address.get(device.address)
    if function is None or not _is_of(function, device, observed):
        return None
    parent = observed.by_address.get(device.parent) if device.parent else None
    return extra_info(device, function, parent)


def _is_of(function: PciFunction, device: Device, observed: Observed) -> bool:
    """A card that took the place of one that is held shows nothing of that."""
    if function.vendor_id != device.vendor_id or function.product_id != device.product_id:
        return False
    return device.identity == observed.identity(device.address) or device.identity is None


def _holder(holding: Holding | None) -> tuple[str | None, str | None]:
    """The instance that has it, and the id of the request that it is for."""
    if holding is None:
        return None, None
    claim, position = holding.claim, holding.placed.request
    instance_uuid = None if claim.instance_uuid is None else str(claim.instance_uuid)
    return instance_uuid, None if position is None else request_id(claim.id, position)


def extra_info(device: Device, function: PciFunction, parent: PciFunction | None) -> dict[str, str]:
    """What Nova keeps beside the columns, as far as the host says it."""
    found: dict[str, str] = {}
    if device.parent_netdev:
        found["parent_ifname"] = device.parent_netdev
    if device.kind is PciKind.PF and function.mac:
        found["mac_address"] = function.mac
    if tags := device.tags:
        found.update((name, text) for name in COPIED_TAGS if (text := tags.get(name)) is not None)
    if device.provider is not None:
        found["rp_uuid"] = str(device.provider)
    if capabilities := _capabilities(device, function, parent):
        found["capabilities"] = orjson.dumps(capabilities).decode()
    return found


def _capabilities(
    device: Device, function: PciFunction, parent: PciFunction | None
) -> dict[str, dict[str, Any]]:
    """As Nova's libvirt driver says them; a VF borrows its PF's serial number, a vDPA one does not."""
    serial = function.serial
    if serial is None and parent is not None and device.kind is PciKind.VF:
        serial = parent.serial
    found: dict[str, dict[str, Any]] = {}
    if serial is not None:
        found["vpd"] = {"card_serial_number": serial}
    if parent is not None and parent.mac is not None and function.vf_number is not None:
        found["sriov"] = {"pf_mac_address": parent.mac, "vf_num": function.vf_number}
    return found
