"""The NUMA cells of an instance: as they are asked for, and where they were put."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from innkeeper.objects.base import Amount, CpuList, Name, VersionedObject

PageKibibytes = Annotated[int, Field(strict=True, ge=1, le=2**40)]
PageWant = Literal["small", "large", "any"] | PageKibibytes
AllocationRatio = Annotated[float, Field(ge=0.000001, le=1_000_000)]


class ThreadPolicy(StrEnum):
    """How dedicated vCPUs sit on the siblings of a core (Nova since Mitaka; the last is ours)."""

    PREFER = "prefer"
    """Siblings of a core together where they are free, else wherever CPUs are."""
    REQUIRE = "require"
    """Siblings together or not at all; of an odd count the last has half a core."""
    ISOLATE = "isolate"
    """A core each; its other siblings are taken too and stay idle."""
    FULL_CORES = "full_cores"
    """Whole cores: a count that would leave half a core does not fit."""


class EmulatorThreads(StrEnum):
    """Where the emulator's threads run (Nova since Pike)."""

    SHARE = "share"
    """On the shared CPUs, or beside the vCPUs."""
    ISOLATE = "isolate"
    """On one dedicated CPU more, of the first guest cell that has dedicated vCPUs."""


class L3Policy(StrEnum):
    """Whether the dedicated vCPUs of one guest cell share one L3 cache."""

    PREFER = "prefer"
    REQUIRE = "require"


class CellPreference(StrEnum):
    """Which of the host cells that fit are taken, beyond the host's own order."""

    CLOSEST = "closest"
    """Those with the least sum of distances between each other."""
    SPREAD_SOCKETS = "spread_sockets"
    """Those with the fewest pairs on one socket."""
    PACK = "pack"
    """The fullest first, whatever the host's order is."""
    SPREAD = "spread"
    """The emptiest first, whatever the host's order is."""


class GuestCell(VersionedObject):
    """One NUMA node of an instance, before it is placed."""

    shared: CpuList = ""
    """vCPUs that float over the shared CPUs of the host cell."""
    dedicated: CpuList = ""
    """vCPUs that have a CPU of their own."""
    memory_mib: Amount


class GuestTopology(VersionedObject):
    """The NUMA nodes of an instance, each on a host cell of its own.

    Their vCPUs together are `Request.vcpus`, their memory is `Request.memory_mib`.
    """

    cells: Annotated[tuple[GuestCell, ...], Field(min_length=1, max_length=128)]
    pages: PageWant | None = None
    """Size of the pages that the memory comes from, in KiB: `small` is the host cell's smallest,
    `large` any other with the largest first, `any` all with the largest first. Null: ordinary memory,
    overcommitted where nothing is dedicated."""
    threads: ThreadPolicy | None = None
    """Null is `prefer`."""
    emulator_threads: EmulatorThreads | None = None
    l3: L3Policy | None = None
    preference: CellPreference | None = None


class Limits(VersionedObject):
    """Ratios of the caller in place of the host's own, for what is shared; null is unlimited."""

    vcpus: AllocationRatio | None = None
    memory: AllocationRatio | None = None


class Networks(VersionedObject):
    """Networks that a cell of the host is close to, or that an instance wants to be close to.

    A network that no cell of the host is said to be close to is near to all (Nova since Rocky).
    """

    physnets: Annotated[tuple[Name, ...], Field(max_length=1024)] = ()
    tunneled: bool = False
    """The network that tunnels run over."""


class PlacedCell(VersionedObject):
    """What one guest cell holds of the host cell that it is on."""

    cell: Amount
    """The host cell."""
    shared: CpuList = ""
    """vCPUs that float."""
    cpus: CpuList = ""
    """CPUs that they float over; empty when none does."""
    pins: dict[int, int] = {}
    """The CPU of each dedicated vCPU."""
    emulator: CpuList = ""
    """CPUs of the emulator's threads alone."""
    charged: CpuList = ""
    """Every CPU that is this instance's alone: pins, emulator, and idle siblings of isolated cores."""
    memory_mib: Amount = 0
    page_kib: PageKibibytes | None = None
    """Size of the pages that the memory comes from; null where the host lists none."""
    pages: Amount = 0
    """How many of them."""


class CellMisfit(VersionedObject):
    """Why one guest cell does not fit on one host cell."""

    guest_cell: Amount
    """Its position in `GuestTopology.cells`."""
    cell: Amount
    """The host cell."""
    code: str
    """As `Misfit.code`."""
    asked: Amount
    free: Amount
