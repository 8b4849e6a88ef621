"""Network devices that the host itself needs: default routes, and members of bridges and bonds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from innkeeper.drivers.sysfs.location import functions_on
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.pci import NETDEVS
from innkeeper.drivers.sysfs.tree import TABLE_LIMIT, Tree

_UP = 0x1
_REJECT = 0x200
"""Route flags of include/uapi/linux/route.h; IFF_UP of linux/if.h is 0x1 too."""

_HEX = re.compile(r"[0-9a-fA-F]{1,8}")


class Network:
    """Network devices of one tree, and the functions behind them."""

    def __init__(self, tree: Tree, functions: dict[str, str]) -> None:
        """`functions` are those that list their network devices themselves, by the device's name."""
        self._tree = tree
        self._functions = functions
        self._listed: dict[str, list[str]] = {}

    def default_routes(self) -> Iterator[tuple[str, str]]:
        """Functions that carry a default route of IPv4 or IPv6, each with the reason."""
        for name in sorted(self._default_devices()):
            for below in self._down_from(name):
                function = self._function(below)
                if function:
                    through = "" if below == name else f", through {printable(below)}"
                    yield function, f"default route via {printable(name)}{through}"

    def members(self) -> Iterator[tuple[str, str]]:
        """Functions whose network devices are members of a bridge, a bond or the like that is up."""
        for name in self._tree.names(NETDEVS):
            if self._function(name) or not self._is_up(name):
                continue
            for below in self._members(name):
                function = self._function(below)
                if function:
                    reason = f"{printable(below)} is a member of {self._kind(name)}"
                    yield function, f"{reason} {printable(name)}"

    def _default_devices(self) -> set[str]:
        four = self._tree.text("proc/net/route", limit=TABLE_LIMIT) or ""
        six = self._tree.text("proc/net/ipv6_route", limit=TABLE_LIMIT) or ""
        devices = {_default_of_ipv4(line.split()) for line in four.splitlines()[1:]}
        devices |= {_default_of_ipv6(line.split()) for line in six.splitlines()}
        return {name for name in devices if name and "/" not in name}

    def _down_from(self, name: str) -> list[str]:
        """The device and all that it stands on."""
        found = [name]
        for device in found:
            found += [below for below in self._lowers(device) if below not in found]
        return found

    def _lowers(self, name: str) -> list[str]:
        entries = self._entries(name)
        lowers = [entry.removeprefix("lower_") for entry in entries if entry.startswith("lower_")]
        if "brif" in entries:
            lowers += self._tree.names(f"{NETDEVS}/{name}/brif")
        if "bonding" in entries:
            lowers += (self._tree.text(f"{NETDEVS}/{name}/bonding/slaves") or "").split()
        return list(dict.fromkeys(lowers))

    def _members(self, name: str) -> list[str]:
        # A VLAN stands on a device, too, but does not own it as a bridge owns its members.
        owns = self._kind(name) != "device"
        return [below for below in self._lowers(name) if owns or self._master(below) == name]

    def _master(self, name: str) -> str | None:
        master = self._tree.real(f"{NETDEVS}/{name}/master")
        return master.rpartition("/")[2] if master else None

    def _kind(self, name: str) -> str:
        entries = self._entries(name)
        return "bridge" if "bridge" in entries else "bond" if "bonding" in entries else "device"

    def _entries(self, name: str) -> list[str]:
        if name not in self._listed:
            self._listed[name] = self._tree.names(f"{NETDEVS}/{name}")
        return self._listed[name]

    def _is_up(self, name: str) -> bool:
        flags = self._tree.text(f"{NETDEVS}/{name}/flags") or ""
        if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", flags):
            return bool(int(flags, 16) & _UP)
        return self._tree.text(f"{NETDEVS}/{name}/operstate") == "up"

    def _function(self, name: str) -> str | None:
        if name in self._functions:
            return self._functions[name]
        # virtio and the like put a device of their own between; old kernels keep a plain directory.
        for path in (f"{NETDEVS}/{name}", f"{NETDEVS}/{name}/device"):
            on_path = functions_on(self._tree.real(path) or "")
            if on_path:
                return on_path[-1]
        return None


def _default_of_ipv4(fields: list[str]) -> str | None:
    # Iface Destination Gateway Flags RefCnt Use Metric Mask ...
    if len(fields) < 8 or fields[1] != "0" * 8 or fields[7] != "0" * 8:
        return None
    return fields[0] if _is_usable(fields[3]) else None


def _default_of_ipv6(fields: list[str]) -> str | None:
    # destination prefix source prefix next-hop metric references use flags device
    if len(fields) != 10 or fields[0] != "0" * 32 or fields[1] != "00":
        return None
    return fields[9] if _is_usable(fields[8]) else None


def _is_usable(flags: str) -> bool:
    return bool(_HEX.fullmatch(flags)) and int(flags, 16) & (_UP | _REJECT) == _UP
