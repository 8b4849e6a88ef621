"""Runs in the environment of the peer: Nova's own fit of guest cells on one host, timed as it is asked to.

Each line tells of a host, a guest and how long it may take; the answer has wall time in seconds, or none when
that was too long. Nova edits the guest that it is given, so each turn has a copy of its own.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import sys
import time
import warnings
from typing import Any

os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
warnings.simplefilter("ignore")

import nova.conf  # noqa: E402
from nova import config, objects  # noqa: E402, F401
from nova.objects import fields  # noqa: E402
from nova.pci import stats  # noqa: E402
from nova.virt import hardware  # noqa: E402

HUGE_KIB = 2048
GUEST_MIB = 256
VF = {"vendor_id": "8086", "product_id": "1889"}


class TooLongError(Exception):
    """The time is up."""


def _stop(*_: Any) -> None:
    raise TooLongError


def host(cells: int, cpus: int, taken: int) -> Any:
    return objects.NUMATopology(
        cells=[_cell(number, cpus, number < taken) for number in range(cells)]
    )


def _cell(number: int, cpus: int, taken: bool) -> Any:  # noqa: FBT001 - as plain as it can be
    first = number * cpus
    own = set(range(first, first + cpus))
    pages = [(4, 8 * 1024 * 256), (HUGE_KIB, 32 * 1024)]
    return objects.NUMACell(
        id=number,
        cpuset=set(),
        pcpuset=own,
        memory=72 * 1024,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=own if taken else set(),
        siblings=[{cpu, cpu + 1} for cpu in range(first, first + cpus, 2)],
        mempages=[
            objects.NUMAPagesTopology(size_kb=size, total=total, used=0, reserved=0)
            for size, total in pages
        ],
        socket=number // 4,
    )


def guest(cells: int, vcpus: int) -> Any:
    return objects.InstanceNUMATopology(
        cells=[_guest_cell(number, vcpus) for number in range(cells)]
    )


def _guest_cell(number: int, vcpus: int) -> Any:
    return objects.InstanceNUMACell(
        id=number,
        cpuset=set(),
        pcpuset=set(range(number * vcpus, (number + 1) * vcpus)),
        memory=GUEST_MIB,
        pagesize=HUGE_KIB,
        cpu_policy=fields.CPUAllocationPolicy.DEDICATED,
    )


def devices(topology: Any, cells: int, vfs: int) -> dict[str, Any]:
    """A VF on each cell, and a request for so many near the guest."""
    if not vfs:
        return {}
    pools = [
        objects.PciDevicePool(**VF, numa_node=number, tags={}, count=1) for number in range(cells)
    ]
    asked = objects.InstancePCIRequest(
        count=vfs, spec=[dict(VF)], numa_policy="required", request_id="1", alias_name="vf"
    )
    pool_list = objects.PciDevicePoolList(objects=pools)
    return {"pci_requests": [asked], "pci_stats": stats.PciDeviceStats(topology, pool_list)}


def fit(told_host: list[int], told_guest: list[int], vfs: int, limit: float) -> dict[str, Any]:
    """As often as half a second allows; once, and no longer than the limit, where it takes long."""
    topology, wanted = host(*told_host), guest(*told_guest)
    near = devices(topology, told_host[0], vfs)
    took: list[float] = []
    fits = False
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        while not took or sum(took) < 0.5:
            own = copy.deepcopy(wanted)
            start = time.perf_counter()
            fits = bool(hardware.numa_fit_instance_to_host(topology, own, None, **near))
            took.append(time.perf_counter() - start)
    except TooLongError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"seconds": took, "fits": fits}


def main() -> None:
    nova.conf.CONF([], default_config_files=[], default_config_dirs=[])
    objects.register_all()
    signal.signal(signal.SIGALRM, _stop)
    for line in sys.stdin:
        told = json.loads(line)
        answer = fit(told["host"], told["guest"], told["vfs"], told["limit"])
        print(json.dumps(answer), flush=True)


main()
