"""What the hypervisor needs of the host for each instance beside what the guest gets."""

from __future__ import annotations

from innkeeper.config.sections import Overhead
from innkeeper.objects import Request


def with_overhead(request: Request, overhead: Overhead) -> Request:
    """The request as the ledger takes it: the guest's amounts, and the hypervisor's own.

    What asks for neither vCPUs nor memory is no guest and has none. Memory of a guest with cells is not
    touched: it is the sum of its cells, and what the hypervisor needs belongs to none of them.
    """
    if request.vcpus is None and request.memory_mib is None:
        return request
    disk_mib = _more(request.disk_mib, overhead.disk_mib)
    if request.topology is not None:
        return request.model_copy(update={"disk_mib": disk_mib})
    per_vcpu = overhead.memory_mib_per_vcpu * (request.vcpus or 0)
    memory_mib = _more(request.memory_mib, overhead.memory_mib + per_vcpu)
    return request.model_copy(update={"disk_mib": disk_mib, "memory_mib": memory_mib})


def _more(amount: int | None, overhead: int) -> int | None:
    """Null stays null where there is no overhead."""
    return (amount or 0) + overhead or None
