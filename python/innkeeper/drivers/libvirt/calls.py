"""The calls of libvirt that are made here, with their types; libvirt-python has none.

Every one of them is allowed on a read-only connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

DomainInfo = tuple[int, int, int, int, int]
"""State, most memory and memory in KiB, vCPUs, time on a CPU."""


class Device(Protocol):
    """A node device."""

    def name(self) -> str:
        """As libvirt names it, such as `pci_0000_41_10_2`."""
        ...

    def XMLDesc(self, flags: int) -> str:  # noqa: N802
        """All that is known of it."""
        ...


class Domain(Protocol):
    """An instance."""

    def UUIDString(self) -> str:  # noqa: N802
        """With hyphens."""
        ...

    def name(self) -> str:
        """As its owner called it."""
        ...

    def info(self) -> DomainInfo:
        """State and size."""
        ...

    def isActive(self) -> int:  # noqa: N802
        """Whether anything of it runs."""
        ...

    def XMLDesc(self, flags: int) -> str:  # noqa: N802
        """Without flags and secrets, of what runs if it does."""
        ...


class Handle(Protocol):
    """An open connection."""

    def isAlive(self) -> int:  # noqa: N802
        """Whether the other end is still there, as far as is known."""
        ...

    def setKeepAlive(self, interval: int, count: int) -> int:  # noqa: N802
        """Ask the other end after so many silent seconds, and give it up after so many answers missed."""
        ...

    def getCapabilities(self) -> str:  # noqa: N802
        """The host's CPUs, cells and caches."""
        ...

    def getInfo(self) -> list[Any]:  # noqa: N802
        """Architecture, MiB of memory, CPUs, MHz, cells, sockets, cores, threads."""
        ...

    def getHostname(self) -> str:  # noqa: N802
        """The host's own name."""
        ...

    def getCPUMap(self, flags: int) -> tuple[int, list[bool], int]:  # noqa: N802
        """How many CPUs there are, which of them are online, and how many those are."""
        ...

    def getFreePages(  # noqa: N802
        self, sizes: list[int], first_cell: int, cells: int, flags: int
    ) -> dict[int, dict[int, int]]:
        """Free pages by cell and size in KiB."""
        ...

    def listAllDevices(self, flags: int) -> list[Device]:  # noqa: N802
        """Node devices."""
        ...

    def listAllDomains(self, flags: int) -> list[Domain]:  # noqa: N802
        """Instances, those that are off included."""
        ...

    def nodeDeviceEventRegisterAny(  # noqa: N802
        self, device: None, event: int, callback: Callable[..., None], opaque: object
    ) -> int:
        """Be told of node devices; the number ends it."""
        ...

    def nodeDeviceEventDeregisterAny(self, number: int) -> None:  # noqa: N802
        """Be told no more."""
        ...

    def registerCloseCallback(self, callback: Callable[..., None], opaque: object) -> int:  # noqa: N802
        """Be told when the connection is lost."""
        ...

    def unregisterCloseCallback(self) -> int:  # noqa: N802
        """Be told no more."""
        ...
