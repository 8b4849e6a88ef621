"""Devices that somebody uses without a claim, as a claim may have them."""

from __future__ import annotations

from innkeeper.objects import Finding, PlacedDevice
from innkeeper.objects.host import Device
from innkeeper.requests.admission import is_bridge
from innkeeper.tracker.audit.repairing import cannot
from innkeeper.tracker.parts import Parts


def free_device(parts: Parts, finding: Finding, address: str) -> PlacedDevice:
    """One that is admitted, and of whose hardware nobody holds anything.

    That a program has it open is no hindrance: that is the instance.

    Raises:
        NotRepairable: the host does not have it, no entry admits it, or a claim holds it, its PF or a VF.
    """
    admission = parts.offer.admission
    function, rule = admission.by_address.get(address), admission.rule(address)
    if function is None:
        raise cannot(finding, f"the host has no device {address}")
    if rule is None or is_bridge(function):
        raise cannot(finding, f"device {address} is not admitted by any [[devices]] entry")
    for placed in parts.register.held_devices().values():
        if address in (placed.address, placed.parent) or placed.address == function.parent:
            holder = parts.register.device_holders()[placed.address]
            raise cannot(finding, f"device {placed.address} is held by claim {holder}")
    return _placed(admission.devices.get(address) or admission.record(function, rule))


def _placed(device: Device) -> PlacedDevice:
    return PlacedDevice(
        address=device.address,
        vendor_id=device.vendor_id,
        product_id=device.product_id,
        cell=device.cell,
        parent=device.parent,
        identity=device.identity,
    )
