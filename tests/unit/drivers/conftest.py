"""Small host trees, written file by file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.objects import Host, PciFunction

SYSTEM = "sys/devices/system"


class HostTree:
    """A folder with sys/ and proc/ in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.driver = SysfsDriver(str(root))

    def file(self, path: str, text: str | bytes = "") -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
        return place

    def link(self, path: str, target: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def folder(self, path: str) -> Path:
        place = self.root / path
        place.mkdir(parents=True, exist_ok=True)
        return place

    def cpu(self, number: int, **topology: str | int) -> None:
        self.folder(f"{SYSTEM}/cpu/cpu{number}")
        for name, value in topology.items():
            self.file(f"{SYSTEM}/cpu/cpu{number}/topology/{name}", f"{value}\n")

    def cell(self, number: int, cpus: str, memory_kib: int = 1024) -> None:
        path = f"{SYSTEM}/node/node{number}"
        self.file(f"{path}/cpulist", f"{cpus}\n")
        self.file(f"{path}/meminfo", f"Node {number} MemTotal:  {memory_kib} kB\n")

    def function(self, address: str, below: str = "pci0000:00", **files: str | int) -> str:
        """A network card unless the files say otherwise; its path is the answer."""
        path = f"sys/devices/{below}/{address}"
        usual = {"vendor": "0x8086", "device": "0x10c9", "class": "0x020000", "numa_node": -1}
        for name, value in {**usual, **files}.items():
            self.file(f"{path}/{name}", f"{value}\n")
        self.link(f"sys/bus/pci/devices/{address}", f"../../../devices/{below}/{address}")
        return path

    def netdev(self, name: str, below: str, flags: str = "0x1003") -> str:
        """A network device below a device of /sys/devices, which is given from there."""
        path = f"sys/devices/{below}/net/{name}"
        self.file(f"{path}/flags", f"{flags}\n")
        self.link(f"sys/class/net/{name}", f"../../devices/{below}/net/{name}")
        return path

    def disk(self, name: str, numbers: str, below: str) -> str:
        """A block device below a device of /sys/devices, which is given from there."""
        path = f"sys/devices/{below}/{name}"
        self.file(f"{path}/dev", f"{numbers}\n")
        self.link(f"sys/dev/block/{numbers}", f"../../devices/{below}/{name}")
        self.link(f"sys/class/block/{name}", f"../../devices/{below}/{name}")
        return path

    def observe(self) -> Host:
        return self.driver.observe()

    def observe_unprivileged(self) -> Host:
        """As a user who is not root."""
        if os.geteuid() != 0:
            return self.observe()
        os.seteuid(65_534)
        try:
            return self.observe()
        finally:
            os.seteuid(0)

    def functions(self) -> dict[str, PciFunction]:
        return {function.address: function for function in self.observe().functions}

    def uses(self) -> dict[str, str]:
        """What `observe` says of functions in use, by address."""
        functions = self.functions().values()
        return {one.address: one.used_by_host for one in functions if one.used_by_host}


@pytest.fixture
def empty() -> Iterator[HostTree]:
    """A tree without anything, in a folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        yield HostTree(root)


@pytest.fixture
def tree(empty: HostTree) -> HostTree:
    """Two CPUs, one cell, one mebibyte."""
    empty.file(f"{SYSTEM}/cpu/online", "0-1\n")
    for number in (0, 1):
        empty.cpu(number, physical_package_id=0, core_id=number, thread_siblings_list=number)
    empty.cell(0, "0-1")
    empty.file("proc/meminfo", "MemTotal:  1024 kB\n")
    return empty
