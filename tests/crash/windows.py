"""Where Nova may die, or fail, between two of its commits, and what it leaves behind then.

Nova spreads one logical step over many transactions. Here a step is one, so in each of these places it
is gone or whole. A place is told by the row after whose writing the process dies, or its statement fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Window:
    """A place in a step."""

    name: str
    """C: the process dies there. E: an ordinary error is raised there."""
    story: str
    """Of `stories`."""
    table: str
    nth: int = 1
    """Which row that the step writes into that table."""

    def __str__(self) -> str:
        return f"{self.name}: {self.story}, {self.table} {self.nth}"


WINDOWS: Final = (
    # An instance with pins and no host; a request that stays "building".
    Window("C1", "claim cells", "instance_extra"),
    # An instance that is here, and has none of the devices that it was given.
    Window("C2", "claim devices", "instances"),
    Window("C2", "claim devices", "compute_nodes"),
    # A PF that is unavailable for ever, since none of its VFs is in use; k of n devices.
    Window("C3", "claim devices", "pci_devices"),
    Window("C3", "claim devices", "pci_devices", 2),
    # Devices that stay allocated to an instance without pins.
    Window("C4", "abort", "instances"),
    Window("C4", "abort", "pci_devices"),
    # A device that is allocated to an instance that is not here.
    Window("C5", "abort", "compute_nodes"),
    # A migration that counts for ever, without a context.
    Window("C6", "resize here claim", "migrations"),
    Window("C6", "resize claim", "migrations"),
    # A context that promises devices that are free.
    Window("C7", "resize here claim", "instance_extra"),
    Window("C7", "resize here claim", "compute_nodes"),
    Window("C7", "resize claim", "compute_nodes"),
    Window("C7", "resize here claim", "pci_devices"),
    # A move that is over, and still counted; an instance that carries a context of nothing.
    Window("C9", "resize here reverted", "migrations"),
    Window("C9", "migration reverted here", "migrations"),
    Window("C10", "resize here reverted", "pci_devices"),
    Window("C10", "resize here reverted", "instance_extra"),
    Window("C11", "resize here confirmed", "migrations"),
    Window("C11", "migration confirmed there", "migrations"),
    # An instance on its new host, by a migration that is not done.
    Window("C12", "evacuation arrives", "instances"),
    Window("C12", "evacuation arrives", "migrations"),
    # Usage and devices of an instance that is deleted.
    Window("C15", "release", "instances"),
    Window("C15", "released while it is resized", "instances"),
    # Pools that are not what the rows of the devices say.
    Window("C16", "release", "compute_nodes"),
    Window("C16", "release", "pci_devices"),
    Window("C16", "update to more", "compute_nodes"),
    # Devices that are claimed for an instance of another host.
    Window("C17", "live-migration claim", "pci_devices"),
    Window("C17", "live-migration claim", "migrations"),
    # Everything is held although the claim was refused, and the next claim makes that durable.
    Window("E2", "claim devices", "compute_nodes"),
    Window("E3", "claim devices", "pci_devices"),
    Window("E3", "claim devices", "pci_devices", 3),
    Window("E3", "claim two or none", "pci_devices", 2),
    Window("E3", "resize here claim", "pci_devices", 2),
)

#: These have tests of their own.
OTHERS: Final = {"C8", "E1", "E4", "E5", "E6", "E7"}

#: What there is no place for here.
ELSEWHERE: Final = {
    "C13": "Placement is told more than the database; this host keeps its books without Placement",
    "C14": "an allocation in Placement has no instance; a claim here is the one allocation there is",
}
