"""The NUMA cells of a guest, and where they were put."""

from __future__ import annotations

from typing import Any

from innkeeper.objects.cpu_model import VirtCPUTopology
from innkeeper.objects.fields import (
    CPUAllocationPolicy,
    CPUEmulatorThreadsPolicy,
    CPUThreadAllocationPolicy,
    DictOfIntegers,
    Integer,
    SetOfIntegers,
    Uuid,
)
from innkeeper.objects.history import Added, Children, NewValues, VersionNumber
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.plain import no_backport
from innkeeper.objects.reader import Reader
from innkeeper.objects.wire import UNSET, unset


class InstanceNUMACell(NovaObject):
    """One guest cell; `id` is the host cell once it is placed, memory in MiB, pages in KiB."""

    VERSION = "1.6"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("pagesize"),
        "1.2": (Added("cpu_pinning_raw"), Added("cpu_topology", child="1.0")),
        "1.3": Added("cpu_policy", "cpu_thread_policy"),
        "1.4": Added("cpuset_reserved"),
        "1.5": Added("pcpuset"),
        "1.6": NewValues("cpu_policy", "mixed"),
    }

    id: Integer = UNSET
    cpuset: SetOfIntegers = UNSET
    """vCPUs that share; before 1.5 all vCPUs."""
    pcpuset: SetOfIntegers = UNSET
    """vCPUs that have a CPU each."""
    cpuset_reserved: SetOfIntegers | None = unset(default=None)
    memory: Integer = UNSET
    pagesize: Integer | None = unset(default=None)
    cpu_topology: VirtCPUTopology | None = UNSET
    cpu_pinning_raw: DictOfIntegers | None = unset(default=None)
    """vCPU (as text, since JSON has no other keys) -> CPU."""
    cpu_policy: CPUAllocationPolicy | None = unset(default=None)
    cpu_thread_policy: CPUThreadAllocationPolicy | None = unset(default=None)

    @property
    def cpu_pinning(self) -> dict[int, int]:
        """CPU of each vCPU; empty when nothing is pinned."""
        return {int(vcpu): cpu for vcpu, cpu in (self.cpu_pinning_raw or {}).items()}

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """Before 1.5 dedicated vCPUs were in `cpuset`; a mix of both could not be said at all."""
        policy, pcpuset = self.__dict__.get("cpu_policy"), self.__dict__.get("pcpuset")
        if policy == "mixed":
            raise no_backport(self, "cpu_policy", policy, target)
        if target < (1, 5) and policy == "dedicated" and pcpuset is not None:
            data["cpuset"] = sorted(pcpuset)


class InstanceNUMATopology(NovaObject):
    """All cells of a guest."""

    VERSION = "1.3"
    HISTORY = {
        "1.0": Children(cells="1.0"),
        "1.1": "aware of page sizes",
        "1.2": Children(cells="1.2"),
        "1.3": (Added("emulator_threads_policy"), Children(cells="1.4")),
    }

    id: Integer = UNSET
    instance_uuid: Uuid = UNSET
    cells: tuple[InstanceNUMACell, ...] = UNSET
    emulator_threads_policy: CPUEmulatorThreadsPolicy | None = UNSET
