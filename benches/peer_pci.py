"""Runs in the environment of the peer: Nova's own PCI tracker on one host, timed as it is asked to.

The first line tells of the host; each further one names something to time. The tables are Nova's, made by
its own models in an SQLite file with its own settings. Wall time, in seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
warnings.simplefilter("ignore")

import nova.conf  # noqa: E402
import sqlalchemy  # noqa: E402
from nova import config, context, objects  # noqa: E402, F401
from nova.db.main import api as database  # noqa: E402
from nova.db.main import models  # noqa: E402
from nova.objects import fields  # noqa: E402
from nova.pci import manager  # noqa: E402

INSTANCE = "12345678-0000-0000-0000-{:012d}"


def timed(once: Callable[[], Any]) -> float:
    start = time.perf_counter()
    once()
    return time.perf_counter() - start


class Host:
    """One node of Nova's with its tracker."""

    def __init__(self, told: dict[str, Any]) -> None:
        start_nova(told["specs"], told["database"])
        self.context = context.get_admin_context()
        self.reported = json.dumps(told["devices"])
        self.pattern = told["pattern"]
        self.node = make_node(self.context, told["cells"])
        self.peak_before = peak_kib()
        self.statements = 0
        engine = database.context_manager.writer.get_engine()
        sqlalchemy.event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.statements += statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))

    # -- what can be timed ---------------------------------------------------------------------

    def first_sync(self) -> dict[str, Any]:
        """The host's devices into a tracker that knows none."""
        self.tracker = manager.PciDevTracker(self.context, self.node)
        seconds = timed(self._sync)
        return {"seconds": [seconds], "pools": len(self.tracker.stats.pools)}

    def sync(self) -> dict[str, Any]:
        """The same devices again."""
        return {"seconds": [timed(self._sync)]}

    def _sync(self) -> None:
        self.tracker.update_devices_from_hypervisor_resources(self.reported)

    def save(self) -> dict[str, Any]:
        """What the sync marked as changed, made durable."""
        self.statements = 0
        seconds = timed(lambda: self.tracker.save(self.context))
        return {"seconds": [seconds], "statements": self.statements}

    def fit(self, count: int, seconds: float) -> dict[str, Any]:
        """The question that a claim begins with."""
        requests = [self._request(count)]

        def once() -> None:
            assert self.tracker.stats.support_requests(requests, None, one_cell())

        return repeat(once, seconds)

    def claim_and_free(self, count: int, seconds: float) -> dict[str, Any]:
        instance = objects.Instance(self.context, uuid=INSTANCE.format(0))
        instance.pci_devices = objects.PciDeviceList(objects=[])
        topology = objects.InstanceNUMATopology(cells=one_cell())

        def once() -> None:
            assert len(self._claim(instance.uuid, count, topology)) == count
            self.tracker.free_instance(self.context, instance)

        return repeat(once, seconds)

    def fill(self, count: int) -> dict[str, Any]:
        """So many claims of one device each."""

        def all_of_them() -> None:
            for number in range(count):
                assert len(self._claim(INSTANCE.format(number), 1, None)) == 1

        return {"seconds": [timed(all_of_them)]}

    def pools(self, seconds: float) -> dict[str, Any]:
        return repeat(self.tracker.stats.to_device_pools_obj, seconds)

    def peak(self) -> dict[str, Any]:
        """Of this process in KiB, before it had devices and until now."""
        return {"before": self.peak_before, "until_now": peak_kib()}

    # -- its parts -----------------------------------------------------------------------------

    def _request(self, count: int) -> Any:
        return objects.InstancePCIRequest(
            count=count,
            spec=[dict(self.pattern)],
            request_id=INSTANCE.format(1),
            alias_name="bench",
            is_new=False,
        )

    def _claim(self, uuid: str, count: int, topology: Any) -> Any:
        requests = [self._request(count)]
        asked = objects.InstancePCIRequests(instance_uuid=uuid, requests=requests)
        return self.tracker.claim_instance(self.context, asked, topology)


def repeat(once: Callable[[], Any], seconds: float) -> dict[str, Any]:
    end, took = time.perf_counter() + seconds, [timed(once)]
    while time.perf_counter() < end:
        took.append(timed(once))
    return {"seconds": took}


def peak_kib() -> int:
    """Of this process alone: what getrusage tells begins with the peak of its parent."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - as plain as it can be
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def start_nova(specs: list[dict[str, str]], path: str) -> None:
    conf = nova.conf.CONF
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override("device_spec", [json.dumps(spec) for spec in specs], group="pci")
    conf.set_override("connection", f"sqlite:///{path}", group="database")
    objects.register_all()
    database.configure(conf)
    models.BASE.metadata.create_all(database.context_manager.writer.get_engine())


def make_node(admin: Any, cells: int) -> Any:
    topology = objects.NUMATopology(cells=[host_cell(number) for number in range(cells)])
    node = objects.ComputeNode(
        admin,
        host="bench",
        uuid="11111111-2222-3333-4444-555555555555",
        vcpus=1,
        memory_mb=1,
        local_gb=1,
        vcpus_used=0,
        memory_mb_used=0,
        local_gb_used=0,
        hypervisor_type="fake",
        hypervisor_version=1,
        hypervisor_hostname="bench",
        cpu_info="{}",
        numa_topology=topology._to_json(),  # noqa: SLF001 - as Nova's own drivers do
        cpu_allocation_ratio=1.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
    )
    node.create()
    return node


def host_cell(number: int) -> Any:
    cpus = set(range(number * 16, number * 16 + 16))
    return objects.NUMACell(
        id=number,
        cpuset=cpus,
        pcpuset=set(),
        memory=65_536,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=set(),
        siblings=[{cpu} for cpu in cpus],
        mempages=[],
        socket=number // 2,
    )


def one_cell() -> list[Any]:
    return [
        objects.InstanceNUMACell(
            id=0,
            cpuset={0},
            pcpuset=set(),
            memory=512,
            cpu_policy=fields.CPUAllocationPolicy.SHARED,
        )
    ]


def main() -> None:
    host = Host(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = getattr(host, asked.pop("do"))(**asked)
        print(json.dumps(answer), flush=True)


main()
