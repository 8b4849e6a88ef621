"""Where a card sits: its physical slot, and the PCIe switch above it.

The directory of a function says which bridges lead to it: `pci0000:40/0000:40:01.0/0000:41:00.0` is a card
below a root port. A switch is an upstream port with downstream ports on the one bus below it, so what hangs
below a switch has two more bridges above it than what hangs below a root port alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from innkeeper.drivers.sysfs.config_space import PortType
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.tree import Tree

SLOTS = "sys/bus/pci/slots"

ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")

_ON_PATH = re.compile(rf"(?<![^/]){ADDRESS.pattern}(?![^/])")
_ROOT_BUS = re.compile(r"/pci[0-9a-f]{4,8}:[0-9a-f]{2}/")

#: Without the device it is a slot that takes the whole bus (drivers/pci/slot.c of Linux).
_SLOT_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}(:[01][0-9a-f])?")


def functions_on(path: str) -> list[str]:
    """Addresses of the functions that a device path goes through, the nearest to the CPU first."""
    return _ON_PATH.findall(path)


def bridges_above(path: str) -> tuple[str, ...]:
    """The bridges between a function and its root bus, the nearest to the CPU first.

    A VMD controller has a root bus of its own below it; what is above that one leads to the controller.
    """
    below = _ROOT_BUS.split(path)[-1]
    return tuple(functions_on(below)[:-1])


@dataclass(frozen=True, slots=True)
class Bridge:
    """What a bridge says of itself."""

    port_type: PortType | None
    """Null where its configuration space could not be read."""
    has_link: bool
    """Whether there is a max_link_speed, which the kernel (4.13 or later) shows of PCIe alone."""


def switch_above(above: Sequence[str], bridges: Mapping[str, Bridge]) -> str | None:
    """The upstream port of the nearest switch whose ports are among the bridges above a function.

    Where all of them say what ports they are, that decides. Else their number does: after the root port
    they come in pairs, upstream port before downstream port, and one that is left over is a bridge to
    conventional PCI. Bridges that are none of PCIe, below one that is, make no switch.
    """
    types = [bridges[one].port_type if one in bridges else None for one in above]
    if all(types):
        pairs = [
            first
            for first in range(len(above) - 1)
            if types[first : first + 2] == [PortType.UPSTREAM, PortType.DOWNSTREAM]
        ]
    else:
        pairs = [
            first
            for first in range(1, len(above) - 1, 2)
            if _may_be_pcie(above[first], above, bridges)
            and _may_be_pcie(above[first + 1], above, bridges)
        ]
    return above[pairs[-1]] if pairs else None


def _may_be_pcie(one: str, above: Sequence[str], bridges: Mapping[str, Bridge]) -> bool:
    """A kernel that shows the link of the root port shows that of every port of PCIe."""
    root, bridge = bridges.get(above[0]), bridges.get(one)
    return bridge is not None and (bridge.has_link or root is None or not root.has_link)


class Slots:
    """Names of the physical slots of one tree."""

    def __init__(self, tree: Tree) -> None:
        self._names: dict[str, str] = {}
        for name in tree.names(SLOTS):
            address = tree.parsed(f"{SLOTS}/{name}/address", _parse_slot_address)
            if address:
                self._names.setdefault(address, printable(name))

    def slot_of(self, card: str, above: Sequence[str]) -> str | None:
        """The slot of a card at this address below these bridges.

        A card with a switch of its own sits in the slot of that one, so the bridges are looked at, too, the
        nearest first; a root port is no card.
        """
        for address in (card, *reversed(above[1:])):
            for place in (address[:-2], address.rpartition(":")[0]):
                if place in self._names:
                    return self._names[place]
        return None


def _parse_slot_address(text: str) -> str:
    if _SLOT_ADDRESS.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is no address of a slot")
    return text
