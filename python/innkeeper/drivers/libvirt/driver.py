"""The driver that asks libvirt what the host is."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from innkeeper.clock import Clock, SystemClock
from innkeeper.drivers.base import Change, Driver
from innkeeper.drivers.libvirt.calls import Handle
from innkeeper.drivers.libvirt.capabilities import Topology
from innkeeper.drivers.libvirt.changes import device_changes
from innkeeper.drivers.libvirt.completing import completed
from innkeeper.drivers.libvirt.connection import PATIENCE, Connection
from innkeeper.drivers.libvirt.functions import read_functions
from innkeeper.drivers.libvirt.questions import Told, ask_host
from innkeeper.drivers.sysfs.notes import LONGEST_LINE, Notes, printable
from innkeeper.drivers.sysfs.pages import sum_of_pages
from innkeeper.drivers.sysfs.parse import HIGHEST_ID
from innkeeper.drivers.unchanged import Unchanged
from innkeeper.errors import HostUnreadable
from innkeeper.objects import Cell, Cpu, Host
from innkeeper.objects.base import MAX_AMOUNT

_UNTOLD = (
    "libvirt does not tell offline and isolated CPUs, the disk, boot and machine id: they count as none",
    "libvirt does not tell which devices the host needs itself: admit none that it does",
)


class LibvirtDriver:
    """Observes the host of one libvirt, over a read-only connection.

    `local` reads the same machine's files, where it is this one; without it, what libvirt does not tell
    stays unknown and the answer warns of it. Not for use by several threads at once.
    """

    def __init__(
        self,
        uri: str,
        local: Driver | None = None,
        *,
        patience: float = PATIENCE,
        clock: Clock | None = None,
    ) -> None:
        self._uri = uri
        self._local = local
        self._clock = clock or SystemClock()
        self._connection = Connection(uri, patience)
        self._unchanged = Unchanged()

    def observe(self) -> Host:
        """The host as it is now.

        Raises:
            HostUnreadable: libvirt does not answer, or tells nothing sensible.
        """
        host = self._told_host()
        if self._local is not None:
            host = completed(host, self._local.observe())
        # Given to the constructor, the tuple would be copied.
        return host.model_copy(update={"functions": self._unchanged.keep(host.functions)})

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        """Devices that came, went or changed; ends at once where libvirt has no news of them."""
        return device_changes(self._uri, clock)

    def _told_host(self) -> Host:
        notes = Notes()

        def ask(handle: Handle) -> Told:
            return ask_host(handle, notes)

        try:
            return self._host(self._connection.ask(ask), notes)
        except ValueError as error:
            message = printable(f"libvirt at {self._uri}: its host {error}")
            raise HostUnreadable(message, uri=self._uri) from error

    def _host(self, told: Told, notes: Notes) -> Host:
        memory_kib, cpus = told.node[1] * 1024, told.node[2]
        topology = told.capabilities.topology(told.free)
        if not topology.cells:
            topology = _without_cells(cpus, memory_kib, topology.page_kib, notes)
        if not topology.cpus:
            raise ValueError("has no CPUs")
        if told.devices is None:
            notes.say("libvirt does not tell of devices")
        cells = frozenset(cell.id for cell in topology.cells)
        untold = () if self._local else _UNTOLD
        return Host(
            hostname=printable(told.hostname)[:255] or "unknown",
            observed_at=self._clock.now(),
            cpus=topology.cpus,
            cells=topology.cells,
            memory_kib=sum(cell.memory_kib for cell in topology.cells) or memory_kib,
            pages=sum_of_pages(cell.pages for cell in topology.cells),
            page_kib=topology.page_kib,
            functions=read_functions(told.devices or (), cells, notes),
            warnings=(*(line[:LONGEST_LINE] for line in untold), *notes.lines()),
        )


def _without_cells(cpus: int, memory_kib: int, page_kib: int | None, notes: Notes) -> Topology:
    """One cell 0 with everything, as wherever a host says nothing of NUMA."""
    if not 0 < cpus <= HIGHEST_ID + 1 or not 0 <= memory_kib <= MAX_AMOUNT:
        raise ValueError(f"has {cpus} CPUs and {memory_kib} KiB of memory")
    notes.say("libvirt does not tell of cells: CPUs are numbered from 0, each is a core of its own")
    ids = tuple(range(cpus))
    rows = tuple(Cpu(id=cpu, cell=0, siblings=(cpu,)) for cpu in ids)
    return Topology(rows, (Cell(id=0, cpus=ids, memory_kib=memory_kib),), page_kib)
