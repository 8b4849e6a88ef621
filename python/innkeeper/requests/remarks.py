"""What a person should know of devices, CPUs and pages that are not as claims or words have them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from innkeeper.objects import PciFunction, PlacedDevice, Severity
from innkeeper.requests.device_specs import DeviceRule


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a person should know, to be reported as a finding."""

    kind: str
    subject: str
    """What it is about: a device by its address, or what else there is."""
    message: str
    booked: str | None = None
    observed: str | None = None
    claim_id: UUID | None = None
    severity: Severity | None = None
    """Where it is another one than that of its kind."""


def changed(placed: PlacedDevice, difference: str) -> Remark:
    """It is not what its claim knows."""
    return Remark(
        "device_changed",
        placed.address,
        f"device {placed.address} is held and is not what it was: {difference}",
        booked=f"{placed.vendor_id}:{placed.product_id}",
        observed=difference,
    )


def retired(function: PciFunction, rule: DeviceRule | None) -> Remark:
    """The operator's words no longer admit it."""
    why = "no [[devices]] entry admits it any more" if rule is None else "it is a bridge now"
    message = f"device {function.address} is held, and {why}: it goes with its holder"
    return Remark("device_retired", function.address, message, observed=why)


def moved(placed: PlacedDevice, address: str) -> Remark:
    """Its hardware is found under another address."""
    return Remark(
        "device_moved",
        placed.address,
        f"the hardware that is held as device {placed.address} is at {address} now; neither is handed out",
        booked=placed.address,
        observed=address,
    )
