"""The NUMA cells of a host as Nova books them."""

from __future__ import annotations

from innkeeper.objects.fields import (
    Boolean,
    Float,
    Integer,
    ListOfSetsOfIntegers,
    SetOfIntegers,
    SetOfStrings,
)
from innkeeper.objects.history import Added, Children
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.wire import UNSET, unset


class NetworkMetadata(NovaObject):
    """The networks that a cell is close to."""

    VERSION = "1.0"
    HISTORY = {"1.0": "first"}

    physnets: SetOfStrings = UNSET
    tunneled: Boolean = UNSET


class NUMAPagesTopology(NovaObject):
    """Pages of one size (KiB) in a cell, counted in pages."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("reserved"),
    }

    size_kb: Integer = UNSET
    total: Integer = UNSET
    used: Integer = unset(default=0)
    reserved: Integer = unset(default=0)


class NUMACell(NovaObject):
    """One cell of a host; memory in MiB."""

    VERSION = "1.5"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("pinned_cpus", "siblings"),
        "1.2": Added("mempages", child="1.0"),
        "1.3": (Added("network_metadata", child="1.0"), Children(mempages="1.1")),
        "1.4": Added("pcpuset"),
        "1.5": Added("socket"),
    }

    id: Integer = unset(read_only=True)
    cpuset: SetOfIntegers = UNSET
    """CPUs for vCPUs that share; before 1.4 all CPUs."""
    pcpuset: SetOfIntegers = UNSET
    """CPUs for vCPUs that have one each."""
    memory: Integer = UNSET
    cpu_usage: Integer = unset(default=0)
    memory_usage: Integer = unset(default=0)
    pinned_cpus: SetOfIntegers = UNSET
    siblings: ListOfSetsOfIntegers = UNSET
    mempages: tuple[NUMAPagesTopology, ...] = UNSET
    network_metadata: NetworkMetadata = UNSET
    socket: Integer | None = UNSET


class NUMATopology(NovaObject):
    """All cells of a host."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": Children(cells="1.0"),
        "1.1": Children(cells="1.1"),
        "1.2": Children(cells="1.2"),
    }

    cells: tuple[NUMACell, ...] = UNSET


class NUMATopologyLimits(NovaObject):
    """How far a scheduler allows the cells of a host to be overcommitted."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("network_metadata", child="1.0"),
    }

    cpu_allocation_ratio: Float = UNSET
    ram_allocation_ratio: Float = UNSET
    network_metadata: NetworkMetadata = UNSET
