"""The driver that reads a host from its /sys and /proc."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import anyio.to_thread

from innkeeper.clock import Clock, SystemClock
from innkeeper.drivers.base import Change
from innkeeper.drivers.sysfs.cells import read_memory
from innkeeper.drivers.sysfs.cpus import read_cpu_sets, read_cpus
from innkeeper.drivers.sysfs.identity import (
    is_of_this_kernel,
    read_boot_id,
    read_disk,
    read_hostname,
    read_machine_id,
    read_page_kib,
)
from innkeeper.drivers.sysfs.in_use import mark_used
from innkeeper.drivers.sysfs.notes import Notes
from innkeeper.drivers.sysfs.parse import parse_amount
from innkeeper.drivers.sysfs.pci import FunctionReader
from innkeeper.drivers.sysfs.place import find_root
from innkeeper.drivers.sysfs.serials import Serials
from innkeeper.drivers.sysfs.tree import Tree
from innkeeper.drivers.sysfs.uevents import UEVENTS_MADE, kernel_changes
from innkeeper.drivers.unchanged import Unchanged
from innkeeper.errors import HostUnreadable
from innkeeper.objects import Host


class SysfsDriver:
    """Observes the host whose /sys and /proc lie under `root`: this machine, or a captured tree.

    It never writes and opens nothing but directories and regular files. `disk_path` is the place whose
    file system instances' disks live on. Not for use by several threads at once.
    """

    def __init__(
        self, root: str = "/", disk_path: str | None = None, *, clock: Clock | None = None
    ) -> None:
        self._given = root
        self._disk_path = disk_path
        self._clock = clock or SystemClock()
        self._serials = Serials()
        self._unchanged = Unchanged()
        self._uevents: int | None = None
        """Made by the kernel before the last observation."""

    def observe(self) -> Host:
        """The host as it is now.

        Raises:
            HostUnreadable: the root holds no host; a file that is missing or malformed is a warning
                in the answer instead.
        """
        root = find_root(self._given)
        notes = Notes()
        try:
            tree = Tree(root, notes)
        except (OSError, ValueError) as error:
            message = f"the host's root {root!r} cannot be opened: {error}"
            raise HostUnreadable(message, root=root) from error
        with tree:
            self._uevents = tree.parsed(UEVENTS_MADE, parse_amount)
            return self._observe(tree, root, notes)

    async def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        """Uevents, where the root is of the kernel that runs; nothing where it is a tree of another."""
        if not await anyio.to_thread.run_sync(is_of_this_kernel, self._given):
            return
        async with aclosing(kernel_changes(clock, self._uevents)) as changes:
            async for change in changes:
                yield change

    def _observe(self, tree: Tree, root: str, notes: Notes) -> Host:
        sets = read_cpu_sets(tree)
        if not sets.online:
            message = (
                f"no CPU is to be seen under {root!r}: is its sys/devices/system/cpu complete?"
            )
            raise HostUnreadable(message, root=root, warnings=notes.lines())
        memory = read_memory(tree, sets)
        self._serials.start()
        reader = FunctionReader(tree, frozenset(cell.id for cell in memory.cells), self._serials)
        functions = self._unchanged.keep(mark_used(tree, reader.read_all()))
        host = Host(
            hostname=read_hostname(tree, root),
            boot_id=read_boot_id(tree),
            machine_id=read_machine_id(tree),
            observed_at=self._clock.now(),
            cpus=read_cpus(tree, sets, memory.cell_of),
            cells=memory.cells,
            memory_kib=memory.memory_kib,
            pages=memory.pages,
            page_kib=read_page_kib(root),
            disk=read_disk(tree, root, self._disk_path),
            warnings=notes.lines(),
        )
        # Given to the constructor, the tuple would be copied.
        return host.model_copy(update={"functions": functions})
